//! Writes a word so that every reader of YAML takes it for what it is meant, those of YAML 1.1
//! included: `no`, `0755` and `12:30` are quoted.

use std::fmt::Write as _;

use serde_json::Value;

use super::layout::Style;

/// Writes a null, a truth, a number or a text. `like` is how the value was written that it
/// replaces: a text keeps its quotes.
pub(super) fn scalar(value: &Value, like: Option<Style>) -> String {
    match value {
        Value::String(text) => match like {
            Some(Style::DoubleQuoted) => double_quoted(text),
            Some(Style::SingleQuoted) if is_printable(text) => {
                format!("'{}'", text.replace('\'', "''"))
            }
            _ if is_plain(text) => text.clone(),
            _ => double_quoted(text),
        },
        other => other.to_string(),
    }
}

/// Writes the key of an entry.
pub(super) fn key(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { double_quoted(text) }
}

/// Whether a text may stand without quotes, inside of brackets as well.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    if is_day(text) {
        // A day is one to every reader, and written without quotes in everybody's documents.
        return true;
    }
    let allowed = |next: char| next.is_alphanumeric() || " -_./@+=:()*&!;".contains(next);
    let words = text.chars().all(allowed)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains("  ");
    let starts_well = first.is_alphabetic() || matches!(first, '/' | '_');
    let number = first.is_ascii_digit() && is_no_number(text);
    words && (starts_well || number) && !is_reserved(text)
}

/// `2026-01-31`.
fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

/// What begins with a digit and is no number to any reader, nor a time: `10Gi`, `199.00 USD`.
fn is_no_number(text: &str) -> bool {
    let other_base = ["0x", "0X", "0o", "0O", "0b", "0B"].iter().any(|base| text.starts_with(base));
    let letter = |next: char| next.is_alphabetic() && !matches!(next, 'e' | 'E');
    !other_base && !text.contains(':') && text.chars().any(letter)
}

/// The words that mean something else than themselves to some reader.
fn is_reserved(text: &str) -> bool {
    const WORDS: [&str; 11] =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether single quotes, which know no escapes, can hold it on one line.
fn is_printable(text: &str) -> bool {
    !text.chars().any(|next| next.is_control() || is_break_or_mark(next))
}

fn is_break_or_mark(next: char) -> bool {
    matches!(next, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for next in text.chars() {
        match next {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            next if next.is_control() || is_break_or_mark(next) => {
                write!(out, "\\u{:04x}", u32::from(next)).expect("a string takes every text");
            }
            next => out.push(next),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::yaml;

    #[test]
    fn what_some_reader_would_take_for_something_else_is_quoted() {
        for text in [
            "no",
            "Yes",
            "ON",
            "y",
            "~",
            "null",
            "true",
            "0755",
            "12:30",
            "12:30:45",
            "1e3",
            "1.5",
            "0x1f",
            "0b1",
            "1_000",
            ".5",
            "-1",
            "+1",
            ".inf",
            ".NaN",
            "2026-02-30",
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "#a",
            "- a",
            "[a",
            "{a}",
            "a, b",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a",
            "\"a",
            "|",
            ">",
            "?",
            "=",
            "<<",
            "a\nb",
            "2001-12-14 21:59:43",
        ] {
            assert!(scalar(&json!(text), None).starts_with('"'), "{text}");
        }
    }

    #[test]
    fn what_nobody_can_mistake_stands_as_it_is() {
        for text in [
            "acme",
            "ACME Corp",
            "admin@acme.com",
            "2026-01-31",
            "10Gi",
            "250m",
            "299000 VND",
            "199.00 USD",
            "https://cdn.example/a.png",
            "Nguyễn Minh Anh",
            "learn.acme.example",
            "storage-50",
            "77270c50",
            "/srv/tenants",
            "kkt:1.2.3",
        ] {
            assert_eq!(scalar(&json!(text), None), text);
        }
        assert_eq!(scalar(&json!(true), None), "true");
        assert_eq!(scalar(&json!(-7), None), "-7");
        assert_eq!(scalar(&json!(null), None), "null");
    }

    #[test]
    fn a_text_keeps_the_quotes_of_what_it_replaces() {
        assert_eq!(scalar(&json!("it's"), Some(Style::SingleQuoted)), "'it''s'");
        assert_eq!(scalar(&json!("a\nb"), Some(Style::SingleQuoted)), "\"a\\nb\"");
        assert_eq!(scalar(&json!("a"), Some(Style::DoubleQuoted)), "\"a\"");
        assert_eq!(scalar(&json!(3), Some(Style::DoubleQuoted)), "3");
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_it_was_meant(text in any::<String>(), style in 0..3_u8) {
            let style = [Style::Plain, Style::SingleQuoted, Style::DoubleQuoted][usize::from(style)];
            let written = scalar(&json!(text), Some(style));
            for layout in [format!("a: {written}\n"), format!("a: [{written}, b]\n"), format!("- {written}")] {
                let (documents, refused) = yaml::read(layout.as_bytes());
                prop_assert_eq!(&refused, &[], "{}", &layout);
                let read = documents[0].to_json();
                let value = read.pointer("/a/0").or_else(|| read.get("a")).or_else(|| read.get(0));
                prop_assert_eq!(value, Some(&json!(text)), "{}", layout);
            }
        }
    }
}
