//! A cluster and a database server in memory, which can be watched, hurt and brought back.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::model::Digest;
use crate::model::ResourceId;
use crate::plan::Action;
use crate::plan::Aside;
use crate::plan::Done;
use crate::plan::Health;
use crate::plan::Inventory;
use crate::plan::Live;
use crate::plan::Observed;
use crate::plan::Outcome;
use crate::plan::Retry;

/// A cluster and a database server in memory. It outlives the junctions that work on it.
#[derive(Default)]
pub(super) struct World {
    pub(super) things: Mutex<BTreeMap<UnitName, Observed>>,
    pub(super) databases: Mutex<BTreeMap<UnitName, BTreeMap<ResourceId, Live>>>,
    /// Writes that were carried out, in order.
    pub(super) log: Mutex<Vec<String>>,
    pub(super) writes: AtomicUsize,
    /// After so many writes, nothing that is asked for ever happens: the daemon was killed.
    pub(super) dies_after: Option<usize>,
    pub(super) never_ready: Mutex<Vec<String>>,
    pub(super) refuses: Mutex<Vec<String>>,
    pub(super) uids: AtomicUsize,
}

pub(super) struct FakeTarget(pub(super) Arc<World>);

impl World {
    pub(super) async fn write(&self, what: String) {
        let count = self.writes.fetch_add(1, Ordering::SeqCst);
        if self.dies_after.is_some_and(|dies| count >= dies) {
            std::future::pending::<()>().await;
        }
        self.log.lock().unwrap().push(what);
    }

    pub(super) fn live(&self, resource: &crate::model::Resource) -> Live {
        let text = resource.id.to_string();
        let never = self.never_ready.lock().unwrap().iter().any(|part| text.contains(part));
        Live {
            uid: format!("uid-{}", self.uids.fetch_add(1, Ordering::SeqCst)).into(),
            owned: resource.digest,
            rendered: Some(resource.digest),
            foreign_labels: Vec::new(),
            changed_by: None,
            deleting: false,
            health: if never {
                Health::Progressing("0 of 2 replicas are ready".into())
            } else {
                Health::Ready
            },
            aside: resource
                .id
                .is_database()
                .then_some(Aside::For(jiff::SignedDuration::from_hours(24 * 90))),
        }
    }

    pub(super) fn edit(&self, unit: &str, id: &str, edit: impl FnOnce(&mut Live)) {
        let mut things = self.things.lock().unwrap();
        let unit = things.get_mut(&tenant(unit)).expect("the unit is there");
        let (_, live) = unit
            .live
            .iter_mut()
            .find(|(other, _)| other.to_string().contains(id))
            .expect("the thing is there");
        edit(live);
    }

    pub(super) fn remove(&self, unit: &str, id: &str) {
        let mut things = self.things.lock().unwrap();
        things
            .get_mut(&tenant(unit))
            .unwrap()
            .live
            .retain(|other, _| !other.to_string().contains(id));
    }

    pub(super) fn live_of(&self, unit: &str) -> Vec<String> {
        let things = self.things.lock().unwrap();
        let mut all: Vec<String> = things
            .get(&tenant(unit))
            .map(|observed| observed.live.keys().map(ToString::to_string).collect())
            .unwrap_or_default();
        let databases = self.databases.lock().unwrap();
        all.extend(
            databases
                .get(&tenant(unit))
                .into_iter()
                .flat_map(|all| all.keys().map(ToString::to_string)),
        );
        all
    }

    /// Everything that is in use, with the digest it was last given: what the world looks like.
    pub(super) fn picture(&self) -> BTreeMap<String, Option<Digest>> {
        let things = self.things.lock().unwrap();
        let databases = self.databases.lock().unwrap();
        things
            .values()
            .flat_map(|observed| &observed.live)
            .chain(databases.values().flatten())
            .filter(|(_, live)| live.set_aside().is_none())
            .map(|(id, live)| (id.to_string(), live.rendered))
            .collect()
    }

