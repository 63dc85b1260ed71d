//! Writes commits without a work tree: the files that change, the folders above them, the commit.
//!
//! The list of a folder of ten thousand tenants is some hundred kilobytes. It is changed as the
//! bytes it is, and kept from one commit to the next.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use git2::ObjectType;
use git2::Odb;
use git2::Oid;
use git2::Repository;
use git2::Signature;
use git2::Time;
use jiff::Timestamp;

use crate::model::Commit;

use super::SourceError;
use super::commits::Person;
use super::tree::Entries;
use super::tree::Entry;
use super::tree::Stopped;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_644;
/// Lists shorter than this are read again faster than anybody cares.
const WORTH_KEEPING: usize = 16 * 1024;
/// How many long lists are kept.
const KEPT: usize = 8;

/// A commit to be made.
#[derive(Debug)]
pub struct NewCommit<'a> {
    pub parent: &'a Commit,
    /// The files by their paths inside of the folder that is read: new content, or none for what
    /// is removed.
    pub files: &'a BTreeMap<Arc<str>, Option<Arc<[u8]>>>,
    pub author: &'a Person,
    pub written: Timestamp,
    pub committer: &'a Person,
    pub committed: Timestamp,
    pub message: &'a str,
}

/// Long lists of folders, by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists(HashMap<Oid, Arc<[u8]>>);

/// Makes a signature of the bytes of a commit, as its `gpgsig` header holds it.
pub type Sign<'a> = &'a dyn Fn(&[u8]) -> String;

/// Writes the commit and what it needs. No reference moves.
pub(super) fn commit(
    repository: &Repository,
    lists: &mut Lists,
    folder: &str,
    new: &NewCommit<'_>,
    sign: Option<Sign<'_>>,
) -> Result<Commit, SourceError> {
    let parent = repository.find_commit(Oid::from_str(new.parent.as_str())?)?;
    let mut root = Changes::default();
    for (path, content) in new.files {
        let blob = content.as_ref().map(|content| repository.blob(content)).transpose()?;
        let parts = folder.split('/').chain(path.split('/')).filter(|part| !part.is_empty());
        root.add(&parts.collect::<Vec<_>>(), blob, path)?;
    }
    let odb = repository.odb()?;
    let old = Some(parent.tree_id());
    let tree = match (Writing { odb: &odb, lists }).folder(old, &root)? {
        Some(tree) => tree,
        // Git knows no commit without a tree; one without files has an empty one.
        None => odb.write(ObjectType::Tree, b"")?,
    };
    let tree = repository.find_tree(tree)?;
    let author = signature(new.author, new.written)?;
    let committer = signature(new.committer, new.committed)?;
    let id = match sign {
        None => repository.commit(None, &author, &committer, new.message, &tree, &[&parent])?,
        Some(sign) => {
            let content = repository.commit_create_buffer(
                &author,
                &committer,
                new.message,
                &tree,
                &[&parent],
            )?;
            let text = std::str::from_utf8(&content).map_err(|_| {
                git2::Error::from_str("a commit with a message that is not UTF-8 was to be signed")
            })?;
            repository.commit_signed(text, &sign(&content), Some("gpgsig"))?
        }
    };
    Ok(Commit::new(&id.to_string()))
}

fn signature(person: &Person, time: Timestamp) -> Result<Signature<'static>, git2::Error> {
    Signature::new(&person.name, &person.email, &Time::new(time.as_second(), 0))
}

/// What changes in a folder.
#[derive(Debug, Default)]
struct Changes<'a>(BTreeMap<&'a str, Changed<'a>>);

#[derive(Debug)]
enum Changed<'a> {
    File(Option<Oid>),
    Folder(Changes<'a>),
}

