//! A snapshot: the files of one commit. It is read from Git objects, never from a work tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::digest::Digest;
use super::names::Commit;

/// One file of a commit.
#[derive(Clone, Debug)]
pub struct File {
    /// The path inside the repository, with `/` between its parts.
    pub path: Arc<str>,
    /// A digest of the content: equal digests mean equal content.
    pub digest: Digest,
    pub content: Arc<[u8]>,
    /// Why the content is not here, where it is not. It is then empty, and means nothing:
    /// nobody may conclude from it that a document is gone.
    pub unread: Option<Arc<Unread>>,
}

/// Why the content of a file was not read, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    pub message: String,
    pub help: &'static str,
}

impl File {
    /// A file with its content.
    pub fn new(path: Arc<str>, content: Arc<[u8]>) -> Self {
        Self { path, digest: Digest::of(&content), content, unread: None }
    }

    /// A file whose content was not read; `identity` tells one content from another.
    pub fn unread(path: Arc<str>, identity: &[u8], unread: Unread) -> Self {
        let (digest, unread) = (Digest::of(identity), Some(Arc::new(unread)));
        Self { path, digest, content: Arc::default(), unread }
    }

    /// Whether it holds documents, or might and was not read.
    pub fn may_hold_documents(&self) -> bool {
        self.unread.is_some() || holds_documents(&self.path)
    }
}

/// The files of one commit that concern us, by path.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub commit: Commit,
    pub files: BTreeMap<Arc<str>, File>,
}

impl Snapshot {
    /// Makes a snapshot of texts, as tests and an unsaved folder need it.
    pub fn of<P: AsRef<str>, C: AsRef<[u8]>>(
        commit: Commit,
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Self {
        let files = files
            .into_iter()
            .map(|(path, content)| {
                let path: Arc<str> = path.as_ref().into();
                let content: Arc<[u8]> = content.as_ref().into();
                (Arc::clone(&path), File::new(path, content))
            })
            .collect();
        Self { commit, files }
    }

    /// The files to read documents from: those that hold them, and those that might and were
    /// not read, which `read_file` turns into findings.
    pub fn document_files(&self) -> impl Iterator<Item = &File> {
        self.files.values().filter(|file| file.may_hold_documents())
    }

    /// The content of a file as text, where it was read and is UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        let file = self.files.get(path).filter(|file| file.unread.is_none())?;
        std::str::from_utf8(&file.content).ok()
    }
}

/// Says whether a path holds documents: YAML outside of `templates/` and hidden folders.
pub fn holds_documents(path: &str) -> bool {
    let yaml = path.rsplit_once('.').is_some_and(|(_, ending)| matches!(ending, "yaml" | "yml"));
    yaml && !path.starts_with("templates/") && !path.split('/').any(|part| part.starts_with('.'))
}
