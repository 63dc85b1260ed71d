//! The guard of history: which commit was last taken, written down so that a rewritten branch is
//! noticed after a restart as well.

use std::io;
use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use crate::model::Commit;

use super::SourceError;
use super::objects::Objects;

/// The reference that keeps the objects of the last taken commit, wherever the branch goes.
const ACCEPTED: &str = "refs/tenantry/accepted";

/// The branch's head does not come after what was last taken. Somebody rewrote history, and
/// what the new one leaves out may be running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rewritten {
    pub from: Commit,
    pub to: Commit,
}

impl std::fmt::Display for Rewritten {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "the branch was rewritten: {} does not come after {}, where everything stays; accept it with \
             `tenantry accept {}` or push a branch that contains {}",
            self.to.short(),
            self.from.short(),
            self.to,
            self.from.short()
        )
    }
}

/// Remembers the last taken commit in a file, and holds its objects by a reference.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) file: PathBuf,
}

impl Guard {
    /// The commit that was last taken, where one was.
    pub(super) fn read(&self) -> Result<Option<Commit>, SourceError> {
        match std::fs::read_to_string(&self.file) {
            Ok(text) => Ok(commit(text.trim())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Writes down that a commit is taken.
    pub(super) async fn write(
        &self,
        objects: &Objects,
        commit: &Commit,
    ) -> Result<(), SourceError> {
        if objects.has(commit).await? {
            objects.set_reference(ACCEPTED, commit).await?;
        }
        self.replace(commit).map_err(|error| self.failed(error))
    }

    /// All or nothing: half a commit's id must never be read.
    fn replace(&self, commit: &Commit) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(&self.file);
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{commit}")?;
        file.as_file().sync_all()?;
        file.persist(&self.file)?;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> SourceError {
        SourceError::Cache { folder: self.file.clone(), source }
    }
}

fn commit(text: &str) -> Option<Commit> {
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hexadecimal && matches!(text.len(), 40 | 64)).then(|| Commit::new(text))
}
