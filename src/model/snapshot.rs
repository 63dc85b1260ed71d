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
                (Arc::clone(&path), File { path, digest: Digest::of(&content), content })
            })
            .collect();
        Self { commit, files }
    }

    /// The content of a file as text, where it is UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(&self.files.get(path)?.content).ok()
    }
}

/// Says whether a path holds documents: YAML outside of `templates/` and hidden folders.
pub fn holds_documents(path: &str) -> bool {
    let yaml = path.rsplit_once('.').is_some_and(|(_, ending)| matches!(ending, "yaml" | "yml"));
    yaml && !path.starts_with("templates/") && !path.split('/').any(|part| part.starts_with('.'))
}
