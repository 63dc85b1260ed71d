//! Watching a cluster: one filtered watch per kind and one for the inventories.
//!
//! Each watch lists (a page at a time), then follows what happens, and begins again where it
//! stopped when the connection breaks, or with a new listing when the server has forgotten that
//! far. Only when every list has been read once from beginning to end does the whole count as
//! known: what could not be read is not absent.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::apply::error::ApplyError;
use crate::apply::error::Status;
use crate::model::Digest;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::plan::Live;

use super::Cluster;
use super::connection::Call;
use super::connection::escaped;
use super::inventory;
use super::inventory::SeenParent;
use super::kinds::Kind;
use super::listing::ours;
use super::observe::Glance;
use super::observe::Seen;
use super::observe::version;
use super::pods;

/// How many events may wait to be taken before the watches wait, too.
const EVENTS: usize = 1024;
/// How many kinds are listed at the same time: each holds a page in memory.
const LISTS: usize = 4;
/// The server ends a watch after about this long, and we take up again where it stopped.
const WATCH_SECONDS: u64 = 290;
/// A watch that has not ended so long after it should have is a dead connection.
const GRACE: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a kind is asked for again that the cluster does not serve.
const ASK_AGAIN: Duration = Duration::from_mins(5);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Everything has been read once: from now on what is not known is not there. Until then only
    /// [`Event::Disconnected`] and [`Event::Reconnected`] are told.
    Synced,
    /// Something of a unit appeared, or changed in a way that matters.
    Changed { unit: UnitName, id: ResourceId, live: Box<Live> },
    /// Something of a unit is gone, or has lost the labels that made it the unit's.
    Gone { unit: UnitName, id: ResourceId },
    /// The inventory of a unit was written or removed by somebody else.
    Inventory { unit: UnitName },
    /// Some watch cannot be kept up. What is known may be old.
    Disconnected { reason: String },
    /// All watches run again.
    Reconnected,
    /// Everything of one sort was listed anew, and so much of it no watch had told of.
    Verified { what: String, missed: usize },
}

/// Running watches. Dropping it ends them.
pub struct Watches {
    tasks: JoinSet<()>,
}

impl Watches {
    /// Starts watching. What is seen is found with [`Cluster::observed`]; what happens is told.
    pub fn start(cluster: &Cluster) -> (Self, mpsc::Receiver<Event>) {
        Self::start_verifying(cluster, None)
    }

    /// As [`Watches::start`]. About this often all that is watched is also listed anew, so that
    /// what a watch failed to tell is known in the end.
    pub fn start_verifying(
        cluster: &Cluster,
        every: Option<Duration>,
    ) -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let shared = Arc::new(Shared {
            cluster: cluster.clone(),
            events,
            broken: Mutex::default(),
            lists: Semaphore::new(LISTS),
            verify_every: every,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(supervise(shared));
        (Self { tasks }, receiver)
    }

    /// Ends the watches and waits until they have ended.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

struct Shared {
    cluster: Cluster,
    events: mpsc::Sender<Event>,
    /// What is watched and at present cannot be.
    broken: Mutex<BTreeSet<Subject>>,
    lists: Semaphore,
    verify_every: Option<Duration>,
}

/// What one watch is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Inventories,
    Objects(Kind),
    /// Of these nothing depends but what people are shown.
    Pods,
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inventories => out.write_str("the inventories"),
            Self::Objects(kind) => kind.fmt(out),
            Self::Pods => out.write_str("the pods"),
        }
    }
}

/// Watches the inventories, then every kind that we render or that they list.
async fn supervise(shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let mut start = |subject: Subject| {
        let (listed, first) = oneshot::channel();
        tasks.spawn(follow(Arc::clone(&shared), subject, listed));
        first
    };
    let store = shared.cluster.store();
    if start(Subject::Inventories).await.is_err() {
        return;
    }
    let mut kinds: BTreeSet<Kind> = Kind::known().collect();
    let firsts: Vec<oneshot::Receiver<()>> =
        kinds.iter().map(|kind| start(Subject::Objects(kind.clone()))).collect();
    for first in firsts {
        if first.await.is_err() {
            return;
        }
    }
    store.complete();
    shared.tell(Event::Synced).await;
    let mut beside = JoinSet::new();
    beside.spawn(follow_pods(Arc::clone(&shared)));

    // A kind that only some unit has keeps nobody else waiting.
    loop {
        for kind in store.named_kinds() {
            if kinds.insert(kind.clone()) {
                drop(start(Subject::Objects(kind)));
            }
        }
        store.a_new_kind_is_named().await;
    }
}