    pub(super) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    pub(super) fn assert_no_orphans(&self) {
        for (unit, observed) in &*self.things.lock().unwrap() {
            for id in observed.live.keys() {
                assert!(observed.inventory.entries.contains_key(id), "{id} of {unit} is an orphan");
            }
        }
    }
}

impl Target for FakeTarget {
    fn observed(&self, unit: &UnitName) -> Option<Observed> {
        let mut observed = self.0.things.lock().unwrap().get(unit).cloned().unwrap_or_default();
        let databases = self.0.databases.lock().unwrap().get(unit).cloned().unwrap_or_default();
        observed.live.extend(databases);
        Some(observed)
    }

    fn units(&self) -> Vec<UnitName> {
        self.0.things.lock().unwrap().keys().cloned().collect()
    }

    async fn apply(&self, unit: &UnitName, action: &Action) -> Done {
        let id = action.id().clone();
        if self.0.refuses.lock().unwrap().iter().any(|part| id.to_string().contains(part)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let outcome = Outcome::Failed { message: "refused".into(), retry: Retry::Later };
            return Done { id, outcome, live: None };
        }
        self.0.write(format!("{} {id}", action.verb())).await;
        let mut things = self.0.things.lock().unwrap();
        let mut databases = self.0.databases.lock().unwrap();
        let observed = things.entry(unit.clone()).or_default();
        match action {
            Action::Create { resource, .. } | Action::Update { resource, .. } => {
                let live = self.0.live(resource);
                let listed = observed.inventory.entries.contains_key(&id);
                assert!(listed, "{id} is made before the inventory lists it");
                if id.is_database() {
                    databases.entry(unit.clone()).or_default().insert(id.clone(), live.clone());
                } else {
                    let namespace = ResourceId::new("", "Namespace", "", &id.namespace);
                    let housed = id.namespace.is_empty() || observed.live.contains_key(&namespace);
                    assert!(housed, "{id} is made before its namespace");
                    observed.live.insert(id.clone(), live.clone());
                }
                Done { id, outcome: Outcome::Changed, live: Some(live) }
            }
            Action::Delete { .. } => {
                let announced =
                    observed.inventory.entries.get(&id).is_some_and(|entry| entry.leaving);
                let counted = crate::plan::limits::counts(&id);
                assert!(announced || !counted, "{id} goes before the inventory says so");
                observed.live.remove(&id);
                if id.is_namespace() {
                    observed.live.retain(|other, _| other.namespace != id.name);
                }
                if id.is_database() {
                    databases.entry(unit.clone()).or_default().remove(&id);
                }
                Done { id, outcome: Outcome::Deleted, live: None }
            }
            Action::SetAside { until, .. } => {
                let announced = observed.inventory.entries[&id].leaving;
                assert!(announced, "{id} is set aside before the inventory says so");
                let live = databases.get_mut(unit).and_then(|found| found.get_mut(&id)).unwrap();
                live.aside = Some(Aside::Until(*until));
                Done { id, outcome: Outcome::Changed, live: Some(live.clone()) }
            }
            Action::Orphan { .. } => {
                observed.live.remove(&id);
                Done { id, outcome: Outcome::Orphaned, live: None }
            }
        }
    }

    async fn write_inventory(
        &self,
        unit: &UnitName,
        inventory: &Inventory,
    ) -> Result<Inventory, String> {
        self.0.write(format!("inventory {unit}")).await;
        let mut things = self.0.things.lock().unwrap();
        let observed = things.entry(unit.clone()).or_default();
        observed.inventory = Inventory {
            uid: inventory.uid.clone().or(Some(format!("parent-{unit}").into())),
            ..inventory.clone()
        };
        Ok(observed.inventory.clone())
    }

    async fn databases_in_doubt(&self) {
        std::future::pending::<()>().await;
    }

    async fn look_at_databases(&self) -> Result<(), String> {
        Ok(())
    }

    async fn explain(&self, _: &ResourceId) -> Option<String> {
        Some("the image cannot be pulled".into())
    }
}

pub(super) fn tenant(name: &str) -> UnitName {
    UnitName::Tenant(name.parse().unwrap())
}
