//! YAML text to a tree in which every value remembers its line and column.
//!
//! The grammar is YAML 1.2's; what a repository of documents has no use for is refused with a
//! reason: anchors, aliases, merge keys, tags, duplicate keys, and anything too deep or too large.

use std::borrow::Cow;

use serde_yaml::granit_parser::Event;
use serde_yaml::granit_parser::Parser;
use serde_yaml::granit_parser::ScalarStyle;
use serde_yaml::granit_parser::Span;
use serde_yaml::granit_parser::options;

/// The largest file that is read, in bytes.
pub const LARGEST_FILE: usize = 1 << 20;
/// How deep lists and maps may be nested.
pub const DEEPEST: usize = 64;
/// How many values one file may hold.
pub const MOST_NODES: usize = 100_000;

/// A line and a column, both counted from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub line: u32,
    pub column: u32,
}

/// A value and where it starts.
#[derive(Clone, Debug)]
pub struct Node {
    pub mark: Mark,
    pub value: Value,
}

/// What YAML can say, by the core schema of YAML 1.2: `yes`, `on` and `0755` are strings.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of an entry and where it starts.
#[derive(Clone, Debug)]
pub struct Key {
    pub mark: Mark,
    pub text: String,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Why a text is not read, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unreadable {
    pub mark: Mark,
    pub message: String,
    pub help: Option<Cow<'static, str>>,
}

impl Unreadable {
    fn new(mark: Mark, message: impl Into<String>, help: &'static str) -> Self {
        Self { mark, message: message.into(), help: Some(Cow::Borrowed(help)) }
    }
}

impl Node {
    /// The value under a key, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// The deepest mark along a path of keys and list positions, such as `spec.components.0.name`.
    /// A key may itself have points in it, as `spec.quota.requests.cpu` has.
    ///
    /// Where the path leads past the text, the mark is that of the last part that is there.
    pub fn locate(&self, path: &str) -> Mark {
        let mut node = self;
        let mut mark = self.mark;
        let mut rest = path;
        while !rest.is_empty() {
            let next = match &node.value {
                Value::Map(entries) => entries
                    .iter()
                    .filter_map(|(key, node)| Some((key, node, after(rest, &key.text)?)))
                    .max_by_key(|(key, ..)| key.text.len())
                    .map(|(key, node, left)| {
                        let inner = matches!(node.value, Value::Map(_) | Value::List(_));
                        (if inner { key.mark } else { node.mark }, node, left)
                    }),
                Value::List(items) => {
                    let (index, left) = rest.split_once('.').unwrap_or((rest, ""));
                    let item = index.parse::<usize>().ok().and_then(|index| items.get(index));
                    item.map(|item| (item.mark, item, left))
                }
                _ => None,
            };
            let Some(next) = next else { break };
            (mark, node, rest) = next;
        }
        mark
    }

    /// The same value as JSON; keys keep their order.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(bool) => (*bool).into(),
            Value::Integer(integer) => (*integer).into(),
            Value::Float(float) => (*float).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => serde_json::Value::Object(
                entries.iter().map(|(key, node)| (key.text.clone(), node.to_json())).collect(),
            ),
        }
    }
}

/// Reads every document of a text. What is broken is an error of its own; the documents that
/// stand before and after it are still read. Empty documents are left out.
pub fn read(bytes: &[u8]) -> (Vec<Node>, Vec<Unreadable>) {
    if bytes.len() > LARGEST_FILE {
        let message =
            format!("the file has {} bytes; at most {LARGEST_FILE} are read", bytes.len());
        return (
            Vec::new(),
            vec![Unreadable::new(Mark::default(), message, "split it into several files")],
        );
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let good = &bytes[..error.valid_up_to()];
            let line = good.split(|byte| *byte == b'\n').count();
            let column = good.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            let mark = Mark { line: count(line), column: count(column) };
            let refusal = Unreadable::new(mark, "the file is not UTF-8", "save it as UTF-8");
            return (Vec::new(), vec![refusal]);
        }
    };
    if let Some(control) =
        text.find(|next: char| next.is_control() && !matches!(next, '\n' | '\r' | '\t' | '\u{85}'))
    {
        let mark = mark_of(text, control);
        let refusal = Unreadable::new(
            mark,
            "a control character stands here",
            "remove it, or write it as an escape in double quotes",
        );
        return (Vec::new(), vec![refusal]);
    }
    Reader::new(text).read_all()
}

/// What is left of a path after a key, where the path begins with it.
fn after<'path>(path: &'path str, key: &str) -> Option<&'path str> {
    let left = path.strip_prefix(key)?;
    if left.is_empty() { Some(left) } else { left.strip_prefix('.') }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The line and column of a byte of the text.
fn mark_of(text: &str, byte: usize) -> Mark {
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Mark {
        line: count(before.matches('\n').count() + 1),
        column: count(before[line_start..].chars().count() + 1),
    }
}

