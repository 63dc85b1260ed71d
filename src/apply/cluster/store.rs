//! What is known of the cluster: per object its identity and a [`Live`], per unit its inventory.
//!
//! It is fed by watches and by the answers to our own writes, in whatever order they come. Nothing
//! in it goes back in time: what is older than what is known is not taken.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slots;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use tokio::sync::Notify;

use crate::model::ResourceId;
use crate::model::UnitName;
use crate::plan::Entry;
use crate::plan::Inventory;
use crate::plan::Live;
use crate::plan::Observed;

use super::inventory;
use super::kinds::Kind;
use super::observe::Glance;
use super::observe::Seen;
use super::watch::Event;

#[derive(Default)]
pub(super) struct Store {
    state: Mutex<State>,
    new_kind: Notify,
}

#[derive(Default)]
struct State {
    kinds: HashMap<Kind, HashMap<Arc<ResourceId>, Known>>,
    units: HashMap<Arc<UnitName>, Unit>,
    /// Kinds that inventories name, or have named.
    named: BTreeSet<Kind>,
    /// Kinds of which everything has been read once, from beginning to end.
    listed: BTreeSet<Kind>,
    /// Whether all inventories and every kind that we render have been read once.
    complete: bool,
}

#[derive(Default)]
struct Unit {
    things: Vec<Arc<ResourceId>>,
    parent: Option<Parent>,
}

impl Unit {
    fn names(&self, kind: &Kind) -> bool {
        let inventory = self.parent.as_ref().and_then(|parent| parent.inventory().ok());
        inventory.is_some_and(|inventory| inventory.entries.keys().any(|id| Kind::of(id) == *kind))
    }
}

struct Known {
    unit: Arc<UnitName>,
    live: Live,
    version: u64,
    /// The listing that saw it last.
    round: u32,
}

/// An inventory as it was read: its text is small, and is parsed when somebody asks.
pub(super) struct Parent {
    pub(super) uid: Box<str>,
    pub(super) version: u64,
    pub(super) text: Box<str>,
    pub(super) round: u32,
    /// Kinds that it lists and that we do not render: of these nobody knows beforehand whether
    /// they are watched. The store notes them.
    pub(super) unusual: Box<[Kind]>,
}

impl Parent {
    pub(super) fn inventory(&self) -> Result<Inventory, serde_json::Error> {
        Ok(Inventory {
            uid: Some(self.uid.clone()),
            version: Some(self.version.to_string().into()),
            entries: inventory::decode(&self.text)?,
        })
    }
}

