//! Tells where a unit stands, each change of it once, and asks the cluster why where it must.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::Event;
use super::Reconciler;
use super::clusters::Cluster;
use super::note::Note;
use super::note::State;
use super::note::UnitStatus;
use super::unit::Key;
use super::unit::Look;
use super::world::Target;

impl<T: Target> Reconciler<T> {
    pub(super) fn say_status(&mut self, key: &Key, look: &Look, now: Timestamp) {
        let Some(unit) = self.units.get_mut(key) else { return };
        let (state, reason) = unit.judge(look, now);
        let commit = unit.desired.as_ref().map(|desired| desired.commit.clone());
        let same = unit.status.as_ref().is_some_and(|status| {
            status.state == state && status.reason == reason && status.commit == commit
        });
        if same {
            return;
        }
        let since = match &unit.status {
            Some(status) if status.state == state => status.since,
            _ => now,
        };
        let next_try = unit.not_before.filter(|_| state == State::Failing).and_then(|not_before| {
            let wait = not_before.saturating_duration_since(Instant::now());
            now.checked_add(jiff::SignedDuration::try_from(wait).ok()?).ok()
        });
        let status = UnitStatus {
            unit: key.unit.clone(),
            cluster: Some(key.cluster.clone()),
            state,
            reason,
            commit,
            since,
            next_try,
        };
        unit.status = Some(status.clone());
        // A unit that moved is told of where it is wanted, and not of where it was.
        let moved = state == State::Retired
            && self.desired.as_ref().is_some_and(|desired| desired.units.contains_key(&key.unit));
        if !moved {
            let _ = self.notes.send(Note::Status(status));
        }
    }

    /// Says of a unit that is being worked on that the work is for another commit by now.
    pub(super) fn say_overtaken(&mut self, key: &Key) {
        let now = self.clock.now();
        let Some(unit) = self.units.get_mut(key) else { return };
        let commit = unit.desired.as_ref().map(|desired| desired.commit.clone());
        let Some(old) = unit.status.as_ref().filter(|old| old.commit != commit) else { return };
        let since = if old.state == State::Applying { old.since } else { now };
        let (state, reason) = (State::Applying, None);
        let status = UnitStatus { state, reason, commit, since, next_try: None, ..old.clone() };
        unit.status = Some(status.clone());
        let _ = self.notes.send(Note::Status(status));
    }

    /// Says that nothing can be said: the cluster is not there, or not seen yet.
    pub(super) fn say_unseen(&mut self, key: &Key) {
        let reason = match self.clusters.get(&key.cluster) {
            None => format!("there is no connection to cluster `{}`", key.cluster),
            Some(Cluster { away: Some(why), .. }) => format!("cluster `{}`: {why}", key.cluster),
            Some(_) => format!("cluster `{}` is being looked at for the first time", key.cluster),
        };
        let now = self.clock.now();
        let Some(unit) = self.units.get_mut(key) else { return };
        let commit = unit.desired.as_ref().map(|desired| desired.commit.clone());
        let status = UnitStatus {
            unit: key.unit.clone(),
            cluster: Some(key.cluster.clone()),
            state: State::Waiting,
            reason: Some(reason),
            commit,
            since: now,
            next_try: None,
        };
        let same = unit.status.as_ref().is_some_and(|old| {
            old.state == status.state && old.reason == status.reason && old.commit == status.commit
        });
        if !same {
            unit.status = Some(status.clone());
            let _ = self.notes.send(Note::Status(status));
        }
    }

    /// Asks the cluster for the sentence a person needs, beside everything else.
    pub(super) fn ask_for_explanation(&mut self, key: &Key, about: String) {
        let Some(cluster) = self.clusters.get(&key.cluster) else { return };
        // Asked once: an answer that says nothing is not asked for again.
        if let Some(unit) = self.units.get_mut(key) {
            unit.explained = Some((about.clone(), String::new()));
        }
        let Some(id) = self.units.get(key).and_then(|unit| {
            unit.outlines()
                .iter()
                .map(|outline| &outline.id)
                .find(|id| about.starts_with(&format!("{id}: ")))
                .cloned()
        }) else {
            return;
        };
        let (target, junction, key) =
            (Arc::clone(&cluster.target), self.junction.clone(), key.clone());
        tokio::spawn(async move {
            // Where nobody knows more, the reason alone is enough.
            if let Some(told) = target.explain(&id).await
                && !about.ends_with(told.trim_end_matches('.'))
            {
                junction.tell(Event::Explained(key.cluster, key.unit, about, told));
            }
        });
    }
}
