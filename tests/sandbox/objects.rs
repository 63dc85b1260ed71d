//! Objects one by one: created, read, replaced, patched and deleted, and refused in the right words.

use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::cluster::version;

on_both! {
    a_new_object_has_an_identity,
    a_name_is_taken_once,
    what_is_not_there_is_not_found,
    names_can_be_generated,
    a_namespace_must_exist,
    an_ill_formed_name_is_invalid,
    a_stale_update_is_refused,
    an_update_without_a_version_wins,
    an_update_of_nothing_is_not_found,
    an_unchanged_update_changes_nothing,
    patches_come_in_three_kinds,
    a_patch_of_an_unknown_kind_is_refused,
    a_generation_counts_changes_of_the_spec,
    the_spec_does_not_change_through_the_status,
    deleting_tells_what_is_gone,
    a_delete_can_insist_on_an_identity,
    finalizers_hold_an_object,
    dependents_go_with_their_owner,
    dependents_can_be_orphaned,
    a_selector_does_not_change,
    a_job_template_does_not_change,
    a_claim_only_grows,
    a_cluster_address_stays,
    immutable_configuration_stays,
    missing_fields_are_named,
    labels_must_match_the_selector,
    a_dry_run_creates_nothing,
    a_collection_can_be_deleted,
    defaults_are_filled_in,
    the_wrong_kind_is_refused,
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "a:1"}]}},
    }})
}

async fn a_new_object_has_an_identity(cluster: &Cluster) {
    let answer = cluster.post(&cluster.core("configmaps"), config_map("a")).await;
    assert_eq!(answer.code, 201);
    let metadata = &answer.body["metadata"];
    assert_eq!(metadata["namespace"], cluster.namespace);
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        assert!(!metadata[field].as_str().unwrap_or_default().is_empty(), "{field}");
    }
    let found = cluster.get(&cluster.core("configmaps/a")).await.ok();
    assert_eq!(found["metadata"]["uid"], metadata["uid"]);
    assert_eq!(found["kind"], "ConfigMap");
}

async fn a_name_is_taken_once(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    let answer = cluster.post(&cluster.core("configmaps"), config_map("a")).await;
    assert_eq!(answer.refused(409, "AlreadyExists"), "configmaps \"a\" already exists");
    assert_eq!(answer.body["details"], json!({"name": "a", "kind": "configmaps"}));
    cluster.post(&cluster.of("apps/v1", "deployments"), deployment()).await.ok();
    let answer = cluster.post(&cluster.of("apps/v1", "deployments"), deployment()).await;
    assert_eq!(answer.refused(409, "AlreadyExists"), "deployments.apps \"web\" already exists");
    assert_eq!(
        answer.body["details"],
        json!({"name": "web", "group": "apps", "kind": "deployments"})
    );
}

async fn what_is_not_there_is_not_found(cluster: &Cluster) {
    let answer = cluster.get(&cluster.of("apps/v1", "deployments/none")).await;
    assert_eq!(answer.refused(404, "NotFound"), "deployments.apps \"none\" not found");
    assert_eq!(
        answer.body["details"],
        json!({"name": "none", "group": "apps", "kind": "deployments"})
    );
    let answer = cluster.delete(&cluster.core("secrets/none"), json!({})).await;
    assert_eq!(answer.refused(404, "NotFound"), "secrets \"none\" not found");
    let answer = cluster.get(&cluster.of("apps/v9", "deployments/none")).await;
    assert_eq!(answer.code, 404);
}

async fn names_can_be_generated(cluster: &Cluster) {
    let body =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "part-"}});
    let one = cluster.post(&cluster.core("configmaps"), body.clone()).await.ok();
    let other = cluster.post(&cluster.core("configmaps"), body).await.ok();
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(
        name(&one).starts_with("part-") && name(&one).len() == "part-".len() + 5,
        "{}",
        name(&one)
    );
    assert_ne!(name(&one), name(&other));
}

