//! Hands out runs to a few workers, and takes in what became of them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;

use crate::model::Digest;
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
use super::run::Lane;
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
/// How long an inventory that only has to be brought up to date waits for a quiet moment.
const SETTLE_AFTER: Duration = Duration::from_secs(1);

impl<T: Target> Reconciler<T> {
    /// Gives queued units to free workers.
    pub(super) fn hand_out(&mut self) {
        while self.running < WORKERS {
            let Some((key, lane)) = self.next() else { return };
            self.start(key, lane);
        }
    }

    /// The healthy first, then the failing, of whom only a few may run at once.
    fn next(&mut self) -> Option<(Key, Lane)> {
        if let Some(key) = self.ready.pop_front() {
            return Some((key, Lane::Healthy));
        }
        if self.running_failing < WORKERS_FOR_FAILING
            && let Some(key) = self.ready_failing.pop_front()
        {
            return Some((key, Lane::Failing));
        }
        // The inventory lists everything already. Written once more while others still get what
        // they asked for, it would only take the cluster's time from them.
        let quiet = self.running == self.running_to_settle;
        while let Some((key, since)) = self.ready_to_settle.pop_front() {
            // Meanwhile it may have got more to do, and got it done.
            let waits =
                self.units.get(&key).is_some_and(|unit| unit.queued == Some(Lane::ToSettle));
            if waits && (quiet || since.elapsed() >= SETTLE_AFTER) {
                return Some((key, Lane::ToSettle));
            }
            if waits {
                self.ready_to_settle.push_front((key, since));
                return None;
            }
        }
        None
    }

    fn start(&mut self, key: Key, lane: Lane) {
        let deletions = self.deletions(&key);
        let now = self.clock.now();
        let allowed_here = self.verdict == Verdict::Allowed && !self.is_held(&key);
        let Some(cluster) = self.clusters.get(&key.cluster) else { return };
        let Some(unit) = self.units.get_mut(&key) else { return };
        unit.queued = None;
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
        self.running_failing += usize::from(lane == Lane::Failing);
        self.running_to_settle += usize::from(lane == Lane::ToSettle);
        let (target, junction) = (Arc::clone(&cluster.target), self.junction.clone());
        tokio::spawn(async move {
            let mut report = run::run(order, &*target).await;
            report.lane = lane;
            junction.tell(Event::Finished(key.cluster, Box::new(report)));
        });
    }

    /// Takes in what a run did, and looks again.
    pub(super) fn finished(&mut self, cluster: Name, report: Report) {
        self.running -= 1;
        self.running_failing -= usize::from(report.lane == Lane::Failing);
        self.running_to_settle -= usize::from(report.lane == Lane::ToSettle);
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
                retry: report.lane == Lane::Failing,
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
    Digest::of(format!("{} {} {failures}", key.cluster, key.unit).as_bytes()).byte()
}
