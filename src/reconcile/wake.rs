//! When to look at a unit again although nothing has happened.

use std::time::Duration;
use std::time::Instant;

use super::Reconciler;
use super::unit::Key;
use super::world::Target;

impl<T: Target> Reconciler<T> {
    /// Has the unit looked at again at a time, or before.
    pub(super) fn wake_at(&mut self, key: &Key, at: Instant) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if unit.timer.is_none_or(|timer| timer > at) {
            if let Some(old) = unit.timer.replace(at) {
                self.timers.remove(&(old, key.clone()));
            }
            self.timers.insert((at, key.clone()));
        }
    }

    pub(super) fn next_wake(&self) -> Instant {
        let far = Instant::now() + Duration::from_hours(1);
        let timer = self.timers.first().map_or(far, |(at, _)| *at);
        let clock = self.clock_changes.first().map_or(far, |(at, _)| {
            let wait = at.duration_since(self.clock.now());
            // The clock may be moved by hand or by daylight saving: look often enough.
            Instant::now() + wait.try_into().unwrap_or(Duration::ZERO).min(Duration::from_secs(30))
        });
        timer.min(clock).min(far)
    }

    pub(super) fn wake(&mut self) {
        let now = Instant::now();
        while let Some((at, key)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            if let Some(unit) = self.units.get_mut(&key) {
                unit.timer = None;
            }
            self.look(&key);
        }
        self.follow_the_clock();
    }
}
