//! Two parties that undo each other's work again and again: a fight. It is told from drift by its
//! heat, the number of times within a minute that the same thing was changed back.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::ResourceId;

/// A thing may drift this often within [`WINDOW`]; once more is a fight.
const TOLERATED: usize = 5;
const WINDOW: Duration = Duration::from_mins(1);

/// Remembers when each thing drifted, and forgets it after a minute.
#[derive(Debug, Default)]
pub struct FightDetector {
    drifts: HashMap<ResourceId, VecDeque<Timestamp>>,
    /// How many things may be remembered before those that cooled down are looked for.
    tidy_at: usize,
}

impl FightDetector {
    /// Notes that the thing drifted, and says whether somebody fights over it with us.
    pub fn drifted(&mut self, id: &ResourceId, at: Timestamp) -> bool {
        if self.drifts.len() >= self.tidy_at {
            self.forget_what_cooled(at);
        }
        let times = self.drifts.entry(id.clone()).or_default();
        times.retain(|time| is_hot(*time, at));
        times.push_back(at);
        if times.len() > TOLERATED + 1 {
            times.pop_front();
        }
        times.len() > TOLERATED
    }

    /// Says whether the thing is still fought over.
    pub fn is_fought_over(&self, id: &ResourceId, at: Timestamp) -> bool {
        let times = self.drifts.get(id);
        times
            .is_some_and(|times| times.iter().filter(|time| is_hot(**time, at)).count() > TOLERATED)
    }

    fn forget_what_cooled(&mut self, at: Timestamp) {
        self.drifts.retain(|_, times| times.back().is_some_and(|time| is_hot(*time, at)));
        self.tidy_at = (2 * self.drifts.len()).max(64);
    }
}

fn is_hot(time: Timestamp, now: Timestamp) -> bool {
    now.duration_since(time).unsigned_abs() < WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn web() -> ResourceId {
        ResourceId::new("apps", "Deployment", "acme", "web")
    }

    /// Lets the thing drift at these seconds; the answers.
    fn drifts(seconds: impl IntoIterator<Item = i64>) -> Vec<bool> {
        let mut detector = FightDetector::default();
        seconds.into_iter().map(|second| detector.drifted(&web(), at(second))).collect()
    }

    #[test]
    fn the_sixth_drift_within_a_minute_is_a_fight() {
        assert_eq!(drifts(0..7), [false, false, false, false, false, true, true]);
        assert_eq!(drifts((0..6).map(|n| n * 11)).last(), Some(&true));
    }

    #[test]
    fn drifts_that_are_far_apart_are_none() {
        assert!(!drifts((0..100).map(|n| n * 13)).contains(&true));
    }

    #[test]
    fn each_thing_has_its_own_heat() {
        let mut detector = FightDetector::default();
        for n in 0..200 {
            let id = ResourceId::new("", "Service", "acme", &format!("service-{n}"));
            assert!(!detector.drifted(&id, at(0)));
        }
    }

    #[test]
    fn a_fight_is_over_after_a_minute_of_peace() {
        let mut detector = FightDetector::default();
        for second in 0..6 {
            detector.drifted(&web(), at(second));
        }
        assert!(detector.is_fought_over(&web(), at(6)));
        assert!(!detector.is_fought_over(&web(), at(66)));
    }

    #[test]
    fn what_cooled_down_is_forgotten() {
        let mut detector = FightDetector::default();
        for n in 0..10_000 {
            let id = ResourceId::new("", "Service", "acme", &format!("service-{n}"));
            detector.drifted(&id, at(n));
        }
        assert!(detector.drifts.len() < 300, "{}", detector.drifts.len());
    }
}
