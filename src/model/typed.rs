//! From a tree of nodes to plain types, with the line and column of whatever does not fit.

use std::fmt;

use serde::de;
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer as _;

use super::yaml::Key;
use super::yaml::Mark;
use super::yaml::Node;
use super::yaml::Value;

/// Why a node is not what its type asks for.
#[derive(Debug)]
pub struct Mismatch {
    pub mark: Option<Mark>,
    pub rule: &'static str,
    pub message: String,
    pub help: Option<String>,
}

/// Reads a node as a type.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Mismatch> {
    T::deserialize(Reading(node)).map_err(|error| error.at(node.mark))
}

impl Mismatch {
    fn new(rule: &'static str, message: String) -> Self {
        Self { mark: None, rule, message, help: None }
    }

    /// Remembers the innermost place: whoever sees the error first knows best where it is.
    fn at(mut self, mark: Mark) -> Self {
        self.mark.get_or_insert(mark);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new("wrong-value", message.to_string())
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let mut mismatch = Self::new("wrong-type", instead(found, expected));
        let text_wanted = expected.to_string().contains("string");
        if text_wanted
            && matches!(
                found,
                de::Unexpected::Bool(_)
                    | de::Unexpected::Signed(_)
                    | de::Unexpected::Unsigned(_)
                    | de::Unexpected::Float(_)
            )
        {
            mismatch.help = Some("quote it".into());
        } else if matches!(found, de::Unexpected::Str("yes" | "no" | "on" | "off")) {
            mismatch.help = Some("write `true` or `false`".into());
        }
        mismatch
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new("wrong-value", instead(found, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            help: Some(suggestion(variant, expected)),
            ..Self::new("unknown-value", format!("`{variant}` is not known here"))
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            help: Some(suggestion(field, expected)),
            ..Self::new("unknown-field", format!("there is no field `{field}` here"))
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            help: Some(format!("add `{field}`")),
            ..Self::new("missing-field", format!("the field `{field}` is missing"))
        }
    }
}

/// Whether a text is one only because no number of ours is that large.
fn is_too_large(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<i64>().is_err()
        && text.parse::<u64>().is_err()
}

/// What stands there and what should, without the value: it may be a secret.
fn instead(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> String {
    let found = match found {
        de::Unexpected::Bool(_) => "`true` or `false`",
        de::Unexpected::Signed(_) | de::Unexpected::Unsigned(_) => "a whole number",
        de::Unexpected::Float(_) => "a number",
        de::Unexpected::Str(text) if is_too_large(text) => "too large a number",
        de::Unexpected::Str(_) => "a text",
        de::Unexpected::Unit => "nothing",
        de::Unexpected::Seq => "a list",
        de::Unexpected::Map => "a map",
        _ => "something else",
    };
    let expected = expected.to_string();
    let expected = match expected.as_str() {
        "a string" => "a text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number",
        structure if structure.starts_with("struct ") => "a map",
        word if word.starts_with("enum ") => "a word",
        other => other,
    };
    if expected.starts_with(found) {
        format!("this is not {expected}")
    } else {
        format!("{found} stands here, and {expected} is expected")
    }
}

/// "did you mean", where something is near; else what there is.
pub fn suggestion(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "remove it".into(),
        None => format!(
            "use one of {}",
            known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The known name nearest to what was written, if any is near.
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

struct Reading<'node>(&'node Node);

impl<'de> Reading<'de> {
    fn unexpected(&self) -> de::Unexpected<'de> {
        match &self.0.value {
            Value::Null => de::Unexpected::Unit,
            Value::Bool(bool) => de::Unexpected::Bool(*bool),
            Value::Integer(integer) => de::Unexpected::Signed(*integer),
            Value::Float(float) => de::Unexpected::Float(*float),
            Value::Text(text) => de::Unexpected::Str(text),
            Value::List(_) => de::Unexpected::Seq,
            Value::Map(_) => de::Unexpected::Map,
        }
    }
}

impl<'de> de::Deserializer<'de> for Reading<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let mark = self.0.mark;
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(*bool),
            Value::Integer(integer) => match u64::try_from(*integer) {
                Ok(unsigned) => visitor.visit_u64(unsigned),
                Err(_) => visitor.visit_i64(*integer),
            },
            Value::Float(float) => visitor.visit_f64(*float),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), value: None })
            }
        }
        .map_err(|error| error.at(mark))
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let mark = self.0.mark;
        match &self.0.value {
            Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(de::value::MapAccessDeserializer::new(Entries {
                    entries: entries.iter(),
                    value: None,
                }))
            }
            _ => Err(de::Error::invalid_type(self.unexpected(), &"a word")),
        }
        .map_err(|error: Mismatch| error.at(mark))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'node>(std::slice::Iter<'node, Node>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Mismatch;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        self.0
            .next()
            .map(|node| seed.deserialize(Reading(node)).map_err(|error| error.at(node.mark)))
            .transpose()
    }
}

struct Entries<'node> {
    entries: std::slice::Iter<'node, (Key, Node)>,
    value: Option<&'node Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let Some((key, node)) = self.entries.next() else { return Ok(None) };
        self.value = Some(node);
        let text: de::value::StrDeserializer<'_, Mismatch> = key.text.as_str().into_deserializer();
        seed.deserialize(text).map(Some).map_err(|error| error.at(key.mark))
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Mismatch> {
        let node = self.value.take().expect("serde asks for a value after its key");
        seed.deserialize(Reading(node)).map_err(|error| error.at(node.mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Example {
        #[serde(rename = "name")]
        _name: String,
        #[serde(rename = "replicas")]
        _replicas: Option<u8>,
    }

    #[track_caller]
    fn check(text: &str, rule: &str, line: u32, column: u32, help: Option<&str>) {
        let (documents, _) = super::super::yaml::read(text.as_bytes());
        let mismatch = read::<Example>(&documents[0]).expect_err("a mismatch");
        assert_eq!(mismatch.rule, rule, "{mismatch:?}");
        assert_eq!(mismatch.mark, Some(Mark { line, column }), "{mismatch:?}");
        assert_eq!(mismatch.help.as_deref(), help, "{mismatch:?}");
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place_and_a_way_out() {
        check("name: a\nreplcas: 2\n", "unknown-field", 2, 1, Some("did you mean `replicas`?"));
        check("replicas: 2\n", "missing-field", 1, 1, Some("add `name`"));
        check("name: 5\n", "wrong-type", 1, 7, Some("quote it"));
        check("name: a\nreplicas: 300\n", "wrong-value", 2, 11, None);
        check("name: a\nreplicas: many\n", "wrong-type", 2, 11, None);
    }

    #[test]
    fn a_number_that_is_too_large_is_not_called_a_text() {
        for (written, told) in [
            ("99999999999999999999", "too large a number stands here"),
            ("many", "a text stands here"),
            ("\"8\"", "a text stands here"),
        ] {
            let text = format!("name: a\nreplicas: {written}\n");
            let (documents, _) = super::super::yaml::read(text.as_bytes());
            let message = read::<Example>(&documents[0]).expect_err("a mismatch").message;
            assert!(message.starts_with(told), "{written}: {message}");
        }
    }
}
