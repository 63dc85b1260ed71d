//! Reads a folder that is not committed into a snapshot, for whoever wants to know before the commit.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::model::Commit;
use crate::model::Snapshot;
use crate::model::snapshot::File;
use crate::model::snapshot::Unread;
use crate::model::yaml::LARGEST_FILE;

use super::SourceError;
use super::snapshot;

const DEEPEST: usize = 64;

/// Reads the documents and templates below a folder, as if it were the root of a repository.
/// What a commit of it would not read, links among others, is not read here either.
pub fn folder(root: &Path) -> Result<Snapshot, SourceError> {
    let mut reader = Reader { files: BTreeMap::new() };
    reader.read_folder(root, "", 0)?;
    Ok(Snapshot { commit: Commit::new("uncommitted"), files: reader.files })
}

struct Reader {
    files: BTreeMap<Arc<str>, File>,
}

impl Reader {
    fn read_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        depth: usize,
    ) -> Result<(), SourceError> {
        let entries = std::fs::read_dir(folder).map_err(|source| failed(folder, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| failed(folder, source))?;
            let kind = entry.file_type().map_err(|source| failed(&entry.path(), source))?;
            let name = entry.file_name();
            let readable = name.to_str().is_some_and(|name| !name.contains(char::is_control));
            let path = format!("{prefix}{}", name.to_string_lossy());
            if kind.is_dir() {
                if !snapshot::may_concern(&path) {
                } else if depth < DEEPEST {
                    self.read_folder(&entry.path(), &format!("{path}/"), depth + 1)?;
                } else {
                    self.leave_out(&path, snapshot::too_deep());
                }
            } else if kind.is_symlink() && snapshot::may_stand_for_documents(&path) {
                self.leave_out(&path, snapshot::link());
            } else if kind.is_file() && snapshot::concerns(&path) {
                if readable {
                    self.read_file(&entry.path(), &path)?;
                } else {
                    self.leave_out(&path, snapshot::unprintable());
                }
            }
        }
        Ok(())
    }

    fn read_file(&mut self, file: &Path, path: &str) -> Result<(), SourceError> {
        let size = std::fs::metadata(file).map_err(|source| failed(file, source))?.len();
        match usize::try_from(size) {
            Ok(size) if size <= LARGEST_FILE => {
                let content = std::fs::read(file).map_err(|source| failed(file, source))?;
                let path: Arc<str> = path.into();
                self.files.insert(Arc::clone(&path), File::new(path, content.into()));
            }
            size => self.leave_out(path, snapshot::too_large(size.unwrap_or(usize::MAX))),
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &str, unread: Unread) {
        let path: Arc<str> = path.into();
        self.files.insert(Arc::clone(&path), File::unread(path, b"", unread));
    }
}

fn failed(path: &Path, source: io::Error) -> SourceError {
    SourceError::Folder { path: path.to_owned(), source }
}
