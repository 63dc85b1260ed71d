//! The pods of subscriptions are seen, beside everything else and in nobody's way.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tenantry::apply::cluster::PodNews;
use tenantry::apply::cluster::watch::Event;
use tenantry::model::pod::Pod;
use tenantry::model::pod::PodPhase;
use tenantry::sandbox::Fault;
use tenantry::sandbox::Traffic;

use super::world::World;
use super::world::sandbox;

fn pod(world: &World, name: &str, tenant: &str) -> Value {
    let labels = json!({"tenantry.dev/tenant": tenant, "tenantry.dev/subscription": "school"});
    json!({
        "metadata": {"name": name, "namespace": world.namespace, "labels": labels},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    })
}

impl World {
    /// The world's namespace as its unit's own.
    pub(super) async fn settles(&self) {
        let mut namespace = self.resource("v1", "Namespace", &self.namespace, json!({}));
        namespace.id.namespace = "".into();
        if let Some(metadata) = namespace.body["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        self.apply(&namespace).await;
    }

    async fn runs(&self, name: &str, tenant: &str) {
        let pods = format!("/api/v1/namespaces/{}/pods", self.namespace);
        self.kubectl.create(&pods, &pod(self, name, tenant)).await;
    }

    /// Waits for news of pods that look like this.
    async fn pods(&self, like: impl Fn(&PodNews) -> bool) -> PodNews {
        let mut all = PodNews::default();
        let waiting = async {
            loop {
                let news = self.cluster.pod_news();
                all.changed.extend(news.changed);
                all.all = news.all.or(all.all.take());
                if like(&all) {
                    return all;
                }
                self.cluster.pods_change().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the pods do so")
    }
}

fn running(news: &PodNews) -> Vec<&Pod> {
    let pods = news.changed.values().flatten();
    pods.filter(|pod| pod.status.phase == PodPhase::Running && pod.status.ready).collect()
}

#[tokio::test]
async fn pods_are_seen_as_they_come_and_go_and_whatever_was_missed_is_told() {
    let world = sandbox().await;
    world.settles().await;
    let tenant = world.unit.to_string();
    world.runs("before", &tenant).await;
    let _watching = world.watch().await;
    world.pods(|news| news.all.is_some() && running(news).len() == 1).await;
    world.runs("after", &tenant).await;
    let news = world.pods(|news| !running(news).is_empty()).await;
    let after = running(&news)[0].clone();
    assert_eq!((&*after.name, after.of.name.as_str()), ("after", "school"));
    let name = after.of.tenant.clone();
    assert_eq!(world.cluster.pod(&name, after.id), Some(after.clone()));
    assert_eq!(world.cluster.pod(&"globex".parse().unwrap(), after.id), None);

    // It goes while the server cannot be reached, and has forgotten so far back afterwards.
    let server = world.sandbox.clone().unwrap();
    let path = world.path("pods", "after");
    server.faults().add(Fault::loses_events("pods"));
    world.kubectl.delete(&format!("{path}?gracePeriodSeconds=0")).await;
    server.faults().clear();
    server.forget_history();
    server.faults().set_traffic(Traffic::Refused);
    server.faults().drop_watches();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.faults().set_traffic(Traffic::Flowing);
    world.pods(|news| news.changed.get(&after.id) == Some(&None)).await;
    assert_eq!(world.cluster.pod(&name, after.id), None);
}

#[tokio::test]
async fn a_pod_in_the_namespace_of_somebody_else_is_nobody_s() {
    let world = sandbox().await;
    world.settles().await;
    let _watching = world.watch().await;
    world.runs("stray", "globex").await;
    world.runs("ours", &world.unit.to_string()).await;
    let news = world.pods(|news| running(news).len() == 1 && news.changed.len() == 2).await;
    assert_eq!(&*running(&news)[0].name, "ours");
    let stray = news.changed.iter().find(|(_, pod)| pod.is_none()).unwrap();
    assert_eq!(world.cluster.pod(&"globex".parse().unwrap(), *stray.0), None);
    // Nor is it measured for anybody.
    let loads = world.cluster.loads().await.unwrap().unwrap();
    assert_eq!(loads.len(), 1, "{loads:?}");
}

#[tokio::test]
async fn pods_that_cannot_be_watched_keep_nobody_from_anything() {
    let world = sandbox().await;
    world.settles().await;
    let server = world.sandbox.clone().unwrap();
    server.faults().add(Fault::answers(403).on_resource("pods"));
    let mut watching = world.watch().await;
    assert!(world.cluster.pod_news().changed.is_empty(), "from here on they are wanted");
    let settings = world.settings("a");
    let applied = world.apply(&settings).await.live.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let path = world.path("configmaps", "settings");
    world.kubectl.patch(&path, "kubectl-edit", json!({"data": {"key": "b"}})).await;
    watching.wait_until(&settings.id, |live| live.owned != applied.owned).await;
    let away = |event: &Event| matches!(event, Event::Disconnected { .. });
    assert!(!watching.seen.iter().any(away), "{:?}", watching.seen);
    server.faults().clear();
    world.pods(|news| news.all.is_some()).await;
}
