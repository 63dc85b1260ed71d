//! Watches see everything, in time, and once they have seen everything they say so.

use serde_json::Value;
use serde_json::json;
use tenantry::apply::cluster::watch::Event;
use tenantry::plan::Entry;
use tenantry::plan::Health;
use tenantry::plan::Inventory;

use super::world::World;
use super::world::at_once;
use super::world::until;
use super::world::worlds;

#[tokio::test]
async fn what_was_there_before_is_known_when_the_watches_say_so() {
    for world in worlds().await {
        let settings = world.settings("a");
        let applied = world.apply(&settings).await.live.unwrap();
        let mut inventory = Inventory::default();
        inventory.entries.insert(settings.id.clone(), Entry::announced(&settings.outline()));
        let inventory = world.cluster.write_inventory(&world.unit, &inventory).await.unwrap();

        let daemon = world.again().await;
        assert!(daemon.cluster.observed(&world.unit).is_none());
        let _watching = daemon.watch().await;
        let observed = daemon.cluster.observed(&world.unit).unwrap().unwrap();
        assert_eq!(observed.inventory, inventory);
        assert_eq!(observed.live.get(&settings.id), Some(&applied));
        assert!(daemon.cluster.units().contains(&world.unit));
    }
}

#[tokio::test]
async fn what_others_do_is_told_and_what_we_do_is_not() {
    for world in worlds().await {
        let mut watching = world.watch().await;
        let settings = world.settings("a");
        let applied = world.apply(&settings).await.live.unwrap();
        assert_eq!(world.cluster.live(&world.unit, &settings.id), Some(applied.clone()));

        let path = world.path("configmaps", "settings");
        world.kubectl.patch(&path, "kubectl-edit", json!({"data": {"key": "b"}})).await;
        let drifted = watching.wait_until(&settings.id, |live| live.owned != applied.owned).await;
        assert_eq!(drifted.changed_by.as_deref(), Some("kubectl-edit"));

        let again = world.apply(&settings).await.live.unwrap();
        assert_eq!(again.owned, applied.owned);
        world
            .kubectl
            .patch(&path, "kubectl-label", json!({"metadata": {"labels": {"x": "y"}}}))
            .await;
        watching.wait_until(&settings.id, |live| live.foreign_labels == ["x".into()]).await;

        let hide = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
        world.kubectl.patch(&path, "kubectl-label", hide).await;
        watching.wait_until_gone(&settings.id).await;
        world.cluster.apply(&world.unit, &settings, &["x".into()]).await.unwrap();

        world.kubectl.delete(&path).await;
        watching.wait_until_gone(&settings.id).await;
        assert_eq!(world.cluster.live(&world.unit, &settings.id), None);
    }
}

#[tokio::test]
async fn the_health_of_a_deployment_follows_its_status() {
    for world in worlds().await {
        let mut watching = world.watch().await;
        let deployment = world.deployment(0, &Value::Null);
        let applied = world.apply(&deployment).await.live.unwrap();
        assert_ne!(applied.health, Health::Ready, "nobody has looked at it yet");
        watching.wait_until(&deployment.id, |live| live.health == Health::Ready).await;
    }
}

#[tokio::test]
async fn an_inventory_that_another_daemon_writes_is_told() {
    for world in worlds().await {
        let mut watching = world.watch().await;
        let settings = world.settings("a");
        let mut inventory = Inventory::default();
        inventory.entries.insert(settings.id.clone(), Entry::announced(&settings.outline()));
        let another = world.another_daemon().await;
        let written = another.write_inventory(&world.unit, &inventory).await.unwrap();
        watching.wait_for(|event| matches!(event, Event::Inventory { .. })).await;
        assert_eq!(world.cluster.observed(&world.unit).unwrap().unwrap().inventory, written);
        another.delete_inventory(&world.unit, &written).await.unwrap();
        watching.wait_for(|event| matches!(event, Event::Inventory { .. })).await;
        let observed = world.cluster.observed(&world.unit).unwrap().unwrap();
        assert_eq!(observed.inventory, Inventory::default());
    }
}

