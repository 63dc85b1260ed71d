//! Rendered text to JSON, fast: a reader of the small part of YAML that templates produce.
//!
//! It reads block maps and lists, flow collections, quoted and one-line plain scalars, literal
//! blocks and comments. Whatever else stands there, it declines, and the library reads the text;
//! where it does not decline, it says what the library would say. Tests hold the two equal.

use serde_json::Map;
use serde_json::Value;

use crate::model::yaml;
use crate::model::yaml::Unreadable;

/// How deep values may be nested before the library is asked, which then refuses.
const DEEPEST: usize = 48;

/// A document of a rendered text, and the line it begins on, counted from one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rendered {
    pub(super) line: u32,
    pub(super) value: Value,
}

/// Reads every document of a text; empty ones are left out.
pub(super) fn read(text: &str) -> Result<Vec<Rendered>, Unreadable> {
    match quickly(text) {
        Some(documents) => Ok(documents),
        None => slowly(text),
    }
}

/// Lets the library read the text.
pub(super) fn slowly(text: &str) -> Result<Vec<Rendered>, Unreadable> {
    let (documents, refusals) = yaml::read(text.as_bytes());
    if let Some(refusal) = refusals.into_iter().next() {
        return Err(refusal);
    }
    let rendered = |node: &yaml::Node| Rendered { line: node.mark.line, value: node.to_json() };
    Ok(documents.iter().map(rendered).collect())
}

/// Reads the text, or declines.
pub(super) fn quickly(text: &str) -> Option<Vec<Rendered>> {
    let breaks = ['\u{2028}', '\u{2029}', '\u{feff}'];
    let odd = |next: char| next != '\n' && next.is_control() || breaks.contains(&next);
    let odd = if text.is_ascii() {
        // Without an early end, this is done many bytes at a time.
        text.bytes().fold(false, |odd, byte| odd | (byte != b'\n' && byte.is_ascii_control()))
    } else {
        text.contains(odd)
    };
    if odd { None } else { Reader::new(text).documents() }
}

/// A line: where its content starts, which is its indentation, and where it ends.
#[derive(Clone, Copy)]
struct Line {
    begin: usize,
    start: usize,
    end: usize,
}

struct Reader<'text> {
    text: &'text str,
    lines: Vec<Line>,
    /// The line to read next.
    next: usize,
    depth: usize,
}

impl<'text> Reader<'text> {
    fn new(text: &'text str) -> Self {
        let mut lines = Vec::with_capacity(text.len() / 24);
        let mut begin = 0;
        while begin < text.len() {
            let rest = &text[begin..];
            let end = begin + rest.find('\n').unwrap_or(rest.len());
            let spaces = rest.bytes().take_while(|byte| *byte == b' ').count();
            lines.push(Line { begin, start: begin + spaces, end });
            begin = end + 1;
        }
        Self { text, lines, next: 0, depth: 0 }
    }

    fn documents(mut self) -> Option<Vec<Rendered>> {
        let mut documents = Vec::new();
        loop {
            self.skip();
            let Some(line) = self.line() else { return Some(documents) };
            if self.is_separator(line) {
                self.next += 1;
                continue;
            }
            if line.start != line.begin {
                return None;
            }
            let number = u32::try_from(self.next + 1).ok()?;
            let value = self.block(0)?;
            documents.push(Rendered { line: number, value });
            self.skip();
            if self.line().is_some_and(|line| !self.is_separator(line)) {
                return None;
            }
        }
    }

    fn line(&self) -> Option<Line> {
        self.lines.get(self.next).copied()
    }

