//! Compares the trees of two commits. Folders that are equal are not opened, so that the cost
//! goes with what changed and not with what is there.

use std::cmp::Ordering;

use git2::ObjectType;
use git2::Oid;
use git2::Repository;
use git2::Tree;
use git2::TreeEntry;

use super::SourceError;

/// Deeper than people nest folders, and far from where recursion would hurt.
const DEEPEST: usize = 64;
/// A few kilobytes of tree objects can spell billions of paths.
const MOST_ENTRIES: usize = 4_000_000;

/// What a path leads to: everything but a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) id: Oid,
    pub(super) kind: LeafKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeafKind {
    File,
    Link,
    /// Another repository: a submodule.
    Repository,
    /// A folder that is nested too deep to be opened.
    Folder,
}

/// Which folders to open, and what to do with each path that differs.
pub(super) trait Visit {
    fn opens(&self, _folder: &str) -> bool {
        true
    }

    fn differs(
        &mut self,
        path: &str,
        old: Option<Leaf>,
        new: Option<Leaf>,
    ) -> Result<(), SourceError>;
}

/// What stopped a comparison.
#[derive(Debug)]
pub(super) enum Stopped {
    TooMany(usize),
    Because(SourceError),
}

impl From<git2::Error> for Stopped {
    fn from(error: git2::Error) -> Self {
        Self::Because(error.into())
    }
}

impl From<SourceError> for Stopped {
    fn from(error: SourceError) -> Self {
        Self::Because(error)
    }
}

/// Shows every path that differs between two trees.
pub(super) fn compare(
    repository: &Repository,
    old: Option<&Tree<'_>>,
    new: Option<&Tree<'_>>,
    visit: &mut impl Visit,
) -> Result<(), Stopped> {
    let mut walk = Walk { repository, visit, left: MOST_ENTRIES, path: String::new() };
    walk.folders(old, new, 0)
}

struct Walk<'a, V> {
    repository: &'a Repository,
    visit: &'a mut V,
    left: usize,
    path: String,
}

impl<V: Visit> Walk<'_, V> {
    /// Both lists are in Git's order, in which a folder's name ends with `/`.
    fn folders(
        &mut self,
        old: Option<&Tree<'_>>,
        new: Option<&Tree<'_>>,
        depth: usize,
    ) -> Result<(), Stopped> {
        let mut old = old.iter().flat_map(|tree| tree.iter()).peekable();
        let mut new = new.iter().flat_map(|tree| tree.iter()).peekable();
        loop {
            self.left = self.left.checked_sub(1).ok_or(Stopped::TooMany(MOST_ENTRIES))?;
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => in_order(old, new),
            };
            let old = if order.is_le() { old.next() } else { None };
            let new = if order.is_ge() { new.next() } else { None };
            self.entries(old.as_ref(), new.as_ref(), depth)?;
        }
    }

    /// One name, on one side or on both; both are folders or neither is.
    fn entries(
        &mut self,
        old: Option<&TreeEntry<'_>>,
        new: Option<&TreeEntry<'_>>,
        depth: usize,
    ) -> Result<(), Stopped> {
        let identity = |entry: &TreeEntry<'_>| (entry.id(), entry.filemode_raw());
        let Some(either) = new.or(old) else { return Ok(()) };
        if old.map(identity) == new.map(identity) {
            return Ok(());
        }
        let start = self.path.len();
        self.path.push_str(&printable(either.name_bytes()));
        let outcome = if is_folder(either) && depth < DEEPEST {
            self.open(old, new, depth)
        } else {
            self.visit.differs(&self.path, old.map(leaf), new.map(leaf)).map_err(Stopped::from)
        };
        self.path.truncate(start);
        outcome
    }

    fn open(
        &mut self,
        old: Option<&TreeEntry<'_>>,
        new: Option<&TreeEntry<'_>>,
        depth: usize,
    ) -> Result<(), Stopped> {
        if !self.visit.opens(&self.path) {
            return Ok(());
        }
        let tree = |entry: Option<&TreeEntry<'_>>| {
            entry.map(|entry| self.repository.find_tree(entry.id())).transpose()
        };
        let (old, new) = (tree(old)?, tree(new)?);
        self.path.push('/');
        self.folders(old.as_ref(), new.as_ref(), depth + 1)
    }
}

fn is_folder(entry: &TreeEntry<'_>) -> bool {
    entry.kind() == Some(ObjectType::Tree)
}

fn in_order(old: &TreeEntry<'_>, new: &TreeEntry<'_>) -> Ordering {
    let end = |entry: &TreeEntry<'_>| if is_folder(entry) { Some(b'/') } else { None };
    let (left, right) = (old.name_bytes(), new.name_bytes());
    left.iter().copied().chain(end(old)).cmp(right.iter().copied().chain(end(new)))
}

fn leaf(entry: &TreeEntry<'_>) -> Leaf {
    const TYPE: i32 = 0o170_000;
    let kind = match (entry.kind(), entry.filemode_raw() & TYPE) {
        (Some(ObjectType::Tree), _) => LeafKind::Folder,
        (Some(ObjectType::Commit), _) => LeafKind::Repository,
        (_, 0o120_000) => LeafKind::Link,
        _ => LeafKind::File,
    };
    Leaf { id: entry.id(), kind }
}

/// The name as text; bytes that are not UTF-8 and control characters are written as `\x9f`.
fn printable(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.to_string().bytes().map(escaped));
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(escaped));
    }
    text
}

fn escaped(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

/// Whether [`printable`] had to change a name on the way to this path.
pub(super) fn was_escaped(path: &str) -> bool {
    path.contains("\\x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_text_is_made_printable() {
        for (name, expected) in [
            (&b"a.yaml"[..], "a.yaml"),
            (b"caf\xe9", "caf\\xe9"),
            (b"a\nb", "a\\x0ab"),
            ("\u{85}".as_bytes(), "\\xc2\\x85"),
        ] {
            assert_eq!(printable(name), expected);
        }
    }
}
