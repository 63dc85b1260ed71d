//! The junction: where what is wanted meets what is there. Read this first.
//!
//! One task owns all state and never waits for the world. It takes events (a commit, a change
//! in a cluster, the end of a run, the clock), looks at the units they concern, and hands out
//! runs to a few workers. A look is pure and takes microseconds; a run does what is due and gives
//! its worker back, so that waiting for health holds nobody. Units that keep failing share a
//! lane of their own and back off alone.

// What reaches the junction, and what each of it does.
mod wanted;
mod clusters;
// One unit: a look at it, whether it may delete, where it and its tasks stand, and when to look again.
mod look;
mod unit;
mod deletions;
mod standing;
mod once;
mod wake;
// What is done about it.
mod work;
mod pace;
pub mod run;
// What is wanted, and the world it is wanted of.
pub mod desired;
pub mod follow;
pub mod targets;
pub mod answer;
pub mod meter;
pub mod logs;
mod pods;
pub mod survey;
pub mod hosts;
pub mod world;
// What is said about it, and to whom.
pub mod note;
pub mod overview;
pub mod tell;
pub mod chronicle;
// Every edge, joined.
pub mod daemon;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::model::Name;
use crate::model::UnitName;
use crate::plan::fight::FightDetector;
use crate::plan::limits::Departure;
use crate::plan::limits::Verdict;

use clusters::Cluster;
use desired::Desired;
use note::Note;
use note::ParkedDeletions;
use note::State;
use note::UnitStatus;
use run::Report;
use unit::Key;
use unit::Unit;
use world::Clock;
use world::Target;

/// What reaches the junction.
pub enum Event<T: Target> {
    /// A commit, and what it asks for.
    Desired(Arc<Desired>),
    /// The clusters there are now. A cluster that is not among them is let go.
    Targets(BTreeMap<Name, Arc<T>>),
    /// A cluster is seen as a whole.
    Synced(Name),
    /// Something of a unit changed in a cluster.
    Changed(Name, UnitName),
    /// Somebody else wrote or removed the inventory of a unit.
    Inventory(Name, UnitName),
    /// A cluster cannot be reached, and why; or (`None`) can again.
    Away(Name, Option<String>),
    /// Somebody looked at the databases of a cluster's server, or could not, and why.
    Databases(Name, Result<(), String>),
    /// What a person should know about a thing that is not ready.
    Explained(Name, UnitName, String, String),
    /// A run has ended.
    Finished(Name, Box<Report>),
    /// Asks for an answer when everything has been done that can be done.
    Settled(tokio::sync::oneshot::Sender<Vec<UnitStatus>>),
    /// Ends the junction once the runs under way have ended.
    Stop,
}

/// The door to a junction that runs.
pub struct Junction<T: Target> {
    events: mpsc::UnboundedSender<Event<T>>,
}

impl<T: Target> Clone for Junction<T> {
    fn clone(&self) -> Self {
        Self { events: self.events.clone() }
    }
}

impl<T: Target> Junction<T> {
    /// Starts a junction. What it has to say goes to `notes`.
    pub fn start(
        clock: Clock,
        notes: mpsc::UnboundedSender<Note>,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, events) = mpsc::unbounded_channel();
        let junction = Self { events: sender };
        let state = Reconciler::new(clock, notes, junction.clone());
        (junction, tokio::spawn(state.run(events)))
    }

    /// Hands an event in. After the junction has ended, nobody needs it any more.
    pub fn tell(&self, event: Event<T>) {
        let _ = self.events.send(event);
    }

    /// Waits until nothing more can be done without the world changing, and tells where everybody stands.
    pub async fn settled(&self) -> Vec<UnitStatus> {
        let (answer, settled) = tokio::sync::oneshot::channel();
        self.tell(Event::Settled(answer));
        settled.await.unwrap_or_default()
    }
}