impl Store {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics holding this lock")
    }

    /// Takes what a watch or a listing saw. Says what that means for somebody, if anything.
    pub(super) fn saw(&self, kind: &Kind, seen: &Seen, round: u32) -> Option<Event> {
        let id = identity(kind, &seen.metadata.namespace, &seen.metadata.name);
        if self.state().has_seen(&id, (&seen.metadata.uid, seen.version()), round) {
            return None;
        }
        // Both labels must agree: one that was changed by hand makes it nobody's.
        let unit = inventory::unit_of(seen.unit())
            .filter(|unit| inventory::applyset_id(unit) == seen.part_of());
        match unit {
            Some(unit) => {
                let live = seen.live(kind);
                self.state().put(unit, id, live, seen.version(), Some(round))
            }
            None => self.state().take(&id, seen.version()),
        }
    }

    /// Whether an object is known at just this version already.
    pub(super) fn knows(&self, kind: &Kind, glance: &Glance, round: u32) -> bool {
        let named = &glance.metadata;
        let id = identity(kind, &named.namespace, &named.name);
        self.state().has_seen(&id, (&named.uid, glance.version()), round)
    }

    /// Takes what the answer to our own write says.
    pub(super) fn wrote(&self, unit: &UnitName, id: &ResourceId, live: Live, version: u64) {
        self.state().put(unit.clone(), id.clone(), live, version, None);
    }

    /// Takes that the thing is gone from what the watch is filtered by.
    pub(super) fn lost(&self, kind: &Kind, seen: &Seen) -> Option<Event> {
        let id = identity(kind, &seen.metadata.namespace, &seen.metadata.name);
        self.state().take(&id, seen.version())
    }

    /// Takes that our deletion was accepted. What tells that it is really gone comes later.
    pub(super) fn deleting(&self, id: &ResourceId, uid: &str) {
        let mut state = self.state();
        let things = state.kinds.get_mut(&Kind::of(id));
        if let Some(known) = things.and_then(|things| things.get_mut(id))
            && &*known.live.uid == uid
        {
            known.live.deleting = true;
        }
    }

    /// Takes that the thing is not there, as the API server just said.
    pub(super) fn forget(&self, id: &ResourceId) {
        self.state().take(id, u64::MAX);
    }

    /// Takes away what a complete listing at `version` did not see.
    pub(super) fn sweep(&self, kind: &Kind, round: u32, version: u64) -> Vec<Event> {
        let mut state = self.state();
        let Some(things) = state.kinds.get(kind) else { return Vec::new() };
        let unseen: Vec<Arc<ResourceId>> = things
            .iter()
            .filter(|(_, known)| known.round != round && known.version <= version)
            .map(|(id, _)| Arc::clone(id))
            .collect();
        unseen.iter().filter_map(|id| state.take(id, u64::MAX)).collect()
    }

    /// Lets a listing be believed whose versions are lower than what is known: the API server has
    /// begun anew, from a backup or from nothing.
    pub(super) fn begin_anew(&self, kind: &Kind) {
        let mut state = self.state();
        for known in state.kinds.get_mut(kind).into_iter().flat_map(HashMap::values_mut) {
            known.version = 0;
        }
    }

    /// The identity and version of the thing as it was last seen.
    pub(super) fn version(&self, id: &ResourceId) -> Option<(Box<str>, u64)> {
        let state = self.state();
        let known = state.kinds.get(&Kind::of(id))?.get(id)?;
        Some((known.live.uid.clone(), known.version))
    }

    /// Takes an inventory as a watch or a listing saw it. Says whether it is news.
    pub(super) fn saw_parent(&self, unit: UnitName, mut parent: Parent) -> Option<Event> {
        let mut state = self.state();
        if let Some(known) = state.units.get_mut(&unit).and_then(|unit| unit.parent.as_mut()) {
            if known.version > parent.version {
                known.round = parent.round;
                return None;
            }
            if known.uid == parent.uid && known.text == parent.text {
                parent.unusual = std::mem::take(&mut known.unusual);
                *known = parent;
                return None;
            }
        }
        let entries = match parent.inventory() {
            Ok(inventory) => inventory.entries,
            Err(error) => {
                tracing::error!("{}", inventory::unreadable(&unit, &error));
                BTreeMap::new()
            }
        };
        self.keep(&mut state, &unit, parent, &entries);
        Some(Event::Inventory { unit })
    }

    /// Takes the inventory that we wrote.
    pub(super) fn wrote_parent(
        &self,
        unit: &UnitName,
        parent: Parent,
        entries: &BTreeMap<ResourceId, Entry>,
    ) {
        let mut state = self.state();
        let known = state.units.get(unit).and_then(|unit| unit.parent.as_ref());
        if known.is_none_or(|known| known.version <= parent.version) {
            self.keep(&mut state, unit, parent, entries);
        }
    }

    fn keep(
        &self,
        state: &mut State,
        unit: &UnitName,
        mut parent: Parent,
        entries: &BTreeMap<ResourceId, Entry>,
    ) {
        let kinds: BTreeSet<Kind> = entries.keys().map(Kind::of).collect();
        for kind in kinds.iter().filter(|kind| kind.is_in_cluster()) {
            if !state.named.contains(kind) {
                state.named.insert(kind.clone());
                self.new_kind.notify_one();
            }
        }
        let unusual = kinds.into_iter().filter(|kind| kind.is_in_cluster() && !kind.is_known());
        parent.unusual = unusual.collect();
        state.units.entry(Arc::new(unit.clone())).or_default().parent = Some(parent);
    }

    pub(super) fn lost_parent(&self, unit: &UnitName, version: u64) -> Option<Event> {
        let mut state = self.state();
        let slot = state.units.get_mut(unit)?;
        if slot.parent.as_ref()?.version > version {
            return None;
        }
        slot.parent = None;
        state.tidy(unit);
        Some(Event::Inventory { unit: unit.clone() })
    }

    pub(super) fn sweep_parents(&self, round: u32, version: u64) -> Vec<Event> {
        let unseen: Vec<UnitName> = {
            let state = self.state();
            let unseen = state.units.iter().filter(|(_, unit)| {
                let parent = unit.parent.as_ref();
                parent.is_some_and(|parent| parent.round != round && parent.version <= version)
            });
            unseen.map(|(unit, _)| UnitName::clone(unit)).collect()
        };
        unseen.iter().filter_map(|unit| self.lost_parent(unit, u64::MAX)).collect()
    }

    pub(super) fn begin_parents_anew(&self) {
        let mut state = self.state();
        for parent in state.units.values_mut().filter_map(|unit| unit.parent.as_mut()) {
            parent.version = 0;
        }
    }

    /// Kinds that inventories name.
    pub(super) fn named_kinds(&self) -> BTreeSet<Kind> {
        self.state().named.clone()
    }

    /// Waits until an inventory names a kind that none named before.
    pub(super) async fn a_new_kind_is_named(&self) {
        self.new_kind.notified().await;
    }

    /// Takes that everything of a kind has been read once. Whoever owns some may have waited.
    pub(super) fn listed(&self, kind: &Kind) -> Vec<Event> {
        let mut state = self.state();
        if !state.listed.insert(kind.clone()) || !state.complete {
            return Vec::new();
        }
        let waiting = state.units.iter().filter(|(_, unit)| unit.names(kind));
        waiting.map(|(unit, _)| Event::Inventory { unit: UnitName::clone(unit) }).collect()
    }

    pub(super) fn complete(&self) {
        self.state().complete = true;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.state().complete
    }

    /// Whether everything that the unit's inventory names has been read once.
    pub(super) fn knows_all_of(&self, unit: &UnitName) -> bool {
        let state = self.state();
        let parent = state.units.get(unit).and_then(|unit| unit.parent.as_ref());
        let mut unusual = parent.into_iter().flat_map(|parent| &parent.unusual);
        state.complete && unusual.all(|kind| state.listed.contains(kind))
    }

    /// All units that own anything or that anything says it belongs to.
    pub(super) fn units(&self) -> Vec<UnitName> {
        self.state().units.keys().map(|unit| UnitName::clone(unit)).collect()
    }

    pub(super) fn live(&self, unit: &UnitName, id: &ResourceId) -> Option<Live> {
        let state = self.state();
        let known = state.kinds.get(&Kind::of(id))?.get(id)?;
        (*known.unit == *unit).then(|| known.live.clone())
    }

    /// Everything that is known of a unit; an error where its inventory cannot be read.
    pub(super) fn observed(&self, unit: &UnitName) -> Result<Observed, serde_json::Error> {
        let state = self.state();
        let Some(known) = state.units.get(unit) else { return Ok(Observed::default()) };
        let inventory = known.parent.as_ref().map(Parent::inventory).transpose()?;
        let live = state.live(known);
        Ok(Observed { inventory: inventory.unwrap_or_default(), live, ..Observed::default() })
    }

    /// As [`Store::observed`], for whoever knows what the inventory says.
    pub(super) fn things(&self, unit: &UnitName) -> BTreeMap<ResourceId, Live> {
        let state = self.state();
        state.units.get(unit).map(|known| state.live(known)).unwrap_or_default()
    }
}

