//! The clusters as wholes: whether they are reached, whether they are seen, and who lives there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::Name;

use super::Reconciler;
use super::note::Note;
use super::unit::Key;
use super::world::Target;

/// A cluster, and what is known of it as a whole.
pub(super) struct Cluster<T> {
    pub(super) target: Arc<T>,
    pub(super) synced: bool,
    pub(super) away: Option<String>,
    pub(super) databases_away: Option<String>,
}

impl<T: Target> Reconciler<T> {
    pub(super) fn take_targets(&mut self, targets: BTreeMap<Name, Arc<T>>) {
        self.clusters.retain(|name, cluster| {
            targets.get(name).is_some_and(|target| Arc::ptr_eq(target, &cluster.target))
        });
        for (name, target) in targets {
            self.clusters.entry(name).or_insert(Cluster {
                target,
                synced: false,
                away: None,
                databases_away: None,
            });
        }
    }

    /// A cluster is seen as a whole: from here on, absence means something.
    pub(super) fn synced(&mut self, name: &Name) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        cluster.synced = true;
        self.know_units(name);
        self.look_at_cluster(name);
    }

    pub(super) fn away(&mut self, name: &Name, away: Option<String>) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        if cluster.away == away {
            return;
        }
        let (was, is) = (cluster.away.is_some(), away.is_some());
        cluster.away.clone_from(&away);
        // Only the change is told, not every failed attempt.
        if was != is {
            let what = format!("cluster {name}");
            let _ = self.notes.send(Note::Reach { what, away, at: self.clock.now() });
        }
    }

    /// Takes in that the databases were looked at. Only a change of reach is told.
    pub(super) fn take_databases(&mut self, name: &Name, looked: Result<(), String>) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let away = looked.err();
        if away.is_some() != cluster.databases_away.is_some() {
            let what = format!("databases of {name}");
            let _ = self.notes.send(Note::Reach { what, away: away.clone(), at: self.clock.now() });
        }
        cluster.databases_away = away;
        self.know_units(name);
        self.look_at_cluster(name);
    }

    /// Learns of units that own something in a cluster.
    fn know_units(&mut self, name: &Name) {
        let Some(cluster) = self.clusters.get(name) else { return };
        for unit in cluster.target.units() {
            self.unit(&Key { cluster: name.clone(), unit });
        }
    }

    fn look_at_cluster(&mut self, name: &Name) {
        let keys: BTreeSet<Key> =
            self.units.keys().filter(|key| key.cluster == *name).cloned().collect();
        self.judge_all(&keys);
        for key in keys {
            self.look(&key);
        }
    }

    /// Forgets what is known of a unit's inventory, where somebody else wrote it.
    pub(super) fn reload(&mut self, key: &Key) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if unit.running.is_some() {
            unit.stale = true;
        } else if self.is_stale(key) {
            self.forget(key);
            self.look(key);
        }
    }

    pub(super) fn forget(&mut self, key: &Key) {
        if let Some(unit) = self.units.get_mut(key) {
            unit.known = None;
        }
    }

    /// Whether the inventory in the cluster is another than the one we wrote or read last.
    pub(super) fn is_stale(&self, key: &Key) -> bool {
        let there =
            self.clusters.get(&key.cluster).and_then(|cluster| cluster.target.observed(&key.unit));
        let known = self.units.get(key).and_then(|unit| unit.known.as_ref());
        match (there, known) {
            (Some(there), Some(known)) => there.inventory.version != known.written.version,
            _ => false,
        }
    }
}
