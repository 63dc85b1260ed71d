//! What is wanted changes: by a commit, and by the clock, which moves subscriptions on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::model::Name;
use crate::model::UnitName;

use super::Reconciler;
use super::desired::Desired;
use super::desired::DesiredUnit;
use super::note::Note;
use super::note::State;
use super::note::UnitStatus;
use super::unit::Key;
use super::world::Target;

/// All units that there are.
fn roster(desired: &Desired) -> Vec<UnitName> {
    let hosts = desired.configuration.hosts.keys().cloned().map(UnitName::Host);
    desired.units.keys().chain(desired.held.keys()).cloned().chain(hosts).collect()
}

impl<T: Target> Reconciler<T> {
    /// Takes what a commit asks for, and looks at the units for which it asks something else.
    pub(super) fn want(&mut self, desired: Arc<Desired>) {
        let _ = self.notes.send(Note::Commit {
            commit: desired.commit.clone(),
            roster: self.desired.is_none().then(|| roster(&desired)),
            units: desired.units.len(),
            rendered: desired.rendered,
            held: desired.held.len(),
            findings: desired.findings.clone(),
        });
        let mut concerned: BTreeSet<Key> = BTreeSet::new();
        let before = self.desired.take();
        for (name, old, new) in desired.differences(before.as_deref()) {
            let on = |cluster: &Name| Key { cluster: cluster.clone(), unit: name.clone() };
            if let Some(new) = new {
                self.ask(&on(&new.cluster), Some(Arc::clone(new)), &mut concerned);
            }
            if let Some(old) = old.filter(|old| new.is_none_or(|new| new.cluster != old.cluster)) {
                self.ask(&on(&old.cluster), None, &mut concerned);
            }
        }
        let first = before.is_none();
        for (key, unit) in &mut self.units {
            let held = desired.held.get(&key.unit).cloned();
            if first || unit.held != held {
                unit.held = held;
                concerned.insert(key.clone());
            }
        }
        for (name, why) in &desired.held {
            if !desired.units.contains_key(name) {
                self.say_held(name, why);
            }
        }
        self.clock_changes = desired
            .units
            .values()
            .filter_map(|unit| Some((unit.next_change?, unit.unit.clone())))
            .collect();
        let commit = desired.commit.clone();
        self.desired = Some(desired);
        // Everybody who may lose something is judged before anybody loses anything.
        self.judge_all(&concerned);
        for key in concerned {
            self.look(&key);
        }
        let _ = self.notes.send(Note::Wanted { commit });
    }

    /// Says what a unit should be from now on, and remembers it as concerned where that is news.
    fn ask(&mut self, key: &Key, wanted: Option<Arc<DesiredUnit>>, concerned: &mut BTreeSet<Key>) {
        let unit = self.units.entry(key.clone()).or_default();
        let digest = |unit: &Option<Arc<DesiredUnit>>| unit.as_ref().map(|unit| unit.digest);
        let news = digest(&unit.desired) != digest(&wanted);
        if let Some(new) = &wanted
            && unit.desired.as_ref().is_none_or(|old| old.phases != new.phases)
        {
            let _ = self.notes.send(Note::Phases {
                unit: key.unit.clone(),
                phases: new.phases.clone(),
                at: self.clock.now(),
            });
        }
        unit.desired = wanted;
        if news {
            unit.by_clock = false;
            // The newest commit wins: whatever is under way stops at its next action.
            if let Some(superseded) = &unit.running {
                superseded.store(true, Ordering::Relaxed);
            }
            unit.failures = 0;
            unit.failure = None;
            unit.not_before = None;
            unit.explained = None;
            concerned.insert(key.clone());
        }
    }

    fn say_held(&self, name: &UnitName, why: &str) {
        let _ = self.notes.send(Note::Status(UnitStatus {
            unit: name.clone(),
            cluster: None,
            state: State::Held,
            reason: Some(why.to_owned()),
            commit: None,
            since: self.clock.now(),
            next_try: None,
        }));
    }

    /// Renders again the units whose phase the clock has changed.
    pub(super) fn follow_the_clock(&mut self) {
        let now = self.clock.now();
        let mut concerned = BTreeSet::new();
        while let Some((at, name)) = self.clock_changes.first().cloned() {
            if at > now {
                break;
            }
            self.clock_changes.pop_first();
            let Some(desired) = self.desired.as_mut().map(Arc::make_mut) else { continue };
            let Some(unit) = desired.units.get(&name) else { continue };
            match unit.at(now) {
                Ok(later) => {
                    let later = Arc::new(later);
                    if let Some(next) = later.next_change {
                        self.clock_changes.insert((next, name.clone()));
                    }
                    desired.units.insert(name.clone(), Arc::clone(&later));
                    let key = Key { cluster: later.cluster.clone(), unit: name };
                    self.ask(&key, Some(later), &mut concerned);
                    if let Some(unit) = self.units.get_mut(&key) {
                        unit.by_clock = true;
                    }
                }
                Err(error) => {
                    let why = error.to_string();
                    desired.held.insert(name.clone(), why.clone());
                    self.say_held(&name, &why);
                }
            }
        }
        self.judge_all(&concerned);
        for key in concerned {
            self.look(&key);
        }
    }
}
