//! Workloads: what controllers make of deployments and jobs. The real server here has no nodes, so
//! what needs running pods is expected of the sandbox alone.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tenantry::sandbox::Pace;

use crate::sandbox::cluster::Answer;
use crate::sandbox::cluster::Cluster;
use crate::sandbox::cluster::names;

on_both! {
    a_deployment_makes_a_replica_set_and_pods,
    a_deployment_can_be_scaled,
    a_job_makes_a_pod,
    deleting_a_deployment_takes_its_pods_along,
}

fn deployment(replicas: u32, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": image}]}}}})
}

fn counts(answer: &Answer, count: usize) -> bool {
    answer.body["items"].as_array().is_some_and(|items| items.len() == count)
}

fn has_condition(answer: &Answer, name: &str, reason: &str) -> bool {
    let mut conditions = answer.body["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| {
        condition["type"] == name && condition["status"] == "True" && condition["reason"] == reason
    })
}

async fn a_deployment_makes_a_replica_set_and_pods(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    cluster.apply(&path, "tenantry", deployment(2, "a:1")).await.ok();
    let sets = cluster
        .wait(&cluster.of("apps/v1", "replicasets"), "one set", |answer| counts(answer, 1))
        .await;
    let set = &sets.body["items"][0];
    let hash = set["metadata"]["labels"]["pod-template-hash"].as_str().unwrap();
    assert_eq!(set["metadata"]["name"], format!("web-{hash}"));
    assert_eq!(set["metadata"]["ownerReferences"][0]["kind"], "Deployment");
    assert_eq!(set["metadata"]["ownerReferences"][0]["controller"], true);
    assert_eq!(set["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let pods = cluster
        .wait(&cluster.core("pods?labelSelector=app%3Dweb"), "two pods", |answer| counts(answer, 2))
        .await;
    for pod in pods.body["items"].as_array().unwrap() {
        assert_eq!(pod["metadata"]["labels"]["pod-template-hash"], hash);
        assert_eq!(pod["metadata"]["ownerReferences"][0]["name"], set["metadata"]["name"]);
        assert_eq!(pod["spec"]["serviceAccountName"], "default");
        assert_eq!(pod["status"]["qosClass"], "BestEffort");
    }
    let answer =
        cluster.wait(&path, "observed", |answer| answer.body["status"]["replicas"] == 2).await;
    assert_eq!(answer.body["status"]["observedGeneration"], 1);
    assert_eq!(answer.body["status"]["updatedReplicas"], 2);
    let again = cluster.apply(&path, "tenantry", deployment(2, "a:1")).await.ok();
    assert_eq!(again["metadata"]["generation"], 1);
}

async fn a_deployment_can_be_scaled(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    cluster.apply(&path, "tenantry", deployment(1, "a:1")).await.ok();
    let scale = cluster.get(&format!("{path}/scale")).await.ok();
    assert_eq!(scale["kind"], "Scale");
    assert_eq!(scale["apiVersion"], "autoscaling/v1");
    assert_eq!(scale["spec"], json!({"replicas": 1}));
    let after = cluster
        .patch(&format!("{path}/scale?fieldManager=scaler"), json!({"spec": {"replicas": 3}}))
        .await
        .ok();
    assert_eq!(after["spec"], json!({"replicas": 3}));
    cluster
        .wait(&cluster.core("pods?labelSelector=app%3Dweb"), "three pods", |answer| {
            counts(answer, 3)
        })
        .await;
    let scale = loop {
        let mut scale = cluster.get(&format!("{path}/scale")).await.ok();
        assert_eq!(scale["status"]["selector"], "app=web");
        scale["spec"]["replicas"] = 2.into();
        // The controllers may write the status in between.
        if cluster.put(&format!("{path}/scale"), scale.clone()).await.code == 200 {
            break scale;
        }
    };
    cluster
        .wait(&cluster.core("pods?labelSelector=app%3Dweb"), "two pods", |answer| counts(answer, 2))
        .await;
    let answer = cluster.put(&format!("{path}/scale"), scale).await;
    answer.refused(409, "Conflict");
    let answer = cluster.apply(&path, "tenantry", deployment(1, "a:1")).await;
    if cluster.minor > 20 {
        let message = answer.refused(409, "Conflict");
        assert!(
            message.contains("with subresource \"scale\" using apps/v1: .spec.replicas"),
            "{message}"
        );
    }
}

async fn a_job_makes_a_pod(cluster: &Cluster) {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {"template": {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": "a:1"}]}}}});
    let path = cluster.of("batch/v1", "jobs/migrate");
    let object = cluster.apply(&path, "tenantry", job.clone()).await.ok();
    assert_eq!(object["spec"]["template"]["metadata"]["labels"]["job-name"], "migrate");
    assert_eq!(object["spec"]["backoffLimit"], 6);
    let selector = "pods?labelSelector=job-name%3Dmigrate";
    cluster.wait(&cluster.core(selector), "one pod", |answer| counts(answer, 1)).await;
    cluster.apply(&path, "tenantry", job).await.ok();
    cluster.delete(&path, json!({"propagationPolicy": "Background"})).await.ok();
    cluster.wait(&cluster.core(selector), "no pod", |answer| counts(answer, 0)).await;
}

async fn deleting_a_deployment_takes_its_pods_along(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    cluster.apply(&path, "tenantry", deployment(2, "a:1")).await.ok();
    let pods = cluster.core("pods?labelSelector=app%3Dweb");
    cluster.wait(&pods, "two pods", |answer| counts(answer, 2)).await;
    cluster.delete(&path, json!({"propagationPolicy": "Foreground"})).await.ok();
    cluster.wait_until_gone(&path).await;
    cluster.wait(&pods, "no pods", |answer| counts(answer, 0)).await;
    cluster
        .wait(&cluster.of("apps/v1", "replicasets"), "no sets", |answer| counts(answer, 0))
        .await;
}

#[tokio::test]
async fn a_deployment_becomes_available_and_rolls_over() {
    let cluster = Cluster::sandbox(33).await;
    let path = cluster.of("apps/v1", "deployments/web");
    cluster.apply(&path, "tenantry", deployment(3, "a:1")).await.ok();
    let available = |answer: &Answer| {
        answer.body["status"]["availableReplicas"] == 3
            && has_condition(answer, "Available", "MinimumReplicasAvailable")
    };
    let answer = cluster.wait(&path, "available", available).await;
    assert_eq!(answer.body["status"]["readyReplicas"], 3);
    cluster.apply(&path, "tenantry", deployment(3, "a:2")).await.ok();
    let rolled = |answer: &Answer| {
        let status = &answer.body["status"];
        status["observedGeneration"] == 2
            && status["replicas"] == 3
            && status["updatedReplicas"] == 3
            && has_condition(answer, "Progressing", "NewReplicaSetAvailable")
    };
    cluster.wait(&path, "rolled over", rolled).await;
    let pods = cluster.get(&cluster.core("pods?labelSelector=app%3Dweb")).await.ok();
    assert!(
        pods["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|pod| pod["spec"]["containers"][0]["image"] == "a:2")
    );
    let sets = cluster.get(&cluster.of("apps/v1", "replicasets")).await.ok();
    assert_eq!(names(&sets).len(), 2);
}

#[tokio::test]
async fn a_deployment_whose_pods_never_become_ready_is_not_available() {
    let cluster = Cluster::sandbox(33).await;
    let path = cluster.of("apps/v1", "deployments/web");
    cluster.apply(&path, "tenantry", deployment(1, "registry.test/fail-never-ready:1")).await.ok();
    let running = |answer: &Answer| answer.body["items"][0]["status"]["phase"] == "Running";
    let pods = cluster.wait(&cluster.core("pods"), "running", running).await;
    assert_eq!(pods.body["items"][0]["status"]["containerStatuses"][0]["ready"], false);
    let answer = cluster.get(&path).await;
    assert!(!has_condition(&answer, "Available", "MinimumReplicasAvailable"));
}

#[tokio::test]
async fn crashes_and_missing_images_look_as_they_do_in_a_real_cluster() {
    let cluster = Cluster::sandbox(33).await;
    let path = cluster.of("apps/v1", "deployments/web");
    cluster.apply(&path, "tenantry", deployment(1, "registry.test/fail-crash:1")).await.ok();
    let crashed = |answer: &Answer| {
        let status = &answer.body["items"][0]["status"]["containerStatuses"][0];
        status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            && status["restartCount"].as_i64() > Some(1)
    };
    let pods = cluster.wait(&cluster.core("pods"), "crashed", crashed).await;
    let last = &pods.body["items"][0]["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(last["exitCode"], 1);
    assert!(last["message"].as_str().unwrap().starts_with("fatal: "));
    let events = cluster.core("events?fieldSelector=reason%3DBackOff,type%3DWarning");
    cluster.wait(&events, "told", |answer| counts(answer, 1)).await;

    cluster.apply(&path, "tenantry", deployment(1, "registry.test/fail-pull:1")).await.ok();
    let waits = |answer: &Answer| {
        let mut pods = answer.body["items"].as_array().into_iter().flatten();
        pods.any(|pod| {
            pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
                == "ImagePullBackOff"
        })
    };
    cluster.wait(&cluster.core("pods"), "waiting for its image", waits).await;
}

#[tokio::test]
async fn jobs_complete_or_fail() {
    let cluster = Cluster::sandbox(33).await;
    let job = |image: &str, limit: u32| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": {"backoffLimit": limit,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": image}]}}}})
    };
    let good = cluster.of("batch/v1", "jobs/good");
    let mut config = job("app:1", 6);
    config["metadata"]["name"] = "good".into();
    cluster.apply(&good, "tenantry", config).await.ok();
    let answer = cluster
        .wait(&good, "complete", |answer| has_condition(answer, "Complete", "CompletionsReached"))
        .await;
    assert_eq!(answer.body["status"]["succeeded"], 1);
    assert!(!answer.body["status"]["completionTime"].is_null());
    let bad = cluster.of("batch/v1", "jobs/bad");
    let mut config = job("fail-job:1", 1);
    config["metadata"]["name"] = "bad".into();
    cluster.apply(&bad, "tenantry", config).await.ok();
    let answer = cluster
        .wait(&bad, "failed", |answer| has_condition(answer, "Failed", "BackoffLimitExceeded"))
        .await;
    assert_eq!(answer.body["status"]["failed"], 2);
}

