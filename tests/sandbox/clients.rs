//! The clients that matter: kube-rs as our own program uses it, and a stock kubectl.

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ApiResource;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::GroupVersionKind;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use serde_json::json;

use crate::sandbox::cluster::Cluster;
use crate::support::skipped;

on_both! {
    typed_objects_come_and_go,
    objects_of_any_kind_are_applied,
    kinds_are_discovered,
    a_watcher_sees_the_list_and_what_follows,
    custom_kinds_are_served_once_they_are_defined,
}

async fn typed_objects_come_and_go(cluster: &Cluster) {
    let maps = Api::<ConfigMap>::namespaced(cluster.client.clone(), &cluster.namespace);
    let map: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "a"}, "data": {"x": "1"}})).unwrap();
    let made = maps.create(&PostParams::default(), &map).await.unwrap();
    assert!(made.metadata.uid.is_some());
    let mut found = maps.get("a").await.unwrap();
    found.data.get_or_insert_default().insert("y".to_owned(), "2".to_owned());
    let replaced = maps.replace("a", &PostParams::default(), &found).await.unwrap();
    assert_eq!(replaced.data.unwrap().len(), 2);
    let error = maps.replace("a", &PostParams::default(), &made).await.unwrap_err();
    assert!(
        matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "Conflict")
    );
    let listed = maps.list(&ListParams::default().limit(500)).await.unwrap();
    assert!(listed.items.iter().any(|map| map.metadata.name.as_deref() == Some("a")));
    maps.delete("a", &DeleteParams::background()).await.unwrap();
    assert!(maps.get_opt("a").await.unwrap().is_none());
}

async fn objects_of_any_kind_are_applied(cluster: &Cluster) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    let api = Api::<DynamicObject>::namespaced_with(
        cluster.client.clone(),
        &cluster.namespace,
        &resource,
    );
    let config = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}}});
    let params = PatchParams::apply("tenantry");
    let applied = api.patch("web", &params, &Patch::Apply(&config)).await.unwrap();
    assert_eq!(applied.types.unwrap().kind, "Deployment");
    let typed = Api::<Deployment>::namespaced(cluster.client.clone(), &cluster.namespace);
    assert_eq!(typed.get("web").await.unwrap().spec.unwrap().replicas, Some(1));
}

async fn kinds_are_discovered(cluster: &Cluster) {
    let gvk = GroupVersionKind::gvk("apps", "v1", "StatefulSet");
    let (resource, capabilities) =
        kube::discovery::pinned_kind(&cluster.client, &gvk).await.unwrap();
    assert_eq!(resource.plural, "statefulsets");
    assert!(capabilities.supports_operation("patch"));
    let discovery = kube::Discovery::new(cluster.client.clone()).run().await.unwrap();
    let batch = if cluster.minor > 20 { "v1" } else { "v1beta1" };
    assert!(discovery.resolve_gvk(&GroupVersionKind::gvk("batch", batch, "CronJob")).is_some());
}

async fn a_watcher_sees_the_list_and_what_follows(cluster: &Cluster) {
    let maps = Api::<ConfigMap>::namespaced(cluster.client.clone(), &cluster.namespace);
    let map = |name: &str| -> ConfigMap {
        serde_json::from_value(json!({"metadata": {"name": name, "labels": {"watched": "yes"}}}))
            .unwrap()
    };
    maps.create(&PostParams::default(), &map("a")).await.unwrap();
    let config = watcher::Config::default().labels("watched=yes");
    let mut seen = Box::pin(watcher(maps.clone(), config).applied_objects());
    let name = |map: ConfigMap| map.metadata.name.unwrap();
    assert_eq!(name(seen.try_next().await.unwrap().unwrap()), "a");
    maps.create(&PostParams::default(), &map("b")).await.unwrap();
    assert_eq!(name(seen.next().await.unwrap().unwrap()), "b");
}

