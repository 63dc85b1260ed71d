//! Git: where commits come from. A commit arrives by webhook, by poll, or by a file watch on a
//! local repository, and is read into a [`Snapshot`] from Git objects, never from a work tree.
//!
//! ```text
//! remote ──(git fetch)──► mirror ──(objects)──► Snapshot
//!                            └── guard: does the head come after what was last taken?
//! ```
//!
//! What the portal changes goes the other way: a [`Remote`] also writes commits and pushes them.
//!
//! What was last taken stays what is wanted while the remote is away, the branch is gone, or its
//! history was rewritten.

pub mod address;
pub mod commits;
pub mod error;
pub mod folder;
pub mod guard;
pub mod objects;
pub mod settings;
pub mod state;
pub mod watch;
pub mod webhook;

mod mirror;
mod push;
mod remote;
mod snapshot;
mod tree;
mod wire;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::Notify;

use crate::model::Commit;
use crate::model::Snapshot;

pub use address::Address;
pub use commits::CommitFacts;
pub use commits::PathChange;
pub use commits::Person;
pub use error::SourceError;
pub use folder::folder;
pub use guard::Rewritten;
pub use objects::Objects;
pub(crate) use objects::blocking;
pub use remote::Pushed;
pub use remote::Remote;
pub use remote::Scribe;
pub use settings::Settings;
pub use state::State;
pub use watch::Watch;
pub use write::NewCommit;
pub use write::Sign;

use guard::Guard;
use state::Told;

/// A repository and the branch that is followed. Clones are the same source.
#[derive(Clone, Debug)]
pub struct Source {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    remote: Remote,
    guard: Guard,
    /// The commit that was last taken. The lock is for a moment; looking has a lock of its own.
    accepted: Mutex<Option<Commit>>,
    looking: tokio::sync::Mutex<()>,
    nudge: Notify,
    told: Told,
}

/// What the branch is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A commit that comes after all that were taken before. It is taken.
    Taken(Commit),
    /// It does not, and waits for [`Source::accept`].
    Refused(Rewritten),
}

impl Source {
    /// Prepares the mirror in the cache folder. It reaches no remote yet.
    pub async fn open(settings: Settings, cache: &Path) -> Result<Self, SourceError> {
        let cache = cache.to_owned();
        blocking(move || Self::prepare(settings, &cache)).await
    }

    fn prepare(settings: Settings, cache: &Path) -> Result<Self, SourceError> {
        let remote = Remote::prepare(settings, cache)?;
        let guard = Guard { file: remote.mirror.accepted() };
        let accepted = guard.read()?;
        let shared = Shared {
            remote,
            told: Told::new(accepted.clone()),
            accepted: Mutex::new(accepted),
            looking: tokio::sync::Mutex::default(),
            nudge: Notify::new(),
            guard,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub fn settings(&self) -> &Settings {
        self.shared.remote.settings()
    }

    /// The commits that were fetched.
    pub fn objects(&self) -> &Objects {
        self.shared.remote.objects()
    }

    /// The commit that was last taken, now or by an earlier run.
    pub fn accepted(&self) -> Option<Commit> {
        self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the commit that was last taken, as somebody else remembers it. It counts only where
    /// the cache remembers none: a lost cache must not open the door to a rewritten history.
    pub async fn remember(&self, last: &Commit) -> Result<(), SourceError> {
        let _alone = self.shared.looking.lock().await;
        if self.accepted().is_some() {
            return Ok(());
        }
        self.take(last).await
    }

    /// Looks at the branch once: fetches it and judges its head.
    pub async fn look(&self) -> Result<Head, SourceError> {
        let _alone = self.shared.looking.lock().await;
        let outcome = self.look_alone().await;
        self.shared.told.looked(&self.settings().repository, &outcome, self.accepted());
        outcome
    }

    async fn look_alone(&self) -> Result<Head, SourceError> {
        let Shared { remote, guard, .. } = &*self.shared;
        let objects = remote.objects();
        // Another process, such as `tenantry accept`, may have had a word.
        if let Some(written) = guard.read()? {
            self.set_accepted(written);
        }
        let head = remote.fetch().await?;
        let Some(last) = self.accepted() else {
            self.take(&head).await?;
            return Ok(Head::Taken(head));
        };
        if head == last {
            return Ok(Head::Taken(head));
        }
        if objects.descends(&head, &last).await? {
            self.take(&head).await?;
            return Ok(Head::Taken(head));
        }
        self.keep(&last).await;
        Ok(Head::Refused(Rewritten { from: last, to: head }))
    }

    /// After a lost cache and a rewritten branch nothing leads to the last taken commit any more;
    /// many servers still hand it out by its id.
    async fn keep(&self, last: &Commit) {
        let Shared { remote, guard, .. } = &*self.shared;
        let objects = remote.objects();
        if !objects.has(last).await.unwrap_or(true)
            && remote.wire.fetch_commit(last.as_str()).await.is_ok()
            && let Err(error) = guard.write(objects, last).await
        {
            tracing::warn!("commit {} could not be kept: {error}", last.short());
        }
    }

    async fn take(&self, commit: &Commit) -> Result<(), SourceError> {
        self.shared.guard.write(self.objects(), commit).await?;
        self.set_accepted(commit.clone());
        Ok(())
    }

    fn set_accepted(&self, commit: Commit) {
        *self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(commit);
    }

    /// Takes the head of a rewritten branch, if it is exactly this commit. The watch tells of it
    /// as of any new head.
    pub async fn accept(&self, commit: &Commit) -> Result<(), SourceError> {
        let _alone = self.shared.looking.lock().await;
        let outcome = self.look_alone().await;
        self.shared.told.looked(&self.settings().repository, &outcome, self.accepted());
        let waiting = match outcome? {
            Head::Taken(head) if head == *commit => return Ok(()),
            Head::Taken(_) => None,
            Head::Refused(rewritten) => Some(rewritten.to),
        };
        if waiting.as_ref() != Some(commit) {
            return Err(SourceError::NothingToAccept { asked: commit.clone(), waiting });
        }
        self.take(commit).await?;
        let accepted = Ok(Head::Taken(commit.clone()));
        self.shared.told.looked(&self.settings().repository, &accepted, self.accepted());
        self.look_now();
        Ok(())
    }

    /// Reads the documents and templates of a commit, sharing what did not change since the last.
    pub async fn snapshot(&self, commit: &Commit) -> Result<Arc<Snapshot>, SourceError> {
        self.objects().snapshot(commit).await
    }

    /// The commit that a name stands for. What is not known here is looked for at the remote.
    pub async fn resolve(&self, name: &str) -> Result<Commit, SourceError> {
        match self.objects().resolve(name).await {
            Err(SourceError::NoSuchRevision { .. }) => {
                self.shared.remote.wire.fetch_everything().await?;
                self.objects().resolve(name).await
            }
            resolved => resolved,
        }
    }

    /// Has the watch look at once, because somebody said that there is something to see.
    pub fn look_now(&self) {
        self.shared.nudge.notify_one();
    }

    /// How the source stands, and every change of that.
    pub fn state(&self) -> tokio::sync::watch::Receiver<State> {
        self.shared.told.listen()
    }
}
