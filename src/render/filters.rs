//! What templates can do with values, and how values are written.

use minijinja::AutoEscape;
use minijinja::Environment;
use minijinja::Error;
use minijinja::ErrorKind;
use minijinja::Output;
use minijinja::State;
use minijinja::Value;
use minijinja::filters;
use minijinja::tests;
use minijinja::value::DynObject;
use minijinja::value::ValueKind;

use super::names::LONGEST_NAME;
use super::names::shortened;
use super::values::LONGEST_TEXT;
use crate::model::Digest;
use crate::model::term::Term;

/// An environment with the few filters, tests and functions that there are.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("default", default);
    environment.add_filter("digest", digest);
    environment.add_filter("days", days);
    environment.add_filter("first", filters::first);
    environment.add_filter("items", filters::items);
    environment.add_filter("join", join);
    environment.add_filter("json", json);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("pluck", pluck);
    environment.add_filter("replace", replace);
    environment.add_filter("short", short);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("unique", filters::unique);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("none", tests::is_none);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_function("fail", fail);
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// `{{ fail("…") }}` ends the rendering with a message of the template's own.
fn fail(message: String) -> Result<Value, Error> {
    Err(refused(message))
}

/// The value, or another where it is absent.
fn default(value: &Value, other: Value) -> Value {
    if value.is_none() || value.is_undefined() { other } else { value.clone() }
}

/// Eight hexadecimal digits that stand for a value.
fn digest(value: &Value) -> Result<String, Error> {
    let mut text = json(value)?;
    text = Digest::of(text.as_bytes()).to_string();
    text.truncate(8);
    Ok(text)
}

/// A name that leaves room for what Kubernetes appends.
fn short(name: &str) -> String {
    shortened(name, LONGEST_NAME)
}

/// How many days a term such as `30 days` has.
fn days(term: &str) -> Result<u64, Error> {
    let term: Term = term.parse().map_err(|_| refused("`days` takes a term such as `30 days`"))?;
    Ok(term.about_seconds().div_ceil(86_400))
}

/// One attribute of each value.
fn pluck(values: &Value, attribute: &str) -> Result<Vec<Value>, Error> {
    values.try_iter()?.map(|value| value.get_attr(attribute)).collect()
}

fn join(values: &Value, between: Option<&str>) -> Result<String, Error> {
    let mut text = String::new();
    for (position, value) in values.try_iter()?.enumerate() {
        if position > 0 {
            text.push_str(between.unwrap_or(""));
        }
        match value.as_str() {
            Some(part) => text.push_str(part),
            None => text.push_str(&json(&value)?),
        }
        bounded(&text)?;
    }
    Ok(text)
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    if from.is_empty() {
        return Err(refused("`replace` needs something to look for"));
    }
    if text.matches(from).count().saturating_mul(to.len()) > LONGEST_TEXT {
        return Err(refused("the text gets too long"));
    }
    Ok(text.replace(from, to))
}

/// A value as a text of JSON.
fn json(value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    write_json(&mut text, value)?;
    bounded(&text)?;
    Ok(text)
}

fn bounded(text: &str) -> Result<(), Error> {
    if text.len() > LONGEST_TEXT { Err(refused("the text gets too long")) } else { Ok(()) }
}

/// Writes every value of a document as JSON, which is YAML on one line: whatever a customer
/// typed, it stays a value. In the text of a file, a value of one line stands as it is.
pub(super) fn write(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    match (state.auto_escape(), value.as_str()) {
        (AutoEscape::None, Some(text)) if text.contains(char::is_control) => {
            Err(refused("a value of several lines cannot stand in the text of a file"))
        }
        (AutoEscape::None, Some(text)) => Ok(out.write_str(text)?),
        _ => write_json(out, value),
    }
}

fn write_json(out: &mut impl std::fmt::Write, value: &Value) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        return Ok(write_text(out, text)?);
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => out.write_str("null")?,
        ValueKind::Bool | ValueKind::Number => write_plain(out, value)?,
        ValueKind::Map => {
            let pairs = value.as_object().and_then(DynObject::try_iter_pairs);
            let mut open = "{";
            for (key, value) in pairs.into_iter().flatten() {
                out.write_str(open)?;
                open = ",";
                match key.as_str() {
                    Some(key) => write_text(out, key)?,
                    None => return Err(refused("a map with keys that are not texts")),
                }
                out.write_str(": ")?;
                write_json(out, &value)?;
            }
            out.write_str(if open == "{" { "{}" } else { "}" })?;
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut open = "[";
            for value in value.try_iter()? {
                out.write_str(open)?;
                open = ",";
                write_json(out, &value)?;
            }
            out.write_str(if open == "[" { "[]" } else { "]" })?;
        }
        kind => return Err(refused(format!("a {kind} cannot be written"))),
    }
    Ok(())
}

fn write_plain(out: &mut impl std::fmt::Write, value: &Value) -> Result<(), Error> {
    let text = value.to_string();
    match text.as_str() {
        "True" => out.write_str("true")?,
        "False" => out.write_str("false")?,
        "inf" | "-inf" | "NaN" => return Err(refused("a number without end cannot be written")),
        number => out.write_str(number)?,
    }
    Ok(())
}

/// Writes a text as JSON. What readers of YAML could take for the end of a line is escaped too.
fn write_text(out: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    let special = |next: char| {
        matches!(next, '"' | '\'' | '\\' | '\u{2028}' | '\u{2029}' | '\u{feff}')
            || next.is_control()
    };
    out.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        out.write_str(&rest[..at])?;
        let special = rest[at..].chars().next().unwrap_or_default();
        match special {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            other => write!(out, "\\u{:04x}", u32::from(other))?,
        }
        rest = &rest[at + special.len_utf8()..];
    }
    out.write_str(rest)?;
    out.write_char('"')
}
