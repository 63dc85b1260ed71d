//! Changes of people's YAML that leave everything else as it is: comments, blank lines, quotes,
//! indentation, the ends of lines, a byte order mark, a last line without an end.
//!
//! Every change is checked before it is given out: what is read from the changed text is exactly
//! what was there with the change made to it. Where a text is laid out in a way that this cannot
//! change, it is refused, and a person has to.

mod documents;
mod expected;
mod layout;
mod path;
mod scalar;
mod splice;
mod steps;
mod write;

use std::sync::Arc;

use serde_json::Value;

use crate::model::yaml;

pub use documents::add_document;
pub use documents::remove_document;
pub use path::Path;
pub use path::Step;
pub use write::document;

use layout::Layout;
use steps::Primitive;

/// What to do with one document.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The value at a path is this one. Maps that lead to it are made where they are missing; of
    /// a list or map that is there already, only what differs is written anew.
    Set(Path, Value),
    /// The field or item at a path is gone. Where it was not there, nothing changes.
    Remove(Path),
    /// The list at a path has this item at its end. The list is made where it is missing.
    Append(Path, Value),
}

impl Change {
    /// The path of what it changes.
    pub fn path(&self) -> &Path {
        match self {
            Self::Set(path, _) | Self::Remove(path) | Self::Append(path, _) => path,
        }
    }
}

/// Why a text was not changed, where, and what is left to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {} cannot be changed here: {why}; change it by hand", subject(*.document, .path))]
pub struct NotEdited {
    pub file: Arc<str>,
    /// Which document of the file, counted from one; none for the file as a whole.
    pub document: Option<usize>,
    /// Empty for the document as a whole.
    pub path: String,
    pub why: String,
}

fn subject(document: Option<usize>, path: &str) -> String {
    match (document, path) {
        (None, _) => "it".to_owned(),
        (Some(document), "") => format!("document {document}"),
        (Some(document), path) => format!("`{path}` of document {document}"),
    }
}

/// Makes a change to the document of a file that has this position, counted from zero as
/// [`crate::model::read::Origin`] counts.
pub fn edit(file: &str, text: &str, ordinal: usize, change: &Change) -> Result<String, NotEdited> {
    let refuse = |why: String| NotEdited {
        file: file.into(),
        document: Some(ordinal + 1),
        path: change.path().to_string(),
        why,
    };
    let before = read(text).map_err(refuse)?;
    let mut wanted = before.clone();
    let document =
        wanted.get_mut(ordinal).ok_or_else(|| refuse("there is no such document".to_owned()))?;
    let primitives = expected::plan(document, change).map_err(refuse)?;
    let mut changed = text.to_owned();
    for primitive in &primitives {
        changed = one(&changed, ordinal, primitive).ok_or_else(|| refuse(LAID_OUT.to_owned()))?;
    }
    let made = read(&changed).map_err(|_| refuse(LAID_OUT.to_owned()))?;
    if made == wanted { Ok(changed) } else { Err(refuse(LAID_OUT.to_owned())) }
}

const LAID_OUT: &str = "it is laid out in a way that would lose something";
const MARK: &str = "\u{feff}";

fn one(text: &str, ordinal: usize, primitive: &Primitive) -> Option<String> {
    let (mark, body) = split_mark(text);
    let layout = Layout::of(body)?;
    let root = &layout.documents.get(ordinal)?.root;
    let splices = steps::splices(body, &layout, root, primitive)?;
    Some(format!("{mark}{}", splice::applied(body, splices)?))
}

fn split_mark(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with(MARK) { MARK.len() } else { 0 })
}

/// What the documents of a text mean, or why that cannot be told.
fn read(text: &str) -> Result<Vec<Value>, String> {
    let (documents, refused) = yaml::read(text.as_bytes());
    match refused.first() {
        Some(first) => Err(format!("line {} cannot be read: {first}", first.mark.line)),
        None => Ok(documents.iter().map(yaml::Node::to_json).collect()),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
