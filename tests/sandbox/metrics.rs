//! The metrics API, which only the sandbox serves of itself: a real cluster needs metrics-server.

use std::process::Command;

use serde_json::json;
use tenantry::sandbox::SandboxOptions;

use crate::sandbox::cluster::Cluster;
use crate::support::skipped;

fn pod(name: &str, tenant: &str, annotations: &serde_json::Value) -> serde_json::Value {
    json!({
        "metadata": {"name": name, "labels": {"tenantry.dev/tenant": tenant}, "annotations": annotations},
        "spec": {"containers": [{"name": "web", "image": "web:1",
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}]},
    })
}

/// A cluster with two pods that run: one uses half of what it asks for, one what it is told to.
async fn with_pods(options: SandboxOptions) -> Cluster {
    let cluster = Cluster::with(options).await;
    let busy = json!({"sandbox.tenantry.dev/cpu": "1500m", "sandbox.tenantry.dev/memory": "3Gi"});
    for pod in [pod("calm", "acme", &json!({})), pod("busy", "globex", &busy)] {
        cluster.post(&cluster.core("pods"), pod).await.ok();
    }
    for name in ["calm", "busy"] {
        let path = cluster.core(&format!("pods/{name}"));
        cluster.wait(&path, "running", |pod| pod.body["status"]["phase"] == "Running").await;
    }
    cluster
}

#[tokio::test]
async fn pods_use_half_of_what_they_ask_for_or_what_they_are_told_to() {
    let cluster = with_pods(SandboxOptions::default()).await;
    let all = cluster.get("/apis/metrics.k8s.io/v1beta1/pods").await.ok();
    assert_eq!(
        (&all["kind"], all["items"].as_array().unwrap().len()),
        (&json!("PodMetricsList"), 2)
    );
    let of_globex =
        "/apis/metrics.k8s.io/v1beta1/pods?labelSelector=tenantry.dev%2Ftenant%3Dglobex";
    let of_globex = cluster.get(of_globex).await.ok();
    let items = of_globex["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    let usage = json!({"cpu": "1500m", "memory": "3Gi"});
    assert_eq!(items[0]["containers"], json!([{"name": "web", "usage": usage}]));
    let calm = cluster.get(&cluster.of("metrics.k8s.io/v1beta1", "pods/calm")).await.ok();
    assert_eq!(calm["kind"], "PodMetrics");
    assert_eq!(calm["containers"][0]["usage"], json!({"cpu": "250m", "memory": "512Mi"}));
    let nodes = cluster.get("/apis/metrics.k8s.io/v1beta1/nodes").await.ok();
    assert_eq!(nodes["items"].as_array().unwrap().len(), 2);
    let none = cluster.get(&cluster.of("metrics.k8s.io/v1beta1", "pods/none")).await;
    none.refused(404, "NotFound");
    let groups = cluster.get("/apis").await.ok();
    assert!(groups.to_string().contains("metrics.k8s.io"), "{groups}");
}

#[tokio::test]
async fn a_cluster_may_be_without() {
    let options = SandboxOptions { metrics: false, ..SandboxOptions::default() };
    let cluster = with_pods(options).await;
    assert_eq!(cluster.get("/apis/metrics.k8s.io/v1beta1/pods").await.code, 404);
    assert_eq!(cluster.get("/apis/metrics.k8s.io/v1beta1").await.code, 404);
    assert!(!cluster.get("/apis").await.ok().to_string().contains("metrics.k8s.io"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_top_works() {
    if let Err(error) = Command::new("kubectl").arg("version").arg("--client").output() {
        skipped("it needs kubectl", error);
        return;
    }
    let cluster = with_pods(SandboxOptions::default()).await;
    let url = cluster.sandbox.as_ref().unwrap().url();
    let top = |what: &str| {
        let folder = tempfile::tempdir().unwrap();
        let told = Command::new("kubectl")
            .args(["--server", &url, "--cache-dir"])
            .arg(folder.path())
            .args(["top", what, "--all-namespaces"].iter().take(if what == "nodes" {
                2
            } else {
                3
            }))
            .env("KUBECONFIG", "/nonexistent")
            .output()
            .unwrap();
        let (out, error) = (String::from_utf8(told.stdout), String::from_utf8(told.stderr));
        assert!(told.status.success(), "{error:?}");
        out.unwrap()
    };
    let pods = top("pods");
    let lines: Vec<Vec<&str>> =
        pods.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(lines.contains(&vec!["test", "busy", "1500m", "3072Mi"]), "{pods}");
    assert!(lines.contains(&vec!["test", "calm", "250m", "512Mi"]), "{pods}");
    assert!(top("nodes").contains("1500m"));
}
