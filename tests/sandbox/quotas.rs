//! Quotas and limit ranges: what is refused, in which words, and what containers are given.

use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;

on_both! {
    a_pod_beyond_the_quota_is_refused,
    a_limited_resource_must_be_stated,
    objects_are_counted,
    what_is_used_is_told,
    a_limit_range_gives_defaults,
    a_limit_range_refuses_too_much,
    a_deployment_tells_that_a_quota_stops_it,
}

fn pod(name: &str, resources: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "a:1", "resources": resources}]}})
}

/// Makes a quota and waits until it counts.
async fn limit(cluster: &Cluster, hard: Value) {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "compute"}, "spec": {"hard": hard}});
    cluster.post(&cluster.core("resourcequotas"), quota).await.ok();
    let path = cluster.core("resourcequotas/compute");
    cluster.wait(&path, "counted", |answer| answer.body["status"]["hard"].is_object()).await;
}

async fn a_pod_beyond_the_quota_is_refused(cluster: &Cluster) {
    limit(cluster, json!({"pods": "1", "requests.cpu": "500m", "limits.memory": "1Gi"})).await;
    let resources = json!({"requests": {"cpu": "300m"}, "limits": {"memory": "256Mi"}});
    cluster.post(&cluster.core("pods"), pod("a", &resources)).await.ok();
    let answer = cluster.post(&cluster.core("pods"), pod("b", &resources)).await;
    assert_eq!(
        answer.refused(403, "Forbidden"),
        "pods \"b\" is forbidden: exceeded quota: compute, requested: pods=1,requests.cpu=300m, used: \
         pods=1,requests.cpu=300m, limited: pods=1,requests.cpu=500m"
    );
    assert_eq!(answer.body["details"], json!({"name": "b", "kind": "pods"}));
}

async fn a_limited_resource_must_be_stated(cluster: &Cluster) {
    limit(cluster, json!({"requests.cpu": "1", "limits.memory": "1Gi"})).await;
    let answer = cluster.post(&cluster.core("pods"), pod("a", &json!({}))).await;
    let said = if cluster.minor > 20 {
        "limits.memory for: main; requests.cpu for: main"
    } else {
        "limits.memory,requests.cpu"
    };
    let expected = format!("pods \"a\" is forbidden: failed quota: compute: must specify {said}");
    assert_eq!(answer.refused(403, "Forbidden"), expected);
}

async fn objects_are_counted(cluster: &Cluster) {
    limit(cluster, json!({"services.loadbalancers": "0", "count/deployments.apps": "0", "persistentvolumeclaims": "0"})).await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}});
    let answer = cluster.post(&cluster.core("services"), service).await;
    assert_eq!(
        answer.refused(403, "Forbidden"),
        "services \"web\" is forbidden: exceeded quota: compute, requested: services.loadbalancers=1, used: \
         services.loadbalancers=0, limited: services.loadbalancers=0"
    );
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}}});
    let answer =
        cluster.apply(&cluster.of("apps/v1", "deployments/web"), "tenantry", deployment).await;
    assert_eq!(
        answer.refused(403, "Forbidden"),
        "deployments.apps \"web\" is forbidden: exceeded quota: compute, requested: count/deployments.apps=1, used: \
         count/deployments.apps=0, limited: count/deployments.apps=0"
    );
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let answer = cluster.post(&cluster.core("persistentvolumeclaims"), claim).await;
    answer.refused(403, "Forbidden");
}

async fn what_is_used_is_told(cluster: &Cluster) {
    limit(cluster, json!({"pods": "3", "requests.memory": "1Gi"})).await;
    let resources = json!({"requests": {"memory": "256Mi"}});
    cluster.post(&cluster.core("pods"), pod("a", &resources)).await.ok();
    cluster.post(&cluster.core("pods"), pod("b", &resources)).await.ok();
    let path = cluster.core("resourcequotas/compute");
    let used = json!({"pods": "2", "requests.memory": "512Mi"});
    cluster.wait(&path, "used by two", |answer| answer.body["status"]["used"] == used).await;
    cluster.delete(&cluster.core("pods/a"), json!({"gracePeriodSeconds": 0})).await.ok();
    let used = json!({"pods": "1", "requests.memory": "256Mi"});
    cluster.wait(&path, "used by one", |answer| answer.body["status"]["used"] == used).await;
}

async fn range(cluster: &Cluster, limit: Value) {
    let range = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"}, "spec": {"limits": [limit]}});
    cluster.post(&cluster.core("limitranges"), range).await.ok();
}

/// The real server reads limit ranges from a cache that needs a moment.
async fn limited_pod(
    cluster: &Cluster,
    resources: &Value,
    done: impl Fn(&crate::sandbox::cluster::Answer) -> bool,
) -> Value {
    for _ in 0..200 {
        let answer = cluster
            .post(&format!("{}?dryRun=All", cluster.core("pods")), pod("a", resources))
            .await;
        if done(&answer) {
            return answer.body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the limit range is never in force");
}

async fn a_limit_range_gives_defaults(cluster: &Cluster) {
    let default = json!({"cpu": "500m", "memory": "256Mi"});
    range(
        cluster,
        json!({"type": "Container", "default": default, "defaultRequest": {"cpu": "100m"}}),
    )
    .await;
    let pod = limited_pod(cluster, &json!({"limits": {"cpu": "1"}}), |answer| {
        !answer.body["spec"]["containers"][0]["resources"]["limits"]["memory"].is_null()
    })
    .await;
    assert_eq!(
        pod["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "1", "memory": "256Mi"}, "requests": {"cpu": "1", "memory": "256Mi"}})
    );
}

async fn a_limit_range_refuses_too_much(cluster: &Cluster) {
    range(cluster, json!({"type": "Container", "max": {"cpu": "1"}})).await;
    let refusal =
        limited_pod(cluster, &json!({"limits": {"cpu": "2"}}), |answer| answer.code == 403).await;
    assert_eq!(
        refusal["message"],
        "pods \"a\" is forbidden: maximum cpu usage per Container is 1, but limit is 2"
    );
}

async fn a_deployment_tells_that_a_quota_stops_it(cluster: &Cluster) {
    limit(cluster, json!({"pods": "1"})).await;
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}}});
    cluster.apply(&cluster.of("apps/v1", "deployments/web"), "tenantry", deployment).await.ok();
    let failure = |answer: &crate::sandbox::cluster::Answer| {
        let mut conditions = answer.body["status"]["conditions"].as_array().into_iter().flatten();
        conditions.find(|condition| condition["type"] == "ReplicaFailure").cloned()
    };
    let path = cluster.of("apps/v1", "deployments/web");
    let answer = cluster.wait(&path, "refused its pods", |answer| failure(answer).is_some()).await;
    let failure = failure(&answer).unwrap();
    assert_eq!(failure["status"], "True");
    assert_eq!(failure["reason"], "FailedCreate");
    assert!(
        failure["message"].as_str().unwrap().contains("exceeded quota: compute, requested: pods=1"),
        "{failure:#}"
    );
    let events = cluster.core("events?fieldSelector=reason%3DFailedCreate");
    cluster
        .wait(&events, "told as an event", |answer| answer.body["items"][0]["type"] == "Warning")
        .await;
    cluster
        .patch(&cluster.core("resourcequotas/compute"), json!({"spec": {"hard": {"pods": "2"}}}))
        .await
        .ok();
    cluster
        .wait(&path, "complete", |answer| {
            answer.body["status"]["replicas"] == 2 || answer.body["status"]["updatedReplicas"] == 2
        })
        .await;
}
