//! Watches: every change of what is selected, from a version on, and what happens when that is
//! too long ago.

use std::time::Duration;

use futures_util::AsyncBufReadExt as _;
use serde_json::Value;
use serde_json::json;
use tenantry::sandbox::SandboxOptions;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::cluster::version;

on_both! {
    a_watch_tells_every_change_from_a_version_on,
    what_leaves_the_selection_is_deleted,
    a_watch_without_a_version_starts_with_what_is_there,
    a_watch_ends_when_it_was_asked_to,
    one_object_can_be_watched_by_name,
}

/// The lines of a watch, one event each.
struct Watch {
    lines: futures_util::io::Lines<Box<dyn futures_util::AsyncBufRead + Send + Unpin>>,
}

impl Watch {
    async fn open(cluster: &Cluster, path: &str) -> Self {
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        let stream = cluster.client.request_stream(request).await.unwrap();
        Self {
            lines: (Box::new(Box::pin(stream))
                as Box<dyn futures_util::AsyncBufRead + Send + Unpin>)
                .lines(),
        }
    }

    async fn next(&mut self) -> Option<Value> {
        use futures_util::StreamExt as _;
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next())
            .await
            .expect("an event in time");
        Some(serde_json::from_str(&line?.ok()?).unwrap())
    }

    /// `ADDED a`
    async fn told(&mut self) -> String {
        let event = self.next().await.expect("one more event");
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
        format!("{} {name}", event["type"].as_str().unwrap())
    }
}

fn config_map(name: &str, tier: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"tier": tier}}})
}

async fn now(cluster: &Cluster) -> String {
    version(&cluster.get(&cluster.core("configmaps")).await.ok()).to_owned()
}

async fn a_watch_tells_every_change_from_a_version_on(cluster: &Cluster) {
    let start = now(cluster).await;
    cluster.post(&cluster.core("configmaps"), config_map("a", "x")).await.ok();
    let path =
        cluster.core(&format!("configmaps?watch=true&labelSelector=tier&resourceVersion={start}"));
    let mut watch = Watch::open(cluster, &path).await;
    assert_eq!(watch.told().await, "ADDED a");
    let changed =
        cluster.patch(&cluster.core("configmaps/a"), json!({"data": {"b": "1"}})).await.ok();
    let event = watch.next().await.unwrap();
    assert_eq!(event["type"], "MODIFIED");
    assert_eq!(event["object"]["kind"], "ConfigMap");
    assert_eq!(event["object"]["apiVersion"], "v1");
    assert_eq!(version(&event["object"]), version(&changed));
    cluster.delete(&cluster.core("configmaps/a"), json!({})).await.ok();
    let event = watch.next().await.unwrap();
    assert_eq!(event["type"], "DELETED");
    let last = |object: &Value| version(object).parse::<u64>().unwrap();
    assert!(last(&event["object"]) > last(&changed));
    assert_eq!(event["object"]["data"], json!({"b": "1"}));
}

async fn what_leaves_the_selection_is_deleted(cluster: &Cluster) {
    let start = now(cluster).await;
    let path = cluster
        .core(&format!("configmaps?watch=true&labelSelector=tier%3Dx&resourceVersion={start}"));
    let mut watch = Watch::open(cluster, &path).await;
    cluster.post(&cluster.core("configmaps"), config_map("other", "y")).await.ok();
    cluster.post(&cluster.core("configmaps"), config_map("a", "x")).await.ok();
    assert_eq!(watch.told().await, "ADDED a");
    let left = cluster
        .patch(&cluster.core("configmaps/a"), json!({"metadata": {"labels": {"tier": "y"}}}))
        .await
        .ok();
    let event = watch.next().await.unwrap();
    assert_eq!(event["type"], "DELETED");
    assert_eq!(version(&event["object"]), version(&left));
    cluster
        .patch(&cluster.core("configmaps/a"), json!({"metadata": {"labels": {"tier": "x"}}}))
        .await
        .ok();
    assert_eq!(watch.told().await, "ADDED a");
    cluster
        .patch(&cluster.core("configmaps/other"), json!({"metadata": {"labels": {"tier": "x"}}}))
        .await
        .ok();
    assert_eq!(watch.told().await, "ADDED other");
}