async fn a_namespace_must_exist(cluster: &Cluster) {
    let answer =
        cluster.post("/api/v1/namespaces/nowhere-at-all/configmaps", config_map("a")).await;
    assert_eq!(answer.refused(404, "NotFound"), "namespaces \"nowhere-at-all\" not found");
    let path = "/api/v1/namespaces/nowhere-at-all/configmaps/a";
    let answer = cluster.apply(path, "tenantry", config_map("a")).await;
    assert_eq!(answer.refused(404, "NotFound"), "namespaces \"nowhere-at-all\" not found");
}

async fn an_ill_formed_name_is_invalid(cluster: &Cluster) {
    let answer = cluster.post(&cluster.core("configmaps"), config_map("Not_Good")).await;
    let message = answer.refused(422, "Invalid");
    assert!(
        message.starts_with(
            "ConfigMap \"Not_Good\" is invalid: metadata.name: Invalid value: \"Not_Good\": "
        ),
        "{message}"
    );
    assert_eq!(answer.body["details"]["causes"][0]["field"], "metadata.name");
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "FieldValueInvalid");
    assert_eq!(answer.body["details"]["kind"], "ConfigMap");
}

async fn a_stale_update_is_refused(cluster: &Cluster) {
    let mut body = cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    cluster.patch(&cluster.core("configmaps/a"), json!({"data": {"b": "2"}})).await.ok();
    body["data"]["a"] = "3".into();
    let answer = cluster.put(&cluster.core("configmaps/a"), body).await;
    assert_eq!(
        answer.refused(409, "Conflict"),
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to \
         the latest version and try again"
    );
    assert_eq!(answer.body["details"], json!({"name": "a", "kind": "configmaps"}));
}

async fn an_update_without_a_version_wins(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    let mut body = config_map("a");
    body["data"] = json!({"only": "this"});
    let object = cluster.put(&cluster.core("configmaps/a"), body).await.ok();
    assert_eq!(object["data"], json!({"only": "this"}));
}

async fn an_update_of_nothing_is_not_found(cluster: &Cluster) {
    let answer = cluster.put(&cluster.core("configmaps/none"), config_map("none")).await;
    assert!(answer.code == 404 || answer.code == 201, "{:#}", answer.body);
    let answer = cluster.patch(&cluster.core("configmaps/none-either"), json!({})).await;
    assert_eq!(answer.refused(404, "NotFound"), "configmaps \"none-either\" not found");
}

async fn an_unchanged_update_changes_nothing(cluster: &Cluster) {
    let body = cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    let again = cluster.put(&cluster.core("configmaps/a"), body.clone()).await.ok();
    assert_eq!(version(&body), version(&again));
    let patched =
        cluster.patch(&cluster.core("configmaps/a"), json!({"data": {"a": "1"}})).await.ok();
    assert_eq!(version(&body), version(&patched));
}

async fn patches_come_in_three_kinds(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    cluster.post(&cluster.of("apps/v1", "deployments"), deployment()).await.ok();
    let strategic =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "b:1"}]}}}});
    let object = cluster
        .send(
            Method::PATCH,
            &path,
            "application/strategic-merge-patch+json",
            strategic.to_string().into(),
        )
        .await
        .ok();
    assert_eq!(object["spec"]["template"]["spec"]["containers"].as_array().unwrap().len(), 2);
    let json_patch = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "c:1"}]);
    let object = cluster
        .send(Method::PATCH, &path, "application/json-patch+json", json_patch.to_string().into())
        .await
        .ok();
    assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["image"], "c:1");
    let merge =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "d:1"}]}}}});
    let object = cluster.patch(&path, merge).await.ok();
    assert_eq!(object["spec"]["template"]["spec"]["containers"].as_array().unwrap().len(), 1);
}

async fn a_patch_of_an_unknown_kind_is_refused(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    let answer = cluster
        .send(Method::PATCH, &cluster.core("configmaps/a"), "text/plain", b"x".to_vec())
        .await;
    assert_eq!(answer.code, 415);
    assert_eq!(answer.body["reason"], "UnsupportedMediaType");
}

async fn a_generation_counts_changes_of_the_spec(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    let object = cluster.post(&cluster.of("apps/v1", "deployments"), deployment()).await.ok();
    assert_eq!(object["metadata"]["generation"], 1);
    let object = cluster.patch(&path, json!({"metadata": {"labels": {"a": "b"}}})).await.ok();
    assert_eq!(object["metadata"]["generation"], 1);
    let object = cluster.patch(&path, json!({"spec": {"minReadySeconds": 5}})).await.ok();
    assert_eq!(object["metadata"]["generation"], 2);
}

