//! What is asked for is written, once, and a refusal says what to do.

use serde_json::json;
use tenantry::model::Resource;
use tenantry::model::ResourceId;
use tenantry::model::resource::OnDelete;
use tenantry::model::resource::Stage;
use tenantry::plan::Health;
use tenantry::plan::Outcome;
use tenantry::plan::Retry;

use super::world::worlds;

#[tokio::test]
async fn a_thing_is_created_then_left_alone_then_changed() {
    for world in worlds().await {
        let created = world.apply(&world.settings("a")).await;
        assert_eq!(created.outcome, Outcome::Created);
        let live = created.live.unwrap();
        assert_eq!(live.rendered, Some(world.settings("a").digest));
        assert_eq!((live.health, live.deleting), (Health::Ready, false));

        let again = world.apply(&world.settings("a")).await;
        assert_eq!(again.outcome, Outcome::Unchanged);
        assert_eq!(again.live.unwrap().owned, live.owned);

        let changed = world.apply(&world.settings("b")).await;
        assert_eq!(changed.outcome, Outcome::Changed);
        let object = world.get("configmaps", "settings").await;
        assert_eq!(object["data"]["key"], "b");
        assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "tenantry");
    }
}

#[tokio::test]
async fn what_is_no_longer_asked_for_is_taken_out_of_an_object() {
    for world in worlds().await {
        let both = world.resource(
            "v1",
            "ConfigMap",
            "settings",
            json!({"data": {"key": "a", "other": "b"}}),
        );
        world.apply(&both).await;
        world.apply(&world.settings("a")).await;
        assert_eq!(world.get("configmaps", "settings").await["data"], json!({"key": "a"}));
    }
}

#[tokio::test]
async fn what_was_applied_looks_the_same_to_a_daemon_that_just_started() {
    for world in worlds().await {
        let settings = world.settings("a");
        let applied = world.apply(&settings).await.live.unwrap();
        assert_eq!(world.seen(&settings.id).await, Some(applied));
    }
}

#[tokio::test]
async fn a_daemon_that_just_started_knows_that_nothing_changed() {
    for world in worlds().await {
        let settings = world.settings("a");
        world.apply(&settings).await;
        let daemon = world.another_daemon().await;
        daemon.observe(&world.unit).await.unwrap();
        let again = daemon.apply(&world.unit, &settings, &[]).await.unwrap();
        assert_eq!(again.outcome, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn a_thing_that_can_never_be_is_not_tried_again_before_a_commit() {
    for world in worlds().await {
        let unknown =
            world.resource("apps/v1", "Deployment", "web", json!({"spec": {"replica": 1}}));
        let error = world.refused(&unknown).await;
        assert_eq!(error.retry(), Retry::NextCommit, "{error}");
        assert!(error.to_string().contains("replica"), "{error}");

        let service = world.resource(
            "v1",
            "Service",
            "web",
            json!({"spec": {"ports": [{"port": 70_000, "protocol": "TCP"}]}}),
        );
        let error = world.refused(&service).await;
        assert_eq!(error.retry(), Retry::NextCommit, "{error}");
        assert!(
            error.to_string().starts_with(&format!("Service/{}/web was refused", world.namespace)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_thing_whose_namespace_is_missing_is_tried_again() {
    for world in worlds().await {
        let id = ResourceId::new("", "ConfigMap", "not-there-at-all", "settings");
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "not-there-at-all"}});
        let resource = Resource::new(id, None, Stage::Namespace, OnDelete::Delete, body);
        assert_eq!(world.refused(&resource).await.retry(), Retry::Later);
    }
}

#[tokio::test]
async fn a_kind_that_the_cluster_does_not_serve_says_so() {
    for world in worlds().await {
        let widget = world.resource("example.com/v1", "Widget", "one", json!({}));
        let error = world.refused(&widget).await;
        assert_eq!(error.retry(), Retry::Later);
        assert!(error.to_string().contains("serves no `Widget` of `example.com/v1`"), "{error}");
    }
}

#[tokio::test]
async fn a_quota_that_is_full_is_tried_again_later() {
    for world in worlds().await {
        let quota = world.resource(
            "v1",
            "ResourceQuota",
            "quota",
            json!({"spec": {"hard": {"configmaps": "0"}}}),
        );
        world.apply(&quota).await;
        super::world::until("the quota is looked at", async || {
            let quota = world.get("resourcequotas", "quota").await;
            quota["status"]["hard"]["configmaps"].as_str().map(str::to_owned)
        })
        .await;
        let error = world.refused(&world.settings("a")).await;
        assert_eq!(error.retry(), Retry::Later);
        assert!(error.to_string().contains("exceeded quota"), "{error}");
    }
}

#[tokio::test]
async fn the_version_is_that_of_the_server() {
    for world in worlds().await {
        let version = world.cluster.version().await.unwrap();
        assert!(version.starts_with("1."), "{version}");
    }
}

#[tokio::test]
async fn a_dry_run_shows_before_and_after_and_changes_nothing() {
    for world in worlds().await {
        let new = world.cluster.dry_run(&world.unit, &world.settings("a")).await.unwrap();
        assert_eq!(new.before, None);
        assert_eq!(new.after["data"], json!({"key": "a"}));

        world.apply(&world.settings("a")).await;
        let changed = world.cluster.dry_run(&world.unit, &world.settings("b")).await.unwrap();
        assert_eq!(changed.before.unwrap()["data"], json!({"key": "a"}));
        assert_eq!(changed.after["data"], json!({"key": "b"}));
        assert_eq!(world.get("configmaps", "settings").await["data"]["key"], "a");

        let same = world.cluster.dry_run(&world.unit, &world.settings("a")).await.unwrap();
        assert_eq!(same.before.as_ref(), Some(&same.after));
    }
}
