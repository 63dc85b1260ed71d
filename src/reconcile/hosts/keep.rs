//! Keeps every host as the newest commit says. Each has a task of its own: one that hangs, or fails
//! again and again, keeps no other waiting. It is looked at when a commit asks something else of it,
//! and about as often as was asked for besides, so that what somebody changed there is put back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::apply::host::Access;
use crate::apply::host::HostError;
use crate::model::Digest;
use crate::model::Document;
use crate::model::Host;
use crate::model::Name;
use crate::model::host::HostResource;
use crate::plan::host::Ordered;
use crate::reconcile::desired::Desired;
use crate::reconcile::note::Note;
use crate::reconcile::note::State;
use crate::reconcile::pace;
use crate::reconcile::world::Clock;

use super::Order;
use super::approvals;
use super::converge;
use super::tell::Telling;
use super::wanted;

/// How many hosts are worked on at once.
const AT_ONCE: usize = 16;
/// How often it is looked whether a window has opened.
const WINDOW: Duration = Duration::from_secs(30);

/// Whoever knocks in vain more often is shut out by servers of today (`PerSourcePenalties` of
/// `sshd_config(5)`), and by fail2ban.
const AFTER_DENIAL: Duration = Duration::from_secs(75);

/// How hosts are reached, and how often they are looked at.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The file of the private key.
    pub key: PathBuf,
    pub every: Duration,
}

type Newest = watch::Receiver<Option<Arc<Desired>>>;

/// Keeps all hosts until nobody follows commits any more.
pub(in crate::reconcile) async fn keep(
    keeping: Keeping,
    mut newest: Newest,
    clock: Clock,
    notes: mpsc::UnboundedSender<Note>,
) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    // Whoever drops these ends what they do.
    let mut kept: BTreeMap<Name, JoinSet<()>> = BTreeMap::new();
    loop {
        let desired = newest.borrow_and_update().clone();
        if let Some(desired) = desired {
            // Who is not asked for any more says so, and ends by itself.
            kept.retain(|_, task| {
                while task.try_join_next().is_some() {}
                !task.is_empty()
            });
            let hosts = &desired.configuration.hosts;
            let new: Vec<Name> =
                hosts.keys().filter(|name| !kept.contains_key(*name)).cloned().collect();
            for name in new {
                let keeper = Keeper {
                    keeping: keeping.clone(),
                    clock: clock.clone(),
                    telling: Telling::new(name.clone(), clock.clone(), notes.clone()),
                    room: Arc::clone(&room),
                    name: name.clone(),
                };
                let mut task = JoinSet::new();
                task.spawn(keeper.keep(newest.clone()));
                kept.insert(name, task);
            }
        }
        if newest.changed().await.is_err() {
            return;
        }
    }
}

/// Whoever keeps one host.
struct Keeper {
    keeping: Keeping,
    clock: Clock,
    telling: Telling,
    room: Arc<Semaphore>,
    name: Name,
}

/// What a pass was made for.
#[derive(PartialEq)]
struct For {
    document: Digest,
    resources: Vec<HostResource>,
    approved: Vec<Digest>,
}

impl For {
    fn of(desired: &Desired, document: &Document<Host>, ordered: &Ordered) -> Self {
        let resources = ordered.resources.clone();
        Self { document: document.digest, resources, approved: approvals(desired) }
    }
}

impl Keeper {
    async fn keep(mut self, mut newest: Newest) {
        let mut failures = 0;
        let mut done: Option<For> = None;
        loop {
            let desired = newest.borrow_and_update().clone();
            let Some(desired) = desired else { return };
            let Some(document) = desired.configuration.hosts.get(&self.name) else {
                if desired.unsure.is_none() {
                    return self.telling.gone();
                }
                if newest.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let wait = match wanted(&desired, &self.name) {
                Err(findings) => {
                    self.telling.held(&desired.commit, &findings);
                    None
                }
                Ok(ordered) => {
                    let asked = For::of(&desired, document, &ordered);
                    let retry = failures > 0 && done.as_ref() == Some(&asked);
                    let (state, at_least) = self.pass(&desired, document, &ordered, retry).await;
                    done = Some(asked);
                    failures = if state == State::Failing { failures + 1 } else { 0 };
                    Some(self.wait(state, failures).max(at_least))
                }
            };
            if !self.rest(wait, &mut newest, done.as_ref()).await {
                return;
            }
        }
    }

    /// One pass, and what is told of it: where the host stands, and how long it is left alone at
    /// least.
    async fn pass(
        &mut self,
        desired: &Desired,
        document: &Document<Host>,
        ordered: &Ordered,
        retry: bool,
    ) -> (State, Duration) {
        let access = match Access::of(document, &self.keeping.key) {
            Ok(access) => access,
            Err(error) => {
                let state = self.telling.failed(&desired.commit, &error.to_string());
                return (state, Duration::ZERO);
            }
        };
        let _room = self.room.acquire().await;
        let window = document.spec.maintenance.as_ref();
        let approved = approvals(desired);
        let order = Order {
            who: "the daemon",
            commit: &desired.commit,
            approved: &approved,
            may_change: window.is_none_or(|window| window.is_open(self.clock.now())),
        };
        let mut run = self.telling.begin(&desired.commit, retry);
        let pass =
            converge(access, ordered, &order, &mut |plan, event| run.hear(plan, event)).await;
        let is_denied = matches!(pass, Err(HostError::Denied { .. }));
        let state = self.telling.end(run, &pass, window);
        (state, if is_denied { AFTER_DENIAL } else { Duration::ZERO })
    }

    /// How long nothing has to be done, as far as anybody knows.
    fn wait(&self, state: State, failures: u32) -> Duration {
        // Hosts with different names are not looked at all at once.
        let jitter = Digest::of(self.name.as_str().as_bytes()).byte();
        match state {
            State::Failing => pace::wait(failures, jitter),
            State::Waiting => WINDOW,
            _ => self.keeping.every.saturating_sub(self.keeping.every / 1024 * u32::from(jitter)),
        }
    }

    /// Rests until the time has come, or a commit asks something else of this host. Says whether
    /// to go on.
    async fn rest(&self, wait: Option<Duration>, newest: &mut Newest, done: Option<&For>) -> bool {
        let deadline = wait.map(|wait| tokio::time::Instant::now() + wait);
        loop {
            let changed = match deadline {
                None => newest.changed().await,
                Some(deadline) => tokio::select! {
                    changed = newest.changed() => changed,
                    () = tokio::time::sleep_until(deadline) => return true,
                },
            };
            if changed.is_err() {
                return false;
            }
            let desired = newest.borrow_and_update().clone();
            let Some(desired) = desired else { return false };
            let same = desired.configuration.hosts.get(&self.name).is_some_and(|document| {
                wanted(&desired, &self.name)
                    .is_ok_and(|ordered| done == Some(&For::of(&desired, document, &ordered)))
            });
            if !same {
                return true;
            }
        }
    }
}
