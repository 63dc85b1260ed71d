//! Whatever somebody does to a thing of ours is seen, and applying again puts it back.

use serde_json::Value;
use serde_json::json;
use tenantry::model::Resource;
use tenantry::plan::Live;
use tenantry::plan::Outcome;

use super::world::World;
use super::world::worlds;

/// Applies, lets somebody do something, and returns what was seen before and after.
async fn around(world: &World, resource: &Resource, act: impl AsyncFnOnce()) -> (Live, Live) {
    let before = world.apply(resource).await.live.unwrap();
    act().await;
    let after = world.seen(&resource.id).await.expect("it is still there and ours");
    (before, after)
}

/// Applies again: something changes, and it looks as it looked at first.
async fn is_put_back(world: &World, resource: &Resource, before: &Live) {
    let again = world.apply(resource).await;
    assert_eq!(again.outcome, Outcome::Changed);
    assert_eq!(again.live.unwrap().owned, before.owned);
}

#[tokio::test]
async fn an_edited_field_is_seen_and_put_back() {
    for world in worlds().await {
        let settings = world.settings("a");
        let path = world.path("configmaps", "settings");
        let edit = async || {
            world.kubectl.patch(&path, "kubectl-edit", json!({"data": {"key": "edited"}})).await;
        };
        let (before, after) = around(&world, &settings, edit).await;
        assert_ne!(before.owned, after.owned);
        assert_eq!(after.changed_by.as_deref(), Some("kubectl-edit"));
        is_put_back(&world, &settings, &before).await;
        assert_eq!(world.get("configmaps", "settings").await["data"]["key"], "a");
    }
}

#[tokio::test]
async fn a_field_taken_by_another_apply_is_seen_and_put_back() {
    for world in worlds().await {
        let settings = world.settings("a");
        let path = world.path("configmaps", "settings");
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": "theirs"}});
        let take = async || drop(world.kubectl.apply(&path, "flux", body.clone()).await);
        let (before, after) = around(&world, &settings, take).await;
        assert_ne!(before.owned, after.owned);
        assert_eq!(after.changed_by.as_deref(), Some("flux"));
        is_put_back(&world, &settings, &before).await;
    }
}

#[tokio::test]
async fn a_removed_field_is_seen_and_put_back() {
    for world in worlds().await {
        let settings = world.settings("a");
        let path = world.path("configmaps", "settings");
        let edit = async || {
            world.kubectl.patch(&path, "kubectl-edit", json!({"data": {"key": null}})).await;
        };
        let (before, after) = around(&world, &settings, edit).await;
        assert_ne!(before.owned, after.owned);
        is_put_back(&world, &settings, &before).await;
    }
}

#[tokio::test]
async fn an_added_field_is_no_drift() {
    for world in worlds().await {
        let settings = world.settings("a");
        let path = world.path("configmaps", "settings");
        let edit = async || {
            world.kubectl.patch(&path, "kubectl-edit", json!({"data": {"more": "b"}})).await;
        };
        let (before, after) = around(&world, &settings, edit).await;
        assert_eq!(before.owned, after.owned);
        assert_eq!(world.apply(&settings).await.outcome, Outcome::Changed, "the version moved");
        assert_eq!(world.apply(&settings).await.outcome, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn a_touched_status_is_no_drift() {
    for world in worlds().await {
        let deployment = world.deployment(0, &Value::Null);
        let path = format!("{}/status", world.path("deployments", "web"));
        let touch = async || {
            let status = json!({"status": {"conditions": [{"type": "Odd", "status": "True"}]}});
            world.kubectl.patch(&path, "somebody", status).await;
        };
        let (before, after) = around(&world, &deployment, touch).await;
        assert_eq!(before.owned, after.owned);
        assert_eq!(after.changed_by, None);
    }
}

#[tokio::test]
async fn a_deployment_scaled_by_hand_is_seen_and_put_back() {
    for world in worlds().await {
        let deployment = world.deployment(1, &Value::Null);
        let path = format!("{}/scale", world.path("deployments", "web"));
        let scale = async || {
            world.kubectl.patch(&path, "kubectl", json!({"spec": {"replicas": 3}})).await;
        };
        let (before, after) = around(&world, &deployment, scale).await;
        assert_ne!(before.owned, after.owned);
        is_put_back(&world, &deployment, &before).await;
        assert_eq!(world.get("deployments", "web").await["spec"]["replicas"], 1);
    }
}

#[tokio::test]
async fn a_deployment_with_more_replicas_by_edit_is_seen_and_put_back() {
    for world in worlds().await {
        let deployment = world.deployment(1, &Value::Null);
        let path = world.path("deployments", "web");
        let edit = async || {
            world.kubectl.patch(&path, "kubectl-edit", json!({"spec": {"replicas": 3}})).await;
        };
        let (before, after) = around(&world, &deployment, edit).await;
        assert_ne!(before.owned, after.owned);
        is_put_back(&world, &deployment, &before).await;
    }
}

#[tokio::test]
async fn a_changed_image_is_seen_and_put_back() {
    for world in worlds().await {
        let deployment = world.deployment(1, &Value::Null);
        let path = world.path("deployments", "web");
        let edit = async || {
            let path = format!("{path}?fieldManager=kubectl-set");
            let body = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "evil:1"}]}}}});
            let patch = "application/strategic-merge-patch+json";
            world.kubectl.request("PATCH", &path, patch, &body).await.unwrap();
        };
        let (before, after) = around(&world, &deployment, edit).await;
        assert_ne!(before.owned, after.owned);
        is_put_back(&world, &deployment, &before).await;
        let object = world.get("deployments", "web").await;
        assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["image"], "nginx:1");
    }
}