impl State {
    fn live(&self, unit: &Unit) -> BTreeMap<ResourceId, Live> {
        let known = unit.things.iter().filter_map(|id| {
            let known = self.kinds.get(&Kind::of(id))?.get(id)?;
            Some((ResourceId::clone(id), known.live.clone()))
        });
        known.collect()
    }

    /// Whether it is known at just this version.
    fn has_seen(&mut self, id: &ResourceId, (uid, version): (&str, u64), round: u32) -> bool {
        let known = self.kinds.get_mut(&Kind::of(id)).and_then(|things| things.get_mut(id));
        let known = known.filter(|known| known.version == version && &*known.live.uid == uid);
        known.map(|known| known.round = round).is_some()
    }

    fn put(
        &mut self,
        unit: UnitName,
        id: ResourceId,
        live: Live,
        version: u64,
        round: Option<u32>,
    ) -> Option<Event> {
        let unit = match self.units.get_key_value(&unit) {
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::new(unit),
        };
        let things = self.kinds.entry(Kind::of(&id)).or_default();
        let id = Arc::new(id);
        match things.entry(Arc::clone(&id)) {
            Slots::Vacant(slot) => {
                let known =
                    Known { unit: Arc::clone(&unit), live, version, round: round.unwrap_or(0) };
                let live = slot.insert(known).live.clone();
                self.units.entry(Arc::clone(&unit)).or_default().things.push(Arc::clone(&id));
                Some(changed(&unit, &id, live))
            }
            Slots::Occupied(mut slot) => {
                let known = slot.get_mut();
                known.round = round.unwrap_or(known.round);
                if known.version > version {
                    return None;
                }
                known.version = version;
                let moved = known.unit != unit;
                if !moved && known.live == live {
                    return None;
                }
                known.live = live.clone();
                if moved {
                    let before = std::mem::replace(&mut known.unit, Arc::clone(&unit));
                    let id = Arc::clone(slot.key());
                    self.leave(&before, &id);
                    self.units.entry(Arc::clone(&unit)).or_default().things.push(id);
                }
                Some(changed(&unit, &id, live))
            }
        }
    }

