//! A remote and the mirror of it: one fetches, the other pushes, and both read the same objects.

use std::path::Path;

use crate::model::Commit;

use super::Address;
use super::NewCommit;
use super::Objects;
use super::Settings;
use super::Sign;
use super::SourceError;
use super::mirror::Mirror;
use super::objects::blocking;
use super::settings::Branch;
use super::wire::Wire;

/// A remote repository, and what was fetched of it.
#[derive(Debug)]
pub struct Remote {
    pub(super) settings: Settings,
    pub(super) mirror: Mirror,
    pub(super) wire: Wire,
    objects: Objects,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The branch is where it was asked to be.
    Done,
    /// The branch was not where it was thought to be; nothing changed.
    Moved,
}

impl Remote {
    /// Prepares the mirror in the cache folder. It reaches no remote yet. No two remotes share a
    /// cache folder at a time.
    pub async fn open(settings: Settings, cache: &Path) -> Result<Self, SourceError> {
        let cache = cache.to_owned();
        blocking(move || Self::prepare(settings, &cache)).await
    }

    pub(super) fn prepare(mut settings: Settings, cache: &Path) -> Result<Self, SourceError> {
        if let Address::Folder(folder) = &settings.repository {
            let absolute = std::path::absolute(folder)
                .map_err(|source| SourceError::Folder { path: folder.clone(), source })?;
            settings.repository = Address::Folder(absolute);
        }
        let mirror = Mirror::of(&settings.repository, cache)?;
        mirror.prepare(settings.branch.as_str())?;
        let wire = Wire {
            address: settings.repository.clone(),
            login: settings.login.clone(),
            limit: settings.fetch_timeout.0,
            mirror: mirror.repository(),
            configuration: mirror.configuration(),
        };
        let objects = Objects::at(mirror.repository(), settings.path.clone());
        Ok(Self { settings, mirror, wire, objects })
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The commits that were fetched or made here.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Fetches the branch that is followed, and says where it is.
    pub async fn fetch(&self) -> Result<Commit, SourceError> {
        let branch = &self.settings.branch;
        match self.wire.fetch_branch(branch).await {
            Err(SourceError::Broken { folder, detail }) => {
                tracing::warn!(%detail, "the mirror in {} is broken and is made anew", folder.display());
                self.mirror.remake(branch.as_str())?;
                self.wire.fetch_branch(branch).await?;
            }
            Err(SourceError::Locked) => {
                // Short of a lock that was left behind, it is a matter of milliseconds.
                self.mirror.remove_stale_locks();
                self.wire.fetch_branch(branch).await?;
            }
            fetched => fetched?,
        }
        self.objects.resolve(&branch.reference()).await
    }

    /// Fetches another branch; none where the remote does not have it.
    pub async fn fetch_other(&self, branch: &Branch) -> Result<Option<Commit>, SourceError> {
        match self.wire.fetch_branch(branch).await {
            Err(SourceError::BranchMissing { .. } | SourceError::Empty { .. }) => return Ok(None),
            fetched => fetched?,
        }
        self.objects.resolve(&branch.reference()).await.map(Some)
    }

    /// Moves a branch of the remote from one commit to another; from none where it is to be made.
    /// Nothing happens where it is somewhere else by then.
    pub async fn push(
        &self,
        branch: &Branch,
        from: Option<&Commit>,
        to: &Commit,
    ) -> Result<Pushed, SourceError> {
        let pushed = self.wire.push(branch, from, to).await?;
        if pushed == Pushed::Done && *branch == self.settings.branch {
            self.objects.set_reference(&branch.reference(), to).await?;
        }
        Ok(pushed)
    }

    /// Opens the objects to write commits, on a thread that may block.
    pub fn scribe(&self) -> Result<Scribe, SourceError> {
        Ok(Scribe { repository: self.objects.open()?, objects: self.objects.clone() })
    }

    /// Packs the mirror when it has grown untidy.
    pub async fn tidy(&self) -> Result<(), SourceError> {
        self.wire.tidy().await
    }
}

/// Writes commits into the mirror. They go to the remote with [`Remote::push`].
pub struct Scribe {
    repository: git2::Repository,
    objects: Objects,
}

impl Scribe {
    /// Writes a commit on top of its parent; the files go below the folder that is read.
    pub fn write(
        &self,
        new: &NewCommit<'_>,
        sign: Option<Sign<'_>>,
    ) -> Result<Commit, SourceError> {
        self.objects.write(&self.repository, new, sign)
    }
}