struct Reconciler<T: Target> {
    clock: Clock,
    notes: mpsc::UnboundedSender<Note>,
    junction: Junction<T>,
    desired: Option<Arc<Desired>>,
    clusters: BTreeMap<Name, Cluster<T>>,
    units: BTreeMap<Key, Unit>,
    departures: BTreeMap<Key, Departure>,
    verdict: Verdict,
    /// The verdict changed: whoever may lose something has to be looked at.
    rejudged: bool,
    parked: Option<ParkedDeletions>,
    ready: VecDeque<Key>,
    ready_failing: VecDeque<Key>,
    /// Units of which only the inventory is left to be written, and since when they wait.
    ready_to_settle: VecDeque<(Key, Instant)>,
    running: usize,
    running_failing: usize,
    running_to_settle: usize,
    fights: FightDetector,
    timers: BTreeSet<(Instant, Key)>,
    clock_changes: BTreeSet<(Timestamp, UnitName)>,
    waiting_for_settled: Vec<tokio::sync::oneshot::Sender<Vec<UnitStatus>>>,
    stopping: bool,
}

impl<T: Target> Reconciler<T> {
    fn new(clock: Clock, notes: mpsc::UnboundedSender<Note>, junction: Junction<T>) -> Self {
        Self {
            clock,
            notes,
            junction,
            desired: None,
            clusters: BTreeMap::new(),
            units: BTreeMap::new(),
            departures: BTreeMap::new(),
            verdict: Verdict::Allowed,
            rejudged: false,
            parked: None,
            ready: VecDeque::new(),
            ready_failing: VecDeque::new(),
            ready_to_settle: VecDeque::new(),
            running: 0,
            running_failing: 0,
            running_to_settle: 0,
            fights: FightDetector::default(),
            timers: BTreeSet::new(),
            clock_changes: BTreeSet::new(),
            waiting_for_settled: Vec::new(),
            stopping: false,
        }
    }

    async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event<T>>) {
        loop {
            let wake = self.next_wake();
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                () = tokio::time::sleep_until(wake.into()) => self.wake(),
            }
            self.follow_the_verdict();
            self.hand_out();
            self.answer_settled();
            if self.stopping && self.running == 0 {
                return;
            }
        }
    }

    fn take(&mut self, event: Event<T>) {
        match event {
            Event::Desired(desired) => self.want(desired),
            Event::Targets(targets) => self.take_targets(targets),
            Event::Synced(cluster) => self.synced(&cluster),
            Event::Changed(cluster, unit) => self.look(&Key { cluster, unit }),
            Event::Inventory(cluster, unit) => self.reload(&Key { cluster, unit }),
            Event::Away(cluster, away) => self.away(&cluster, away),
            Event::Databases(cluster, databases) => self.take_databases(&cluster, databases),
            Event::Explained(cluster, unit, about, told) => {
                let key = Key { cluster, unit };
                if let Some(unit) = self.units.get_mut(&key) {
                    unit.explained = Some((about, told));
                    self.look(&key);
                }
            }
            Event::Finished(cluster, report) => self.finished(cluster, *report),
            Event::Settled(answer) => self.waiting_for_settled.push(answer),
            Event::Stop => {
                self.stopping = true;
                self.ready.clear();
                self.ready_failing.clear();
                self.ready_to_settle.clear();
            }
        }
    }

    /// Answers those who wait until nothing more can be done without the world changing.
    fn answer_settled(&mut self) {
        if self.waiting_for_settled.is_empty() {
            return;
        }
        let busy = self.running > 0
            || !self.ready.is_empty()
            || !self.ready_failing.is_empty()
            || !self.ready_to_settle.is_empty()
            || self.desired.is_none()
            || self.clusters.values().any(|cluster| !cluster.synced && cluster.away.is_none())
            || self.units.values().any(|unit| {
                let state = unit.status.as_ref().map(|status| status.state);
                matches!(state, Some(State::Waiting | State::Applying) | None)
                    && unit.known.is_some()
            });
        if !busy {
            let all: Vec<UnitStatus> =
                self.units.values().filter_map(|unit| unit.status.clone()).collect();
            for answer in self.waiting_for_settled.drain(..) {
                let _ = answer.send(all.clone());
            }
        }
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod properties;
