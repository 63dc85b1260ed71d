//! Follows the edges: commits from Git, what happens in clusters, what there is of databases.
//! Each edge has a task of its own that only tells the junction; none of them waits for another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::apply::cluster::watch::Event as Seen;
use crate::apply::cluster::watch::Watches;
use crate::history::Recorder;
use crate::model::Configuration;
use crate::model::Digest;
use crate::model::Name;
use crate::source::Source;
use crate::source::state::Reach;

use super::Event;
use super::Junction;
use super::answer::Documented;
use super::answer::keep_asking;
use super::desired::Desired;
use super::desired::advance;
use super::meter::Followed;
use super::note::HISTORY;
use super::note::Note;
use super::note::REPOSITORY;
use super::pace;
use super::targets::ClusterTarget;
use super::targets::Kubeconfigs;
use super::world::Clock;
use super::world::Target as _;

/// How often databases are looked at: no watch tells of them.
const LOOK_AT_DATABASES: Duration = Duration::from_mins(5);
/// How often a kubeconfig is looked for that was not there or could not be read.
const LOOK_FOR_CREDENTIALS: Duration = Duration::from_secs(15);

/// Whom it is told.
pub struct Told {
    pub notes: mpsc::UnboundedSender<Note>,
    /// What is desired, for who else wants to know.
    pub taken: watch::Sender<Option<Arc<Desired>>>,
    /// The clusters that are followed, for who measures them.
    pub clusters: watch::Sender<Followed>,
}

/// Follows the branch for ever: each head becomes what is desired, the newest first.
pub async fn follow(
    source: Source,
    junction: Junction<ClusterTarget>,
    kubeconfigs: Kubeconfigs,
    clock: Clock,
    verify_every: Duration,
    Told { notes, taken, clusters: shown }: Told,
) {
    let mut heads = source.watch();
    let mut clusters = Clusters {
        junction: junction.clone(),
        kubeconfigs,
        verify_every,
        documents: watch::Sender::new(None),
        followed: BTreeMap::new(),
        unusable: BTreeMap::new(),
        shown,
        notes: notes.clone(),
        clock: clock.clone(),
    };
    let mut desired: Option<Arc<Desired>> = None;
    let mut unreadable: Option<String> = None;
    let mut failures = 0;
    let mut head = heads.next().await;
    loop {
        let snapshot = match source.snapshot(&head).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                failures += 1;
                tell_unreadable(&mut unreadable, Some(error.to_string()), &clock, &notes);
                tokio::select! {
                    next = heads.next() => head = next,
                    () = tokio::time::sleep(pace::wait(failures, 0)) => {}
                }
                continue;
            }
        };
        failures = 0;
        tell_unreadable(&mut unreadable, None, &clock, &notes);
        if let Ok(facts) = source.objects().facts(&head).await {
            let _ = notes.send(Note::Seen { facts: Box::new(facts), refused_from: None });
        }
        let (previous, now) = (desired.clone(), clock.now());
        let work = move || {
            let desired = Arc::new(advance(previous.as_deref(), &snapshot, now));
            Documented::new(desired, &snapshot)
        };
        let documented =
            tokio::task::spawn_blocking(work).await.expect("going to a commit does not panic");
        let next = Arc::clone(&documented.desired);
        clusters.follow(&next.configuration).await;
        junction.tell(Event::Desired(Arc::clone(&next)));
        taken.send_replace(Some(Arc::clone(&next)));
        clusters.documents.send_replace(Some(documented));
        let configuration = Arc::clone(&next.configuration);
        desired = Some(next);
        head = loop {
            tokio::select! {
                next = heads.next() => break next,
                () = tokio::time::sleep(LOOK_FOR_CREDENTIALS), if !clusters.unusable.is_empty() => {
                    clusters.follow(&configuration).await;
                }
            }
        };
    }
}

/// Tells that the newest commit cannot be read: once, and when that is over.
fn tell_unreadable(
    known: &mut Option<String>,
    why: Option<String>,
    clock: &Clock,
    notes: &mpsc::UnboundedSender<Note>,
) {
    if *known != why {
        known.clone_from(&why);
        let what = "the newest commit".to_owned();
        let _ = notes.send(Note::Reach { what, away: why, at: clock.now() });
    }
}

/// Connections to the clusters that the documents name.
struct Clusters {
    junction: Junction<ClusterTarget>,
    kubeconfigs: Kubeconfigs,
    verify_every: Duration,
    documents: watch::Sender<Option<Documented>>,
    followed: BTreeMap<Name, Following>,
    /// Clusters whose credentials are not there or cannot be read, and why.
    unusable: BTreeMap<Name, String>,
    /// Who else looks at the clusters.
    shown: watch::Sender<Followed>,
    notes: mpsc::UnboundedSender<Note>,
    clock: Clock,
}