async fn the_spec_does_not_change_through_the_status(cluster: &Cluster) {
    let path = cluster.of("networking.k8s.io/v1", "ingresses/web");
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
        "spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}});
    let object = cluster.post(&cluster.of("networking.k8s.io/v1", "ingresses"), ingress).await.ok();
    assert_ne!(object["status"]["loadBalancer"]["ingress"][0]["ip"], "192.0.2.9");
    let change = json!({"spec": {"ingressClassName": "x"}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    let object = cluster.patch(&format!("{path}/status"), change).await.ok();
    assert!(object["spec"]["ingressClassName"].is_null());
    assert_eq!(object["status"]["loadBalancer"]["ingress"][0]["ip"], "192.0.2.1");
}

async fn deleting_tells_what_is_gone(cluster: &Cluster) {
    let object = cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    let answer = cluster.delete(&cluster.core("configmaps/a"), json!({})).await.ok();
    assert_eq!(answer["kind"], "Status");
    assert_eq!(answer["status"], "Success");
    assert_eq!(
        answer["details"],
        json!({"name": "a", "kind": "configmaps", "uid": object["metadata"]["uid"]})
    );
    cluster.get(&cluster.core("configmaps/a")).await.refused(404, "NotFound");
}

async fn a_delete_can_insist_on_an_identity(cluster: &Cluster) {
    let object = cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    let other = json!({"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}});
    let answer = cluster.delete(&cluster.core("configmaps/a"), other).await;
    let message = answer.refused(409, "Conflict");
    let expected = "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition";
    let today = "Operation cannot be fulfilled on configmaps \"a\": Precondition failed: UID in precondition: \
                 00000000-0000-0000-0000-000000000000, UID in object meta: ";
    assert!(message.starts_with(today) || message.starts_with(expected), "{message}");
    let own = json!({"preconditions": {"uid": object["metadata"]["uid"]}});
    cluster.delete(&cluster.core("configmaps/a"), own).await.ok();
}

async fn finalizers_hold_an_object(cluster: &Cluster) {
    let path = cluster.core("configmaps/a");
    let mut body = config_map("a");
    body["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.post(&cluster.core("configmaps"), body).await.ok();
    let answer = cluster.delete(&path, json!({})).await.ok();
    assert_eq!(answer["kind"], "ConfigMap");
    assert!(!answer["metadata"]["deletionTimestamp"].is_null());
    cluster.get(&path).await.ok();
    cluster.patch(&path, json!({"metadata": {"finalizers": null}})).await.ok();
    cluster.get(&path).await.refused(404, "NotFound");
}

fn owned_by(name: &str, owner: &Value) -> Value {
    let mut body = config_map(name);
    body["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap",
        "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}]);
    body
}

async fn dependents_go_with_their_owner(cluster: &Cluster) {
    let owner = cluster.post(&cluster.core("configmaps"), config_map("owner")).await.ok();
    cluster.post(&cluster.core("configmaps"), owned_by("child", &owner)).await.ok();
    cluster
        .delete(&cluster.core("configmaps/owner"), json!({"propagationPolicy": "Background"}))
        .await
        .ok();
    cluster.wait_until_gone(&cluster.core("configmaps/child")).await;
}

async fn dependents_can_be_orphaned(cluster: &Cluster) {
    let owner = cluster.post(&cluster.core("configmaps"), config_map("owner")).await.ok();
    cluster.post(&cluster.core("configmaps"), owned_by("child", &owner)).await.ok();
    cluster
        .delete(&cluster.core("configmaps/owner"), json!({"propagationPolicy": "Orphan"}))
        .await
        .ok();
    cluster.wait_until_gone(&cluster.core("configmaps/owner")).await;
    let child = cluster.get(&cluster.core("configmaps/child")).await.ok();
    assert!(child["metadata"]["ownerReferences"].is_null(), "{child:#}");
}

async fn a_selector_does_not_change(cluster: &Cluster) {
    cluster.post(&cluster.of("apps/v1", "deployments"), deployment()).await.ok();
    let mut config = deployment();
    config["spec"]["selector"]["matchLabels"]["app"] = "other".into();
    config["spec"]["template"]["metadata"]["labels"]["app"] = "other".into();
    let answer = cluster
        .apply(&cluster.of("apps/v1", "deployments/web"), "tenantry&force=true", config)
        .await;
    let message = answer.refused(422, "Invalid");
    assert!(
        message.starts_with("Deployment.apps \"web\" is invalid: spec.selector: Invalid value: "),
        "{message}"
    );
    assert!(message.ends_with(": field is immutable"), "{message}");
    assert_eq!(answer.body["details"]["group"], "apps");
}

async fn a_job_template_does_not_change(cluster: &Cluster) {
    let job = |image: &str| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "migrate", "image": image}]}}}})
    };
    let path = cluster.of("batch/v1", "jobs/migrate");
    let object = cluster.apply(&path, "tenantry", job("a:1")).await.ok();
    assert!(!object["spec"]["selector"]["matchLabels"].is_null());
    cluster.apply(&path, "tenantry", job("a:1")).await.ok();
    let answer = cluster.apply(&path, "tenantry", job("a:2")).await;
    let message = answer.refused(422, "Invalid");
    assert!(
        message.starts_with("Job.batch \"migrate\" is invalid: spec.template: Invalid value: "),
        "{message}"
    );
    assert!(message.ends_with(": field is immutable"), "{message}");
}

