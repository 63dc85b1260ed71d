//! Where each value of a text stands, from its first byte to its last, and where the comments are.
//!
//! [`crate::model::yaml`] says what a text means and where its values begin; to change a text it
//! takes also where they end and how they are written. Both read with the same parser, and number
//! the documents alike.

use std::ops::Range;

use serde_yaml::granit_parser::Event;
use serde_yaml::granit_parser::Parser;
use serde_yaml::granit_parser::ScalarStyle;
use serde_yaml::granit_parser::Span;
use serde_yaml::granit_parser::StructureStyle;
use serde_yaml::granit_parser::options;

use crate::model::yaml;

/// The layout of a text, without its byte order mark.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The documents that are not empty, in order.
    pub(super) documents: Vec<Placed>,
    /// Where each document begins, the empty ones as well: at its `---`, or at the first value
    /// where it has none.
    pub(super) starts: Vec<usize>,
    comments: Vec<Range<usize>>,
}

/// A document: which of all it is, the empty ones counted, and its value.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) number: usize,
    pub(super) root: Spot,
}

/// A value's place: `start` is its first byte, `end` the byte after its last. What is written
/// with nothing at all stands right after its `:` or `-`.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) style: Style,
    pub(super) shape: Shape,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// Text under `|` or `>`.
    Lines,
    /// A list or map by indentation.
    Block,
    /// A list or map in brackets.
    Flow,
}

#[derive(Debug)]
pub(super) enum Shape {
    Scalar,
    List(Vec<Item>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
pub(super) struct Item {
    /// Its `-`, or its first byte inside of brackets.
    pub(super) start: usize,
    pub(super) value: Spot,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The first byte of the key.
    pub(super) start: usize,
    /// The byte after the `:`; none where a key in brackets has no value and no colon.
    pub(super) colon: Option<usize>,
    pub(super) value: Spot,
}

impl Spot {
    pub(super) fn is_block(&self) -> bool {
        self.style == Style::Block
    }

    /// Whether nothing is written.
    pub(super) fn is_bare(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.shape {
            Shape::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }
}

impl Layout {
    /// The layout of a text that [`yaml::read`] reads without a complaint; none of any other.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut reader = Reader {
            text,
            parser: Parser::new_from_str_with_options(text, options! { emit_comments: true }),
            layout: Self::default(),
        };
        reader.read_all()?;
        Some(reader.layout)
    }

    /// Whether a comment begins somewhere in between.
    pub(super) fn has_comment(&self, between: Range<usize>) -> bool {
        self.comments.iter().any(|comment| between.contains(&comment.start))
    }

    /// The next byte that is neither white nor part of a comment.
    pub(super) fn skip(&self, text: &str, mut from: usize) -> usize {
        loop {
            let white = text[from..].len() - text[from..].trim_start().len();
            from += white;
            match self.comments.iter().find(|comment| comment.start == from) {
                Some(comment) if !comment.is_empty() => from = comment.end,
                _ => return from,
            }
        }
    }
}

struct Reader<'text> {
    text: &'text str,
    parser: Parser<'text, serde_yaml::granit_parser::StrInput<'text>>,
    layout: Layout,
}

impl<'text> Reader<'text> {
    /// The next event that is no comment; comments are written down.
    fn next(&mut self) -> Option<(Event<'text>, Span)> {
        loop {
            let (event, span) = self.parser.next_event()?.ok()?;
            match event {
                Event::Comment(..) => self.layout.comments.push(span.byte_range()?),
                event => return Some((event, span)),
            }
        }
    }