    fn take(&mut self, id: &ResourceId, version: u64) -> Option<Event> {
        let things = self.kinds.get_mut(&Kind::of(id))?;
        if things.get(id)?.version > version {
            return None;
        }
        let known = things.remove(id)?;
        self.leave(&known.unit, id);
        Some(Event::Gone { unit: UnitName::clone(&known.unit), id: id.clone() })
    }

    fn leave(&mut self, unit: &UnitName, id: &ResourceId) {
        if let Some(unit) = self.units.get_mut(unit) {
            unit.things.retain(|thing| **thing != *id);
        }
        self.tidy(unit);
    }

    /// Forgets a unit of which nothing is left.
    fn tidy(&mut self, unit: &UnitName) {
        if self.units.get(unit).is_some_and(|unit| unit.things.is_empty() && unit.parent.is_none())
        {
            self.units.remove(unit);
        }
    }
}

fn changed(unit: &UnitName, id: &ResourceId, live: Live) -> Event {
    Event::Changed { unit: unit.clone(), id: id.clone(), live: Box::new(live) }
}

fn identity(kind: &Kind, namespace: &str, name: &str) -> ResourceId {
    ResourceId {
        group: kind.group.clone(),
        kind: kind.kind.clone(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind() -> Kind {
        Kind::new("apps", "Deployment")
    }

    fn seen(unit: &str, name: &str, version: u64, rendered: char) -> Seen {
        let name_of_unit: UnitName = unit.parse().unwrap();
        serde_json::from_value(json!({"metadata": {
            "name": name, "namespace": unit, "uid": format!("uid-{name}"), "resourceVersion": version.to_string(),
            "labels": {"tenantry.dev/unit": unit, "applyset.kubernetes.io/part-of": inventory::applyset_id(&name_of_unit)},
            "annotations": {"tenantry.dev/rendered": rendered.to_string().repeat(32)},
        }}))
        .unwrap()
    }

    fn unit() -> UnitName {
        "acme".parse().unwrap()
    }

    fn known(store: &Store) -> Vec<String> {
        let observed = store.observed(&unit()).unwrap();
        let mut known: Vec<String> = observed
            .live
            .iter()
            .map(|(id, live)| format!("{} {}", id.name, &live.rendered.unwrap().to_string()[..1]))
            .collect();
        known.sort();
        known
    }

    #[test]
    fn nothing_goes_back_in_time() {
        let store = Store::default();
        assert!(store.saw(&kind(), &seen("acme", "web", 5, 'a'), 1).is_some());
        assert!(store.saw(&kind(), &seen("acme", "web", 4, 'b'), 1).is_none());
        assert_eq!(known(&store), ["web a"]);
        assert!(store.lost(&kind(), &seen("acme", "web", 4, 'b')).is_none());
        assert!(store.saw(&kind(), &seen("acme", "web", 6, 'b'), 1).is_some());
        assert_eq!(known(&store), ["web b"]);
        assert!(store.lost(&kind(), &seen("acme", "web", 7, 'b')).is_some());
        assert!(known(&store).is_empty());
    }

    #[test]
    fn what_is_the_same_again_is_no_news() {
        let store = Store::default();
        assert!(store.saw(&kind(), &seen("acme", "web", 5, 'a'), 1).is_some());
        assert!(store.saw(&kind(), &seen("acme", "web", 6, 'a'), 1).is_none());
        assert_eq!(
            store.version(&ResourceId::new("apps", "Deployment", "acme", "web")).unwrap().1,
            6
        );
    }

    #[test]
    fn a_listing_sweeps_what_it_did_not_see_but_not_what_is_newer() {
        let store = Store::default();
        for (name, version) in [("old", 1), ("seen", 2), ("new", 9)] {
            store.saw(&kind(), &seen("acme", name, version, 'a'), 1);
        }
        store.saw(&kind(), &seen("acme", "seen", 2, 'a'), 2);
        assert_eq!(store.sweep(&kind(), 2, 5).len(), 1);
        assert_eq!(known(&store), ["new a", "seen a"]);
    }

    #[test]
    fn a_listing_that_saw_something_older_than_known_does_not_sweep_it() {
        let store = Store::default();
        store.saw(&kind(), &seen("acme", "web", 9, 'a'), 1);
        store.saw(&kind(), &seen("acme", "web", 3, 'b'), 2);
        assert!(store.sweep(&kind(), 2, 10).is_empty());
        assert_eq!(known(&store), ["web a"]);
    }

    #[test]
    fn a_server_that_begins_anew_is_believed() {
        let store = Store::default();
        store.saw(&kind(), &seen("acme", "web", 900, 'a'), 1);
        store.begin_anew(&kind());
        store.saw(&kind(), &seen("acme", "web", 3, 'b'), 2);
        assert_eq!(known(&store), ["web b"]);
    }

    #[test]
    fn a_thing_whose_labels_disagree_is_nobodys() {
        let store = Store::default();
        store.saw(&kind(), &seen("acme", "web", 5, 'a'), 1);
        let mut stolen = seen("acme", "web", 6, 'a');
        stolen.metadata.labels.insert("tenantry.dev/unit".into(), "beta".into());
        let event = store.saw(&kind(), &stolen, 1);
        assert!(matches!(event, Some(Event::Gone { unit, .. }) if unit.to_string() == "acme"));
        assert!(store.units().is_empty());
    }

    #[test]
    fn a_unit_without_anything_is_forgotten() {
        let store = Store::default();
        store.saw(&kind(), &seen("acme", "web", 5, 'a'), 1);
        assert_eq!(store.units(), [unit()]);
        store.forget(&ResourceId::new("apps", "Deployment", "acme", "web"));
        assert!(store.units().is_empty());
    }
}