async fn a_claim_only_grows(cluster: &Cluster) {
    let claim = |class: &str, size: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {
            "storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}})
    };
    let path = cluster.core("persistentvolumeclaims/data");
    let object = cluster.apply(&path, "tenantry", claim("none-such", "1024Mi")).await.ok();
    assert_eq!(object["spec"]["resources"]["requests"]["storage"], "1Gi");
    assert_eq!(object["spec"]["volumeMode"], "Filesystem");
    assert_eq!(object["status"]["phase"], "Pending");
    assert_eq!(object["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    let answer = cluster.apply(&path, "tenantry", claim("other", "1Gi")).await;
    let message = answer.refused(422, "Invalid");
    let start = "PersistentVolumeClaim \"data\" is invalid: spec: Forbidden: spec is immutable after creation except \
                 resources.requests";
    let earlier = "PersistentVolumeClaim \"data\" is invalid: spec: Forbidden: is immutable after creation except \
                   resources.requests for bound claims";
    assert!(message.starts_with(start) || message.starts_with(earlier), "{message}");
}

async fn a_cluster_address_stays(cluster: &Cluster) {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]}});
    let path = cluster.core("services/web");
    let object = cluster.apply(&path, "tenantry", service.clone()).await.ok();
    assert!(object["spec"]["clusterIP"].as_str().unwrap().starts_with("10."));
    assert_eq!(object["spec"]["type"], "ClusterIP");
    assert_eq!(object["spec"]["ports"][0]["targetPort"], 80);
    let again = cluster.patch(&path, json!({"spec": {"selector": {"app": "other"}}})).await.ok();
    assert_eq!(again["spec"]["clusterIP"], object["spec"]["clusterIP"]);
    if cluster.minor > 20 {
        let again = cluster.put(&path, service).await.ok();
        assert_eq!(again["spec"]["clusterIP"], object["spec"]["clusterIP"]);
    } else {
        let message = cluster.put(&path, service).await;
        let message = message.refused(422, "Invalid");
        assert!(message.contains("metadata.resourceVersion: Invalid value: "), "{message}");
        assert!(message.contains(": must be specified for an update"), "{message}");
    }
    let answer = cluster
        .patch(
            &path,
            json!({"spec": {"clusterIP": "10.0.200.200", "clusterIPs": ["10.0.200.200"]}}),
        )
        .await;
    let message = answer.refused(422, "Invalid");
    assert!(message.starts_with("Service \"web\" is invalid: spec.clusterIP"), "{message}");
}

