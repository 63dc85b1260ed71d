//! Whole documents that come and go.

use super::LAID_OUT;
use super::NotEdited;
use super::layout::Layout;
use super::read;
use super::splice::newline;
use super::split_mark;

/// Adds a document at the end of a file. It is one document, as [`super::document`] writes it.
pub fn add_document(file: &str, text: &str, document: &str) -> Result<String, NotEdited> {
    let refuse =
        |why: String| NotEdited { file: file.into(), document: None, path: String::new(), why };
    let mut wanted = read(text).map_err(refuse)?;
    let added = read(document).map_err(refuse)?;
    let newline = newline(text);
    let mut document = document.replace('\n', newline);
    let mut changed = text.to_owned();
    if !split_mark(text).1.is_empty() && !text.ends_with('\n') {
        changed.push_str(newline);
        document.truncate(document.trim_end().len());
    }
    if !wanted.is_empty() {
        changed.push_str("---");
        changed.push_str(newline);
    }
    changed.push_str(&document);
    wanted.extend(added);
    match read(&changed) {
        Ok(made) if made == wanted => Ok(changed),
        _ => Err(refuse(LAID_OUT.to_owned())),
    }
}

/// Removes the document that has this position, counted from zero, with the comments from its
/// `---` to the next. Nothing is left of a file that has no other.
pub fn remove_document(
    file: &str,
    text: &str,
    ordinal: usize,
) -> Result<Option<String>, NotEdited> {
    let refuse = |why: String| NotEdited {
        file: file.into(),
        document: Some(ordinal + 1),
        path: String::new(),
        why,
    };
    let mut wanted = read(text).map_err(refuse)?;
    if ordinal >= wanted.len() {
        return Err(refuse("there is no such document".to_owned()));
    }
    wanted.remove(ordinal);
    if wanted.is_empty() {
        return Ok(None);
    }
    let (mark, body) = split_mark(text);
    let changed = without(body, ordinal).ok_or_else(|| refuse(LAID_OUT.to_owned()))?;
    match read(&changed) {
        Ok(made) if made == wanted => Ok(Some(format!("{mark}{changed}"))),
        _ => Err(refuse(LAID_OUT.to_owned())),
    }
}

fn without(text: &str, ordinal: usize) -> Option<String> {
    let layout = Layout::of(text)?;
    let number = layout.documents.get(ordinal)?.number;
    let start = if number == 0 { 0 } else { *layout.starts.get(number)? };
    let end = layout.starts.get(number + 1).copied().unwrap_or(text.len());
    let mut changed = format!("{}{}", text.get(..start)?, text.get(end..)?);
    // The last line keeps the end that it has, or has not.
    if end == text.len() && !text.ends_with('\n') {
        changed.truncate(changed.trim_end_matches(['\n', '\r']).len());
    }
    Some(changed)
}
