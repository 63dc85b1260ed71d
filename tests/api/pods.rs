//! Pods as customers see them: how they stand, and what they write.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;
use tenantry::model::Name;
use tenantry::model::pod::Container;
use tenantry::model::pod::ContainerState;
use tenantry::model::pod::Pod;
use tenantry::model::pod::PodPhase;
use tenantry::model::pod::PodStatus;
use tenantry::pods::LogError;
use tenantry::pods::LogText;
use tenantry::pods::Logs;
use tenantry::pods::Store;
use tenantry::pods::Wish;
use uuid::Uuid;

use super::Portal;

fn saigon() -> Name {
    "saigon".parse().unwrap()
}

/// A pod that was restarted and is not ready.
fn pod(of: &str, name: &str) -> Pod {
    let container = |name: &str, restarts| Container {
        name: name.into(),
        state: ContainerState::Running,
        ready: false,
        restarts,
        reason: None,
    };
    Pod {
        id: Uuid::now_v7(),
        of: of.parse().unwrap(),
        namespace: "somewhere".into(),
        name: name.into(),
        status: PodStatus {
            component: Some("web".into()),
            phase: PodPhase::Running,
            ready: false,
            reason: Some("its probe fails".into()),
            ending: false,
            started_at: Some("2026-11-24T11:00:00Z".parse().unwrap()),
            containers: vec![container("web", 2), container("side", 1)],
        },
    }
}

impl Portal {
    fn pods(&self) -> Store {
        Store::over(self.api.accounts().database().clone())
    }

    async fn writes(&self, pods: &[Pod]) {
        let changed = pods.iter().map(|pod| (pod.id, Some(pod.clone()))).collect();
        let now = *self.clock.lock().unwrap();
        self.pods().write(&saigon(), &changed, now).await.unwrap();
    }

    /// Has a pod of a subscription; says its id.
    pub(super) async fn runs(&self, of: &str, name: &str) -> Uuid {
        let pod = pod(of, name);
        self.writes(std::slice::from_ref(&pod)).await;
        pod.id
    }
}

/// Says what it is told to, and remembers what it was asked.
#[derive(Debug)]
pub(super) struct Scripted {
    says: Mutex<Result<LogText, LogError>>,
    asked: Mutex<Vec<Wish>>,
}

impl Scripted {
    /// Says the same of every pod.
    pub(super) fn saying(text: &str) -> Arc<Self> {
        let text = LogText { text: text.to_owned(), truncated: true };
        Arc::new(Self { says: Mutex::new(Ok(text)), asked: Mutex::default() })
    }
}

impl Logs for Scripted {
    fn read(&self, wish: Wish) -> BoxFuture<'_, Result<LogText, LogError>> {
        self.asked.lock().unwrap().push(wish);
        let says = self.says.lock().unwrap().clone();
        async move { says }.boxed()
    }
}

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_customer_sees_their_pods_and_an_operator_everybody_s() {
    let Some(portal) = Portal::open().await else { return };
    let ours =
        [pod("acme/school", "web-2"), pod("acme/school", "web-1"), pod("acme/blog", "ghost-1")];
    portal.writes(&ours).await;
    portal.writes(&[pod("globex/school", "web-9")]).await;
    let acme = portal.customer_of("acme").await.access;
    let page = portal.get("/pods", &acme).await;
    assert_eq!(names(&page.json), ["ghost-1", "web-1", "web-2"], "{}", page.text);
    let page = portal.get("/pods?subscription=acme.school", &acme).await;
    assert_eq!(names(&page.json), ["web-1", "web-2"]);
    let path = format!("/pods/{}", ours[0].id);
    let one = portal.get(&path, &acme).await.json;
    assert_eq!((&one["subscription"], &one["component"]), (&json!("acme.school"), &json!("web")));
    let status = &one["status"];
    assert_eq!((&status["phase"], &status["restarts"]), (&json!("running"), &json!(3)));
    assert_eq!(status["reason"], "its probe fails");
    assert_eq!(portal.get(&format!("{path}/status"), &acme).await.json, *status);
    // Page by page it is the same.
    let mut path = "/pods?limit=1".to_owned();
    let mut found = Vec::new();
    loop {
        let page = portal.get(&path, &acme).await;
        found.extend(names(&page.json).into_iter().map(str::to_owned));
        let Some(cursor) = page.json["next_cursor"].as_str() else { break };
        path = format!("/pods?limit=1&cursor={cursor}");
    }
    assert_eq!(found, ["ghost-1", "web-1", "web-2"]);
    let operator = portal.staff(Role::Operator).await.access;
    assert_eq!(portal.get("/pods", &operator).await.json["items"].as_array().unwrap().len(), 4);
    assert_eq!(names(&portal.get("/pods?tenant=globex", &operator).await.json), ["web-9"]);
}

