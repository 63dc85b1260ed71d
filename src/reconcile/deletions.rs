//! Who may delete: everybody who would lose something is judged before anybody loses anything.

use std::collections::BTreeSet;

use crate::model::platform::Deletions as DeletionSettings;
use crate::plan::Deletions;
use crate::plan::limits::Departure;
use crate::plan::limits::Verdict;
use crate::plan::limits::judge;

use super::Reconciler;
use super::note::Note;
use super::note::ParkedDeletions;
use super::unit::Key;
use super::world::Target;

impl<T: Target> Reconciler<T> {
    /// Finds out what everybody would lose, before anybody loses anything.
    pub(super) fn judge_all(&mut self, concerned: &BTreeSet<Key>) {
        for key in concerned {
            if let Some(look) = self.glance(key) {
                self.note_departure(key, look.departure);
            }
        }
        self.judge_deletions();
    }

    pub(super) fn note_departure(&mut self, key: &Key, departure: Option<Departure>) -> bool {
        let before = self.departures.get(key).cloned();
        // What is held loses nothing: nobody knows what its documents say.
        let held = self.is_held(key);
        let departure = departure.filter(|_| !held);
        let changed = before != departure;
        match departure {
            Some(departure) => {
                self.departures.insert(key.clone(), departure);
            }
            None => {
                self.departures.remove(key);
            }
        }
        changed
    }

    pub(super) fn is_held(&self, key: &Key) -> bool {
        match &self.desired {
            Some(desired) => desired.platform.is_none() || desired.held.contains_key(&key.unit),
            None => true,
        }
    }

    pub(super) fn judge_deletions(&mut self) {
        let Some(desired) = &self.desired else { return };
        let settings = desired
            .platform
            .as_ref()
            .map_or_else(DeletionSettings::default, |platform| platform.spec.deletions.clone());
        let departures: Vec<Departure> = self.departures.values().cloned().collect();
        let before = self.verdict.deletions();
        self.verdict =
            judge(&departures, &settings.limit, &settings.approved, desired.unsure.as_deref());
        self.rejudged |= before != self.verdict.deletions();
        let parked = match &self.verdict {
            Verdict::Allowed => None,
            Verdict::Parked { digest, reason } => Some(ParkedDeletions {
                digest: *digest,
                reason: reason.clone(),
                ids: departures
                    .iter()
                    .flat_map(|departure| {
                        departure.ids.iter().map(|(id, _)| (departure.unit.clone(), id.clone()))
                    })
                    .collect(),
            }),
        };
        if parked == self.parked {
            return;
        }
        if let Some(before) = &self.parked
            && parked.as_ref().is_none_or(|parked| parked.digest != before.digest)
        {
            let (digest, approved) = (before.digest, settings.approved.contains(&before.digest));
            let _ = self.notes.send(Note::Unparked { digest, approved });
        }
        self.parked.clone_from(&parked);
        if let Some(parked) = parked {
            let _ = self.notes.send(Note::Parked(parked));
        }
    }

    pub(super) fn follow_the_verdict(&mut self) {
        if std::mem::take(&mut self.rejudged) {
            let keys: Vec<Key> = self.departures.keys().cloned().collect();
            for key in keys {
                self.look(&key);
            }
        }
    }

    /// Whether a unit may delete now: when that is allowed, and every inventory says what goes.
    pub(super) fn deletions(&self, key: &Key) -> Deletions {
        if self.is_held(key) {
            return Deletions::Parked;
        }
        match self.verdict.deletions() {
            Deletions::Allowed if self.unannounced_elsewhere(key) => Deletions::Announced,
            deletions => deletions,
        }
    }

    fn unannounced_elsewhere(&self, key: &Key) -> bool {
        self.departures
            .iter()
            .filter(|(other, _)| *other != key)
            .any(|(_, departure)| departure.ids.iter().any(|(_, announced)| !announced))
    }
}
