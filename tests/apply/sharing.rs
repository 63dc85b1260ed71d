//! Fields that others may have: an autoscaler's replicas, and whatever a person claims.

use serde_json::Value;
use serde_json::json;
use tenantry::plan::Outcome;

use super::world::World;
use super::world::worlds;

fn ignoring() -> Value {
    json!({"tenantry.dev/ignore": "spec.replicas"})
}

async fn replicas(world: &World) -> Value {
    world.get("deployments", "web").await["spec"]["replicas"].clone()
}

#[tokio::test]
async fn ignored_replicas_are_sent_once_and_then_stay_as_the_autoscaler_has_them() {
    for world in worlds().await {
        let created = world.apply(&world.deployment(1, &ignoring())).await;
        assert_eq!(created.outcome, Outcome::Created);
        assert_eq!(replicas(&world).await, 1);

        let path = world.path("deployments", "web");
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 5}});
        world.kubectl.apply(&path, "autoscaler", body).await;
        let live = world.seen(&created.id).await.unwrap();
        assert_eq!(live.owned, created.live.unwrap().owned, "it is no drift");

        world.apply(&world.deployment(2, &ignoring())).await;
        assert_eq!(replicas(&world).await, 5);
    }
}

#[tokio::test]
async fn ignored_replicas_that_nobody_took_keep_their_value() {
    for world in worlds().await {
        let created = world.apply(&world.deployment(1, &ignoring())).await;
        let path = format!("{}/scale", world.path("deployments", "web"));
        world.kubectl.patch(&path, "kubectl", json!({"spec": {"replicas": 4}})).await;
        let live = world.seen(&created.id).await.unwrap();
        assert_eq!(live.owned, created.live.unwrap().owned, "it is no drift");
        world.apply(&world.deployment(1, &ignoring())).await;
        assert_eq!(replicas(&world).await, 4);
    }
}

#[tokio::test]
async fn beginning_to_ignore_replicas_never_changes_them() {
    for world in worlds().await {
        world.apply(&world.deployment(3, &Value::Null)).await;
        world.apply(&world.deployment(1, &ignoring())).await;
        assert_eq!(replicas(&world).await, 3);
        assert_eq!(
            world.apply(&world.deployment(1, &ignoring())).await.outcome,
            Outcome::Unchanged
        );
    }
}

#[tokio::test]
async fn a_yielded_field_stays_with_whoever_takes_it() {
    for world in worlds().await {
        let yielding = json!({"tenantry.dev/yield": "spec.replicas"});
        world.apply(&world.deployment(1, &yielding)).await;
        let path = world.path("deployments", "web");
        world.kubectl.patch(&path, "kubectl-edit", json!({"spec": {"replicas": 6}})).await;
        world.apply(&world.deployment(2, &yielding)).await;
        assert_eq!(replicas(&world).await, 6);

        world.apply(&world.deployment(2, &Value::Null)).await;
        assert_eq!(replicas(&world).await, 2, "without the annotation ours wins");
    }
}

#[tokio::test]
async fn an_object_that_yields_keeps_every_field_that_others_took_and_takes_the_rest() {
    for world in worlds().await {
        let body = |key: &str, other: &str| {
            let annotations = json!({"tenantry.dev/conflicts": "yield"});
            let body = json!({"metadata": {"annotations": annotations}, "data": {"key": key, "other": other}});
            world.resource("v1", "ConfigMap", "settings", body)
        };
        world.apply(&body("a", "a")).await;
        let path = world.path("configmaps", "settings");
        let edit = json!({"data": {"key": "theirs"}, "metadata": {"annotations": {"tenantry.dev/rendered": "theirs"}}});
        world.kubectl.patch(&path, "kubectl-edit", edit).await;
        let done = world.apply(&body("b", "b")).await;
        assert_eq!(
            done.live.unwrap().rendered,
            Some(body("b", "b").digest),
            "marks are never yielded"
        );
        let object = world.get("configmaps", "settings").await;
        assert_eq!(object["data"], json!({"key": "theirs", "other": "b"}));
        assert_eq!(world.apply(&body("b", "b")).await.outcome, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn an_ignored_label_is_not_foreign() {
    for world in worlds().await {
        let ignoring =
            json!({"metadata": {"annotations": {"tenantry.dev/ignore": "metadata.labels.team"}}});
        let settings = world.resource("v1", "ConfigMap", "settings", ignoring);
        world.apply(&settings).await;
        let body = json!({"metadata": {"labels": {"team": "a", "other": "b"}}});
        world.kubectl.patch(&world.path("configmaps", "settings"), "kubectl-label", body).await;
        let live = world.seen(&settings.id).await.unwrap();
        assert_eq!(live.foreign_labels, ["other".into()]);
    }
}
