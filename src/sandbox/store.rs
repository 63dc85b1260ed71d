//! All objects, one counter of versions, and a bounded history of changes for those who watch.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::sandbox::kinds::Kind;
use crate::sandbox::kinds::KindId;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;

pub(crate) struct Store {
    state: Mutex<State>,
    /// Tells the simulated controllers what changed.
    controllers: UnboundedSender<Notice>,
    history: usize,
}

/// A change, as the controllers hear of it.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) kind: KindId,
    pub(crate) object: Arc<Object>,
    pub(crate) deleted: bool,
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) kind: KindId,
    pub(crate) key: Key,
}

pub(crate) struct State {
    /// The newest `resourceVersion`.
    pub(crate) version: u64,
    shelves: Vec<Shelf>,
    /// By the owner's uid: who names it in `ownerReferences`.
    dependents: HashMap<Arc<str>, HashSet<Place>>,
}

struct Shelf {
    objects: BTreeMap<Key, Arc<Object>>,
    log: VecDeque<Change>,
    /// The version of the newest change that the log has lost.
    forgotten: u64,
    newest: watch::Sender<u64>,
}

/// A step in the life of one object.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) before: Option<Arc<Object>>,
    /// For a deletion, the last state with the version of the deletion.
    pub(crate) after: Arc<Object>,
    pub(crate) deleted: bool,
}

/// The asked version is older than the history kept.
pub(crate) struct TooOld {
    pub(crate) oldest: u64,
}

impl Store {
    pub(crate) fn new(history: usize, controllers: UnboundedSender<Notice>) -> Self {
        let state = State { version: 1, shelves: Vec::new(), dependents: HashMap::new() };
        Self { state: Mutex::new(state), controllers, history }
    }

    /// Holds everybody else off while it lives: decide and write in one step.
    pub(crate) fn lock(&self) -> Transaction<'_> {
        Transaction {
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            store: self,
        }
    }

    pub(crate) fn get(&self, kind: KindId, key: &Key) -> Option<Arc<Object>> {
        self.lock().get(kind, key)
    }
}

pub(crate) struct Transaction<'a> {
    pub(crate) state: MutexGuard<'a, State>,
    store: &'a Store,
}

