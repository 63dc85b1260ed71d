//! Logs of played pods, chosen from as a kubelet lets choose.

use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;

/// A pod that runs, or crashes, and has written four lines.
async fn pod(cluster: &Cluster, name: &str, image: &str) -> String {
    let annotations = json!({"sandbox.tenantry.dev/log": "one\ntwo"});
    let pod = json!({
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"containers": [{"name": "web", "image": image}]},
    });
    cluster.post(&cluster.core("pods"), pod).await.ok();
    let path = cluster.core(&format!("pods/{name}"));
    let written = |pod: &Value| {
        let status = &pod["status"]["containerStatuses"][0];
        status["ready"] == true || status["lastState"]["terminated"].is_object()
    };
    cluster.wait(&path, "written", |answer| written(&answer.body)).await;
    format!("{path}/log")
}

async fn read(cluster: &Cluster, path: &str) -> String {
    let answer = cluster.get(path).await.ok();
    answer.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_end_of_a_log_is_chosen_by_lines_bytes_and_time() {
    let cluster = Cluster::sandbox(33).await;
    let log = pod(&cluster, "web", "web:1").await;
    assert_eq!(read(&cluster, &log).await, "web: starting web:1\nweb: ready to serve\none\ntwo\n");
    assert_eq!(read(&cluster, &format!("{log}?tailLines=1")).await, "two\n");
    assert_eq!(read(&cluster, &format!("{log}?tailLines=2&limitBytes=5")).await, "one\nt");
    assert_eq!(read(&cluster, &format!("{log}?sinceTime=2999-01-01T00:00:00Z")).await, "");
    let since = read(&cluster, &format!("{log}?sinceTime=2000-01-01T00:00:00Z&tailLines=1")).await;
    assert_eq!(since, "two\n");
    let stamped = read(&cluster, &format!("{log}?timestamps=true&tailLines=1")).await;
    assert!(stamped.ends_with("Z two\n"), "{stamped}");
    for (query, says) in [
        ("container=none", "container none is not valid for pod web"),
        ("previous=true", "previous terminated container \"web\" in pod \"web\" not found"),
        ("sinceTime=yesterday", "is no time"),
    ] {
        let refused = cluster.get(&format!("{log}?{query}")).await;
        assert!(refused.refused(400, "BadRequest").contains(says), "{query}");
    }
}

#[tokio::test]
async fn a_container_that_was_started_again_has_a_log_from_before() {
    let cluster = Cluster::sandbox(33).await;
    let log = pod(&cluster, "web", "fail-crash:1").await;
    let before = read(&cluster, &format!("{log}?previous=true")).await;
    assert!(before.contains("fatal: this container fails"), "{before}");
}
