//! For people: the line in question, what is wrong with it, and what to do.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use annotate_snippets::AnnotationKind;
use annotate_snippets::Element;
use annotate_snippets::Level;
use annotate_snippets::Origin;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;

use super::super::masked::HIDDEN;
use super::super::masked::masked;
use crate::model::Finding;
use crate::model::Place;
use crate::model::Severity;
use crate::model::Snapshot;

/// Shows every finding with its line, and ends with how many there are.
pub fn plain(findings: &[Finding], snapshot: &Snapshot, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in findings {
        text.push_str(&one(finding, snapshot, &renderer));
        text.push_str("\n\n");
    }
    text.push_str(&summary(findings));
    text.push('\n');
    text
}

/// How many findings there are, in words.
pub fn summary(findings: &[Finding]) -> String {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counted =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let kinds: Vec<String> = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| counted(count, what))
        .collect();
    let files: BTreeSet<&str> = findings.iter().map(|finding| &*finding.place.file).collect();
    if kinds.is_empty() {
        "no findings".to_owned()
    } else {
        format!("{} in {}", kinds.join(" and "), counted(files.len(), "file"))
    }
}

fn one(finding: &Finding, snapshot: &Snapshot, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let first = Mark { place: &finding.place, kind: AnnotationKind::Primary, what: None };
    let related = finding.related.iter().map(|(place, what)| Mark {
        place,
        kind: AnnotationKind::Context,
        what: Some(what),
    });
    let (near, far): (Vec<Mark<'_>>, Vec<Mark<'_>>) =
        related.partition(|mark| is_near(mark.place, &finding.place));
    let marks: Vec<Mark<'_>> = [first].into_iter().chain(near).collect();
    let mut group = level
        .primary_title(finding.message.as_str())
        .id(finding.rule)
        .element(shown(&marks, snapshot));
    for mark in far {
        group = group.element(shown(&[mark], snapshot));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// A place to point at, and what it shows.
struct Mark<'a> {
    place: &'a Place,
    kind: AnnotationKind,
    what: Option<&'a str>,
}

/// Whether two places are seen better together than apart.
fn is_near(one: &Place, other: &Place) -> bool {
    one.file == other.file && one.line > 0 && one.line.abs_diff(other.line) <= 8
}

/// The lines of some marks in one file, or the file alone where there is no line to show.
fn shown<'a>(marks: &[Mark<'a>], snapshot: &Snapshot) -> Element<'a> {
    let place = marks[0].place;
    let file = &*place.file;
    let lines = marks.iter().map(|mark| mark.place.line);
    let first = lines.clone().min().unwrap_or(0);
    let count = (lines.max().unwrap_or(0) - first + 1) as usize;
    let text: Vec<Cow<'_, str>> = first
        .checked_sub(1)
        .and_then(|before| Some(snapshot.text(file)?.lines().skip(before as usize)))
        .map(|lines| lines.take(count).map(masked).collect())
        .unwrap_or_default();
    if text.len() < count {
        let origin = Origin::path(file);
        return if first == 0 { origin } else { origin.line(place.line as usize) }.into();
    }
    let mut starts = vec![0];
    for line in &text {
        starts.push(starts[starts.len() - 1] + line.len() + 1);
    }
    let annotations = marks.iter().map(|mark| {
        let index = (mark.place.line - first) as usize;
        let word = match &text[index] {
            // What is hidden is pointed at as a whole.
            Cow::Owned(line) => line.len() - HIDDEN.len()..line.len(),
            Cow::Borrowed(line) => word_at(line, mark.place.column),
        };
        let word = starts[index] + word.start..starts[index] + word.end;
        mark.kind.span(word).label(mark.what)
    });
    Snippet::source(text.join("\n"))
        .path(file)
        .line_start(first as usize)
        .annotations(annotations.collect::<Vec<_>>())
        .into()
}

/// The bytes of the key or value that starts at a column.
fn word_at(line: &str, column: u32) -> Range<usize> {
    let skipped = (column as usize).saturating_sub(1);
    let start = line.char_indices().nth(skipped).map_or(line.len(), |(index, _)| index);
    let rest = &line[start..];
    let quoted = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    let length = if let Some(quote) = quoted {
        rest[1..].find(quote).map_or(rest.len(), |end| end + 2)
    } else {
        let ends = ["  ", " #", ": ", ", ", "}", "]"];
        let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        rest[..end].trim_end().trim_end_matches(':').len()
    };
    start..start + length.max(usize::from(!rest.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::word_at;

    #[track_caller]
    fn check(line: &str, column: u32, word: &str) {
        assert_eq!(&line[word_at(line, column)], word);
    }

    #[test]
    fn a_column_leads_to_the_word_that_starts_there() {
        check("  package: kiteclass # mine", 3, "package");
        check("  package: kiteclass # mine", 12, "kiteclass");
        check("quota:", 1, "quota");
        check("x: { a: \"b c\", d: e }", 9, "\"b c\"");
        check("x: { a: b, d: é }", 15, "é");
        check("x", 9, "");
    }
}