impl<'a> Changes<'a> {
    fn add(&mut self, parts: &[&'a str], blob: Option<Oid>, path: &str) -> Result<(), SourceError> {
        let wrong = || SourceError::UnusablePath { path: path.to_owned() };
        let (first, rest) = parts.split_first().ok_or_else(wrong)?;
        if matches!(*first, "." | ".." | ".git") || first.contains('\0') {
            return Err(wrong());
        }
        if rest.is_empty() {
            self.0.insert(first, Changed::File(blob));
            return Ok(());
        }
        match self.0.entry(first).or_insert_with(|| Changed::Folder(Changes::default())) {
            Changed::Folder(inside) => inside.add(rest, blob, path),
            Changed::File(_) => Err(wrong()),
        }
    }
}

struct Writing<'a, 'odb> {
    odb: &'a Odb<'odb>,
    lists: &'a mut Lists,
}

impl Writing<'_, '_> {
    /// The folder after its changes; none where nothing is left in it.
    fn folder(
        &mut self,
        old: Option<Oid>,
        changes: &Changes<'_>,
    ) -> Result<Option<Oid>, SourceError> {
        let list = match old {
            Some(old) => match self.lists.0.get(&old) {
                Some(list) => Arc::clone(list),
                None => self.odb.read(old)?.data().into(),
            },
            None => Arc::default(),
        };
        let mut list = list.to_vec();
        for (name, changed) in &changes.0 {
            let place = Place::of(&list, name)?;
            // Neither a folder in the place of a file nor the other way round: what is lost by
            // that was not asked for.
            if place.is_taken_by_another(matches!(changed, Changed::Folder(_))) {
                return Err(SourceError::UnusablePath { path: (*name).to_owned() });
            }
            let (mode, id) = match changed {
                Changed::File(Some(id)) => (place.file_mode(), Some(*id)),
                Changed::File(None) => (FILE, None),
                Changed::Folder(inside) => (FOLDER, self.folder(place.folder(), inside)?),
            };
            place.change(&mut list, name, mode, id);
        }
        if list.is_empty() {
            return Ok(None);
        }
        let id = self.odb.write(ObjectType::Tree, &list)?;
        if let Some(old) = old {
            self.lists.0.remove(&old);
        }
        if list.len() >= WORTH_KEEPING {
            if self.lists.0.len() >= KEPT {
                self.lists.0.clear();
            }
            self.lists.0.insert(id, list.into());
        }
        Ok(Some(id))
    }
}

/// What goes by a name in the list of a folder, as a file and as a folder, and where each would
/// stand: a folder sorts as if its name ended with `/`.
struct Place {
    found: Vec<(usize, usize, u32, Oid)>,
    as_file: usize,
    as_folder: usize,
}

impl Place {
    fn of(list: &[u8], name: &str) -> Result<Self, SourceError> {
        let mut place = Self { found: Vec::new(), as_file: 0, as_folder: 0 };
        let mut at = 0;
        let as_file = Entry { name: name.as_bytes(), id: Oid::ZERO_SHA1, mode: FILE };
        let as_folder = Entry { mode: FOLDER, ..as_file };
        let mut entries = Entries(list);
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|stopped| match stopped {
                Stopped::Because(error) => error,
                Stopped::TooMany(_) => git2::Error::from_str("a tree is too long").into(),
            })?;
            let end = list.len() - entries.0.len();
            if entry.name == name.as_bytes() {
                place.found.push((at, end, entry.mode, entry.id));
            }
            if entry.in_order(&as_file).is_lt() {
                place.as_file = end;
            }
            if entry.in_order(&as_folder).is_lt() {
                place.as_folder = end;
            }
            at = end;
        }
        Ok(place)
    }

    fn is_taken_by_another(&self, folder: bool) -> bool {
        self.found.iter().any(|(_, _, mode, _)| (*mode == FOLDER) != folder)
    }

    fn folder(&self) -> Option<Oid> {
        self.found.iter().find(|(_, _, mode, _)| *mode == FOLDER).map(|(_, _, _, id)| *id)
    }

    /// A file that can be run stays one.
    fn file_mode(&self) -> u32 {
        let file = self.found.iter().find(|(_, _, mode, _)| mode & 0o170_000 == 0o100_000);
        file.map_or(FILE, |(_, _, mode, _)| *mode)
    }

    fn change(&self, list: &mut Vec<u8>, name: &str, mode: u32, id: Option<Oid>) {
        let mut at = if mode == FOLDER { self.as_folder } else { self.as_file };
        for (start, end, ..) in self.found.iter().rev() {
            list.drain(start..end);
            if *start < at {
                at -= end - start;
            }
        }
        if let Some(id) = id {
            let mut entry = format!("{mode:o} {name}\0").into_bytes();
            entry.extend_from_slice(id.as_bytes());
            list.splice(at..at, entry);
        }
    }
}