async fn a_watch_without_a_version_starts_with_what_is_there(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a", "x")).await.ok();
    cluster.post(&cluster.core("configmaps"), config_map("b", "x")).await.ok();
    let mut watch =
        Watch::open(cluster, &cluster.core("configmaps?watch=true&labelSelector=tier")).await;
    let mut first = [watch.told().await, watch.told().await];
    first.sort();
    assert_eq!(first, ["ADDED a", "ADDED b"]);
    cluster.delete(&cluster.core("configmaps/b"), json!({})).await.ok();
    assert_eq!(watch.told().await, "DELETED b");
}

async fn a_watch_ends_when_it_was_asked_to(cluster: &Cluster) {
    let start = now(cluster).await;
    let path = format!(
        "configmaps?watch=true&labelSelector=tier&timeoutSeconds=1&resourceVersion={start}"
    );
    let mut watch = Watch::open(cluster, &cluster.core(&path)).await;
    assert!(watch.next().await.is_none());
}

async fn one_object_can_be_watched_by_name(cluster: &Cluster) {
    let start = now(cluster).await;
    let path =
        format!("configmaps?watch=true&fieldSelector=metadata.name%3Db&resourceVersion={start}");
    let mut watch = Watch::open(cluster, &cluster.core(&path)).await;
    cluster.post(&cluster.core("configmaps"), config_map("a", "x")).await.ok();
    cluster.post(&cluster.core("configmaps"), config_map("b", "x")).await.ok();
    assert_eq!(watch.told().await, "ADDED b");
}

/// The history of a fresh real server is not long enough for it to have forgotten any.
#[tokio::test]
async fn a_version_from_long_ago_is_gone() {
    let cluster = Cluster::sandbox(33).await;
    cluster.post(&cluster.core("configmaps"), config_map("a", "x")).await.ok();
    cluster.sandbox.as_ref().unwrap().forget_history();
    let mut watch =
        Watch::open(&cluster, &cluster.core("configmaps?watch=true&resourceVersion=1")).await;
    let event = watch.next().await.unwrap();
    assert_eq!(event["type"], "ERROR");
    assert_eq!(event["object"]["code"], 410);
    assert_eq!(event["object"]["reason"], "Expired");
    let message = event["object"]["message"].as_str().unwrap();
    assert!(message.starts_with("too old resource version: 1 ("), "{message}");
    assert!(watch.next().await.is_none());
}

/// 1.20 sends its first bookmark after a minute and knows no streaming lists.
#[tokio::test]
async fn bookmarks_move_the_version_on() {
    let options =
        SandboxOptions { bookmark_every: Duration::from_millis(50), ..SandboxOptions::default() };
    let cluster = Cluster::with(options).await;
    let start = now(&cluster).await;
    let query =
        format!("watch=true&labelSelector=tier&allowWatchBookmarks=true&resourceVersion={start}");
    let mut watch = Watch::open(&cluster, &cluster.core(&format!("configmaps?{query}"))).await;
    let unrelated =
        cluster.post(&cluster.core("secrets"), json!({"metadata": {"name": "s"}})).await.ok();
    loop {
        let event = watch.next().await.unwrap();
        assert_eq!(event["type"], "BOOKMARK");
        assert_eq!(event["object"]["kind"], "ConfigMap");
        if version(&event["object"]).parse::<u64>().unwrap() >= version(&unrelated).parse().unwrap()
        {
            return;
        }
    }
}

#[tokio::test]
async fn a_streaming_list_says_where_it_ends() {
    let cluster = Cluster::sandbox(33).await;
    cluster.post(&cluster.core("configmaps"), config_map("a", "x")).await.ok();
    let query = "watch=true&labelSelector=tier&allowWatchBookmarks=true&sendInitialEvents=true\
                 &resourceVersionMatch=NotOlderThan";
    let mut watch = Watch::open(&cluster, &cluster.core(&format!("configmaps?{query}"))).await;
    assert_eq!(watch.told().await, "ADDED a");
    let event = watch.next().await.unwrap();
    assert_eq!(event["type"], "BOOKMARK");
    assert_eq!(event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}
