//! What is no longer asked for goes, and only that; what cannot go stays known.

use serde_json::Value;
use serde_json::json;
use tenantry::apply::Cluster;
use tenantry::plan::Outcome;
use tenantry::plan::Retry;
use tenantry::sandbox::Fault;

use super::world::World;
use super::world::until;
use super::world::worlds;

#[tokio::test]
async fn a_thing_is_deleted_and_deleting_it_again_is_fine() {
    for world in worlds().await {
        let settings = world.settings("a");
        let live = world.apply(&settings).await.live.unwrap();
        for _ in 0..2 {
            let done = world.cluster.delete(&settings.id, "v1", &live.uid).await.unwrap();
            assert_eq!(done.outcome, Outcome::Deleted);
        }
        assert!(!world.kubectl.exists(&world.path("configmaps", "settings")).await);
    }
}

#[tokio::test]
async fn another_thing_of_the_same_name_is_not_deleted() {
    for world in worlds().await {
        let settings = world.settings("a");
        let old = world.apply(&settings).await.live.unwrap();
        world.kubectl.delete(&world.path("configmaps", "settings")).await;
        world.apply(&settings).await;
        let error = world.cluster.delete(&settings.id, "v1", &old.uid).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Later);
        assert!(world.kubectl.exists(&world.path("configmaps", "settings")).await);
    }
}

#[tokio::test]
async fn what_a_deployment_made_goes_with_it() {
    for world in worlds().await {
        let deployment = world.deployment(1, &Value::Null);
        let live = world.apply(&deployment).await.live.unwrap();
        let sets = format!("/apis/apps/v1/namespaces/{}/replicasets", world.namespace);
        let count = async || world.kubectl.get(&sets).await["items"].as_array().map_or(0, Vec::len);
        until("a replica set is made", async || (count().await == 1).then_some(())).await;
        world.cluster.delete(&deployment.id, "apps/v1", &live.uid).await.unwrap();
        until("the replica set is gone", async || (count().await == 0).then_some(())).await;
    }
}

#[tokio::test]
async fn a_thing_with_a_finalizer_is_on_its_way_out() {
    for world in worlds().await {
        let body = json!({"metadata": {"finalizers": ["example.com/wait"]}});
        let settings = world.resource("v1", "ConfigMap", "settings", body);
        let live = world.apply(&settings).await.live.unwrap();
        world.cluster.delete(&settings.id, "v1", &live.uid).await.unwrap();
        assert!(world.seen(&settings.id).await.unwrap().deleting);
        let path = world.path("configmaps", "settings");
        world.kubectl.patch(&path, "kubectl", json!({"metadata": {"finalizers": null}})).await;
        assert_eq!(world.seen(&settings.id).await, None);
    }
}

#[tokio::test]
async fn a_thing_that_is_let_go_stays_and_is_nobodys() {
    for world in worlds().await {
        let body = json!({"metadata": {"labels": {"app": "web"}}, "data": {"key": "a"}});
        let settings = world.resource("v1", "ConfigMap", "settings", body);
        world.apply(&settings).await;
        for _ in 0..2 {
            let done = world.cluster.orphan(&settings.id, "v1").await.unwrap();
            assert_eq!(done.outcome, Outcome::Orphaned);
        }
        let object = world.get("configmaps", "settings").await;
        assert_eq!(object["data"], json!({"key": "a"}));
        assert_eq!(object["metadata"]["labels"], json!({"app": "web"}));
        assert_eq!(object["metadata"]["annotations"], Value::Null);
        assert!(!object["metadata"].to_string().contains("tenantry"), "{object}");
        assert_eq!(world.seen(&settings.id).await, None);
    }
}

#[tokio::test]
async fn letting_go_of_what_is_not_there_is_fine() {
    for world in worlds().await {
        let done = world.cluster.orphan(&world.settings("a").id, "v1").await.unwrap();
        assert_eq!(done.outcome, Outcome::Orphaned);
    }
}

/// Somebody who may do everything in the world's namespace but delete.
async fn who_may_not_delete(world: &World) -> Cluster {
    if let Some(sandbox) = &world.sandbox {
        sandbox.faults().add(Fault::refuses_delete("configmaps"));
        return world.another_daemon().await;
    }
    let user = format!("no-delete-{}", world.unit);
    let group = "rbac.authorization.k8s.io";
    let api_version = format!("{group}/v1");
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "patch"]}]);
    let role = json!({"apiVersion": api_version, "kind": "Role", "metadata": {"name": "no-delete"}, "rules": rules});
    let binding = json!({"apiVersion": api_version, "kind": "RoleBinding", "metadata": {"name": "no-delete"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "no-delete"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}]});
    let api = format!("/apis/{api_version}/namespaces/{}", world.namespace);
    world.kubectl.create(&format!("{api}/roles"), &role).await;
    world.kubectl.create(&format!("{api}/rolebindings"), &binding).await;
    world.as_user(&user).await
}

#[tokio::test]
async fn a_deletion_that_is_denied_is_tried_again_and_the_thing_stays_known() {
    for world in worlds().await {
        let daemon = who_may_not_delete(&world).await;
        let settings = world.settings("a");
        let live = until("the rights are known", async || {
            daemon.apply(&world.unit, &settings, &[]).await.ok()?.live
        })
        .await;
        let error = daemon.delete(&settings.id, "v1", &live.uid).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Later);
        assert!(error.to_string().contains("was not deleted"), "{error}");
        let known = world.seen(&settings.id).await.unwrap();
        assert!(!known.deleting);
    }
}