/// Keeps the watch of pods up, once somebody wants to know of them.
async fn follow_pods(shared: Arc<Shared>) {
    shared.cluster.pods().are_wanted().await;
    // Nobody waits for the first listing: whoever wants to know is told by the pods themselves.
    let (listed, _) = oneshot::channel();
    follow(shared, Subject::Pods, listed).await;
}

/// Keeps one watch up for ever. Says once when everything has been listed.
async fn follow(shared: Arc<Shared>, subject: Subject, listed: oneshot::Sender<()>) {
    let mut listed = Some(listed);
    let mut pace = Pace::default();
    let mut progress = Progress::default();
    loop {
        let Some(collection) = progress.collection.clone() else {
            match list(&shared, &subject, &mut progress).await {
                Ok(Listed { is_served, .. }) => {
                    shared.mend(&subject).await;
                    if let Some(listed) = listed.take() {
                        // Nobody waits any more where the watches are being ended.
                        let _ = listed.send(());
                    }
                    if !is_served {
                        tokio::time::sleep(ASK_AGAIN).await;
                    }
                }
                Err(error) => {
                    shared.break_down(&subject, &error).await;
                    pace.pause().await;
                }
            }
            continue;
        };
        if progress.verify_at.is_some_and(|at| at <= Instant::now()) {
            verify(&shared, &subject, &mut progress).await;
        }
        let begun = Instant::now();
        let ended = watch(&shared, &subject, &collection, &mut progress).await;
        if begun.elapsed() > LONGEST_PAUSE {
            pace = Pace::default();
        }
        if let Err(error) = ended {
            // Whoever has forgotten so far back has to be asked for everything again.
            let forgotten = matches!(&error, ApplyError::Refused { status, .. } if matches!(status.code, 400 | 404 | 410 | 504));
            if forgotten {
                progress.collection = None;
            }
            if forgotten && error.is_gone() {
                continue;
            }
            shared.break_down(&subject, &error).await;
        } else if progress.verify_at.is_some_and(|at| at <= Instant::now()) {
            continue;
        }
        pace.pause().await;
    }
}

/// Lists everything anew, between two watches, and tells what the first did not.
///
/// A thing that went in that instant counts as missed, too: a listing cannot tell when it went.
async fn verify(shared: &Shared, subject: &Subject, progress: &mut Progress) {
    match list(shared, subject, progress).await {
        Ok(Listed { missed, .. }) => {
            shared.tell(Event::Verified { what: subject.to_string(), missed }).await;
        }
        // Whatever ails the server, the watch will tell. It goes on where it was.
        Err(error) => {
            tracing::warn!(
                "{subject} could not be verified, and are when it is their turn again: {error}"
            );
            progress.verify_at = shared.next_verification(subject, progress.round);
        }
    }
}

/// How far a watch has come.
#[derive(Default)]
struct Progress {
    /// Where it watches; none while everything has to be listed first.
    collection: Option<String>,
    /// Which listing this is.
    round: u32,
    /// The version up to which everything has been seen.
    version: u64,
    /// When everything is listed anew although nothing asks for it.
    verify_at: Option<Instant>,
}

/// What a listing came to.
struct Listed {
    /// Whether the cluster serves the kind at all.
    is_served: bool,
    /// How much of it was news although the watch had come past it.
    missed: usize,
}