struct Reader<'text> {
    text: &'text str,
    parser: Parser<'text, serde_yaml::granit_parser::StrInput<'text>>,
    nodes: usize,
}

/// Why reading a document stopped.
enum Stop {
    /// The grammar is broken; the parser may find the next document.
    Syntax(Unreadable),
    /// The document is refused; the file is not read further where `last` is set.
    Refused { refusal: Unreadable, last: bool },
}

impl<'text> Reader<'text> {
    fn new(text: &'text str) -> Self {
        let options = options! { emit_comments: false };
        Self { text, parser: Parser::new_from_str_with_options(text, options), nodes: 0 }
    }

    fn read_all(mut self) -> (Vec<Node>, Vec<Unreadable>) {
        let mut documents = Vec::new();
        let mut refusals = Vec::new();
        loop {
            match self.read_document() {
                Ok(Some(node)) if node.value == Value::Null => {}
                Ok(Some(node)) => documents.push(node),
                Ok(None) => break,
                Err(stop) => {
                    let last = matches!(stop, Stop::Refused { last: true, .. });
                    let (Stop::Syntax(refusal) | Stop::Refused { refusal, .. }) = stop;
                    refusals.push(refusal);
                    if last
                        || refusals.len() >= 20
                        || !matches!(self.parser.proceed_next_document(), Ok(true))
                    {
                        break;
                    }
                }
            }
        }
        (documents, refusals)
    }

    fn next(&mut self) -> Result<Option<(Event<'text>, Span)>, Stop> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(next)) => Ok(Some(next)),
            Some(Err(error)) => {
                let at = error.marker();
                let mark = Mark { line: count(at.line()), column: count(at.col() + 1) };
                let tab = self.text.lines().nth(at.line().saturating_sub(1)).is_some_and(|line| {
                    line.chars().take_while(|next| next.is_whitespace()).any(|next| next == '\t')
                });
                if error.info().contains("recursion limit") {
                    let refusal = Unreadable::new(
                        mark,
                        "values are nested deeper than 64 levels",
                        "flatten them",
                    );
                    return Err(Stop::Refused { refusal, last: true });
                }
                let help = if tab {
                    "YAML is indented with spaces: replace the tabs"
                } else {
                    "check the indentation, the colons and the quotes around here"
                };
                Err(Stop::Syntax(Unreadable::new(mark, error.info().clone(), help)))
            }
        }
    }

    fn read_document(&mut self) -> Result<Option<Node>, Stop> {
        loop {
            match self.next()? {
                None => return Ok(None),
                Some((
                    Event::StreamStart
                    | Event::StreamEnd
                    | Event::DocumentStart(..)
                    | Event::DocumentEnd,
                    _,
                )) => {}
                Some((event, span)) => return self.read_node(event, span, 0).map(Some),
            }
        }
    }

    fn expect(&mut self) -> Result<(Event<'text>, Span), Stop> {
        match self.next()? {
            Some(next) => Ok(next),
            None => Err(Stop::Refused {
                refusal: Unreadable::new(
                    Mark::default(),
                    "the text ends in the middle of a value",
                    "finish it",
                ),
                last: true,
            }),
        }
    }

    fn read_node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node, Stop> {
        let mark = Mark { line: count(span.start.line()), column: count(span.start.col() + 1) };
        let refuse = |message: &str, help: &'static str, last: bool| {
            Err(Stop::Refused { refusal: Unreadable::new(mark, message, help), last })
        };
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return refuse(
                "the file holds more than 100000 values",
                "split it into several files",
                true,
            );
        }
        if depth > DEEPEST {
            return refuse("values are nested deeper than 64 levels", "flatten them", true);
        }
        if event.anchor_id().is_some_and(|id| id != 0) || event.is_alias() {
            return refuse(
                "anchors and aliases are not read",
                "write the value out where it is needed",
                false,
            );
        }
        if event.tag().is_some() {
            return refuse(
                "tags are not read",
                "remove the `!…`; quote the value to make it a string",
                false,
            );
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let value = match style {
                    ScalarStyle::Plain => plain(&text),
                    _ => Value::Text(text.into_owned()),
                };
                Ok(Node { mark, value })
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.expect()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.read_node(event, span, depth + 1)?),
                    }
                }
                Ok(Node { mark, value: Value::List(items) })
            }
            Event::MappingStart(..) => {
                Ok(Node { mark, value: Value::Map(self.read_entries(depth)?) })
            }
            _ => refuse("a value belongs here", "write one", false),
        }
    }

    fn read_entries(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, Stop> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        // Long maps look keys up in a set; short ones are faster searched.
        let mut seen = std::collections::HashSet::new();
        loop {
            let key = match self.expect()? {
                (Event::MappingEnd, _) => return Ok(entries),
                (event, span) => self.read_node(event, span, depth + 1)?,
            };
            let mark = key.mark;
            let refuse = |message: String, help: &'static str| {
                Err(Stop::Refused { refusal: Unreadable::new(mark, message, help), last: false })
            };
            let text = match key.value {
                Value::Text(text) => text,
                Value::Integer(integer) => integer.to_string(),
                Value::Bool(bool) => bool.to_string(),
                _ => return refuse("a key is a text".into(), "quote it"),
            };
            if text == "<<" {
                return refuse(
                    "merge keys are not read".into(),
                    "write the values out where they are needed",
                );
            }
            let twice = if entries.len() < 16 {
                entries.iter().any(|(other, _)| other.text == text)
            } else {
                if seen.is_empty() {
                    seen.extend(entries.iter().map(|(key, _)| key.text.clone()));
                }
                !seen.insert(text.clone())
            };
            if twice {
                return refuse(
                    format!("the key `{text}` stands twice in one map"),
                    "remove one of the two",
                );
            }
            let (event, span) = self.expect()?;
            let node = self.read_node(event, span, depth + 1)?;
            entries.push((Key { mark, text }, node));
        }
    }
}

