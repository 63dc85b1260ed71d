//! Namespaces: furnished when new, refusing when they end, and gone with all that is in them.

use serde_json::json;

use crate::sandbox::cluster::Cluster;

on_both! {
    a_new_namespace_is_furnished,
    an_ending_namespace_takes_nothing_in,
    a_namespace_takes_its_content_along,
}

async fn a_new_namespace_is_furnished(cluster: &Cluster) {
    let namespace = cluster.get(&format!("/api/v1/namespaces/{}", cluster.namespace)).await.ok();
    assert_eq!(namespace["status"]["phase"], "Active");
    assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
    let label = &namespace["metadata"]["labels"]["kubernetes.io/metadata.name"];
    assert_eq!(label.is_string(), cluster.minor > 20);
    cluster
        .wait(&cluster.core("serviceaccounts/default"), "there", |answer| answer.code == 200)
        .await;
    cluster
        .wait(&cluster.core("configmaps/kube-root-ca.crt"), "there", |answer| answer.code == 200)
        .await;
}

async fn an_ending_namespace_takes_nothing_in(cluster: &Cluster) {
    let own = format!("/api/v1/namespaces/{}", cluster.namespace);
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    cluster.post(&cluster.core("configmaps"), held).await.ok();
    let answer = cluster.delete(&own, json!({})).await.ok();
    assert_eq!(answer["kind"], "Namespace");
    assert_eq!(answer["status"]["phase"], "Terminating");
    assert!(!answer["metadata"]["deletionTimestamp"].is_null());

    let late = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}});
    let expected = format!(
        "configmaps \"late\" is forbidden: unable to create new content in namespace {0} because it is being terminated",
        cluster.namespace
    );
    // The real server hears of the end through a watch of its own.
    let mut answer = cluster.post(&cluster.core("configmaps"), late.clone()).await;
    for _ in 0..100 {
        if answer.code == 403 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        cluster.delete(&cluster.core("configmaps/late"), json!({})).await;
        answer = cluster.post(&cluster.core("configmaps"), late.clone()).await;
    }
    assert_eq!(answer.refused(403, "Forbidden"), expected);
    assert_eq!(
        answer.body["details"],
        json!({"name": "late", "kind": "configmaps", "causes": [{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {} is being terminated", cluster.namespace),
            "field": "metadata.namespace",
        }]})
    );
    let answer = cluster.apply(&cluster.core("configmaps/late"), "tenantry", late).await;
    assert_eq!(answer.refused(403, "Forbidden"), expected);

    cluster
        .wait(&cluster.core("configmaps/held"), "deleted", |answer| {
            !answer.body["metadata"]["deletionTimestamp"].is_null()
        })
        .await;
    cluster.get(&own).await.ok();
    cluster
        .patch(&cluster.core("configmaps/held"), json!({"metadata": {"finalizers": null}}))
        .await
        .ok();
    cluster.wait_until_gone(&own).await;
}

async fn a_namespace_takes_its_content_along(cluster: &Cluster) {
    let own = format!("/api/v1/namespaces/{}", cluster.namespace);
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}}});
    cluster.apply(&cluster.of("apps/v1", "deployments/web"), "tenantry", deployment).await.ok();
    let pods = cluster.core("pods");
    cluster
        .wait(&pods, "made", |answer| {
            answer.body["items"].as_array().is_some_and(|pods| pods.len() == 1)
        })
        .await;
    cluster.delete(&own, json!({})).await.ok();
    cluster.wait_until_gone(&own).await;
    let left = cluster.get(&pods).await.ok();
    assert_eq!(left["items"], json!([]));
}