/// Lists everything once.
async fn list(
    shared: &Shared,
    subject: &Subject,
    progress: &mut Progress,
) -> Result<Listed, ApplyError> {
    let _place = shared.lists.acquire().await.expect("this semaphore is never closed");
    let cluster = &shared.cluster;
    progress.round += 1;
    let collection = match subject {
        Subject::Inventories => Some(inventory::collection()),
        Subject::Pods => Some(pods::COLLECTION.to_owned()),
        Subject::Objects(kind) => {
            let served = cluster.kinds().read_anew(cluster.connection(), kind).await?;
            served.map(|served| served.all())
        }
    };
    let Some(collection) = collection else {
        shared.tell_all(subject.sweep(cluster, progress.round, u64::MAX)).await;
        shared.tell_all(subject.listed(cluster)).await;
        return Ok(Listed { is_served: false, missed: 0 });
    };
    let (watched_up_to, mut missed) = (progress.version, 0);
    let mut pages = cluster.pages(&collection, &subject.selector());
    while let Some(page) = pages.next().await? {
        let listed = version(&page.metadata.resource_version);
        if listed < progress.version {
            subject.begin_anew(cluster);
        }
        progress.version = listed;
        for item in &page.items {
            let (event, at) = subject.saw(cluster, item, progress.round)?;
            missed += usize::from(event.is_some() && at <= watched_up_to);
            shared.tell_all(event).await;
        }
    }
    let gone = subject.sweep(cluster, progress.round, progress.version);
    missed += gone.len();
    shared.tell_all(gone).await;
    shared.tell_all(subject.listed(cluster)).await;
    progress.collection = Some(collection);
    progress.verify_at = shared.next_verification(subject, progress.round);
    Ok(Listed { is_served: true, missed })
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Bookmark {
    metadata: super::observe::Metadata,
}

/// Follows what happens until the connection ends.
async fn watch(
    shared: &Shared,
    subject: &Subject,
    collection: &str,
    progress: &mut Progress,
) -> Result<(), ApplyError> {
    let connection = shared.cluster.connection();
    let path = format!(
        "{collection}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}&labelSelector={}",
        progress.version,
        escaped(&subject.selector()),
    );
    let what = format!("watching {subject} was refused");
    let deadline = Instant::now() + Duration::from_secs(WATCH_SECONDS) + GRACE;
    let deadline = progress.verify_at.map_or(deadline, |verify_at| verify_at.min(deadline));
    let mut body = connection.stream(&what, &Call::get(path)).await?;
    shared.mend(subject).await;
    let mut pending = Vec::new();
    loop {
        let Ok(frame) = tokio::time::timeout_at(deadline, body.frame()).await else {
            return Ok(());
        };
        // A connection that breaks is an everyday thing: what counts is whether the next one stands.
        let Some(Ok(frame)) = frame else { return Ok(()) };
        let Ok(data) = frame.into_data() else { continue };
        pending.extend_from_slice(&data);
        let Some(end) = pending.iter().rposition(|byte| *byte == b'\n') else { continue };
        for line in pending[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let event = take_line(shared, subject, line, progress, &what)?;
            shared.tell_all(event).await;
        }
        pending.drain(..=end);
    }
}

fn take_line(
    shared: &Shared,
    subject: &Subject,
    line: &[u8],
    progress: &mut Progress,
    what: &str,
) -> Result<Option<Event>, ApplyError> {
    let cluster = &shared.cluster;
    let Line { r#type, object } = cluster.connection().parse(line)?;
    if r#type == "ERROR" {
        let status: Status = cluster.connection().parse(object.get().as_bytes())?;
        return Err(ApplyError::Refused { what: what.to_owned(), status });
    }
    let (event, at) = match r#type {
        "ADDED" | "MODIFIED" => match subject.knows(cluster, object, progress.round)? {
            Some(at) => (None, at),
            None => subject.saw(cluster, object, progress.round)?,
        },
        "DELETED" => subject.lost(cluster, object)?,
        _ => {
            let Bookmark { metadata } = cluster.connection().parse(object.get().as_bytes())?;
            (None, version(&metadata.resource_version))
        }
    };
    progress.version = progress.version.max(at);
    Ok(event)
}

impl Subject {
    fn selector(&self) -> String {
        match self {
            Self::Inventories => inventory::ID_LABEL.to_owned(),
            Self::Objects(_) => ours(),
            Self::Pods => pods::SELECTOR.to_owned(),
        }
    }

    /// The version of an object that is known just so. Most of what a watch tells is what the answer
    /// to our own write told before: the rest of it need not be read.
    fn knows(
        &self,
        cluster: &Cluster,
        object: &RawValue,
        round: u32,
    ) -> Result<Option<u64>, ApplyError> {
        let Self::Objects(kind) = self else { return Ok(None) };
        let glance: Glance = cluster.connection().parse(object.get().as_bytes())?;
        let knows = cluster.store().knows(kind, &glance, round);
        Ok(knows.then(|| glance.version()))
    }

