//! The junction: where what is wanted meets what is there. Read this first.
//!
//! One task owns all state and never waits for the world. It takes events (a commit, a change
//! in a cluster, the end of a run, the clock), looks at the units they concern, and hands out
//! runs to a few workers. A look is pure and takes microseconds; a run does what is due and gives
//! its worker back, so that waiting for health holds nobody. Units that keep failing share a
//! lane of their own and back off alone.

pub mod chronicle;
pub mod daemon;
pub mod desired;
pub mod note;
pub mod overview;
pub mod targets;
pub mod tell;
pub mod run;
pub mod follow;
pub mod world;
mod pace;
mod unit;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::model::Name;
use crate::model::UnitName;
use crate::model::platform::Deletions as DeletionSettings;
use crate::plan::Cause;
use crate::plan::Deletions;
use crate::plan::Retry;
use crate::plan::fight::FightDetector;
use crate::plan::limits::Departure;
use crate::plan::limits::Verdict;
use crate::plan::limits::judge;

use desired::Desired;
use desired::DesiredUnit;
use note::Note;
use note::ParkedDeletions;
use note::RunNote;
use note::State;
use note::UnitStatus;
use run::Known;
use run::Order;
use run::Report;
use run::Stopped;
use unit::Key;
use unit::Look;
use unit::Unit;
use world::Clock;
use world::Target;

/// How long a unit is left alone in which somebody undoes our work again and again.
const TRUCE: Duration = Duration::from_mins(1);
/// How many units are worked on at once.
const WORKERS: usize = 12;
/// How many of them may be units that failed the last time.
const WORKERS_FOR_FAILING: usize = 3;

