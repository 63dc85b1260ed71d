//! The commits of a repository on this machine, read on threads that may block.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use git2::Repository;

use crate::model::Commit;
use crate::model::Snapshot;

use super::SourceError;
use super::commits;
use super::commits::CommitFacts;
use super::commits::PathChange;
use super::settings::SubFolder;
use super::snapshot;
use super::snapshot::Read;
use super::write;
use super::write::Lists;
use super::write::NewCommit;
use super::write::Sign;

/// How many snapshots are kept to start the next one from: the two sides of a comparison.
const KEPT: usize = 2;

/// The commits of a repository on this machine. Clones share what was read.
#[derive(Clone, Debug)]
pub struct Objects {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    git: PathBuf,
    folder: SubFolder,
    recent: Mutex<Vec<Read>>,
    lists: Mutex<Lists>,
}

impl Objects {
    /// The commits of the repository whose work tree or `.git` is this folder, or is above it.
    pub async fn around(path: &Path, folder: SubFolder) -> Result<Self, SourceError> {
        let path = path.to_owned();
        let found = blocking(move || {
            Repository::discover(&path).map(|found| found.path().to_owned()).map_err(|error| {
                match error.code() {
                    git2::ErrorCode::NotFound => {
                        SourceError::NotARepository { address: path.display().to_string() }
                    }
                    _ => error.into(),
                }
            })
        });
        Ok(Self::at(found.await?, folder))
    }

    /// The commits whose objects lie in this folder.
    pub(super) fn at(git: PathBuf, folder: SubFolder) -> Self {
        Self {
            shared: Arc::new(Shared {
                git,
                folder,
                recent: Mutex::default(),
                lists: Mutex::default(),
            }),
        }
    }

    /// Reads the documents and templates of a commit.
    pub async fn snapshot(&self, commit: &Commit) -> Result<Arc<Snapshot>, SourceError> {
        let commit = commit.clone();
        self.with(move |shared, repository| shared.snapshot(repository, &commit)).await
    }

    /// The commit that a name stands for: a branch, a tag, a full or short id, `HEAD~1`.
    pub async fn resolve(&self, name: &str) -> Result<Commit, SourceError> {
        let name = name.to_owned();
        self.with(move |_, repository| commits::resolve(repository, &name)).await
    }

    /// What a commit says of itself.
    pub async fn facts(&self, commit: &Commit) -> Result<CommitFacts, SourceError> {
        let commit = commit.clone();
        self.with(move |_, repository| commits::facts(repository, &commit)).await
    }

    /// The commits that lead to `to` and not to `from`, newest first, at most so many.
    pub async fn log(
        &self,
        from: Option<&Commit>,
        to: &Commit,
        most: usize,
    ) -> Result<Vec<CommitFacts>, SourceError> {
        let (from, to) = (from.cloned(), to.clone());
        self.with(move |_, repository| commits::log(repository, from.as_ref(), &to, most)).await
    }

    /// The paths below our folder that differ between two commits, in order.
    pub async fn changed_paths(
        &self,
        from: Option<&Commit>,
        to: &Commit,
    ) -> Result<Vec<PathChange>, SourceError> {
        let (from, to) = (from.cloned(), to.clone());
        self.with(move |shared, repository| {
            commits::changed_paths(repository, shared.folder.as_str(), from.as_ref(), &to)
        })
        .await
    }

    /// Whether `new` is `old` or comes after it.
    pub async fn descends(&self, new: &Commit, old: &Commit) -> Result<bool, SourceError> {
        let (new, old) = (new.clone(), old.clone());
        self.with(move |_, repository| commits::descends(repository, &new, &old)).await
    }

    /// Whether the commit is here.
    pub(super) async fn has(&self, commit: &Commit) -> Result<bool, SourceError> {
        let commit = commit.clone();
        let id = move |repository: &Repository| {
            Ok(repository.find_commit(git2::Oid::from_str(commit.as_str())?).is_ok())
        };
        self.with(move |_, repository| id(repository)).await
    }

    /// Sets a reference, so that what it leads to is kept.
    pub(super) async fn set_reference(
        &self,
        name: &str,
        commit: &Commit,
    ) -> Result<(), SourceError> {
        let (name, commit) = (name.to_owned(), commit.clone());
        self.with(move |_, repository| {
            let id = git2::Oid::from_str(commit.as_str())?;
            repository.reference(&name, id, true, "tenantry")?;
            Ok(())
        })
        .await
    }

    /// Shows the messages of the commits that lead to `to` and not to `from`, newest first.
    pub async fn messages<T: Send + 'static>(
        &self,
        from: Option<&Commit>,
        to: &Commit,
        pick: impl Fn(&[u8]) -> Option<T> + Send + 'static,
    ) -> Result<Vec<(Commit, T)>, SourceError> {
        let (from, to) = (from.cloned(), to.clone());
        self.with(move |_, repository| commits::messages(repository, from.as_ref(), &to, pick))
            .await
    }

    /// For whoever works on many commits at once, on a thread that may block.
    pub(super) fn open(&self) -> Result<Repository, SourceError> {
        Ok(Repository::open(&self.shared.git)?)
    }

    /// Writes a commit on a thread that may block. No reference moves.
    pub(super) fn write(
        &self,
        repository: &Repository,
        new: &NewCommit<'_>,
        sign: Option<Sign<'_>>,
    ) -> Result<Commit, SourceError> {
        let mut lists = self.shared.lists.lock().unwrap_or_else(PoisonError::into_inner);
        write::commit(repository, &mut lists, self.shared.folder.as_str(), new, sign)
    }

    /// Opens the repository anew each time: it is cheap, and sees packs that came and went.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &Repository) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || work(&shared, &Repository::open(&shared.git)?)).await
    }
}

impl Shared {
    fn snapshot(
        &self,
        repository: &Repository,
        commit: &Commit,
    ) -> Result<Arc<Snapshot>, SourceError> {
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent().clone();
        if let Some(read) = known.iter().find(|read| read.snapshot.commit == *commit) {
            return Ok(Arc::clone(&read.snapshot));
        }
        let folder = self.folder.as_str();
        let read = match snapshot::read(repository, folder, commit, known.first()) {
            // The mirror may have been made anew without what was read before.
            Err(SourceError::Objects(_)) if !known.is_empty() => {
                snapshot::read(repository, folder, commit, None)?
            }
            read => read?,
        };
        let snapshot = Arc::clone(&read.snapshot);
        let mut recent = recent();
        recent.insert(0, read);
        recent.truncate(KEPT);
        Ok(snapshot)
    }
}

/// Does work that blocks, on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that ends cancels such work, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}