#[tokio::test]
async fn a_stateful_set_has_numbered_pods_with_claims() {
    let cluster = Cluster::sandbox(33).await;
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "redis"}, "spec": {
        "serviceName": "redis", "replicas": 2, "selector": {"matchLabels": {"app": "redis"}},
        "template": {"metadata": {"labels": {"app": "redis"}}, "spec": {"containers": [
            {"name": "redis", "image": "redis:7", "volumeMounts": [{"name": "store", "mountPath": "/data"}]}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "store"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}}}}]}});
    let path = cluster.of("apps/v1", "statefulsets/redis");
    cluster.apply(&path, "tenantry", set.clone()).await.ok();
    let ready = |answer: &Answer| {
        answer.body["status"]["readyReplicas"] == 2 && answer.body["status"]["updatedReplicas"] == 2
    };
    cluster.wait(&path, "ready", ready).await;
    assert_eq!(names(&cluster.get(&cluster.core("pods")).await.ok()), ["redis-0", "redis-1"]);
    let claims = cluster.get(&cluster.core("persistentvolumeclaims")).await.ok();
    assert_eq!(names(&claims), ["store-redis-0", "store-redis-1"]);
    assert_eq!(claims["items"][0]["status"]["phase"], "Bound");
    let again = cluster.apply(&path, "tenantry", set).await.ok();
    assert_eq!(again["metadata"]["generation"], 1);
    cluster.delete(&path, json!({"propagationPolicy": "Background"})).await.ok();
    cluster.wait(&cluster.core("pods"), "gone", |answer| counts(answer, 0)).await;
    assert_eq!(names(&cluster.get(&cluster.core("persistentvolumeclaims")).await.ok()).len(), 2);
}