/// What an unquoted word means by the core schema of YAML 1.2.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Value::Text(text.to_owned());
    }
    // `0755` and `00` would be read as other numbers by other readers: they stay texts.
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if leading_zero {
        return Value::Text(text.to_owned());
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer);
    }
    let float =
        digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
            && digits.bytes().any(|byte| byte.is_ascii_digit());
    match text.parse::<f64>() {
        Ok(number) if float && number.is_finite() => Value::Float(number),
        _ => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> serde_json::Value {
        let (documents, refusals) = read(text.as_bytes());
        assert_eq!(refusals, [], "{text}");
        assert_eq!(documents.len(), 1, "{text}");
        documents[0].to_json()
    }

    #[track_caller]
    fn refused(text: &[u8], line: u32, says: &str) {
        let (_, refusals) = read(text);
        let first = refusals.first().expect("a refusal");
        assert!(first.message.contains(says), "{first:?}");
        assert_eq!(first.mark.line, line, "{first:?}");
        assert!(first.help.is_some());
    }

    #[test]
    fn words_mean_what_yaml_1_2_says() {
        let text = "a: yes\nb: true\nc: 0755\nd: 12:30:45\ne: 1.50\nf: ~\ng: 7\nh: -0.5\ni: 1e3\nj: .\nk: 1.2.3\nl: 99999999999999999999\n";
        assert_eq!(
            one(text),
            serde_json::json!({"a": "yes", "b": true, "c": "0755", "d": "12:30:45", "e": 1.5, "f": null, "g": 7, "h": -0.5, "i": 1000.0, "j": ".", "k": "1.2.3", "l": "99999999999999999999"})
        );
    }

    #[test]
    fn a_byte_order_mark_and_windows_lines_are_read() {
        assert_eq!(one("\u{feff}a: 1\r\nb:\r\n  - x\r\n"), serde_json::json!({"a": 1, "b": ["x"]}));
    }

    #[test]
    fn what_has_no_use_here_is_refused_with_its_line() {
        refused(b"a: 1\nb: &x 2\n", 2, "anchors");
        refused(b"a: 1\nb: !!str 2\n", 2, "tags");
        refused(b"a:\n  <<: {b: 1}\n", 2, "merge keys");
        refused(b"a: 1\na: 2\n", 2, "twice");
        refused(b"a: \xff\n", 1, "UTF-8");
        refused(b"a: 1\nb: \x07\n", 2, "control character");
        refused(b"a:\n\tb: 1\n", 2, "");
        refused(&vec![b' '; LARGEST_FILE + 1], 0, "bytes");
        refused(&b"[".repeat(2000), 1, "nested");
    }

    #[test]
    fn an_alias_bomb_is_refused_at_its_first_anchor() {
        refused(b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 1, "anchors");
    }

    #[test]
    fn a_broken_document_does_not_hide_the_next() {
        let (documents, refusals) = read(b"a: 1\n---\nb: [\n---\nc: 3\n");
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert!(documents.iter().any(|node| node.get("c").is_some()), "{documents:?}");
    }

    #[test]
    fn a_path_leads_to_its_line() {
        let (documents, _) = read(b"spec:\n  list:\n    - name: a\n    - name: b\n");
        assert_eq!(documents[0].locate("spec.list.1.name"), Mark { line: 4, column: 13 });
        assert_eq!(documents[0].locate("spec.list.7"), Mark { line: 2, column: 3 });
    }

    #[test]
    fn a_path_goes_through_keys_with_points() {
        let (documents, _) = read(b"quota:\n  requests.cpu: 4\n  requests.memory: 8Gi\n");
        assert_eq!(documents[0].locate("quota.requests.memory"), Mark { line: 3, column: 20 });
    }
}
