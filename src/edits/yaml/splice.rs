//! Puts pieces of text in the place of others, and knows lines by their ends.

use std::ops::Range;

/// A piece of the text and what comes in its place.
#[derive(Debug)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) with: String,
}

impl Splice {
    pub(super) fn insert(at: usize, with: impl Into<String>) -> Self {
        Self { range: at..at, with: with.into() }
    }

    pub(super) fn remove(range: Range<usize>) -> Self {
        Self { range, with: String::new() }
    }
}

/// The text with all of them made; none where two of them meet.
pub(super) fn applied(text: &str, mut splices: Vec<Splice>) -> Option<String> {
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let mut out = String::with_capacity(text.len() + 64);
    let mut from = 0;
    for splice in splices {
        out.push_str(text.get(from..splice.range.start)?);
        out.push_str(&splice.with);
        from = splice.range.end;
    }
    out.push_str(text.get(from..)?);
    Some(out)
}

/// Where the line of a byte begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line of a byte ends: before what ends it.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    if end > at && text[..end].ends_with('\r') { end - 1 } else { end }
}

/// What ends lines here.
pub(super) fn newline(text: &str) -> &'static str {
    let windows = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    if windows { "\r\n" } else { "\n" }
}

/// Takes whole lines away, from that of `start` to that of `end`.
pub(super) fn without_lines(text: &str, start: usize, end: usize) -> Splice {
    let (mut first, last) = (line_start(text, start), line_end(text, end));
    let after = text[last..].find('\n').map_or(text.len(), |newline| last + newline + 1);
    // The last line of the text keeps the end that it has, or has not.
    if after == text.len() && !text.ends_with('\n') {
        first = text[..first].trim_end_matches(['\n', '\r']).len();
    }
    Splice::remove(first..after)
}

/// What is between the start of a line and a byte of it, where that is nothing but white.
pub(super) fn indentation(text: &str, at: usize) -> Option<&str> {
    let before = &text[line_start(text, at)..at];
    before.chars().all(|next| next == ' ').then_some(before)
}

/// How many columns stand before a byte.
pub(super) fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].chars().count()
}

/// Lines as they stand below each other at a column, without the end of the last.
pub(super) fn below(lines: &[String], column: usize, newline: &str) -> String {
    let indent = " ".repeat(column);
    let line =
        |line: &String| if line.is_empty() { String::new() } else { format!("{indent}{line}") };
    lines.iter().map(line).collect::<Vec<_>>().join(newline)
}
