//! The mirror: a bare repository in the cache folder that holds what was fetched. It may be lost
//! at any time; it is then made anew.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use git2::Repository;

use crate::model::Digest;

use super::SourceError;
use super::address::Address;

/// `git` holds a lock for milliseconds. One this old was left by a run that was cut short.
const STALE: Duration = Duration::from_mins(1);

/// The folder of the cache that belongs to one remote.
#[derive(Debug)]
pub(super) struct Mirror {
    folder: PathBuf,
}

impl Mirror {
    /// Makes the folder; the mirror in it is made by [`Mirror::prepare`].
    pub(super) fn of(address: &Address, cache: &Path) -> Result<Self, SourceError> {
        let cache = std::path::absolute(cache).map_err(|source| failed(cache, source))?;
        let name = Digest::of(address.to_string().as_bytes()).to_string();
        let folder = cache.join("repositories").join(name);
        std::fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
        Ok(Self { folder })
    }

    /// The bare repository.
    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("mirror.git")
    }

    /// What stands in for everybody's `~/.gitconfig`.
    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join("configuration")
    }

    /// The file that remembers the last taken commit; it outlives the mirror.
    pub(super) fn accepted(&self) -> PathBuf {
        self.folder.join("accepted")
    }

    /// Makes what is missing, and the whole mirror where it cannot be opened.
    pub(super) fn prepare(&self, head: &str) -> Result<(), SourceError> {
        // Whoever owns a local repository, we only read it, and run nothing of it.
        std::fs::write(self.configuration(), "[safe]\n\tdirectory = *\n")
            .map_err(|source| failed(&self.folder, source))?;
        if Repository::open_bare(self.repository()).is_err() {
            self.remake(head)?;
        }
        self.remove_stale_locks();
        Ok(())
    }

    /// Throws the mirror away and makes an empty one.
    pub(super) fn remake(&self, head: &str) -> Result<(), SourceError> {
        match std::fs::remove_dir_all(self.repository()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&self.repository(), error));
            }
            _ => {}
        }
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head(head);
        Repository::init_opts(self.repository(), &options)?;
        Ok(())
    }

    pub(super) fn remove_stale_locks(&self) {
        let mut folders = vec![self.repository()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                let name = entry.file_name();
                if kind.is_dir() && name != "objects" {
                    folders.push(entry.path());
                } else if name.as_encoded_bytes().ends_with(b".lock") && is_stale(&entry) {
                    // Another process of ours may be faster.
                    drop(std::fs::remove_file(entry.path()));
                }
            }
        }
    }
}

fn is_stale(entry: &std::fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > STALE))
}

fn failed(folder: &Path, source: io::Error) -> SourceError {
    SourceError::Cache { folder: folder.to_owned(), source }
}