async fn immutable_configuration_stays(cluster: &Cluster) {
    let mut body = config_map("a");
    body["immutable"] = true.into();
    cluster.post(&cluster.core("configmaps"), body).await.ok();
    let answer = cluster.patch(&cluster.core("configmaps/a"), json!({"data": {"a": "2"}})).await;
    assert_eq!(
        answer.refused(422, "Invalid"),
        "ConfigMap \"a\" is invalid: data: Forbidden: field is immutable when `immutable` is set"
    );
}

async fn missing_fields_are_named(cluster: &Cluster) {
    let mut body = deployment();
    body["spec"]["template"]["spec"]["containers"] = json!([{"name": "web"}]);
    let answer = cluster.post(&cluster.of("apps/v1", "deployments"), body).await;
    let message = answer.refused(422, "Invalid");
    assert_eq!(
        message,
        "Deployment.apps \"web\" is invalid: spec.template.spec.containers[0].image: Required value"
    );
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}}});
    let answer = cluster.post(&cluster.core("persistentvolumeclaims"), claim).await;
    let message = answer.refused(422, "Invalid");
    assert!(
        message.contains("spec.accessModes: Required value: at least 1 access mode is required"),
        "{message}"
    );
}

async fn labels_must_match_the_selector(cluster: &Cluster) {
    let mut body = deployment();
    body["spec"]["template"]["metadata"]["labels"]["app"] = "other".into();
    let answer = cluster.post(&cluster.of("apps/v1", "deployments"), body).await;
    let message = answer.refused(422, "Invalid");
    assert!(message.contains("spec.template.metadata.labels: Invalid value: "), "{message}");
    assert!(message.ends_with("`selector` does not match template `labels`"), "{message}");
}

async fn a_dry_run_creates_nothing(cluster: &Cluster) {
    let path = cluster.core("configmaps");
    let answer = cluster.post(&format!("{path}?dryRun=All"), config_map("a")).await;
    assert_eq!(answer.code, 201);
    cluster.get(&cluster.core("configmaps/a")).await.refused(404, "NotFound");
    cluster.post(&path, config_map("a")).await.ok();
    cluster.delete(&format!("{path}/a"), json!({"dryRun": ["All"]})).await.ok();
    cluster.get(&cluster.core("configmaps/a")).await.ok();
    // A body, even an empty one, outweighs the query: this is no dry run.
    cluster.delete(&format!("{path}/a?dryRun=All"), json!({})).await.ok();
    cluster.get(&cluster.core("configmaps/a")).await.refused(404, "NotFound");
}

async fn a_collection_can_be_deleted(cluster: &Cluster) {
    for (name, tier) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut body = config_map(name);
        body["metadata"]["labels"] = json!({"tier": tier});
        cluster.post(&cluster.core("configmaps"), body).await.ok();
    }
    cluster.delete(&cluster.core("configmaps?labelSelector=tier%3Dx"), json!({})).await.ok();
    cluster.get(&cluster.core("configmaps/a")).await.refused(404, "NotFound");
    cluster.get(&cluster.core("configmaps/c")).await.ok();
}

async fn defaults_are_filled_in(cluster: &Cluster) {
    let mut body = deployment();
    body["spec"].as_object_mut().unwrap().remove("replicas");
    body["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80}]);
    let object = cluster
        .post(&format!("{}?dryRun=All", cluster.of("apps/v1", "deployments")), body)
        .await
        .ok();
    let spec = &object["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(spec["revisionHistoryLimit"], 10);
    assert_eq!(spec["progressDeadlineSeconds"], 600);
    let rolling = json!({"maxUnavailable": "25%", "maxSurge": "25%"});
    assert_eq!(spec["strategy"], json!({"type": "RollingUpdate", "rollingUpdate": rolling}));
    let pod = &spec["template"]["spec"];
    assert_eq!(
        *pod,
        json!({
            "containers": [{
                "name": "web", "image": "a:1", "ports": [{"containerPort": 80, "protocol": "TCP"}], "resources": {},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "securityContext": {}, "schedulerName": "default-scheduler",
        })
    );
}

async fn the_wrong_kind_is_refused(cluster: &Cluster) {
    let answer = cluster.post(&cluster.core("secrets"), config_map("a")).await;
    assert_eq!(answer.code, 400, "{:#}", answer.body);
    assert_eq!(answer.body["reason"], "BadRequest");
}