#[tokio::test]
async fn a_pod_waits_for_its_secret() {
    let cluster = Cluster::sandbox(33).await;
    let env =
        json!([{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "key", "key": "value"}}}]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": "a:1", "env": env}]}});
    cluster.post(&cluster.core("pods"), pod).await.ok();
    let path = cluster.core("pods/a");
    let waits = |answer: &Answer| {
        answer.body["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
            == "CreateContainerConfigError"
    };
    let answer = cluster.wait(&path, "waiting", waits).await;
    let waiting = &answer.body["status"]["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(waiting["message"], "secret \"key\" not found");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"value": "x"}});
    cluster.post(&cluster.core("secrets"), secret).await.ok();
    cluster
        .wait(&path, "ready", |answer| {
            answer.body["status"]["containerStatuses"][0]["ready"] == true
        })
        .await;
}

#[tokio::test]
async fn the_pace_can_be_changed_while_it_runs() {
    let cluster = Cluster::sandbox(33).await;
    let sandbox = cluster.sandbox.as_ref().unwrap();
    let slow = Duration::from_hours(1);
    sandbox.set_pace(Pace { ready_after: slow, ..Pace::default() });
    let pod = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "a", "image": "a:1"}]}})
    };
    cluster.post(&cluster.core("pods"), pod("slow")).await.ok();
    cluster
        .wait(&cluster.core("pods/slow"), "scheduled", |answer| {
            !answer.body["spec"]["nodeName"].is_null()
        })
        .await;
    sandbox.set_pace(Pace { ready_after: Duration::ZERO, ..Pace::default() });
    cluster.post(&cluster.core("pods"), pod("fast")).await.ok();
    cluster
        .wait(&cluster.core("pods/fast"), "running", |answer| {
            answer.body["status"]["phase"] == "Running"
        })
        .await;
    assert_eq!(cluster.get(&cluster.core("pods/slow")).await.ok()["status"]["phase"], "Pending");
}

#[tokio::test]
async fn a_deployment_that_recreates_goes_on_when_the_old_pods_are_gone() {
    let cluster = Cluster::sandbox(33).await;
    let path = cluster.of("apps/v1", "deployments/web");
    let of_image = |image: &str| {
        let mut deployment = deployment(2, image);
        deployment["spec"]["strategy"] = json!({"type": "Recreate"});
        deployment
    };
    for image in ["a:1", "a:2"] {
        let applied = cluster.apply(&path, "tenantry", of_image(image)).await.ok();
        let generation = applied["metadata"]["generation"].clone();
        cluster
            .wait(&path, "rolled over", |answer| {
                let status = &answer.body["status"];
                status["observedGeneration"] == generation
                    && status["updatedReplicas"] == 2
                    && status["availableReplicas"] == 2
            })
            .await;
    }
}