    /// Takes an object into what is known. Returns what that means for somebody, if anything, and
    /// the object's version.
    fn saw(
        &self,
        cluster: &Cluster,
        object: &RawValue,
        round: u32,
    ) -> Result<(Option<Event>, u64), ApplyError> {
        let json = object.get().as_bytes();
        Ok(match self {
            Self::Inventories => {
                let seen: SeenParent = cluster.connection().parse(json)?;
                let parent = seen.parent(round);
                let version = parent.version;
                let event = seen.unit().and_then(|unit| cluster.store().saw_parent(unit, parent));
                (event, version)
            }
            Self::Objects(kind) => {
                let seen: Seen = cluster.connection().parse(json)?;
                (cluster.store().saw(kind, &seen, round), seen.version())
            }
            Self::Pods => (None, cluster.pods().saw(&cluster.connection().parse(json)?, round)),
        })
    }

    /// Takes an object out of what is known.
    fn lost(
        &self,
        cluster: &Cluster,
        object: &RawValue,
    ) -> Result<(Option<Event>, u64), ApplyError> {
        let json = object.get().as_bytes();
        Ok(match self {
            Self::Inventories => {
                let seen: SeenParent = cluster.connection().parse(json)?;
                let version = version(&seen.metadata.resource_version);
                // Its labels may be what is gone.
                let unit = seen.named_unit();
                (unit.and_then(|unit| cluster.store().lost_parent(&unit, version)), version)
            }
            Self::Objects(kind) => {
                let seen: Seen = cluster.connection().parse(json)?;
                (cluster.store().lost(kind, &seen), seen.version())
            }
            Self::Pods => (None, cluster.pods().lost(&cluster.connection().parse(json)?)),
        })
    }

    fn sweep(&self, cluster: &Cluster, round: u32, version: u64) -> Vec<Event> {
        match self {
            Self::Inventories => cluster.store().sweep_parents(round, version),
            Self::Objects(kind) => cluster.store().sweep(kind, round, version),
            Self::Pods => {
                cluster.pods().sweep(round, version);
                Vec::new()
            }
        }
    }

    fn listed(&self, cluster: &Cluster) -> Vec<Event> {
        match self {
            Self::Inventories => Vec::new(),
            Self::Objects(kind) => cluster.store().listed(kind),
            Self::Pods => {
                cluster.pods().listed();
                Vec::new()
            }
        }
    }

    fn begin_anew(&self, cluster: &Cluster) {
        match self {
            Self::Inventories => cluster.store().begin_parents_anew(),
            Self::Objects(kind) => cluster.store().begin_anew(kind),
            Self::Pods => cluster.pods().begin_anew(),
        }
    }

    /// Whether what is wanted can be brought about without it.
    fn is_for_show(&self) -> bool {
        matches!(self, Self::Pods)
    }
}

impl Shared {
    async fn tell(&self, event: Event) {
        // Where nobody listens, what is known is still kept up to date.
        let _ = self.events.send(event).await;
    }

    /// Tells what happened to things, unless everything is new to everybody anyway.
    async fn tell_all(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            if self.cluster.store().is_complete() {
                self.tell(event).await;
            }
        }
    }

    /// A time that differs from kind to kind and round to round, so that never all are listed at
    /// once: from three quarters of the interval to five.
    fn next_verification(&self, subject: &Subject, round: u32) -> Option<Instant> {
        let every = self.verify_every?;
        let seed = format!("{} {subject} {round}", self.cluster.name());
        let jitter = u32::from(Digest::of(seed.as_bytes()).byte());
        Some(Instant::now() + every * 3 / 4 + every * jitter / 512)
    }

    async fn break_down(&self, subject: &Subject, error: &ApplyError) {
        let (was_whole, is_new) = {
            let mut broken = self.broken.lock().expect("nobody panics holding this lock");
            let was_whole = broken.iter().all(Subject::is_for_show);
            (was_whole, broken.insert(subject.clone()))
        };
        if subject.is_for_show() {
            if is_new && was_whole {
                tracing::warn!("{subject} of `{}` cannot be watched: {error}", self.cluster.name());
            }
        } else if was_whole {
            self.tell(Event::Disconnected { reason: error.to_string() }).await;
        }
    }

    async fn mend(&self, subject: &Subject) {
        let is_whole = {
            let mut broken = self.broken.lock().expect("nobody panics holding this lock");
            broken.remove(subject)
                && !subject.is_for_show()
                && broken.iter().all(Subject::is_for_show)
        };
        if is_whole {
            self.tell(Event::Reconnected).await;
        }
    }
}

/// A pause that grows as long as nothing works.
struct Pace {
    next: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { next: SHORTEST_PAUSE }
    }
}

impl Pace {
    async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
    }
}
