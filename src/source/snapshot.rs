//! Reads a commit into a snapshot: documents and templates, from Git objects. A snapshot of a
//! commit like an earlier one shares with it every file that did not change.

use std::collections::BTreeMap;
use std::sync::Arc;

use git2::Oid;
use git2::Repository;

use crate::model::Commit;
use crate::model::Snapshot;
use crate::model::snapshot::File;
use crate::model::snapshot::Unread;
use crate::model::snapshot::holds_documents;
use crate::model::yaml::LARGEST_FILE;

use super::SourceError;
use super::tree;
use super::tree::LargeFolders;
use super::tree::Leaf;
use super::tree::LeafKind;
use super::tree::Stopped;
use super::tree::Visit;

/// How many files one commit may have us read.
const MOST_FILES: usize = 1_000_000;
/// How many bytes they may have together.
const MOST_BYTES: usize = 1 << 30;

/// A snapshot and the tree it was read from.
#[derive(Clone, Debug)]
pub(super) struct Read {
    tree: Oid,
    large: LargeFolders,
    pub(super) snapshot: Arc<Snapshot>,
}

/// Reads a commit, starting from what is known of another one.
pub(super) fn read(
    repository: &Repository,
    folder: &str,
    commit: &Commit,
    known: Option<&Read>,
) -> Result<Read, SourceError> {
    let tree = sub_tree(repository, folder, commit)?;
    let (old, mut large, files) = match known {
        Some(known) => (Some(known.tree), known.large.clone(), known.snapshot.files.clone()),
        None => (None, LargeFolders::default(), BTreeMap::new()),
    };
    let bytes = files.values().map(|file| file.content.len()).sum();
    let snapshot = Snapshot { commit: commit.clone(), files };
    let mut reader = Reader { repository, odb: repository.odb()?, snapshot, bytes };
    match tree::compare(repository, &mut large, old, Some(tree), &mut reader) {
        Ok(()) => Ok(Read { tree, large, snapshot: Arc::new(reader.snapshot) }),
        Err(Stopped::TooMany(most)) => Err(SourceError::TooMuch {
            commit: commit.clone(),
            what: "more paths than can be meant",
            most,
        }),
        Err(Stopped::Because(error)) => Err(error),
    }
}

/// The tree of a commit, or of a folder in it.
pub(super) fn sub_tree(
    repository: &Repository,
    folder: &str,
    commit: &Commit,
) -> Result<Oid, SourceError> {
    let root = repository.find_commit(Oid::from_str(commit.as_str())?)?.tree()?;
    if folder.is_empty() {
        return Ok(root.id());
    }
    let found = root.get_path(std::path::Path::new(folder)).ok();
    found
        .filter(|entry| entry.kind() == Some(git2::ObjectType::Tree))
        .map(|entry| entry.id())
        .ok_or_else(|| SourceError::NoFolder { folder: folder.to_owned(), commit: commit.clone() })
}

struct Reader<'a> {
    repository: &'a Repository,
    odb: git2::Odb<'a>,
    snapshot: Snapshot,
    bytes: usize,
}

impl Visit for Reader<'_> {
    fn opens(&self, folder: &str) -> bool {
        may_concern(folder)
    }

    fn differs(
        &mut self,
        path: &str,
        _old: Option<Leaf>,
        new: Option<Leaf>,
    ) -> Result<(), SourceError> {
        let file = match new {
            Some(leaf) => self.file(path, leaf)?,
            None => None,
        };
        let before = match file {
            Some(file) => {
                self.bytes += file.content.len();
                self.snapshot.files.insert(Arc::clone(&file.path), file)
            }
            None => self.snapshot.files.remove(path),
        };
        self.bytes -= before.map_or(0, |file| file.content.len());
        let too_much = |what, most| {
            Err(SourceError::TooMuch { commit: self.snapshot.commit.clone(), what, most })
        };
        if self.snapshot.files.len() > MOST_FILES {
            return too_much("too many files", MOST_FILES);
        }
        if self.bytes > MOST_BYTES {
            return too_much("too many bytes", MOST_BYTES);
        }
        Ok(())
    }
}

impl Reader<'_> {
    fn file(&self, path: &str, leaf: Leaf) -> Result<Option<File>, SourceError> {
        let unread = match leaf.kind {
            LeafKind::File if !concerns(path) => return Ok(None),
            LeafKind::File if tree::was_escaped(path) => Some(unprintable()),
            LeafKind::File => {
                let (size, _) = self.odb.read_header(leaf.id)?;
                (size > LARGEST_FILE).then(|| too_large(size))
            }
            LeafKind::Link if may_stand_for_documents(path) => Some(link()),
            LeafKind::Link => return Ok(None),
            LeafKind::Repository => Some(repository()),
            LeafKind::Folder => Some(too_deep()),
        };
        let path: Arc<str> = path.into();
        Ok(Some(match unread {
            Some(unread) => File::unread(path, leaf.id.as_bytes(), unread),
            None => File::new(path, self.repository.find_blob(leaf.id)?.content().into()),
        }))
    }
}

/// Whether a file is part of a snapshot.
pub(super) fn concerns(path: &str) -> bool {
    holds_documents(path) || path.starts_with("templates/")
}

/// Whether a folder can have files that are part of a snapshot.
pub(super) fn may_concern(folder: &str) -> bool {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    !name.starts_with('.') || folder.starts_with("templates/")
}

/// Whether what is behind a link could be documents: one that looks like a file of them, or like
/// a folder. Nobody could tell from a commit in which they are gone that nobody wants them gone.
pub(super) fn may_stand_for_documents(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    concerns(path) || !name.contains('.')
}

pub(super) fn too_large(size: usize) -> Unread {
    let message = format!("the file has {size} bytes; at most {LARGEST_FILE} are read");
    Unread { message, help: "split it into several files" }
}

pub(super) fn link() -> Unread {
    let message = "symbolic links are not followed".to_owned();
    Unread { message, help: "put the files themselves here" }
}

pub(super) fn unprintable() -> Unread {
    let message = "the name of the file is not UTF-8, or holds a control character".to_owned();
    Unread { message, help: "rename it" }
}

pub(super) fn too_deep() -> Unread {
    let message = "this folder is nested too deep to be read".to_owned();
    Unread { message, help: "nest folders less" }
}

fn repository() -> Unread {
    let message = "files of a submodule are not read".to_owned();
    Unread { message, help: "put the files into this repository" }
}
