//! Faults on demand, counted requests, and what is left when a sandbox ends.

use std::time::Duration;
use std::time::Instant;

use serde_json::json;
use tenantry::sandbox::Fault;
use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;
use tenantry::sandbox::Traffic;

use crate::sandbox::cluster::Cluster;

fn config_map(name: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

async fn troubled(fault: Fault) -> Cluster {
    let cluster = Cluster::sandbox(33).await;
    cluster.sandbox.as_ref().unwrap().faults().add(fault);
    cluster
}

#[tokio::test]
async fn a_delete_is_refused_as_by_a_webhook() {
    let cluster = troubled(Fault::refuses_delete("configmaps").named("a")).await;
    cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    cluster.post(&cluster.core("configmaps"), config_map("b")).await.ok();
    let answer = cluster.delete(&cluster.core("configmaps/a"), json!({})).await;
    let message = answer.refused(403, "Forbidden");
    assert!(
        message.starts_with("admission webhook \"sandbox.tenantry.dev\" denied the request"),
        "{message}"
    );
    cluster.delete(&cluster.core("configmaps/b"), json!({})).await.ok();
    cluster.get(&cluster.core("configmaps/a")).await.ok();
}

#[tokio::test]
async fn errors_come_as_often_as_asked() {
    let cluster = troubled(Fault::answers(500).on_verb("apply").times(2)).await;
    let path = cluster.core("configmaps/a");
    for expected in [500, 500, 201] {
        assert_eq!(cluster.apply(&path, "tenantry", config_map("a")).await.code, expected);
    }
}

#[tokio::test]
async fn answers_can_be_late() {
    let cluster =
        troubled(Fault::latency(Duration::from_millis(200)).on_resource("configmaps")).await;
    let start = Instant::now();
    cluster.get(&cluster.core("secrets")).await.ok();
    assert!(start.elapsed() < Duration::from_millis(200));
    cluster.get(&cluster.core("configmaps")).await.ok();
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn requests_are_counted_by_verb_and_resource() {
    let cluster = Cluster::sandbox(33).await;
    let sandbox = cluster.sandbox.as_ref().unwrap();
    let before = sandbox.requests();
    cluster.apply(&cluster.core("configmaps/a"), "tenantry", config_map("a")).await.ok();
    cluster.get(&cluster.core("configmaps")).await.ok();
    let watch = http::Request::get(cluster.core("configmaps?watch=true")).body(Vec::new()).unwrap();
    let _open = cluster.client.request_stream(watch).await.unwrap();
    let counts = sandbox.requests().since(&before);
    assert_eq!(
        counts.iter().collect::<Vec<_>>(),
        [("apply configmaps", 1), ("list configmaps", 1), ("watch configmaps", 1)]
    );
    assert_eq!((counts.total(), counts.writes(), counts.besides_watches()), (3, 1, 2));
    let told = cluster.get("/sandbox/requests").await.ok();
    assert_eq!(told["requests"]["by"]["watch configmaps"], 1);
}

#[tokio::test]
async fn watches_can_be_cut() {
    use futures_util::AsyncReadExt as _;
    let cluster = Cluster::sandbox(33).await;
    let watch = http::Request::get(cluster.core("configmaps?watch=true&resourceVersion=1"))
        .body(Vec::new())
        .unwrap();
    let mut stream = Box::pin(cluster.client.request_stream(watch).await.unwrap());
    cluster.post("/sandbox/faults", json!({"dropWatches": true})).await.ok();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap_err();
}

#[tokio::test]
async fn a_full_stop_refuses_and_a_resumption_serves_again() {
    let cluster = Cluster::sandbox(33).await;
    let sandbox = cluster.sandbox.as_ref().unwrap();
    cluster.post(&cluster.core("configmaps"), config_map("a")).await.ok();
    sandbox.faults().set_traffic(Traffic::Refused);
    let address = sandbox.url().trim_start_matches("http://").to_owned();
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(&address).is_ok() {
        assert!(Instant::now() < deadline, "connections are still accepted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let request = http::Request::get(cluster.core("configmaps/a")).body(Vec::new()).unwrap();
    cluster.client.request_text(request).await.unwrap_err();
    sandbox.faults().set_traffic(Traffic::Flowing);
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(Instant::now() < deadline, "connections are not accepted again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cluster.get(&cluster.core("configmaps/a")).await.ok();
}

#[tokio::test]
async fn a_hanging_server_answers_when_it_is_let_go() {
    let cluster = Cluster::sandbox(33).await;
    let sandbox = cluster.sandbox.as_ref().unwrap();
    sandbox.faults().set_traffic(Traffic::Hanging);
    let path = cluster.core("configmaps");
    let mut answer = Box::pin(cluster.get(&path));
    tokio::time::timeout(Duration::from_millis(100), &mut answer).await.unwrap_err();
    sandbox.faults().set_traffic(Traffic::Flowing);
    tokio::time::timeout(Duration::from_secs(10), answer).await.unwrap().ok();
}

#[tokio::test]
async fn faults_are_set_and_cleared_over_http() {
    let cluster = Cluster::sandbox(33).await;
    let fault = json!({"faults": [{"verb": "list", "resource": "secrets", "status": 500}]});
    cluster.post("/sandbox/faults", fault).await.ok();
    let response =
        cluster.send(http::Method::GET, &cluster.core("secrets?limit=1"), "", Vec::new()).await;
    assert!(response.code == 500, "{:#}", response.body);
    cluster.delete("/sandbox/faults", json!({})).await.ok();
    cluster.get(&cluster.core("secrets")).await.ok();
    let answer = cluster.post("/sandbox/faults", json!({"faults": [{"verbb": "list"}]})).await;
    assert!(answer.refused(400, "BadRequest").contains("unknown field `verbb`"));
}

#[tokio::test]
async fn a_stopped_sandbox_leaves_no_port_behind() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    let address = sandbox.url().trim_start_matches("http://").to_owned();
    assert!(sandbox.kubeconfig_yaml().contains(&address));
    sandbox.stop().await;
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[tokio::test]
async fn several_sandboxes_do_not_know_each_other() {
    let (one, other) = (Cluster::sandbox(33).await, Cluster::sandbox(20).await);
    one.post(&one.core("configmaps"), config_map("a")).await.ok();
    other.get(&other.core("configmaps/a")).await.refused(404, "NotFound");
}