    fn content(&self, line: Line) -> &'text str {
        &self.text[line.start..line.end]
    }

    fn is_separator(&self, line: Line) -> bool {
        line.start == line.begin && self.content(line).trim_end_matches(' ') == "---"
    }

    /// Passes over blank lines and comments.
    fn skip(&mut self) {
        while let Some(line) = self.line() {
            if line.start < line.end && self.text.as_bytes()[line.start] != b'#' {
                return;
            }
            self.next += 1;
        }
    }

    /// The indentation of the next line, where it belongs to this document.
    fn indentation(&mut self) -> Option<usize> {
        self.skip();
        let line = self.line()?;
        (!self.is_separator(line)).then_some(line.start - line.begin)
    }

    fn is_item(&self, line: Line) -> bool {
        let content = self.content(line);
        content == "-" || content.starts_with("- ")
    }

    /// Reads the map or list that starts on the next line, which is indented so far.
    fn block(&mut self, indent: usize) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let value = if self.is_item(self.line()?) { self.list(indent)? } else { self.map(indent)? };
        self.depth -= 1;
        Some(value)
    }

    fn list(&mut self, indent: usize) -> Option<Value> {
        let mut items = Vec::new();
        while self.indentation() == Some(indent) {
            let line = self.line()?;
            if !self.is_item(line) {
                break;
            }
            let rest = &self.text[line.start + 1..line.end];
            let spaces = rest.len() - rest.trim_start_matches(' ').len();
            let at = line.start + 1 + spaces;
            items.push(if self.is_over(at, line.end) {
                self.next += 1;
                self.nested(indent, false)?
            } else if self.starts_block(at, line.end)? {
                // The item is a map or list of its own: as if it began a line, there.
                self.lines[self.next].start = at;
                self.block(at - line.begin)?
            } else {
                self.inline(at, indent)?
            });
        }
        Some(Value::Array(items))
    }

    fn map(&mut self, indent: usize) -> Option<Value> {
        let mut entries = Map::with_capacity(4);
        while self.indentation() == Some(indent) {
            let line = self.line()?;
            if self.is_item(line) {
                break;
            }
            let (key, colon) = self.key(line.start, line.end)?;
            let rest = &self.text[colon + 1..line.end];
            let at = line.end - rest.trim_start_matches(' ').len();
            let value = if self.is_over(at, line.end) {
                self.next += 1;
                self.nested(indent, true)?
            } else {
                self.inline(at, indent)?
            };
            if entries.insert(key, value).is_some() {
                return None;
            }
        }
        Some(Value::Object(entries))
    }

    /// Whether nothing but a comment follows.
    fn is_over(&self, at: usize, end: usize) -> bool {
        at == end || (self.text.as_bytes()[at] == b'#' && self.text.as_bytes()[at - 1] == b' ')
    }

    /// What stands under a key or a dash, which are indented so far. A list may stand as far left
    /// as the key it belongs to.
    fn nested(&mut self, indent: usize, of_key: bool) -> Option<Value> {
        let Some(deeper) = self.indentation() else { return Some(Value::Null) };
        if deeper > indent || (deeper == indent && of_key && self.is_item(self.line()?)) {
            self.block(deeper)
        } else {
            Some(Value::Null)
        }
    }

    /// Whether a map or list starts in the middle of a line.
    fn starts_block(&self, at: usize, end: usize) -> Option<bool> {
        let content = &self.text[at..end];
        match content.as_bytes()[0] {
            b'{' | b'[' | b'|' => Some(false),
            b'"' | b'\'' => {
                let (_, after) = self.quoted(at, end)?;
                Some(self.text.as_bytes().get(after) == Some(&b':'))
            }
            b'-' if content == "-" || content.starts_with("- ") => Some(true),
            _ => {
                let plain = content.split(" #").next().unwrap_or(content).trim_end_matches(' ');
                Some(plain.contains(": ") || plain.ends_with(':'))
            }
        }
    }

    /// A key, and where its colon stands.
    fn key(&self, at: usize, end: usize) -> Option<(String, usize)> {
        let bytes = self.text.as_bytes();
        let (key, colon) = if matches!(bytes[at], b'"' | b'\'') {
            self.quoted(at, end)?
        } else {
            let length = bytes[at..end].iter().position(|byte| !is_name(*byte))?;
            let text = &self.text[at..at + length];
            if text.is_empty() || text.starts_with(['-', '.', '/']) {
                return None;
            }
            match yaml::plain(text) {
                yaml::Value::Text(_) => {}
                yaml::Value::Integer(number) if number.to_string() == text => {}
                _ => return None,
            }
            (text.to_owned(), at + length)
        };
        let ends = colon + 1 == end || bytes.get(colon + 1) == Some(&b' ');
        (colon < end && bytes[colon] == b':' && ends && key != "<<").then_some((key, colon))
    }

    /// A value that starts in this line, after a key or dash that is indented so far.
    fn inline(&mut self, at: usize, indent: usize) -> Option<Value> {
        let line = self.line()?;
        let (value, after) = match self.text.as_bytes()[at] {
            b'|' => return self.literal(at, indent),
            b'"' | b'\'' => {
                let (text, after) = self.quoted(at, line.end)?;
                (Value::String(text), after)
            }
            b'{' | b'[' => self.flow(at, indent)?,
            _ => {
                let content = &self.text[at..line.end];
                let plain = content.split(" #").next().unwrap_or(content).trim_end_matches(' ');
                if plain.contains(": ") || plain.ends_with(':') || !starts_plain(plain) {
                    return None;
                }
                (scalar(plain), at + plain.len())
            }
        };
        // The flow may have ended lines below.
        let line = self.line()?;
        let rest = &self.text[after..line.end];
        let trimmed = rest.trim_start_matches(' ');
        let comment = trimmed.starts_with('#') && trimmed.len() < rest.len();
        if !trimmed.is_empty() && !comment {
            return None;
        }
        self.next += 1;
        // What is indented deeper would go on with the scalar.
        match self.indentation() {
            Some(deeper) if deeper > indent => None,
            _ => Some(value),
        }
    }

    /// A literal block: `|`, or `|-` without the last line's end.
    fn literal(&mut self, at: usize, indent: usize) -> Option<Value> {
        let line = self.line()?;
        let keeps_end = match &self.text[at..line.end] {
            "|" => true,
            "|-" => false,
            _ => return None,
        };
        self.next += 1;
        let first = self.line()?;
        let margin = first.start - first.begin;
        if first.start == first.end || margin <= indent {
            return None;
        }
        let mut text = String::new();
        let mut blank = 0;
        while let Some(line) = self.line() {
            let depth = line.start - line.begin;
            if line.start == line.end {
                if depth > margin {
                    return None;
                }
                blank += 1;
            } else if depth >= margin {
                text.extend(std::iter::repeat_n('\n', std::mem::take(&mut blank)));
                text.push_str(&self.text[line.begin + margin..line.end]);
                text.push('\n');
            } else if depth <= indent {
                break;
            } else {
                return None;
            }
            self.next += 1;
        }
        if !keeps_end {
            text.pop();
        }
        Some(Value::String(text))
    }

    /// A quoted text, and where it is over.
    fn quoted(&self, at: usize, end: usize) -> Option<(String, usize)> {
        let bytes = self.text.as_bytes();
        let quote = bytes[at];
        let mut text = String::new();
        let mut from = at + 1;
        loop {
            let stop = from
                + bytes[from..end]
                    .iter()
                    .position(|byte| *byte == quote || *byte == b'\\' && quote == b'"')?;
            text.push_str(&self.text[from..stop]);
            from = stop + 2;
            if bytes[stop] == b'\\' {
                text.push(match bytes.get(stop + 1)? {
                    b'n' => '\n',
                    b't' => '\t',
                    b'r' => '\r',
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'"' => '"',
                    b'\\' => '\\',
                    b'/' => '/',
                    b'u' => {
                        from = stop + 6;
                        let digits = self.text.get(stop + 2..from)?;
                        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
                            .filter(|_| hexadecimal)?
                    }
                    _ => return None,
                });
                if from > end {
                    return None;
                }
            } else if quote == b'\'' && bytes.get(stop + 1) == Some(&b'\'') && stop + 1 < end {
                text.push('\'');
            } else {
                return Some((text, stop + 1));
            }
        }
    }

    /// A flow collection, and where it is over; it may go on over lines that are indented deeper.
    fn flow(&mut self, at: usize, indent: usize) -> Option<(Value, usize)> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let is_map = self.text.as_bytes()[at] == b'{';
        let close = if is_map { b'}' } else { b']' };
        let mut items = Vec::new();
        let mut entries = Map::with_capacity(4);
        let mut at = self.pass(at + 1, indent)?;
        let mut first = true;
        while self.text.as_bytes()[at] != close {
            if !first {
                if self.text.as_bytes()[at] != b',' {
                    return None;
                }
                at = self.pass(at + 1, indent)?;
            }
            first = false;
            if is_map {
                let (key, value, after) = self.flow_entry(at, indent)?;
                if entries.insert(key, value).is_some() {
                    return None;
                }
                at = self.pass(after, indent)?;
            } else {
                let (item, after) = self.flow_value(at, indent)?;
                items.push(item);
                at = self.pass(after, indent)?;
            }
        }
        self.depth -= 1;
        let value = if is_map { Value::Object(entries) } else { Value::Array(items) };
        Some((value, at + 1))
    }

    fn flow_entry(&mut self, at: usize, indent: usize) -> Option<(String, Value, usize)> {
        let end = self.line()?.end;
        let bytes = self.text.as_bytes();
        // After a quoted key the value may follow at once, as in JSON.
        let (key, colon) = if bytes[at] == b'"' {
            let (key, after) = self.quoted(at, end)?;
            (key, (bytes.get(after) == Some(&b':')).then_some(after)?)
        } else {
            self.key(at, end)?
        };
        let after = self.pass(colon + 1, indent)?;
        if matches!(self.text.as_bytes()[after], b',' | b'}') {
            return None;
        }
        let (value, after) = self.flow_value(after, indent)?;
        (key != "<<").then_some((key, value, after))
    }

    fn flow_value(&mut self, at: usize, indent: usize) -> Option<(Value, usize)> {
        let end = self.line()?.end;
        let bytes = self.text.as_bytes();
        match bytes[at] {
            b'{' | b'[' => self.flow(at, indent),
            b'"' | b'\'' => {
                let (text, after) = self.quoted(at, end)?;
                // `["a": b]` is a map in a list.
                let over = self.text[after..end].trim_start_matches(' ');
                (!over.starts_with(':')).then_some((Value::String(text), after))
            }
            _ => {
                let length = bytes[at..end]
                    .iter()
                    .position(|byte| matches!(byte, b',' | b'[' | b']' | b'{' | b'}'))?;
                let plain = self.text[at..at + length].trim_end_matches(' ');
                let odd = |byte: u8| {
                    !(is_name(byte)
                        || matches!(byte, b' ' | b'$' | b'(' | b')' | b'+' | b'=' | b'~'))
                };
                if !starts_plain(plain) || plain.bytes().any(odd) {
                    return None;
                }
                Some((scalar(plain), at + plain.len()))
            }
        }
    }

    /// The next place in a flow where something stands.
    fn pass(&mut self, mut at: usize, indent: usize) -> Option<usize> {
        loop {
            let line = self.line()?;
            at += self.text[at..line.end].len()
                - self.text[at..line.end].trim_start_matches(' ').len();
            if at < line.end {
                return (self.text.as_bytes()[at] != b'#').then_some(at);
            }
            self.next += 1;
            let line = self.line()?;
            if line.start - line.begin <= indent || line.start == line.end {
                return None;
            }
            at = line.start;
        }
    }
}

/// The characters of plain keys and of most plain words.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-')
}

/// Whether a plain scalar may start so.
fn starts_plain(text: &str) -> bool {
    let mut bytes = text.bytes();
    match bytes.next() {
        Some(b'-') => {
            let second = bytes.find(|next| *next != b'-');
            second.is_some_and(|second| second.is_ascii_alphanumeric())
        }
        Some(first) => {
            first.is_ascii_alphanumeric()
                || matches!(first, b'_' | b'.' | b'/' | b'$' | b'(' | b'+' | b'~')
        }
        None => false,
    }
}

/// What a plain word means.
fn scalar(text: &str) -> Value {
    match yaml::plain(text) {
        yaml::Value::Text(text) => Value::String(text),
        yaml::Value::Integer(integer) => integer.into(),
        yaml::Value::Float(float) => float.into(),
        yaml::Value::Bool(bool) => bool.into(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests;
