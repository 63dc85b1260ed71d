//! What things cost: a request per write, none for what has not changed, and pages for many.

use serde_json::json;
use tenantry::plan::Outcome;
use tenantry::sandbox::RequestCounts;

use super::world::World;
use super::world::at_once;
use super::world::sandbox;

fn counts(world: &World) -> RequestCounts {
    world.sandbox.as_ref().unwrap().requests()
}

fn all(counts: &RequestCounts) -> Vec<(&str, u64)> {
    counts.iter().collect()
}

#[tokio::test]
async fn a_write_is_one_request() {
    let world = sandbox().await;
    let before = counts(&world);
    world.apply(&world.settings("a")).await;
    world.apply(&world.settings("b")).await;
    world.apply(&world.deployment(1, &json!({}))).await;
    let sent = counts(&world).since(&before);
    assert_eq!(sent.of("apply", ""), 3);
    // The controllers of the sandbox write without requests.
    assert_eq!(sent.besides_watches(), 3, "{:?}", all(&sent));
}

#[tokio::test]
async fn a_generated_secret_is_read_once_when_it_is_there() {
    let world = sandbox().await;
    let annotations = json!({"tenantry.dev/generate": r#"{"password": 32}"#});
    let secret =
        world.resource("v1", "Secret", "db", json!({"metadata": {"annotations": annotations}}));
    let before = counts(&world);
    world.apply(&secret).await;
    let created = counts(&world).since(&before);
    assert_eq!(created.besides_watches(), 4, "{:?}", all(&created));
    world.apply(&secret).await;
    let again = counts(&world).since(&before).since(&created);
    assert_eq!((again.of("get", "secrets"), again.of("apply", "secrets")), (1, 1));
    assert_eq!(again.besides_watches(), 2, "{:?}", all(&again));
}

#[tokio::test]
async fn watching_costs_a_list_and_a_watch_per_kind_and_then_nothing() {
    let world = sandbox().await;
    let settings = world.settings("a");
    world.apply(&settings).await;
    let daemon = world.again().await;
    let mut watching = daemon.watch().await;
    let before = counts(&world);
    world
        .kubectl
        .patch(&world.path("configmaps", "settings"), "kubectl", json!({"data": {"key": "b"}}))
        .await;
    watching.wait_until(&settings.id, |live| live.changed_by.is_some()).await;
    assert!(daemon.cluster.observed(&daemon.unit).unwrap().is_ok());
    let asked = counts(&world).since(&before);
    assert_eq!((asked.besides_watches(), asked.writes()), (1, 1), "{:?}", all(&asked));
}

#[tokio::test]
async fn many_are_written_at_once_and_listed_in_pages() {
    const COUNT: usize = 1_200;
    let world = sandbox().await;
    let resources: Vec<_> = (0..COUNT)
        .map(|n| {
            world.resource(
                "v1",
                "ConfigMap",
                &format!("settings-{n}"),
                json!({"data": {"n": n.to_string()}}),
            )
        })
        .collect();
    let (cluster, unit) = (world.cluster.clone(), world.unit.clone());
    let shared = std::sync::Arc::new(resources);
    let outcomes = at_once(64, |worker| {
        let (cluster, unit, resources) = (cluster.clone(), unit.clone(), shared.clone());
        async move {
            let mut outcomes = Vec::new();
            for resource in resources.iter().skip(worker).step_by(64) {
                outcomes.push(cluster.apply(&unit, resource, &[]).await.unwrap().outcome);
            }
            outcomes
        }
    })
    .await;
    let created = outcomes.iter().flatten().filter(|outcome| **outcome == Outcome::Created);
    assert_eq!(created.count(), COUNT);

    let before = counts(&world);
    let daemon = world.again().await;
    let _watching = daemon.watch().await;
    let observed = daemon.cluster.observed(&daemon.unit).unwrap().unwrap();
    assert_eq!(observed.live.len(), COUNT);
    let asked = counts(&world).since(&before);
    // Once for all that are ours, and once for the inventories.
    assert_eq!(asked.of("list", "configmaps"), 3 + 1, "{:?}", all(&asked));
}