#[tokio::test]
async fn a_foreign_label_is_seen_and_taken_off() {
    for world in worlds().await {
        let settings = world.settings("a");
        let path = world.path("configmaps", "settings");
        let label = async || {
            let body = json!({"metadata": {"labels": {"let": "me-in"}}});
            world.kubectl.patch(&path, "kubectl-label", body).await;
        };
        let (before, after) = around(&world, &settings, label).await;
        assert_eq!(after.foreign_labels, ["let".into()]);
        assert_eq!(before.owned, after.owned);
        let done =
            world.cluster.apply(&world.unit, &settings, &after.foreign_labels).await.unwrap();
        assert_eq!(done.outcome, Outcome::Changed);
        let live = done.live.unwrap();
        assert!(live.foreign_labels.is_empty());
        assert_eq!(live.owned, before.owned);
        assert_eq!(
            world.get("configmaps", "settings").await["metadata"]["labels"]["let"],
            Value::Null
        );
        assert_eq!(world.apply(&settings).await.outcome, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn a_thing_without_our_label_is_gone_and_comes_back() {
    for world in worlds().await {
        let settings = world.settings("a");
        let before = world.apply(&settings).await.live.unwrap();
        let path = world.path("configmaps", "settings");
        for label in
            ["app.kubernetes.io/managed-by", "tenantry.dev/unit", "applyset.kubernetes.io/part-of"]
        {
            let body = json!({"metadata": {"labels": {label: null}}});
            world.kubectl.patch(&path, "kubectl-label", body).await;
            assert_eq!(world.seen(&settings.id).await, None, "{label}");
            is_put_back(&world, &settings, &before).await;
        }
    }
}

#[tokio::test]
async fn a_changed_mark_is_seen_and_put_back() {
    for world in worlds().await {
        let settings = world.settings("a");
        let path = world.path("configmaps", "settings");
        let edit = async || {
            let body =
                json!({"metadata": {"annotations": {"tenantry.dev/rendered": "0".repeat(32)}}});
            world.kubectl.patch(&path, "kubectl-annotate", body).await;
        };
        let (before, after) = around(&world, &settings, edit).await;
        assert_ne!((before.owned, before.rendered), (after.owned, after.rendered));
        is_put_back(&world, &settings, &before).await;
    }
}

#[tokio::test]
async fn a_deleted_thing_is_gone_and_comes_back() {
    for world in worlds().await {
        let settings = world.settings("a");
        let before = world.apply(&settings).await.live.unwrap();
        world.kubectl.delete(&world.path("configmaps", "settings")).await;
        assert_eq!(world.seen(&settings.id).await, None);
        let again = world.apply(&settings).await;
        assert_eq!(again.outcome, Outcome::Created);
        let live = again.live.unwrap();
        assert_eq!(live.owned, before.owned);
        assert_ne!(live.uid, before.uid);
    }
}