#[tokio::test]
async fn the_id_of_another_s_pod_is_as_good_as_none() {
    let asked = Scripted::saying("secret\n");
    let logs: Arc<dyn Logs> = Arc::clone(&asked) as _;
    let Some(portal) = Portal::open_with(|parts| parts.logs = Some(logs), Router::new()).await
    else {
        return;
    };
    let theirs = portal.runs("acme/school", "web-1").await;
    let globex = portal.customer_of("globex").await.access;
    for id in [theirs.to_string(), Uuid::now_v7().to_string(), "web-1".into(), "acme.school".into()]
    {
        for part in ["", "/status", "/logs", "/logs?tail=1"] {
            let answer = portal.get(&format!("/pods/{id}{part}"), &globex).await;
            assert_eq!((answer.status, answer.code()), (404, "not-found"), "{id}{part}");
        }
        let answer = portal.post(&format!("/pods/{id}/restart"), &globex, Value::Null).await;
        assert_eq!((answer.status, answer.code()), (404, "not-found"), "{id}");
    }
    for filter in ["tenant=acme", "subscription=acme.school"] {
        let answer = portal.get(&format!("/pods?{filter}"), &globex).await;
        assert_eq!((answer.status, answer.code()), (404, "not-found"), "{filter}");
    }
    assert!(asked.asked.lock().unwrap().is_empty(), "no cluster was asked");
}

#[tokio::test]
async fn a_log_is_asked_for_within_bounds_and_a_refusal_says_what_to_do() {
    let scripted = Scripted::saying("one\ntwo\n");
    let logs: Arc<dyn Logs> = Arc::clone(&scripted) as _;
    let Some(portal) = Portal::open_with(|parts| parts.logs = Some(logs), Router::new()).await
    else {
        return;
    };
    let id = portal.runs("acme/school", "web-1").await;
    let acme = portal.customer_of("acme").await.access;
    let log = |query: &str| format!("/pods/{id}/logs{query}");
    let answer = portal.get(&log(""), &acme).await;
    let told = json!({"pod": id, "container": "web", "previous": false, "lines": ["one", "two"], "truncated": true});
    assert_eq!(answer.json, told, "{}", answer.text);
    let query = "?container=side&tail=5&limit_bytes=100&previous=true&since=2026-11-24T11:30:00Z";
    assert_eq!(portal.get(&log(query), &acme).await.status, 200);
    let asked = std::mem::take(&mut *scripted.asked.lock().unwrap());
    let [usual, wished] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((usual.tail, usual.most, usual.previous), (200, 256 << 10, false));
    assert_eq!((usual.cluster.as_str(), usual.tenant.as_str(), usual.pod), ("saigon", "acme", id));
    assert_eq!((wished.container.as_str(), wished.tail, wished.most), ("side", 5, 100));
    assert!(wished.previous && wished.since.is_some());
    for (query, field) in [
        ("?container=none", "container"),
        ("?container=../../web", "container"),
        ("?tail=0", "tail"),
        ("?tail=5001", "tail"),
        ("?limit_bytes=0", "limit_bytes"),
        ("?limit_bytes=99999999", "limit_bytes"),
    ] {
        let answer = portal.get(&log(query), &acme).await;
        assert_eq!(answer.code(), "invalid-fields", "{query}: {}", answer.text);
        let error = &answer.json["errors"][0];
        assert!(error["field"] == field && error["help"].is_string(), "{error}");
    }
    assert!(scripted.asked.lock().unwrap().is_empty());
    for (error, status) in [
        (LogError::Gone, 404),
        (LogError::NotThere("container \"web\" is waiting to start".into()), 409),
        (LogError::Away("10.1.2.3 does not answer".into()), 503),
    ] {
        *scripted.says.lock().unwrap() = Err(error);
        let answer = portal.get(&log(""), &acme).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(!answer.text.contains("10.1.2.3"), "{}", answer.text);
    }
}

#[tokio::test]
async fn where_no_cluster_is_reached_no_log_is_read() {
    let Some(portal) = Portal::open().await else { return };
    let id = portal.runs("acme/school", "web-1").await;
    let acme = portal.customer_of("acme").await.access;
    let answer = portal.get(&format!("/pods/{id}/logs"), &acme).await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
}

#[tokio::test]
async fn what_is_gone_is_forgotten_and_what_is_the_same_keeps_its_time() {
    let Some(portal) = Portal::open().await else { return };
    let (stays, goes) = (pod("acme/school", "web-1"), pod("acme/school", "web-2"));
    portal.writes(&[stays.clone(), goes.clone()]).await;
    let before = portal.rows("pod").await;
    portal.wait(jiff::SignedDuration::from_mins(5));
    portal.writes(&[stays.clone(), goes.clone()]).await;
    assert_eq!(portal.rows("pod").await, before);
    let gone = HashMap::from([(goes.id, None)]);
    let now = *portal.clock.lock().unwrap();
    portal.pods().write(&saigon(), &gone, now).await.unwrap();
    assert_eq!(portal.rows("pod").await.len(), 1);
    portal.pods().keep_only(&"elsewhere".parse().unwrap(), &[]).await.unwrap();
    portal.pods().keep_only(&saigon(), &[stays.id]).await.unwrap();
    assert_eq!(portal.rows("pod").await.len(), 1);
    assert_eq!(portal.pods().keep_clusters(&[&saigon()]).await.unwrap(), 0);
    portal.pods().keep_only(&saigon(), &[]).await.unwrap();
    assert!(portal.rows("pod").await.is_empty());
}