struct Following {
    /// The document it was connected for.
    digest: Digest,
    target: Arc<ClusterTarget>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Clusters {
    /// Connects to clusters that are new or have changed, and lets go of those that are gone.
    async fn follow(&mut self, configuration: &Configuration) {
        let documents = &configuration.clusters;
        self.followed.retain(|name, followed| {
            let document = documents.get(name);
            if document.is_none() {
                let none = Note::Answered { cluster: name.clone(), findings: Vec::new() };
                let _ = self.notes.send(none);
            }
            document.is_some_and(|document| document.digest == followed.digest)
        });
        let mut unusable = BTreeMap::new();
        for (name, document) in documents {
            if self.followed.contains_key(name) {
                continue;
            }
            match ClusterTarget::connect(document, &self.kubeconfigs).await {
                Ok(target) => {
                    let (digest, target) = (document.digest, Arc::new(target));
                    self.followed
                        .insert(name.clone(), Following { digest, target, tasks: Vec::new() });
                }
                Err(why) => {
                    unusable.insert(name.clone(), why);
                }
            }
        }
        self.tell_unusable(unusable);
        let targets: Followed = self
            .followed
            .iter()
            .map(|(name, followed)| (name.clone(), Arc::clone(&followed.target)))
            .collect();
        self.shown.send_replace(targets.clone());
        // Of a cluster that the junction does not know, it would hear nothing.
        self.junction.tell(Event::Targets(targets));
        for (name, followed) in &mut self.followed {
            if followed.tasks.is_empty() {
                let ways = Ways {
                    name: name.clone(),
                    target: Arc::clone(&followed.target),
                    junction: self.junction.clone(),
                    notes: self.notes.clone(),
                };
                followed.tasks = ways.follow(self.verify_every, self.documents.subscribe());
            }
        }
    }

    /// Tells of clusters to which there are no credentials: each once, and when that is over.
    fn tell_unusable(&mut self, unusable: BTreeMap<Name, String>) {
        let tell = |name: &Name, away: Option<String>| {
            let what = format!("cluster {name}");
            let _ = self.notes.send(Note::Reach { what, away, at: self.clock.now() });
        };
        for (name, why) in &unusable {
            if self.unusable.get(name) != Some(why) {
                tell(name, Some(why.clone()));
            }
        }
        for name in self.unusable.keys().filter(|name| !unusable.contains_key(*name)) {
            tell(name, None);
        }
        self.unusable = unusable;
    }
}

/// A cluster that is followed, and who is told of it.
#[derive(Clone)]
struct Ways {
    name: Name,
    target: Arc<ClusterTarget>,
    junction: Junction<ClusterTarget>,
    notes: mpsc::UnboundedSender<Note>,
}

impl Ways {
    fn follow(
        self,
        verify_every: Duration,
        documents: watch::Receiver<Option<Documented>>,
    ) -> Vec<JoinHandle<()>> {
        let (connected, connections) = watch::channel(0);
        let Self { name, target, junction, notes } = self.clone();
        vec![
            tokio::spawn(self.watch(verify_every, connected)),
            tokio::spawn(look_at_databases(name.clone(), Arc::clone(&target), junction)),
            tokio::spawn(keep_asking(name, target, connections, documents, notes)),
        ]
    }

    /// Tells what the watches see, and counts how often the cluster came within reach.
    async fn watch(self, verify_every: Duration, connected: watch::Sender<u64>) {
        let Self { name, target, junction, notes } = self;
        let (_watches, mut events) = Watches::start_verifying(target.cluster(), Some(verify_every));
        while let Some(event) = events.recv().await {
            if matches!(event, Seen::Synced | Seen::Reconnected) {
                connected.send_modify(|count| *count += 1);
            }
            junction.tell(match event {
                Seen::Synced => Event::Synced(name.clone()),
                Seen::Changed { unit, .. } | Seen::Gone { unit, .. } => {
                    Event::Changed(name.clone(), unit)
                }
                Seen::Inventory { unit } => Event::Inventory(name.clone(), unit),
                Seen::Disconnected { reason } => Event::Away(name.clone(), Some(reason)),
                Seen::Reconnected => Event::Away(name.clone(), None),
                Seen::Verified { what, missed } => {
                    let _ = notes.send(Note::Verified { cluster: name.clone(), what, missed });
                    continue;
                }
            });
        }
    }
}

/// Tells the junction what there is of databases, now and then.
async fn look_at_databases(
    name: Name,
    target: Arc<ClusterTarget>,
    junction: Junction<ClusterTarget>,
) {
    let mut failures = 0;
    loop {
        let looked = target.look_at_databases().await;
        let wait = if looked.is_ok() {
            failures = 0;
            LOOK_AT_DATABASES
        } else {
            failures += 1;
            pace::wait(failures, 0)
        };
        let is_well = looked.is_ok();
        junction.tell(Event::Databases(name.clone(), looked));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // While they are known to be away, every write that fails says no more than that.
            () = target.databases_in_doubt(), if is_well => {}
        }
    }
}

/// Tells when the repository comes and goes, and when its branch was rewritten.
pub async fn follow_state(source: Source, clock: Clock, notes: mpsc::UnboundedSender<Note>) {
    let mut states = source.state();
    let (mut was_away, mut refused) = (false, None);
    loop {
        let state = states.borrow_and_update().clone();
        let away = match &state.reach {
            Reach::Unreachable { why, .. } => Some(why.clone()),
            Reach::Unknown | Reach::Reachable { .. } => None,
        };
        if away.is_some() != was_away {
            was_away = away.is_some();
            let what = REPOSITORY.to_owned();
            let _ = notes.send(Note::Reach { what, away, at: clock.now() });
        }
        if state.refused != refused {
            refused.clone_from(&state.refused);
            let (head, refused_from) = match state.refused {
                Some(rewritten) => (Some(rewritten.to), Some(rewritten.from)),
                // Somebody put the branch back: what was taken before is its head again.
                None => (state.accepted, None),
            };
            if let Some(head) = head
                && let Ok(facts) = source.objects().facts(&head).await
            {
                let _ = notes.send(Note::Seen { facts: Box::new(facts), refused_from });
            }
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

/// Tells when the history's database comes and goes.
pub async fn follow_history(recorder: Recorder, clock: Clock, notes: mpsc::UnboundedSender<Note>) {
    let Some(store) = recorder.store() else { return };
    let mut states = store.database().state();
    let mut was_away = false;
    loop {
        let away = states.borrow_and_update().away().map(str::to_owned);
        if away.is_some() != was_away {
            was_away = away.is_some();
            let what = HISTORY.to_owned();
            let _ = notes.send(Note::Reach { what, away, at: clock.now() });
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}