#[tokio::test]
async fn a_kind_that_only_an_inventory_names_is_watched() {
    for world in worlds().await {
        let mut watching = world.watch().await;
        let odd = world.resource("v1", "Endpoints", "odd", json!({"subsets": []}));
        let mut inventory = Inventory::default();
        inventory.entries.insert(odd.id.clone(), Entry::announced(&odd.outline()));
        world.cluster.write_inventory(&world.unit, &inventory).await.unwrap();
        world.another_daemon().await.apply(&world.unit, &odd, &[]).await.unwrap();
        watching.wait_until(&odd.id, |_| true).await;
    }
}

#[tokio::test]
async fn our_own_writes_and_deletions_settle() {
    for world in worlds().await {
        let mut watching = world.watch().await;
        let settings = world.settings("a");
        for _ in 0..20 {
            let live = world.apply(&settings).await.live.unwrap();
            assert_eq!(world.cluster.live(&world.unit, &settings.id), Some(live.clone()));
            world.cluster.delete(&settings.id, "v1", &live.uid).await.unwrap();
        }
        until("the deletion is seen", async || {
            world.cluster.live(&world.unit, &settings.id).is_none().then_some(())
        })
        .await;
        let last = world.apply(&settings).await.live.unwrap();
        world
            .kubectl
            .patch(&world.path("configmaps", "settings"), "kubectl", json!({"data": {"key": "b"}}))
            .await;
        watching
            .wait_until(&settings.id, |live| live.uid == last.uid && live.owned != last.owned)
            .await;
    }
}

/// What one of many does next, by a number that stands for chance.
async fn meddle(world: &World, who: usize, chance: u64) {
    let name = format!("thing-{}", chance % 5);
    let path = world.path("configmaps", &name);
    let mut settings = world.settings(&format!("{who}-{chance}"));
    settings.id.name = name.as_str().into();
    settings.body["metadata"]["name"] = json!(name);
    let merge = |body: Value| {
        let path = format!("{path}?fieldManager=person-{who}");
        let patch = "application/merge-patch+json";
        async move { drop(world.kubectl.request("PATCH", &path, patch, &body).await) }
    };
    // That somebody else was faster is a part of it.
    match (chance >> 8) % 8 {
        0..4 => drop(world.cluster.apply(&world.unit, &settings, &[]).await),
        4 => merge(json!({"data": {"key": chance.to_string()}})).await,
        5 => merge(json!({"metadata": {"labels": {"foreign": chance.to_string()}}})).await,
        6 => merge(json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}})).await,
        _ => match world.cluster.live(&world.unit, &settings.id) {
            Some(live) => drop(world.cluster.delete(&settings.id, "v1", &live.uid).await),
            None => {
                drop(
                    world.kubectl.request("DELETE", &path, "application/json", &Value::Null).await,
                );
            }
        },
    }
}

#[tokio::test]
async fn after_any_turmoil_everybody_knows_what_is_there() {
    for world in worlds().await {
        let mut daemons = vec![world.again().await, world.again().await, world.again().await];
        let mut watching = Vec::new();
        for daemon in &daemons {
            watching.push(daemon.watch().await);
        }
        let daemons: Vec<_> = daemons.drain(..).map(std::sync::Arc::new).collect();
        let meddlers = daemons.clone();
        at_once(6, move |who| {
            let world = std::sync::Arc::clone(&meddlers[who % 3]);
            async move {
                // A generator of Marsaglia's: the same numbers in every run.
                let mut chance = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(who as u64 + 1);
                for step in 0..60 {
                    chance ^= chance << 13;
                    chance ^= chance >> 7;
                    chance ^= chance << 17;
                    meddle(&world, who, chance).await;
                    if let (Some(sandbox), 0) = (&world.sandbox, step % 20) {
                        sandbox.faults().drop_watches();
                    }
                }
            }
        })
        .await;
        let truth = world.again().await.cluster.observe(&world.unit).await.unwrap().live;
        for daemon in &daemons {
            until("all know the truth", async || {
                let known = daemon.cluster.observed(&daemon.unit)?.unwrap().live;
                (known == truth).then_some(())
            })
            .await;
        }
    }
}