impl Transaction<'_> {
    fn shelf(&mut self, kind: KindId) -> &mut Shelf {
        while self.state.shelves.len() <= kind {
            self.state.shelves.push(Shelf {
                objects: BTreeMap::new(),
                log: VecDeque::new(),
                forgotten: 0,
                newest: watch::Sender::new(0),
            });
        }
        &mut self.state.shelves[kind]
    }

    pub(crate) fn get(&self, kind: KindId, key: &Key) -> Option<Arc<Object>> {
        self.state.shelves.get(kind)?.objects.get(key).cloned()
    }

    pub(crate) fn has_any(&self, kind: KindId, namespace: &str) -> bool {
        self.range(kind, namespace, None).next().is_some()
    }

    /// All objects of a kind in a namespace, or everywhere when it is empty.
    pub(crate) fn list(&self, kind: KindId, namespace: &str) -> Vec<Arc<Object>> {
        self.range(kind, namespace, None).cloned().collect()
    }

    fn range<'a>(
        &'a self,
        kind: KindId,
        namespace: &'a str,
        after: Option<&Key>,
    ) -> impl Iterator<Item = &'a Arc<Object>> {
        let from = match after {
            Some(key) => Bound::Excluded(key.clone()),
            None => Bound::Included(Key::new(namespace, "")),
        };
        let shelf = self.state.shelves.get(kind);
        let objects = shelf
            .into_iter()
            .flat_map(move |shelf| shelf.objects.range((from.clone(), Bound::Unbounded)));
        objects
            .take_while(move |(key, _)| namespace.is_empty() || *key.namespace == *namespace)
            .map(|(_, object)| object)
    }

    /// What a list at an earlier `version` would have shown, from behind `after` on.
    pub(crate) fn list_at(
        &self,
        kind: KindId,
        namespace: &str,
        after: Option<&Key>,
        version: u64,
    ) -> Result<Vec<Arc<Object>>, TooOld> {
        if version >= self.state.version {
            return Ok(self.range(kind, namespace, after).cloned().collect());
        }
        let mut then: BTreeMap<Key, Option<Arc<Object>>> = BTreeMap::new();
        for change in self.changes_after(kind, version)? {
            then.entry(change.after.key.clone()).or_insert(change.before);
        }
        then.retain(|key, _| {
            (namespace.is_empty() || *key.namespace == *namespace)
                && after.is_none_or(|after| key > after)
        });
        let mut objects: BTreeMap<Key, Arc<Object>> = self
            .range(kind, namespace, after)
            .map(|object| (object.key.clone(), object.clone()))
            .collect();
        for (key, object) in then {
            match object {
                Some(object) => objects.insert(key, object),
                None => objects.remove(&key),
            };
        }
        Ok(objects.into_values().collect())
    }

    /// The changes of a kind that came after `version`, oldest first.
    pub(crate) fn changes_after(&self, kind: KindId, version: u64) -> Result<Vec<Change>, TooOld> {
        let Some(shelf) = self.state.shelves.get(kind) else {
            return Ok(Vec::new());
        };
        if version < shelf.forgotten {
            return Err(TooOld { oldest: shelf.forgotten });
        }
        let first = shelf.log.partition_point(|change| change.version <= version);
        Ok(shelf.log.range(first..).cloned().collect())
    }

    /// Tells the version of the newest change of a kind, whenever there is one.
    pub(crate) fn newest(&mut self, kind: KindId) -> watch::Receiver<u64> {
        self.shelf(kind).newest.subscribe()
    }

    pub(crate) fn dependents(&self, uid: &str) -> Vec<Place> {
        self.state.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Stores a new version of an object.
    pub(crate) fn put(&mut self, kind: &Kind, mut object: Object) -> Arc<Object> {
        self.state.version += 1;
        object.version = self.state.version;
        let object = Arc::new(object);
        let before = self.shelf(kind.id).objects.insert(object.key.clone(), object.clone());
        self.relate(kind.id, before.as_deref(), Some(&object));
        self.record(
            kind.id,
            Change { version: object.version, before, after: object.clone(), deleted: false },
        );
        object
    }

    /// Removes an object and returns its last state.
    pub(crate) fn remove(&mut self, kind: KindId, key: &Key) -> Option<Arc<Object>> {
        let before = self.shelf(kind).objects.remove(key)?;
        self.state.version += 1;
        let after = Arc::new((*before).clone().at_version(self.state.version));
        self.relate(kind, Some(&before), None);
        self.record(
            kind,
            Change {
                version: after.version,
                before: Some(before),
                after: after.clone(),
                deleted: true,
            },
        );
        Some(after)
    }

    fn relate(&mut self, kind: KindId, before: Option<&Object>, after: Option<&Object>) {
        let owners = |object: Option<&Object>| {
            object.map(|object| object.owners.clone()).unwrap_or_default()
        };
        let (old, new) = (owners(before), owners(after));
        if old == new {
            return;
        }
        let Some(key) = before.or(after).map(|object| object.key.clone()) else {
            return;
        };
        let dependent = Place { kind, key };
        for uid in old.iter().filter(|uid| !new.contains(uid)) {
            if let Some(dependents) = self.state.dependents.get_mut(uid) {
                dependents.remove(&dependent);
                if dependents.is_empty() {
                    self.state.dependents.remove(uid);
                }
            }
        }
        for uid in new {
            self.state.dependents.entry(uid).or_default().insert(dependent.clone());
        }
    }

    fn record(&mut self, kind: KindId, change: Change) {
        let history = self.store.history;
        let notice = Notice { kind, object: change.after.clone(), deleted: change.deleted };
        let shelf = self.shelf(kind);
        let version = change.version;
        shelf.log.push_back(change);
        while shelf.log.len() > history {
            shelf.forgotten = shelf.log.pop_front().map_or(version, |lost| lost.version);
        }
        shelf.newest.send_replace(version);
        // The controllers may have been stopped already; then nobody needs to know.
        _ = self.store.controllers.send(notice);
    }

    /// Forgets all history, as a compaction would.
    pub(crate) fn forget_history(&mut self) {
        let version = self.state.version;
        for shelf in &mut self.state.shelves {
            shelf.log.clear();
            shelf.forgotten = version;
        }
    }

    /// How many objects there are.
    pub(crate) fn count(&self) -> usize {
        self.state.shelves.iter().map(|shelf| shelf.objects.len()).sum()
    }
}
