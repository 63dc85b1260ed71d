//! The quick reader says what the library says, or nothing.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::render::built_in::BUILT_IN;
use crate::render::language::outside_tags;

/// Reads a text both ways. Where the quick reader does not decline, both say the same.
#[track_caller]
fn both(text: &str) -> Option<Vec<Rendered>> {
    let quick = quickly(text);
    if let Some(quick) = &quick {
        assert_eq!(slowly(text).as_ref(), Ok(quick), "{text:?}");
    }
    quick
}

#[track_caller]
fn reads(text: &str, expected: Value) {
    let quick = both(text).unwrap_or_else(|| panic!("it declines {text:?}"));
    assert_eq!(quick.into_iter().map(|one| one.value).collect::<Vec<_>>(), [expected]);
}

#[track_caller]
fn declines(text: &str) {
    assert_eq!(quickly(text), None, "{text:?}");
}

#[test]
fn what_templates_write_is_read() {
    reads(
        "a: 1\nb:\n  c: x y # why\n\n# more\n  d: \"q\\\"\\n\\u00e9\"\n",
        json!({"a": 1, "b": {"c": "x y", "d": "q\"\né"}}),
    );
    reads(
        "- a\n- b: 1\n  c: 2\n-\n  d: 3\n- - x\n  - y\n",
        json!(["a", {"b": 1, "c": 2}, {"d": 3}, ["x", "y"]]),
    );
    reads(
        "a:\n- 1\n- 2\nb:\n  - {x: y, \"z\":{}}\n",
        json!({"a": [1, 2], "b": [{"x": "y", "z": {}}]}),
    );
    reads(
        "a: {x: [1,\n    2], y: ''}\nb: 'it''s'\n",
        json!({"a": {"x": [1, 2], "y": ""}, "b": "it's"}),
    );
    reads(
        "a: |\n  line\n\n    more\n  # no comment\nb: |-\n  x\n",
        json!({"a": "line\n\n  more\n# no comment\n", "b": "x"}),
    );
    reads(
        "a: $(B)\nb: --dir\nc: redis:7\nd: 0 2 * * *\ne: ~\nf: true\ng: 1.50\nh: 0755\n",
        json!({"a": "$(B)", "b": "--dir", "c": "redis:7", "d": "0 2 * * *", "e": null, "f": true, "g": 1.5, "h": "0755"}),
    );
    reads("\"a b\": 1\n7: x\n", json!({"a b": 1, "7": "x"}));
}

#[test]
fn each_document_remembers_its_line() {
    let lines: Vec<u32> = both("# first\na: 1\n---\n\n---\n# second\nb: 2\n")
        .unwrap()
        .iter()
        .map(|one| one.line)
        .collect();
    assert_eq!(lines, [2, 7]);
}

#[test]
fn what_is_beyond_it_is_left_to_the_library() {
    for text in [
        "a: &x 1\n",
        "a: *x\n",
        "a: !!str 1\n",
        "? a\n",
        "a: >\n  x\n",
        "a: b\n  c\n",
        "a: \"b\n  c\"\n",
        "a: 1\na: 2\n",
        "\ta: 1\n",
        "a: b: c\n",
        "plain\n",
        "a: |2\n  x\n",
        "%YAML 1.2\n---\na: 1\n",
        "a: [b: c]\n",
        "a: {b}\n",
        "a: [1,\n2]\n",
        "<<: {a: 1}\n",
        "a: 1\n b: 2\n",
        "...\n",
        "--- a\n",
        "a: \"\\ud83d\\ude00\"\n",
        "a: \"\\x41\"\n",
        "a: @b\n",
        "a: `b`\n",
        "a:\r\n  b: 1\r\n",
        "  a: 1\n",
    ] {
        declines(text);
    }
    declines(&format!("a: {}{}\n", "[".repeat(60), "]".repeat(60)));
}

/// JSON as a template would write it, with a style for each value.
fn written(value: &Value, indent: usize, styles: &mut impl Iterator<Item = u8>, out: &mut String) {
    let style = styles.next().unwrap_or(0);
    let margin = " ".repeat(indent);
    match value {
        Value::Object(entries) if !entries.is_empty() && !style.is_multiple_of(4) => {
            out.push('\n');
            for (key, value) in entries {
                write!(out, "{margin}{}:", Value::from(key.as_str())).unwrap();
                written(value, indent + 2, styles, out);
            }
        }
        Value::Array(items) if !items.is_empty() && !style.is_multiple_of(4) => {
            out.push('\n');
            for item in items {
                write!(out, "{margin}-").unwrap();
                written(item, indent + 2, styles, out);
            }
        }
        Value::String(text) if style.is_multiple_of(3) && is_literal(text) => {
            out.push_str(" |\n");
            for line in text.lines() {
                writeln!(out, "{margin}{line}").unwrap();
            }
        }
        Value::String(text) if style % 3 == 1 && is_plain(text) => {
            writeln!(out, " {text}").unwrap();
        }
        other => {
            let comment = if style.is_multiple_of(5) { " # why" } else { "" };
            writeln!(out, " {other}{comment}").unwrap();
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
        && yaml::plain(text) == yaml::Value::Text(text.to_owned())
}

fn is_literal(text: &str) -> bool {
    text.ends_with('\n')
        && !text.starts_with([' ', '\n'])
        && text.lines().all(|line| !line.is_empty() && line.chars().all(|next| !next.is_control()))
}

fn json() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-z]{0,6}", "[ -~]{0,12}", "[a-z#: \"']{1,8}\n", "\\PC{0,6}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-z./-]{1,8}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Lines as templates and customers make them, in any order.
fn scribble() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "a: ", "b:", "- ", "  ", "    ", "\n", "\n\n", "\n  ", "\n- ", "---\n", "# c", " # c",
        "\"x\"", "'y'", "\"", "'", "{", "}", "[", "]", ",", ": ", ":", "|", "|-", "|\n", "1",
        "true", "null", "x", "-", "--x", "$(A)", "é", "\\", "~", "&a", "*a", "!t", ">", "?", "%",
        "\t", "<<: ", "...", "\"k\":", "k: v\n", "0x1", "1e3",
    ]);
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_read_as_it_was_written(
        value in proptest::collection::btree_map("[a-z]{1,4}", json(), 1..4),
        styles in proptest::collection::vec(any::<u8>(), 64),
    ) {
        let value = Value::Object(value.into_iter().collect());
        let mut text = String::new();
        written(&value, 0, &mut std::iter::once(1).chain(styles).chain(std::iter::repeat(1)), &mut text);
        let text = text.trim_start_matches('\n');
        match both(text) {
            Some(documents) => prop_assert_eq!(&documents[0].value, &value, "{}", text),
            // Characters that it leaves to the library.
            None => prop_assert!(!text.is_ascii(), "{}", text),
        }
    }

    #[test]
    fn whatever_it_does_not_decline_the_library_reads_the_same(text in scribble()) {
        both(&text);
    }

    #[test]
    fn a_flaw_in_a_template_is_read_as_the_library_reads_it(
        which in 0..BUILT_IN.len(),
        at in any::<proptest::sample::Index>(),
        flaw in scribble(),
    ) {
        // Templates without their tags are near to what they become.
        let (_, source) = BUILT_IN[which];
        let mut text = String::new();
        for line in source.lines().filter(|line| !line.trim_start().starts_with("{%")) {
            let parts = outside_tags(line);
            text.push_str(&parts.join("\"x\""));
            text.push('\n');
        }
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        text.insert_str(places[at.index(places.len())], &flaw);
        both(&text);
    }
}
