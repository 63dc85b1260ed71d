//! Compares the trees of two commits. Folders that are equal are not opened, so that the cost
//! goes with what changed and not with what is there.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use git2::Odb;
use git2::Oid;
use git2::Repository;

use super::SourceError;

/// Deeper than people nest folders, and far from where recursion would hurt.
const DEEPEST: usize = 64;
/// A few kilobytes of tree objects can spell billions of paths.
const MOST_ENTRIES: usize = 4_000_000;
/// Unpacking the list of a folder of ten thousand takes longer than everything else together.
const WORTH_KEEPING: usize = 16 * 1024;
/// The bytes of an id at the end of each entry.
const ID: usize = 20;

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

/// The lists of large folders as they were last read, by path.
#[derive(Clone, Debug, Default)]
pub(super) struct LargeFolders(HashMap<String, (Oid, Arc<[u8]>)>);

/// Shows every path that differs between two trees. `large` is what an earlier comparison kept
/// of the old tree, and becomes what there is to keep of the new one.
pub(super) fn compare(
    repository: &Repository,
    large: &mut LargeFolders,
    old: Option<Oid>,
    new: Option<Oid>,
    visit: &mut impl Visit,
) -> Result<(), Stopped> {
    let odb = repository.odb()?;
    Walk { odb, large, visit, left: MOST_ENTRIES, path: String::new() }.open(old, new, 0)
}

struct Walk<'a, V> {
    odb: Odb<'a>,
    large: &'a mut LargeFolders,
    visit: &'a mut V,
    left: usize,
    path: String,
}

impl<V: Visit> Walk<'_, V> {
    /// One folder, on one side or on both; the path ends with `/` unless it is the root.
    fn open(&mut self, old: Option<Oid>, new: Option<Oid>, depth: usize) -> Result<(), Stopped> {
        let old = old.map(|id| self.list(id)).transpose()?;
        let list = new.map(|id| Ok::<_, Stopped>((id, self.list(id)?))).transpose()?;
        match &list {
            Some((id, list)) if list.len() >= WORTH_KEEPING => {
                self.large.0.insert(self.path.clone(), (*id, Arc::clone(list)));
            }
            _ => {
                self.large.0.remove(&self.path);
            }
        }
        let new = list.map(|(_, list)| list);
        self.lists(old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default(), depth)
    }

    fn list(&self, id: Oid) -> Result<Arc<[u8]>, Stopped> {
        match self.large.0.get(&self.path) {
            Some((known, list)) if *known == id => Ok(Arc::clone(list)),
            _ => Ok(self.odb.read(id)?.data().into()),
        }
    }

    /// Both lists are in Git's order, in which a folder's name ends with `/`.
    fn lists(&mut self, old: &[u8], new: &[u8], depth: usize) -> Result<(), Stopped> {
        let (mut old, mut new) = (Entries(old).peekable(), Entries(new).peekable());
        loop {
            self.left = self.left.checked_sub(1).ok_or(Stopped::TooMany(MOST_ENTRIES))?;
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(Ok(old)), Some(Ok(new))) => old.in_order(new),
                // What cannot be read is taken first, and ends the comparison.
                (Some(_), None) | (Some(Err(_)), _) => Ordering::Less,
                (None, Some(_)) | (_, Some(Err(_))) => Ordering::Greater,
            };
            let old = if order.is_le() { old.next().transpose()? } else { None };
            let new = if order.is_ge() { new.next().transpose()? } else { None };
            if old != new {
                self.entries(old.as_ref(), new.as_ref(), depth)?;
            }
        }
    }

    /// One name, on one side or on both; both are folders or neither is.
    fn entries(
        &mut self,
        old: Option<&Entry<'_>>,
        new: Option<&Entry<'_>>,
        depth: usize,
    ) -> Result<(), Stopped> {
        let Some(either) = new.or(old) else { return Ok(()) };
        let start = self.path.len();
        self.path.push_str(&printable(either.name));
        let outcome = if !either.is_folder() || depth >= DEEPEST {
            self.visit
                .differs(&self.path, old.map(Entry::leaf), new.map(Entry::leaf))
                .map_err(Stopped::from)
        } else if self.visit.opens(&self.path) {
            self.path.push('/');
            self.open(old.map(|entry| entry.id), new.map(|entry| entry.id), depth + 1)
        } else {
            Ok(())
        };
        self.path.truncate(start);
        outcome
    }
}

/// One entry of a folder's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) id: Oid,
    pub(super) mode: u32,
}

impl Entry<'_> {
    const TYPE: u32 = 0o170_000;

    fn is_folder(&self) -> bool {
        self.mode & Self::TYPE == 0o040_000
    }

    pub(super) fn in_order(&self, other: &Self) -> Ordering {
        let common = self.name.len().min(other.name.len());
        let end = |entry: &Self| {
            let folder = entry.is_folder().then_some(b'/');
            entry.name.get(common).copied().or(folder)
        };
        self.name[..common]
            .cmp(&other.name[..common])
            .then_with(|| end(self).cmp(&end(other)))
            .then_with(|| self.name.len().cmp(&other.name.len()))
    }

    fn leaf(&self) -> Leaf {
        let kind = match self.mode & Self::TYPE {
            0o040_000 => LeafKind::Folder,
            0o120_000 => LeafKind::Link,
            0o160_000 => LeafKind::Repository,
            _ => LeafKind::File,
        };
        Leaf { id: self.id, kind }
    }
}

/// The entries of a tree object as Git stores it: `mode name NUL id`, one after another.
pub(super) struct Entries<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Stopped>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let entry = self.split();
        if entry.is_none() {
            self.0 = &[];
        }
        let broken =
            || git2::Error::from_str("a tree of the repository is malformed: run `git fsck`");
        Some(entry.ok_or_else(|| broken().into()))
    }
}

impl<'a> Entries<'a> {
    fn split(&mut self) -> Option<Entry<'a>> {
        let space = self.0.iter().position(|byte| *byte == b' ')?;
        let mode = std::str::from_utf8(&self.0[..space]).ok()?;
        let mode = u32::from_str_radix(mode, 8).ok()?;
        let rest = &self.0[space + 1..];
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (name, rest) = (&rest[..end], &rest[end + 1..]);
        let (id, rest) = rest.split_at_checked(ID)?;
        self.0 = rest;
        Some(Entry { name, id: Oid::from_bytes(id).ok()?, mode })
    }
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
    fn a_malformed_list_is_an_error_and_ends() {
        let good = [&b"100644 a.yaml\0"[..], &[7; 20]].concat();
        let names = |list: &[u8]| -> Vec<Option<String>> {
            let name = |entry: Entry<'_>| String::from_utf8_lossy(entry.name).into_owned();
            Entries(list).map(|entry| entry.ok().map(name)).collect()
        };
        assert_eq!(names(&good), [Some("a.yaml".into())]);
        for broken in [&good[..good.len() - 1], b"100644", b"x a\0", b"100644 a"] {
            assert_eq!(names(broken), [None]);
        }
        assert_eq!(names(&[&good[..], b"1"].concat()), [Some("a.yaml".into()), None]);
    }

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