async fn custom_kinds_are_served_once_they_are_defined(cluster: &Cluster) {
    // The real server is shared by all tests, so the group is the test's own.
    let group = format!("{}.example.com", cluster.namespace);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "size": {"type": "integer"},
                        "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                            "items": {"type": "object", "required": ["name"],
                                "properties": {"name": {"type": "string"}, "count": {"type": "integer"}}}}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}],
        },
    });
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}");
    cluster.apply(&path, "tenantry", definition).await.ok();
    let established = |answer: &crate::sandbox::cluster::Answer| {
        let mut conditions = answer.body["status"]["conditions"].as_array().into_iter().flatten();
        conditions
            .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
    };
    cluster.wait(&path, "established", established).await;
    let one = cluster.of(&format!("{group}/v1"), "widgets/one");
    let all = cluster.of(&format!("{group}/v1"), "widgets");
    cluster.wait(&all, "served", |answer| answer.code == 200).await;
    let widget = |parts: serde_json::Value| {
        json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "one"},
            "spec": {"size": 1, "parts": parts}})
    };
    let both = json!([{"name": "a", "count": 1}, {"name": "b", "count": 2}]);
    let object = cluster.apply(&one, "tenantry", widget(both)).await.ok();
    assert_eq!(object["metadata"]["generation"], 1);
    let object =
        cluster.apply(&one, "tenantry", widget(json!([{"name": "b", "count": 3}]))).await.ok();
    assert_eq!(object["spec"]["parts"], json!([{"name": "b", "count": 3}]));
    assert_eq!(object["metadata"]["generation"], 2);
    let object =
        cluster.patch(&format!("{one}/status"), json!({"status": {"anything": true}})).await.ok();
    assert_eq!(object["status"], json!({"anything": true}));
    assert_eq!(object["metadata"]["generation"], 2);
    cluster.delete(&path, json!({})).await.ok();
    cluster.wait_until_gone(&path).await;
    cluster.wait(&all, "no longer served", |answer| answer.code == 404).await;
}

/// Runs kubectl against a sandbox; `None` after saying that there is none.
async fn kubectl(cluster: &Cluster, arguments: &[&str], input: &str) -> Option<String> {
    use tokio::io::AsyncWriteExt as _;
    let url = cluster.sandbox.as_ref().unwrap().url();
    let child = tokio::process::Command::new("kubectl")
        .args(["--server", &url, "--namespace", &cluster.namespace])
        .args(arguments)
        .env("HOME", std::env::temp_dir())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skipped("kubectl on the sandbox", "kubectl is not installed");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {said}");
    Some(said)
}

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1', ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_kubectl_feels_at_home() {
    let cluster = Cluster::sandbox(33).await;
    let run = async |arguments: &[&str], input: &str| kubectl(&cluster, arguments, input).await;
    let Some(said) = run(&["apply", "--server-side", "-f", "-"], WEB).await else { return };
    assert_eq!(said, "deployment.apps/web serverside-applied\nservice/web serverside-applied\n");
    let said = run(&["rollout", "status", "deployment/web", "--timeout=20s"], "").await.unwrap();
    assert!(said.contains("successfully rolled out"), "{said}");
    let said = run(&["get", "deployments,services"], "").await.unwrap();
    let words: Vec<Vec<&str>> =
        said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]);
    assert_eq!(words[1][..4], ["deployment.apps/web", "2/2", "2", "2"]);
    assert_eq!(words[3], ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]);
    assert_eq!(
        run(&["scale", "deployment/web", "--replicas=1"], "").await.unwrap(),
        "deployment.apps/web scaled\n"
    );
    assert_eq!(
        run(&["label", "deployment/web", "tier=front"], "").await.unwrap(),
        "deployment.apps/web labeled\n"
    );
    let said = run(&["describe", "deployment/web"], "").await.unwrap();
    assert!(said.contains("ScalingReplicaSet") && said.contains("tier=front"), "{said}");
    let said = run(&["create", "configmap", "settings", "--from-literal=a=b"], "").await.unwrap();
    assert_eq!(said, "configmap/settings created\n");
    let said = run(&["get", "configmap/settings", "-o", "jsonpath={.data.a}"], "").await.unwrap();
    assert_eq!(said, "b");
    let said = run(&["logs", "deployment/web"], "").await.unwrap();
    assert!(said.contains("web: ready to serve"), "{said}");
    let said = run(&["delete", "deployment/web", "service/web"], "").await.unwrap();
    assert!(said.contains("deployment.apps \"web\" deleted"), "{said}");
}