/// What reaches the junction.
pub enum Event<T: Target> {
    /// A commit, and what it asks for.
    Desired(Box<Desired>),
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

/// A cluster, and what is known of it as a whole.
struct Cluster<T> {
    target: Arc<T>,
    synced: bool,
    away: Option<String>,
    databases_away: Option<String>,
}

struct Reconciler<T: Target> {
    clock: Clock,
    notes: mpsc::UnboundedSender<Note>,
    junction: Junction<T>,
    desired: Option<Box<Desired>>,
    clusters: BTreeMap<Name, Cluster<T>>,
    units: BTreeMap<Key, Unit>,
    departures: BTreeMap<Key, Departure>,
    verdict: Verdict,
    /// The verdict changed: whoever may lose something has to be looked at.
    rejudged: bool,
    parked: Option<ParkedDeletions>,
    ready: VecDeque<Key>,
    ready_failing: VecDeque<Key>,
    running: usize,
    running_failing: usize,
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
            running: 0,
            running_failing: 0,
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
            }
        }
    }

    /// Takes what a commit asks for, and looks at the units for which it asks something else.
    fn want(&mut self, desired: Box<Desired>) {
        let _ = self.notes.send(Note::Commit {
            commit: desired.commit.clone(),
            roster: self
                .desired
                .is_none()
                .then(|| desired.units.keys().chain(desired.held.keys()).cloned().collect()),
            units: desired.units.len(),
            rendered: desired.rendered,
            held: desired.held.len(),
            findings: desired.findings.clone(),
        });
        let mut concerned: BTreeSet<Key> = BTreeSet::new();
        for (name, wanted) in &desired.units {
            let key = Key { cluster: wanted.cluster.clone(), unit: name.clone() };
            self.ask(&key, Some(Arc::clone(wanted)), &mut concerned);
        }
        let gone: Vec<Key> = self
            .units
            .iter()
            .filter(|(key, unit)| {
                unit.desired.is_some()
                    && desired
                        .units
                        .get(&key.unit)
                        .is_none_or(|wanted| wanted.cluster != key.cluster)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.ask(&key, None, &mut concerned);
        }
        let first = self.desired.is_none();
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
        self.desired = Some(desired);
        // Everybody who may lose something is judged before anybody loses anything.
        self.judge_all(&concerned);
        for key in concerned {
            self.look(&key);
        }
    }

    /// Says what a unit should be from now on, and remembers it as concerned where that is news.
    fn ask(&mut self, key: &Key, wanted: Option<Arc<DesiredUnit>>, concerned: &mut BTreeSet<Key>) {
        let unit = self.units.entry(key.clone()).or_default();
        let digest = |unit: &Option<Arc<DesiredUnit>>| unit.as_ref().map(|unit| unit.digest);
        let news = digest(&unit.desired) != digest(&wanted);
        let phases =
            |unit: &Option<Arc<DesiredUnit>>| unit.as_ref().map(|unit| unit.phases.clone());
        if let Some(new) = &wanted
            && phases(&unit.desired) != phases(&wanted)
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

    fn take_targets(&mut self, targets: BTreeMap<Name, Arc<T>>) {
        self.clusters.retain(|name, cluster| {
            targets.get(name).is_some_and(|target| Arc::ptr_eq(target, &cluster.target))
        });
        for (name, target) in targets {
            self.clusters.entry(name).or_insert(Cluster {
                target,
                synced: false,
                away: None,
                databases_away: None,
            });
        }
    }

    /// A cluster is seen as a whole: from here on, absence means something.
    fn synced(&mut self, name: &Name) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        cluster.synced = true;
        self.know_units(name);
        self.look_at_cluster(name);
    }

    fn look_at_cluster(&mut self, name: &Name) {
        let keys: BTreeSet<Key> =
            self.units.keys().filter(|key| key.cluster == *name).cloned().collect();
        self.judge_all(&keys);
        for key in keys {
            self.look(&key);
        }
    }

    /// Forgets what is known of a unit's inventory, where somebody else wrote it.
    fn reload(&mut self, key: &Key) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if unit.running.is_some() {
            unit.stale = true;
        } else if self.is_stale(key) {
            self.forget(key);
            self.look(key);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(unit) = self.units.get_mut(key) {
            unit.known = None;
        }
    }

    /// Whether the inventory in the cluster is another than the one we wrote or read last.
    fn is_stale(&self, key: &Key) -> bool {
        let there =
            self.clusters.get(&key.cluster).and_then(|cluster| cluster.target.observed(&key.unit));
        let known = self.units.get(key).and_then(|unit| unit.known.as_ref());
        match (there, known) {
            (Some(there), Some(known)) => there.inventory.version != known.written.version,
            _ => false,
        }
    }

    fn away(&mut self, name: &Name, away: Option<String>) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        if cluster.away == away {
            return;
        }
        let (was, is) = (cluster.away.is_some(), away.is_some());
        cluster.away.clone_from(&away);
        // Only the change is told, not every failed attempt.
        if was != is {
            let what = format!("cluster {name}");
            let _ = self.notes.send(Note::Reach { what, away, at: self.clock.now() });
        }
    }

    /// Takes in that the databases were looked at. Only a change of reach is told.
    fn take_databases(&mut self, name: &Name, looked: Result<(), String>) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let away = looked.err();
        if away.is_some() != cluster.databases_away.is_some() {
            let what = format!("databases of {name}");
            let _ = self.notes.send(Note::Reach { what, away: away.clone(), at: self.clock.now() });
        }
        cluster.databases_away = away;
        self.know_units(name);
        self.look_at_cluster(name);
    }

    /// Learns of units that own something in a cluster.
    fn know_units(&mut self, name: &Name) {
        let Some(cluster) = self.clusters.get(name) else { return };
        for unit in cluster.target.units() {
            self.units.entry(Key { cluster: name.clone(), unit }).or_default();
        }
    }

    /// Finds out what everybody would lose, before anybody loses anything.
    fn judge_all(&mut self, concerned: &BTreeSet<Key>) {
        for key in concerned {
            if let Some((_, look)) = self.glance(key) {
                self.note_departure(key, look.departure);
            }
        }
        self.judge_deletions();
    }

    fn note_departure(&mut self, key: &Key, departure: Option<Departure>) -> bool {
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

    fn is_held(&self, key: &Key) -> bool {
        match &self.desired {
            Some(desired) => desired.platform.is_none() || desired.held.contains_key(&key.unit),
            None => true,
        }
    }

    fn judge_deletions(&mut self) {
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

    fn follow_the_verdict(&mut self) {
        if std::mem::take(&mut self.rejudged) {
            let keys: Vec<Key> = self.departures.keys().cloned().collect();
            for key in keys {
                self.look(&key);
            }
        }
    }

    /// Whether a unit may delete now: when that is allowed, and every inventory says what goes.
    fn deletions(&self, key: &Key) -> Deletions {
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

    /// What a unit looks like now; none while its cluster is not seen as a whole.
    fn glance(&mut self, key: &Key) -> Option<(Deletions, Look)> {
        let cluster = self.clusters.get(&key.cluster)?;
        if !cluster.synced {
            return None;
        }
        let observed = cluster.target.observed(&key.unit)?;
        let deletions = self.deletions(key);
        let unit = self.units.entry(key.clone()).or_default();
        let known = unit.known.get_or_insert_with(|| Known {
            inventory: observed.inventory.clone(),
            written: observed.inventory.clone(),
            doubtful: false,
        });
        let known = known.clone();
        let look = unit.look(key, &known, observed, &deletions);
        Some((deletions, look))
    }

    /// Looks at a unit: says where it stands, and queues it if anything is due.
    fn look(&mut self, key: &Key) {
        let now = self.clock.now();
        // Before the first commit is read, nobody knows what is wanted, and nothing is done.
        if self.stopping || self.desired.is_none() {
            return;
        }
        if let Some(unit) = self.units.get_mut(key)
            && unit.running.is_some()
        {
            unit.look_again = true;
            return;
        }
        let Some((_, look)) = self.glance(key) else {
            return self.say_unseen(key);
        };
        if self.note_departure(key, look.departure.clone()) {
            self.judge_deletions();
            // A judgement that changed may change the plan: the next look sees it.
            let rejudged = self.glance(key);
            return match rejudged {
                Some((_, look)) => self.act_on(key, &look, now),
                None => self.say_unseen(key),
            };
        }
        self.act_on(key, &look, now);
    }

    fn act_on(&mut self, key: &Key, look: &Look, now: Timestamp) {
        let Some(unit) = self.units.get_mut(key) else { return };
        for (subscription, stage, state) in unit.note_stages(look, now) {
            let unit = key.unit.clone();
            let _ = self.notes.send(Note::Stage { unit, subscription, stage, state, at: now });
        }
        let announcing = !look
            .departure
            .as_ref()
            .is_none_or(|departure| departure.ids.iter().all(|(_, announced)| *announced))
            && self.verdict == Verdict::Allowed;
        let due = look.plan.has_due()
            || announcing
            || (look.plan.is_settled() && look.unsettled_inventory);
        let Some(unit) = self.units.get_mut(key) else { return };
        let unexplained = unit.unexplained(now).map(str::to_owned);
        let mut wake = unit.deadline(now);
        if due && !unit.queued && unit.may_be_changed() {
            if let Some(not_before) =
                unit.not_before.filter(|not_before| *not_before > Instant::now())
            {
                wake = Some(wake.map_or(not_before, |wake| wake.min(not_before)));
            } else {
                unit.queued = true;
                let lane =
                    if unit.failures > 0 { &mut self.ready_failing } else { &mut self.ready };
                lane.push_back(key.clone());
            }
        }
        if let Some(wake) = wake {
            self.wake_at(key, wake);
        }
        if let Some(about) = unexplained {
            self.ask_for_explanation(key, about);
        }
        self.say_status(key, look, now);
    }

    /// Has the unit looked at again at a time, or before.
    fn wake_at(&mut self, key: &Key, at: Instant) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if unit.timer.is_none_or(|timer| timer > at) {
            if let Some(old) = unit.timer.replace(at) {
                self.timers.remove(&(old, key.clone()));
            }
            self.timers.insert((at, key.clone()));
        }
    }

    fn say_status(&mut self, key: &Key, look: &Look, now: Timestamp) {
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
        let _ = self.notes.send(Note::Status(status));
    }

    /// Asks the cluster for the sentence a person needs, beside everything else.
    fn ask_for_explanation(&mut self, key: &Key, about: String) {
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
            if let Some(told) = target.explain(&id).await {
                junction.tell(Event::Explained(key.cluster, key.unit, about, told));
            }
        });
    }

    /// Says that nothing can be said: the cluster is not there, or not seen yet.
    fn say_unseen(&mut self, key: &Key) {
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

    /// Gives queued units to free workers: the healthy first, the failing in a lane of their own.
    fn hand_out(&mut self) {
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
            deletions,
            judged: judged.unwrap_or_default(),
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
    fn finished(&mut self, cluster: Name, report: Report) {
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

    fn next_wake(&self) -> Instant {
        let far = Instant::now() + Duration::from_hours(1);
        let timer = self.timers.first().map_or(far, |(at, _)| *at);
        let clock = self.clock_changes.first().map_or(far, |(at, _)| {
            let wait = at.duration_since(self.clock.now());
            // The clock may be moved by hand or by daylight saving: look often enough.
            Instant::now() + wait.try_into().unwrap_or(Duration::ZERO).min(Duration::from_secs(30))
        });
        timer.min(clock).min(far)
    }

    fn wake(&mut self) {
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

    /// Renders again the units whose phase the clock has changed.
    fn follow_the_clock(&mut self) {
        let now = self.clock.now();
        let mut concerned = BTreeSet::new();
        while let Some((at, name)) = self.clock_changes.first().cloned() {
            if at > now {
                break;
            }
            self.clock_changes.pop_first();
            let Some(desired) = &mut self.desired else { continue };
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

    /// Answers those who wait until nothing more can be done without the world changing.
    fn answer_settled(&mut self) {
        if self.waiting_for_settled.is_empty() {
            return;
        }
        let busy = self.running > 0
            || !self.ready.is_empty()
            || !self.ready_failing.is_empty()
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

#[cfg(test)]
mod tests;
