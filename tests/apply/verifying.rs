//! What a watch fails to tell is known after the next verification.

use std::time::Duration;

use serde_json::json;
use tenantry::apply::cluster::watch::Event;
use tenantry::sandbox::Fault;

use super::world::Watching;
use super::world::sandbox;

const EVERY: Duration = Duration::from_millis(400);

/// Waits until the config maps were verified, and says how much the watch had missed.
async fn verified(watching: &mut Watching) -> usize {
    let configuration =
        |event: &Event| matches!(event, Event::Verified { what, .. } if what == "ConfigMap");
    match watching.wait_for(configuration).await {
        Event::Verified { missed, .. } => missed,
        _ => unreachable!("only that was waited for"),
    }
}

#[tokio::test]
async fn an_edit_and_a_deletion_that_no_watch_told_are_noticed_by_the_next_verification() {
    let world = sandbox().await;
    let faults = world.sandbox.as_ref().unwrap().faults();
    let mut watching = world.watch_and_verify(Some(EVERY)).await;
    let settings = world.settings("a");
    let applied = world.apply(&settings).await.live.unwrap();
    while verified(&mut watching).await > 0 {}

    let path = world.path("configmaps", "settings");
    faults.add(Fault::loses_events("configmaps"));
    world.kubectl.patch(&path, "kubectl-edit", json!({"data": {"key": "b"}})).await;
    let drifted = watching.wait_until(&settings.id, |live| live.owned != applied.owned).await;
    assert_eq!(drifted.changed_by.as_deref(), Some("kubectl-edit"));
    watching.seen.clear();
    world.kubectl.delete(&path).await;
    watching.wait_until_gone(&settings.id).await;
    assert_eq!(verified(&mut watching).await, 1, "it is said that it was missed");
    assert_eq!(verified(&mut watching).await, 0, "and only once");
    assert_eq!(world.cluster.live(&world.unit, &settings.id), None);
}

#[tokio::test]
async fn what_the_watches_told_is_no_news_to_a_verification() {
    let world = sandbox().await;
    let mut watching = world.watch_and_verify(Some(EVERY)).await;
    let settings = world.settings("a");
    world.apply(&settings).await;
    let path = world.path("configmaps", "settings");
    world.kubectl.patch(&path, "kubectl-edit", json!({"data": {"key": "b"}})).await;
    watching.wait_until(&settings.id, |live| live.changed_by.is_some()).await;
    assert_eq!([verified(&mut watching).await, verified(&mut watching).await], [0, 0]);
}

#[tokio::test]
async fn between_verifications_nothing_is_asked() {
    let world = sandbox().await;
    let sandbox = world.sandbox.clone().unwrap();
    let _watching = world.watch_and_verify(Some(Duration::from_hours(1))).await;
    let before = sandbox.requests();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = sandbox.requests().since(&before);
    assert_eq!(asked.besides_watches(), 0);
}