    fn read_all(&mut self) -> Option<()> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => return Some(()),
                Event::DocumentStart(..) => self.layout.starts.push(span.byte_range()?.start),
                event => {
                    let (root, word) = self.node(event, &span, None)?;
                    let empty = word.is_some_and(|word| yaml::plain(&word) == yaml::Value::Null);
                    if !(empty && root.style == Style::Plain) {
                        let number = self.layout.starts.len().checked_sub(1)?;
                        self.layout.documents.push(Placed { number, root });
                    }
                }
            }
        }
    }

    /// A value, and its text where it is a scalar. `after` is the byte after the `:` or `-` that
    /// it follows.
    fn node(
        &mut self,
        event: Event<'text>,
        span: &Span,
        after: Option<usize>,
    ) -> Option<(Spot, Option<String>)> {
        let range = span.byte_range()?;
        match event {
            Event::Scalar(word, style, ..) => {
                let spot = self.scalar(range, style, after);
                // The parser gives what is not there as a word of its own.
                let word = if spot.is_bare() { String::new() } else { word.into_owned() };
                Some((spot, Some(word)))
            }
            Event::SequenceStart(style, ..) => Some((self.list(style, range.start)?, None)),
            Event::MappingStart(style, ..) => Some((self.map(style, range.start)?, None)),
            _ => None,
        }
    }

    fn scalar(&self, range: Range<usize>, style: ScalarStyle, after: Option<usize>) -> Spot {
        let of = |start, end, style| Spot { start, end, style, shape: Shape::Scalar };
        match style {
            ScalarStyle::Plain if range.is_empty() => {
                let at = after.unwrap_or(range.start);
                of(at, at, Style::Plain)
            }
            ScalarStyle::Plain => of(range.start, range.end, Style::Plain),
            ScalarStyle::SingleQuoted => of(range.start, range.end, Style::SingleQuoted),
            ScalarStyle::DoubleQuoted => of(range.start, range.end, Style::DoubleQuoted),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let start = after.map_or(range.start, |after| self.layout.skip(self.text, after));
                let header = self.text[start..range.end].lines().next().unwrap_or_default();
                let written = &self.text[start..range.end];
                // With `|+` the empty lines at the end are part of the text.
                let end = if header.split('#').next().is_some_and(|sign| sign.contains('+')) {
                    written
                        .strip_suffix('\n')
                        .map_or(written, |written| written.strip_suffix('\r').unwrap_or(written))
                } else {
                    written.trim_end()
                };
                of(start, start + end.len(), Style::Lines)
            }
        }
    }

    fn list(&mut self, style: StructureStyle, start: usize) -> Option<Spot> {
        let block = style == StructureStyle::Block;
        let mut items: Vec<Item> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let shape = |items| Shape::List(items);
                let end = items.last().map_or(start, |item| item.value.end);
                return closed(block, start, end, &span, shape(items));
            }
            let dash = match items.last() {
                Some(last) => self.layout.skip(self.text, last.value.end),
                None => start,
            };
            let after = (block && self.text[dash..].starts_with('-')).then_some(dash + 1);
            let (value, _) = self.node(event, &span, after)?;
            let start = after.map_or(value.start, |_| dash);
            items.push(Item { start, value });
        }
    }

    fn map(&mut self, style: StructureStyle, start: usize) -> Option<Spot> {
        let block = style == StructureStyle::Block;
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let end = entries.last().map_or(start, |entry| entry.value.end);
                return closed(block, start, end, &span, Shape::Map(entries));
            }
            let (key, word) = self.node(event, &span, None)?;
            let (event, span) = self.next()?;
            let colon = self.layout.skip(self.text, key.end);
            let colon = self.text[colon..].starts_with(':').then_some(colon + 1);
            let (value, _) = self.node(event, &span, Some(colon.unwrap_or(key.end)))?;
            entries.push(Entry { key: word?, start: key.start, colon, value });
        }
    }
}

/// What is in brackets ends with them; what is not ends with the last that is in it.
fn closed(block: bool, start: usize, last: usize, end: &Span, shape: Shape) -> Option<Spot> {
    let (end, style) =
        if block { (last, Style::Block) } else { (end.byte_range()?.end.max(last), Style::Flow) };
    Some(Spot { start, end, style, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of a document as it is written, by its path.
    fn written(text: &str) -> Vec<String> {
        fn add(text: &str, path: &str, spot: &Spot, all: &mut Vec<String>) {
            match &spot.shape {
                Shape::Scalar => all.push(format!("{path} {}", &text[spot.start..spot.end])),
                Shape::List(items) => {
                    for (number, item) in items.iter().enumerate() {
                        add(text, &format!("{path}.{number}"), &item.value, all);
                    }
                }
                Shape::Map(entries) => {
                    for entry in entries {
                        add(text, &format!("{path}.{}", entry.key), &entry.value, all);
                    }
                }
            }
        }
        let mut all = Vec::new();
        for document in Layout::of(text).unwrap().documents {
            add(text, &document.number.to_string(), &document.root, &mut all);
        }
        all
    }

    #[test]
    fn each_value_is_found_with_its_quotes_and_without_what_follows() {
        let text = "a: 'x' # c\nb:\n  - \"y\" # c\n\n  -\n  - k: v\n    l: | # c\n      text\n      more\n\n    # c\n    m: >+\n      folded\n\n\
            c:\nd: {a, b: , c: [1, 2,], }\ne: a b\n  c d # z\n---\n# none\n---\n- - a\n  - b\n";
        assert_eq!(
            written(text),
            [
                "0.a 'x'",
                "0.b.0 \"y\"",
                "0.b.1 ",
                "0.b.2.k v",
                "0.b.2.l | # c\n      text\n      more",
                "0.b.2.m >+\n      folded\n",
                "0.c ",
                "0.d.a ",
                "0.d.b ",
                "0.d.c.0 1",
                "0.d.c.1 2",
                "0.e a b\n  c d",
                "2.0.0 a",
                "2.0.1 b",
            ]
        );
    }
}
