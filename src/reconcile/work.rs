//! Hands out runs to a few workers, and takes in what became of them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;

use crate::model::Name;
use crate::plan::Cause;
use crate::plan::Retry;
use crate::plan::fight::FightDetector;
use crate::plan::limits::Verdict;

use super::Event;
use super::Reconciler;
use super::note::Note;
use super::note::RunNote;
use super::pace;
use super::run;
use super::run::Order;
use super::run::Report;
use super::run::Stopped;
use super::unit::Key;
use super::world::Target;

/// How long a unit is left alone in which somebody undoes our work again and again.
const TRUCE: Duration = Duration::from_mins(1);
/// How many units are worked on at once.
const WORKERS: usize = 12;
/// How many of them may be units that failed the last time.
const WORKERS_FOR_FAILING: usize = 3;

impl<T: Target> Reconciler<T> {
    /// Gives queued units to free workers: the healthy first, the failing in a lane of their own.
    pub(super) fn hand_out(&mut self) {
        while self.running < WORKERS {
            let failing = self.running_failing < WORKERS_FOR_FAILING;
            let next = self.ready.pop_front().map(|key| (key, false)).or_else(|| {
                failing.then(|| self.ready_failing.pop_front().map(|key| (key, true))).flatten()
            });
            let Some((key, failing)) = next else { return };
            self.start(key, failing);
        }
    }

    fn start(&mut self, key: Key, failing: bool) {
        let deletions = self.deletions(&key);
        let now = self.clock.now();
        let allowed_here = self.verdict == Verdict::Allowed && !self.is_held(&key);
        let Some(cluster) = self.clusters.get(&key.cluster) else { return };
        let Some(unit) = self.units.get_mut(&key) else { return };
        unit.queued = false;
        let Some(known) = unit.known.clone() else { return };
        let superseded = Arc::new(AtomicBool::new(false));
        unit.running = Some(Arc::clone(&superseded));
        let judged = self
            .departures
            .get(&key)
            .map(|departure| departure.ids.iter().map(|(id, _)| id.clone()).collect());
        let order = Order {
            unit: key.unit.clone(),
            desired: unit.desired.clone(),
            known,
            announce: allowed_here,
            now,
            deletions,
            judged: judged.unwrap_or_default(),
            others_wait: !self.ready.is_empty(),
            superseded,
        };
        self.running += 1;
        self.running_failing += usize::from(failing);
        let (target, junction) = (Arc::clone(&cluster.target), self.junction.clone());
        tokio::spawn(async move {
            let mut report = run::run(order, &*target).await;
            report.failing_lane = failing;
            junction.tell(Event::Finished(key.cluster, Box::new(report)));
        });
    }

    /// Takes in what a run did, and looks again.
    pub(super) fn finished(&mut self, cluster: Name, report: Report) {
        self.running -= 1;
        self.running_failing -= usize::from(report.failing_lane);
        let key = Key { cluster, unit: report.unit.clone() };
        let now = self.clock.now();
        let Some(unit) = self.units.get_mut(&key) else { return };
        let known = report.known;
        let told_stale = std::mem::take(&mut unit.stale);
        let doubtful = known.doubtful;
        unit.known = Some(known);
        unit.running = None;
        unit.look_again = false;
        let failure = match &report.stopped {
            None | Some(Stopped::Superseded) => None,
            Some(Stopped::Failed { message, retry }) => Some((message.clone(), *retry)),
        };
        let fight = fought_over(&mut self.fights, &report.deeds, now);
        match &failure {
            None => {
                unit.failures = 0;
                unit.failure = None;
                unit.not_before = None;
            }
            Some((message, retry)) => {
                unit.failures += 1;
                unit.failure = Some(message.clone());
                // What only a commit can mend is still tried now and then: people mend things, too.
                let patience = if *retry == Retry::NextCommit { u32::MAX } else { unit.failures };
                let wait = pace::wait(patience, jitter(&key, unit.failures));
                unit.not_before = Some(Instant::now() + wait);
            }
        }
        unit.fight = fight;
        if unit.fight.is_some() {
            let truce = Instant::now() + TRUCE;
            unit.not_before = Some(unit.not_before.map_or(truce, |wait| wait.max(truce)));
        }
        if !report.deeds.is_empty() || failure.is_some() {
            let took = jiff::SignedDuration::try_from(report.took).unwrap_or_default();
            let _ = self.notes.send(Note::Run(Box::new(RunNote {
                unit: key.unit.clone(),
                cluster: key.cluster.clone(),
                commit: unit.desired.as_ref().map(|desired| desired.commit.clone()),
                started: now.checked_sub(took).unwrap_or(now),
                finished: now,
                took: report.took,
                superseded: report.stopped == Some(Stopped::Superseded),
                deeds: report.deeds,
                failure: failure.map(|(message, _)| message),
                retry: report.failing_lane,
                by_clock: unit.by_clock,
            })));
        }
        // What a lost race left behind is read again before the next try.
        if doubtful || (told_stale && self.is_stale(&key)) {
            self.forget(&key);
        }
        self.look(&key);
        // Others may have waited for this one to announce what goes.
        let waiting: Vec<Key> =
            self.departures.keys().filter(|other| **other != key).cloned().collect();
        if self.verdict == Verdict::Allowed {
            for other in waiting {
                self.look(&other);
            }
        }
    }
}

/// Tells of a thing that somebody changed back once too often, and who that is.
fn fought_over(fights: &mut FightDetector, deeds: &[run::Deed], now: Timestamp) -> Option<String> {
    let mut told = None;
    for deed in deeds {
        if let Some(Cause::Drift { what, by }) = &deed.cause
            && fights.drifted(&deed.done.id, now)
        {
            let who = by.as_deref().unwrap_or("somebody");
            told = Some(format!(
                "{}: {who} changes it again and again ({what}); it is left alone for a minute",
                deed.done.id
            ));
        }
    }
    told
}

/// A number that differs from unit to unit and try to try, without a source of chance.
fn jitter(key: &Key, failures: u32) -> u8 {
    let digest =
        crate::model::Digest::of(format!("{} {} {failures}", key.cluster, key.unit).as_bytes());
    u8::from_str_radix(&digest.to_string()[..2], 16).unwrap_or_default()
}
