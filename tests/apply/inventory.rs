//! The inventory lives in the cluster, and no entry of it is ever lost.

use serde_json::json;
use tenantry::apply::ApplyError;
use tenantry::apply::cluster::inventory::applyset_id;
use tenantry::model::ResourceId;
use tenantry::plan::Entry;
use tenantry::plan::Inventory;

use super::world::World;
use super::world::at_once;
use super::world::worlds;

fn entry(world: &World, name: &str) -> (ResourceId, Entry) {
    let mut resource = world.settings(name);
    resource.id.name = name.into();
    (resource.id.clone(), Entry::announced(&resource.outline()))
}

#[tokio::test]
async fn what_was_written_is_read_by_another() {
    for world in worlds().await {
        assert_eq!(world.cluster.inventory(&world.unit).await.unwrap(), Inventory::default());
        let mut inventory = Inventory::default();
        inventory.entries.extend([entry(&world, "one")]);
        let written = world.cluster.write_inventory(&world.unit, &inventory).await.unwrap();
        assert_eq!(written.entries, inventory.entries);
        let another = world.another_daemon().await;
        assert_eq!(another.inventory(&world.unit).await.unwrap(), written);

        let path =
            format!("/api/v1/namespaces/tenantry-system/configmaps/inventory-{}", world.unit);
        let metadata = world.kubectl.get(&path).await["metadata"].clone();
        assert_eq!(metadata["labels"]["applyset.kubernetes.io/id"], applyset_id(&world.unit));
        let annotation =
            |name: &str| metadata["annotations"][format!("applyset.kubernetes.io/{name}")].clone();
        assert!(annotation("tooling").as_str().unwrap().starts_with("tenantry/v"));
        assert_eq!(annotation("contains-group-kinds"), "ConfigMap");
        assert_eq!(annotation("additional-namespaces"), json!(world.namespace));
    }
}

#[tokio::test]
async fn whoever_writes_on_top_of_something_old_is_told_to_read_again() {
    for world in worlds().await {
        let mut first = Inventory::default();
        first.entries.extend([entry(&world, "one")]);
        let written = world.cluster.write_inventory(&world.unit, &first).await.unwrap();
        for stale in [first.clone(), written.clone()] {
            let mut newer = written.clone();
            newer.entries.extend([entry(&world, "two")]);
            newer.version = world.cluster.inventory(&world.unit).await.unwrap().version;
            world.cluster.write_inventory(&world.unit, &newer).await.unwrap();
            world
                .cluster
                .write_inventory(&world.unit, &{
                    let mut newest = world.cluster.inventory(&world.unit).await.unwrap();
                    newest.entries.extend([entry(&world, "three")]);
                    newest
                })
                .await
                .unwrap();
            let error = world.cluster.write_inventory(&world.unit, &stale).await.unwrap_err();
            assert!(matches!(error, ApplyError::InventoryMoved { .. }), "{error}");
        }
        assert_eq!(world.cluster.inventory(&world.unit).await.unwrap().entries.len(), 3);
    }
}

#[tokio::test]
async fn ten_who_write_at_once_lose_no_entry() {
    for world in worlds().await {
        let mut daemons = Vec::new();
        for _ in 0..10 {
            daemons.push(world.another_daemon().await);
        }
        let unit = world.unit.clone();
        let entries: Vec<_> = (0..10).map(|n| entry(&world, &format!("thing-{n}"))).collect();
        at_once(10, |n| {
            let (daemon, unit, entry) = (daemons[n].clone(), unit.clone(), entries[n].clone());
            async move {
                loop {
                    let mut inventory = daemon.inventory(&unit).await.unwrap();
                    inventory.entries.extend([entry.clone()]);
                    match daemon.write_inventory(&unit, &inventory).await {
                        Ok(_) => return,
                        Err(ApplyError::InventoryMoved { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        })
        .await;
        let inventory = world.cluster.inventory(&world.unit).await.unwrap();
        assert_eq!(inventory.entries.len(), 10);
    }
}

#[tokio::test]
async fn an_inventory_that_somebody_filled_meanwhile_is_not_removed() {
    for world in worlds().await {
        let empty =
            world.cluster.write_inventory(&world.unit, &Inventory::default()).await.unwrap();
        let mut filled = empty.clone();
        filled.entries.extend([entry(&world, "one")]);
        let filled = world.cluster.write_inventory(&world.unit, &filled).await.unwrap();
        let error = world.cluster.delete_inventory(&world.unit, &empty).await.unwrap_err();
        assert!(matches!(error, ApplyError::InventoryMoved { .. }), "{error}");
        world.cluster.delete_inventory(&world.unit, &filled).await.unwrap();
        world.cluster.delete_inventory(&world.unit, &filled).await.unwrap();
        assert_eq!(world.cluster.inventory(&world.unit).await.unwrap(), Inventory::default());
    }
}

#[tokio::test]
async fn whoever_never_wrote_an_inventory_removes_none() {
    for world in worlds().await {
        let mut inventory = Inventory::default();
        inventory.entries.extend([entry(&world, "one")]);
        let written = world.cluster.write_inventory(&world.unit, &inventory).await.unwrap();
        world.cluster.delete_inventory(&world.unit, &Inventory::default()).await.unwrap();
        assert_eq!(world.cluster.inventory(&world.unit).await.unwrap(), written);
    }
}

#[tokio::test]
async fn an_inventory_that_cannot_be_read_is_not_an_empty_one() {
    for world in worlds().await {
        let mut inventory = Inventory::default();
        inventory.entries.extend([entry(&world, "one")]);
        world.cluster.write_inventory(&world.unit, &inventory).await.unwrap();
        let path =
            format!("/api/v1/namespaces/tenantry-system/configmaps/inventory-{}", world.unit);
        world
            .kubectl
            .patch(&path, "kubectl-edit", json!({"data": {"inventory.json": "{oops"}}))
            .await;
        let error = world.cluster.inventory(&world.unit).await.unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
        assert!(world.another_daemon().await.observe(&world.unit).await.is_err());
    }
}
