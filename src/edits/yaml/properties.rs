//! Whatever a document looks like: a change changes what it says it does, and no other line.

use std::fmt::Write as _;
use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::layout::Shape;
use super::layout::Spot;
use super::*;

/// A value and how somebody wrote it.
#[derive(Clone, Debug)]
enum Written {
    Nothing,
    Word(&'static str),
    Lines,
    List(Vec<(Around, Written)>, Brackets),
    Map(Vec<(Around, Written)>, Brackets),
}

#[derive(Clone, Copy, Debug)]
enum Brackets {
    None,
    OneLine,
    Lines,
}

/// What stands around an entry or item.
#[derive(Clone, Copy, Debug)]
struct Around {
    blank: bool,
    above: bool,
    beside: bool,
}

fn around() -> impl Strategy<Value = Around> {
    (prop::bool::weighted(0.2), prop::bool::weighted(0.3), prop::bool::weighted(0.3))
        .prop_map(|(blank, above, beside)| Around { blank, above, beside })
}

fn written() -> impl Strategy<Value = Written> {
    let word = prop_oneof![
        Just("x"),
        Just("a longer one"),
        Just("'no'"),
        Just("\"it \\\"is\\\"\""),
        Just("2026-01-31"),
        Just("7"),
        Just("true"),
        Just("'it''s #1'"),
        Just("ключ"),
    ];
    let leaf = prop_oneof![
        6 => word.prop_map(Written::Word),
        1 => Just(Written::Nothing),
        1 => Just(Written::Lines),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let brackets = prop_oneof![
            4 => Just(Brackets::None),
            2 => Just(Brackets::OneLine),
            1 => Just(Brackets::Lines),
        ];
        let inside = prop::collection::vec((around(), inner), 0..4);
        (inside, brackets, any::<bool>()).prop_map(|(inside, how, list)| {
            if list { Written::List(inside, how) } else { Written::Map(inside, how) }
        })
    })
}

#[derive(Default)]
struct Writer {
    text: String,
    comments: usize,
}

impl Writer {
    fn comment(&mut self) -> String {
        self.comments += 1;
        format!("# {}!", self.comments)
    }

    fn document(&mut self, fields: &[(Around, Written)]) {
        self.inside(fields, 0, false, false);
    }

    /// The value after a colon or dash, to the end of its line.
    fn value(&mut self, value: &Written, around: Around, indent: usize, after_dash: bool) {
        let beside = if around.beside { format!(" {}", self.comment()) } else { String::new() };
        match value {
            Written::Nothing => writeln!(self.text, "{beside}").unwrap(),
            Written::Word(word) => writeln!(self.text, " {word}{beside}").unwrap(),
            Written::Lines => {
                let pad = " ".repeat(indent + 2);
                writeln!(self.text, " |{beside}\n{pad}one\n\n{pad}two # no comment").unwrap();
            }
            Written::List(inside, Brackets::None) | Written::Map(inside, Brackets::None)
                if !inside.is_empty() =>
            {
                let list = matches!(value, Written::List(..));
                let inline = after_dash && beside.is_empty() && !inside[0].0.above;
                if inline {
                    self.text.push(' ');
                } else {
                    writeln!(self.text, "{beside}").unwrap();
                }
                self.inside(inside, indent + 2, list, inline);
            }
            value => {
                self.text.push(' ');
                self.brackets(value, indent);
                writeln!(self.text, "{beside}").unwrap();
            }
        }
    }

    fn inside(&mut self, inside: &[(Around, Written)], indent: usize, list: bool, inline: bool) {
        for (number, (around, value)) in inside.iter().enumerate() {
            if !(inline && number == 0) {
                if around.blank {
                    self.text.push('\n');
                }
                let pad = " ".repeat(indent);
                if around.above {
                    let comment = self.comment();
                    writeln!(self.text, "{pad}{comment}").unwrap();
                }
                self.text.push_str(&pad);
            }
            if list {
                self.text.push('-');
            } else {
                write!(self.text, "k{number}:").unwrap();
            }
            self.value(value, *around, indent, list);
        }
    }

    fn brackets(&mut self, value: &Written, indent: usize) {
        let (inside, lines, list) = match value {
            Written::List(inside, how) => (inside, matches!(how, Brackets::Lines), true),
            Written::Map(inside, how) => (inside, matches!(how, Brackets::Lines), false),
            Written::Word(word) => return self.text.push_str(word),
            Written::Nothing => return self.text.push('~'),
            Written::Lines => return self.text.push_str("\"one\\n\\ntwo\""),
        };
        self.text.push(if list { '[' } else { '{' });
        for (number, (around, value)) in inside.iter().enumerate() {
            if lines {
                write!(self.text, "\n{}", " ".repeat(indent + 2)).unwrap();
            }
            if !list {
                write!(self.text, "k{number}: ").unwrap();
            }
            self.brackets(value, indent + 2);
            if number + 1 < inside.len() || (lines && around.blank) {
                self.text.push_str(if lines { "," } else { ", " });
            }
            if lines && around.beside {
                let comment = self.comment();
                write!(self.text, " {comment}").unwrap();
            }
        }
        if lines && !inside.is_empty() {
            write!(self.text, "\n{}", " ".repeat(indent)).unwrap();
        }
        self.text.push(if list { ']' } else { '}' });
    }
}

