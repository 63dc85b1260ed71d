//! Certificates and scheduled backups, as a cluster tells of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use tenantry::model::upkeep::Certificate;

use super::world::World;
use super::world::sandbox;

impl World {
    /// An object in the world's namespace, of a tenant's subscription `school`.
    async fn has(&self, api: &str, collection: &str, name: &str, tenant: &str, body: Value) {
        let labels = json!({"tenantry.dev/tenant": tenant, "tenantry.dev/subscription": "school"});
        let mut object =
            json!({"metadata": {"name": name, "namespace": self.namespace, "labels": labels}});
        object.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let path = format!("{api}/namespaces/{}/{collection}", self.namespace);
        self.kubectl.create(&path, &object).await;
    }

    async fn has_ingress(&self, name: &str, tenant: &str, secret: &str) {
        let host = format!("{name}.example");
        let tls = json!([{"hosts": [host], "secretName": secret}, {"hosts": ["default.example"]}]);
        let spec = json!({"tls": tls, "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}});
        self.has("/apis/networking.k8s.io/v1", "ingresses", name, tenant, json!({ "spec": spec }))
            .await;
    }
}

/// A certificate and its key, good until the third of February.
fn tls() -> (String, String) {
    let mut parameters = rcgen::CertificateParams::new(["acme.example".to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(2027, 2, 3);
    let key = rcgen::KeyPair::generate().unwrap();
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn the_end_of_a_certificate_is_read_from_its_secret_and_its_key_is_not_told() {
    let world = sandbox().await;
    world.settles().await;
    let _watching = world.watch().await;
    let tenant = world.unit.to_string();
    let (certificate, key) = tls();
    let data = json!({"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(&key)});
    let secret = json!({"type": "kubernetes.io/tls", "data": data});
    world.has("/api/v1", "secrets", "tls", &tenant, secret).await;
    world.has_ingress("a", &tenant, "tls").await;
    world.has_ingress("b", &tenant, "not-issued").await;
    world.has_ingress("stray", "globex", "tls").await;
    let mut certificates = world.cluster.certificates().await.unwrap();
    certificates.sort_by(|one, other| one.hosts.cmp(&other.hosts));
    let expected = |host: &str, secret: &str, ends: Option<&str>| Certificate {
        of: format!("{tenant}/school").parse().unwrap(),
        namespace: world.namespace.clone(),
        secret: secret.to_owned(),
        hosts: vec![host.to_owned()],
        ends: ends.map(|ends| ends.parse().unwrap()),
    };
    let expected = [
        expected("a.example", "tls", Some("2027-02-03T00:00:00Z")),
        expected("b.example", "not-issued", None),
    ];
    assert_eq!(certificates, expected);
    let told = format!("{certificates:?}");
    assert!(!told.contains(key.lines().nth(1).unwrap()), "{told}");
}

#[tokio::test]
async fn a_scheduled_backup_is_told_with_when_one_last_went_well() {
    let world = sandbox().await;
    world.settles().await;
    let _watching = world.watch().await;
    let tenant = world.unit.to_string();
    let job = |label: &str| {
        let container = json!({"name": "dump", "image": "postgres:17"});
        let pod = json!({"metadata": {"labels": {"app.kubernetes.io/name": label}},
            "spec": {"restartPolicy": "OnFailure", "containers": [container]}});
        json!({"spec": {"schedule": "0 2 * * *", "jobTemplate": {"spec": {"template": pod}}}})
    };
    for (name, label) in [("nightly", "backup"), ("digest", "mailer")] {
        world.has("/apis/batch/v1", "cronjobs", name, &tenant, job(label)).await;
    }
    let only = async || {
        let backups = world.cluster.scheduled_backups().await.unwrap().unwrap();
        let [backup] = &backups[..] else { panic!("{backups:?}") };
        assert_eq!(backup.name, "nightly");
        backup.clone()
    };
    assert_eq!(only().await.failed(), None, "it was never begun");
    let status = json!({"status": {"lastScheduleTime": "2026-11-24T02:00:00Z",
        "lastSuccessfulTime": "2026-11-23T02:05:00Z"}});
    let path = format!("/apis/batch/v1/namespaces/{}/cronjobs/nightly/status", world.namespace);
    world.kubectl.patch(&path, "controller", status).await;
    assert_eq!(only().await.failed(), Some(true));
}
