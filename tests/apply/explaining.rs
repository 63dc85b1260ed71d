//! What is not ready says why, in words that help.

use serde_json::json;
use tenantry::model::Resource;

use super::world::World;
use super::world::sandbox;
use super::world::until;
use super::world::worlds;

async fn explained(world: &World, resource: &Resource, part: &str) {
    world.apply(resource).await;
    let mut last = None;
    until(&format!("`{part}` is said"), async || {
        last = world.cluster.explain(&resource.id).await.unwrap();
        last.as_ref()?.contains(part).then_some(())
    })
    .await;
}

#[tokio::test]
async fn pods_that_a_quota_refuses_are_explained() {
    for world in worlds().await {
        let quota = world.resource(
            "v1",
            "ResourceQuota",
            "tight",
            json!({"spec": {"hard": {"pods": "0"}}}),
        );
        world.apply(&quota).await;
        until("the quota is looked at", async || {
            let quota = world.get("resourcequotas", "tight").await;
            quota["status"]["hard"]["pods"].as_str().map(str::to_owned)
        })
        .await;
        explained(&world, &world.deployment(1, &json!({})), "exceeded quota: tight").await;
    }
}

#[tokio::test]
async fn what_is_ready_or_gone_needs_no_explanation() {
    for world in worlds().await {
        let settings = world.settings("a");
        let gone = world.cluster.explain(&settings.id).await.unwrap();
        assert_eq!(gone.as_deref(), Some("it is not there"));
        world.apply(&settings).await;
        assert_eq!(world.cluster.explain(&settings.id).await.unwrap(), None);
    }
}

fn running(world: &World, image: &str) -> Resource {
    let mut resource = world.deployment(1, &json!({}));
    resource.body["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    resource
}

#[tokio::test]
async fn a_container_that_crashes_says_its_last_words() {
    let world = sandbox().await;
    explained(&world, &running(&world, "fail-crash:1"), "fatal: this container fails").await;
}

#[tokio::test]
async fn an_image_that_is_not_there_is_named() {
    let world = sandbox().await;
    explained(&world, &running(&world, "fail-pull:1"), "fail-pull:1").await;
}

#[tokio::test]
async fn a_job_that_fails_is_explained() {
    let world = sandbox().await;
    let pod = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": "fail-job:1"}]}});
    let job = world.resource(
        "batch/v1",
        "Job",
        "migrate",
        json!({"spec": {"backoffLimit": 0, "template": pod}}),
    );
    explained(&world, &job, "container `migrate`").await;
}

#[tokio::test]
async fn pods_that_are_never_ready_are_explained() {
    let world = sandbox().await;
    explained(&world, &running(&world, "fail-never-ready:1"), "pod `web-").await;
}
