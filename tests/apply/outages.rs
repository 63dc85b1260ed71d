//! Watches that break, servers that go away or forget: nothing is missed, and nothing that could
//! not be read counts as gone.

use std::time::Duration;

use serde_json::json;
use tenantry::apply::Cluster;
use tenantry::apply::cluster::Credentials;
use tenantry::apply::cluster::watch::Event;
use tenantry::apply::cluster::watch::Watches;
use tenantry::plan::Entry;
use tenantry::plan::Inventory;
use tenantry::plan::Outcome;
use tenantry::plan::Retry;
use tenantry::sandbox::Fault;
use tenantry::sandbox::Traffic;

use super::world::sandbox;
use super::world::until;
use super::world::worlds;

fn is_disconnected(event: &Event) -> bool {
    matches!(event, Event::Disconnected { .. })
}

#[tokio::test]
async fn what_happened_while_the_connection_was_cut_is_seen_afterwards() {
    for world in worlds().await {
        let (settings, web) = (world.settings("a"), world.deployment(0, &json!({})));
        let applied = world.apply(&settings).await.live.unwrap();
        world.apply(&web).await;
        let (far, proxy) = world.through_a_proxy().await;
        let mut watching = far.watch().await;

        proxy.go_away();
        watching.wait_for(is_disconnected).await;
        world
            .kubectl
            .patch(
                &world.path("configmaps", "settings"),
                "kubectl-edit",
                json!({"data": {"key": "b"}}),
            )
            .await;
        world.kubectl.delete(&world.path("deployments", "web")).await;
        assert_eq!(far.cluster.live(&far.unit, &settings.id), Some(applied.clone()));
        let error = far.cluster.apply(&far.unit, &settings, &[]).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Later, "{error}");

        proxy.come_back();
        watching.wait_for(|event| *event == Event::Reconnected).await;
        until("what happened is known", async || {
            let settings = far.cluster.live(&far.unit, &settings.id)?;
            let gone = far.cluster.live(&far.unit, &web.id).is_none();
            (gone && settings.owned != applied.owned).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_watch_that_is_cut_and_stands_again_at_once_is_nothing_to_speak_of() {
    let world = sandbox().await;
    let mut watching = world.watch().await;
    let settings = world.settings("a");
    let mut before = world.apply(&settings).await.live.unwrap();
    for round in 0..5 {
        world.sandbox.as_ref().unwrap().faults().drop_watches();
        let edit = json!({"data": {"key": format!("edit-{round}")}});
        world.kubectl.patch(&world.path("configmaps", "settings"), "kubectl-edit", edit).await;
        let owned = before.owned;
        watching.wait_until(&settings.id, |live| live.owned != owned).await;
        before = world.apply(&settings).await.live.unwrap();
    }
    assert!(!watching.seen.iter().any(is_disconnected), "{:?}", watching.seen);
}

#[tokio::test]
async fn a_server_that_has_forgotten_is_asked_for_everything_again() {
    let world = sandbox().await;
    let sandbox = world.sandbox.as_ref().unwrap();
    let (settings, web) = (world.settings("a"), world.deployment(0, &json!({})));
    let (far, proxy) = world.through_a_proxy().await;
    let mut watching = far.watch().await;
    let applied = far.apply(&settings).await.live.unwrap();
    far.apply(&web).await;
    let mut inventory = Inventory::default();
    inventory.entries.insert(settings.id.clone(), Entry::announced(&settings.outline()));
    let inventory = far.cluster.write_inventory(&far.unit, &inventory).await.unwrap();

    proxy.go_away();
    watching.wait_for(is_disconnected).await;
    world
        .kubectl
        .patch(&world.path("configmaps", "settings"), "kubectl-edit", json!({"data": {"key": "b"}}))
        .await;
    world.kubectl.delete(&world.path("deployments", "web")).await;
    world.cluster.delete_inventory(&world.unit, &inventory).await.unwrap();
    sandbox.forget_history();
    let before = sandbox.requests();
    proxy.come_back();

    until("all that happened is known", async || {
        let observed = far.cluster.observed(&far.unit)?.unwrap();
        let drifted = observed.live.get(&settings.id)?.owned != applied.owned;
        let gone = !observed.live.contains_key(&web.id);
        (drifted && gone && observed.inventory == Inventory::default()).then_some(())
    })
    .await;
    assert_eq!(sandbox.requests().since(&before).of("list", "deployments"), 1);
}

#[tokio::test]
async fn what_could_not_be_listed_is_not_known_to_be_gone() {
    let world = sandbox().await;
    let faults = world.sandbox.as_ref().unwrap().faults();
    let settings = world.settings("a");
    world.apply(&settings).await;
    for resource in ["services", "configmaps"] {
        faults.add(Fault::answers(500).on_verb("list").on_resource(resource));
        let daemon = world.again().await;
        let (watches, mut events) = Watches::start(&daemon.cluster);
        let first = events.recv().await.unwrap();
        assert!(is_disconnected(&first), "{first:?}");
        until("everything else is listed", async || {
            let lists = world.sandbox.as_ref().unwrap().requests().of("list", "rolebindings");
            (lists > 0).then_some(())
        })
        .await;
        assert!(daemon.cluster.observed(&daemon.unit).is_none());
        assert!(events.try_recv().is_err(), "nothing is told before all is known");
        assert!(daemon.cluster.observe(&daemon.unit).await.is_err());

        faults.clear();
        assert_eq!(events.recv().await, Some(Event::Reconnected));
        assert_eq!(events.recv().await, Some(Event::Synced));
        let observed = daemon.cluster.observed(&daemon.unit).unwrap().unwrap();
        assert!(observed.live.contains_key(&settings.id));
        watches.stop().await;
    }
}

#[tokio::test]
async fn a_listing_that_breaks_off_takes_nothing_away() {
    let world = sandbox().await;
    let faults = world.sandbox.as_ref().unwrap().faults();
    let mut watching = world.watch().await;
    let settings = world.settings("a");
    world.apply(&settings).await;
    faults.add(Fault::answers(410).on_verb("watch").on_resource("configmaps").times(1));
    faults.add(Fault::answers(503).on_verb("list").on_resource("configmaps"));
    faults.drop_watches();
    watching.wait_for(is_disconnected).await;
    assert!(world.cluster.observed(&world.unit).unwrap().unwrap().live.contains_key(&settings.id));
    faults.clear();
    watching.wait_for(|event| *event == Event::Reconnected).await;
    assert!(world.cluster.observed(&world.unit).unwrap().unwrap().live.contains_key(&settings.id));
    assert!(!watching.seen.iter().any(|event| matches!(event, Event::Gone { .. })));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let world = sandbox().await;
    let sandbox = world.sandbox.as_ref().unwrap();
    let limit = Duration::from_millis(200);
    let kubeconfig = sandbox.kubeconfig_yaml();
    let credentials = Credentials::Text(&kubeconfig);
    let cluster = Cluster::connect_with_limit("quiet", credentials, limit).await.unwrap();
    sandbox.faults().set_traffic(Traffic::Hanging);
    let error = cluster.apply(&world.unit, &world.settings("a"), &[]).await.unwrap_err();
    assert_eq!(error.to_string(), "cluster `quiet` did not answer within 200ms");
    assert_eq!(error.retry(), Retry::Later);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let world = sandbox().await;
    world.sandbox.as_ref().unwrap().faults().set_traffic(Traffic::Refused);
    let error = world.refused(&world.settings("a")).await;
    assert_eq!(error.retry(), Retry::Later);
    let expected = "cluster `sandbox` cannot be reached at http://127.0.0.1:";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let world = sandbox().await;
    let mut busy = Fault::answers(429).on_verb("patch").times(2);
    busy.retry_after_seconds = Some(0);
    world.sandbox.as_ref().unwrap().faults().add(busy);
    assert_eq!(world.apply(&world.settings("a")).await.outcome, Outcome::Created);
}

#[tokio::test]
async fn a_server_that_stays_broken_is_not_asked_for_ever() {
    let world = sandbox().await;
    world.sandbox.as_ref().unwrap().faults().add(Fault::answers(500).on_verb("patch"));
    let error = world.refused(&world.settings("a")).await;
    assert_eq!(error.retry(), Retry::Later);
}