/// Every place of a document that a change may be about.
fn places(value: &Value, path: &Path, all: &mut Vec<Path>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = path.clone().key(key);
                all.push(path.clone());
                places(value, &path, all);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                let path = path.clone().item(at);
                all.push(path.clone());
                places(value, &path, all);
            }
        }
        _ => {}
    }
}

#[derive(Clone, Debug)]
enum Wish {
    Set(Value),
    SetInside(Value),
    Remove,
    Append(Value),
}

fn wish() -> impl Strategy<Value = Wish> {
    let value = prop_oneof![
        Just(json!("no")),
        Just(json!("2026-02-28")),
        Just(json!(12)),
        Just(json!(["a", "b"])),
        Just(json!([])),
        Just(json!({})),
        Just(json!({"k1": 1, "new": {"x": ["y"]}})),
        Just(json!([{"a": 1, "b": {"c": 2}}])),
    ];
    prop_oneof![
        value.clone().prop_map(Wish::Set),
        value.clone().prop_map(Wish::SetInside),
        value.prop_map(Wish::Append),
        Just(Wish::Remove),
    ]
}

/// The bytes in which a change may happen, and those whose comments may go.
fn concerned(root: &Spot, change: &Change, text: &str) -> (Range<usize>, Range<usize>) {
    let steps = change.path().steps();
    let mut spot = root;
    let mut place = root.start..root.end;
    let mut owner = place.clone();
    for step in steps {
        let (siblings, at, value): (Vec<Range<usize>>, _, _) = match (&spot.shape, step) {
            (Shape::Map(entries), Step::Key(key)) => {
                let Some(at) = entries.iter().position(|entry| entry.key == *key) else { break };
                (entries.iter().map(|e| e.start..e.value.end).collect(), at, &entries[at].value)
            }
            (Shape::List(items), Step::Item(at)) => {
                (items.iter().map(|i| i.start..i.value.end).collect(), *at, &items[*at].value)
            }
            _ => break,
        };
        let from = at.checked_sub(1).map_or(spot.start, |before| siblings[before].end);
        let to = siblings.get(at + 1).map_or(spot.end, |next| next.start);
        owner = if siblings.len() == 1 { place.start..spot.end } else { from..to };
        place = siblings[at].clone();
        spot = value;
    }
    let none = 0..0;
    match change {
        Change::Set(..) => (place.clone(), spot.start..splice::line_end(text, spot.end)),
        Change::Append(..) => (place, none),
        Change::Remove(_) => (owner, place.start..splice::line_end(text, place.end)),
    }
}

fn comments(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.rsplit_once("# ").filter(|(_, comment)| comment.ends_with('!')))
        .map(|(_, comment)| comment.to_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_change_is_made_and_no_other_line_is_touched(
        fields in prop::collection::vec((around(), written()), 1..5),
        where_ in any::<Index>(),
        wish in wish(),
        windows in any::<bool>(),
        open in any::<bool>(),
        second in any::<bool>(),
    ) {
        let mut writer = Writer::default();
        writer.document(&fields);
        let mut text = writer.text;
        if second {
            text = format!("first: 1 # one\n---\n{text}---\nlast: [1]\n");
        }
        if open {
            text.pop();
        }
        if windows {
            text = text.replace('\n', "\r\n");
        }
        let ordinal = usize::from(second);
        let documents = read(&text).unwrap();
        let mut all = vec![Path::default()];
        places(&documents[ordinal], &Path::default(), &mut all);
        let path = where_.get(&all).clone();
        let change = match wish {
            Wish::Set(value) => Change::Set(path, value),
            Wish::SetInside(value) => Change::Set(path.key("inside").key("more"), value),
            Wish::Append(value) => Change::Append(path, value),
            Wish::Remove => Change::Remove(path),
        };
        prop_assume!(!matches!(&change, Change::Set(path, _) if path.steps().is_empty()));

        let changed = match edit("f", &text, ordinal, &change) {
            Ok(changed) => changed,
            Err(refused) => {
                prop_assert_ne!(refused.why.as_str(), LAID_OUT, "{}\n{:?}", text, change);
                return Ok(());
            }
        };
        let layout = Layout::of(&text).unwrap();
        let (region, lost) = concerned(&layout.documents[ordinal].root, &change, &text);
        let before = &text[..splice::line_start(&text, region.start)];
        let after = &text[splice::line_end(&text, region.end)..];
        prop_assert!(changed.starts_with(before), "{}\n---- {:?}\n{}", text, change, changed);
        prop_assert!(changed.ends_with(after), "{}\n---- {:?}\n{}", text, change, changed);
        let kept = format!("{}\n{}", &text[..lost.start], &text[lost.end..]);
        let there = comments(&changed);
        for comment in comments(&kept) {
            prop_assert!(there.contains(&comment), "{} is lost: {}\n---- {:?}\n{}", comment, text, change, changed);
        }
        prop_assert!(text.contains("\r\n") || !changed.contains("\r\n"));
        prop_assert!(!text.contains("\r\n") || !changed.replace("\r\n", "").contains('\n'));
        prop_assert_eq!(changed.ends_with('\n'), text.ends_with('\n'));
    }
}
