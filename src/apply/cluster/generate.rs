//! Secrets with values that are made here, once: `tenantry.dev/generate: '{"password": 32}'`.
//!
//! A generated value lives in the cluster alone. What is there is kept, whoever put it there; what
//! is missing is made; another value of `tenantry.dev/rotation` makes all anew.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SecureRandom;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;

use crate::apply::error::ApplyError;
use crate::apply::secret::Secret;
use crate::model::marks;

use super::observe::Metadata;

/// They stand for themselves in addresses, settings and shells.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=1024;

/// A Secret as it is read. Its values are never shown.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct LiveSecret {
    pub(super) metadata: Metadata,
    /// As the API gives them: in base64.
    pub(super) data: BTreeMap<String, String>,
}

impl fmt::Debug for LiveSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.data.keys().collect();
        out.debug_struct("LiveSecret").field("keys", &keys).finish_non_exhaustive()
    }
}

impl LiveSecret {
    /// The value of a key, where it is there and is text.
    pub(super) fn value(&self, key: &str) -> Option<Secret> {
        let bytes = BASE64.decode(self.data.get(key)?).ok()?;
        String::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(Secret::new)
    }

    fn annotation(&self, annotation: &str) -> Option<&str> {
        self.metadata.annotations.get(annotation).map(String::as_str)
    }
}

/// What a Secret asks to be generated.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    lengths: BTreeMap<String, usize>,
    rotation: String,
}

impl Wanted {
    /// Reads the annotations of a Secret; none where it asks for nothing.
    pub(super) fn of(body: &Value, what: &str) -> Result<Option<Self>, ApplyError> {
        let annotation = |name: &str| body["metadata"]["annotations"][name].as_str();
        let Some(text) = annotation(marks::GENERATE).filter(|_| body["kind"] == "Secret") else {
            return Ok(None);
        };
        let wrong = |help: &str| ApplyError::Annotation {
            annotation: marks::GENERATE,
            what: what.to_owned(),
            value: text.to_owned(),
            help: help.to_owned(),
        };
        let lengths: BTreeMap<String, usize> = serde_json::from_str(text)
            .map_err(|_| wrong(r#"write keys with lengths as JSON, such as `{"password": 32}`"#))?;
        if lengths.values().any(|length| !LENGTHS.contains(length)) {
            return Err(wrong("a generated value has 8 to 1024 characters"));
        }
        let own_text = |key: &String| {
            body["stringData"][key].as_str().is_some_and(|text| *text != format!("$({key})"))
        };
        if let Some(key) = lengths.keys().find(|key| own_text(key) || !body["data"][*key].is_null())
        {
            return Err(wrong(&format!("`{key}` has a value already, so it cannot be generated")));
        }
        let rotation = annotation(marks::ROTATION).unwrap_or_default().to_owned();
        Ok(Some(Self { lengths, rotation }))
    }

    /// The generated values: those that are there, and new ones for those that are not.
    pub(super) fn values(&self, live: &LiveSecret) -> BTreeMap<String, Secret> {
        self.kept_or(live, |_, length| random_text(length))
    }

    /// As [`Wanted::values`], with a word in the place of what would be made.
    pub(super) fn foreseen(&self, live: &LiveSecret) -> BTreeMap<String, Secret> {
        self.kept_or(live, |key, _| Secret::new(format!("$({key})")))
    }

    fn kept_or(
        &self,
        live: &LiveSecret,
        make: impl Fn(&str, usize) -> Secret,
    ) -> BTreeMap<String, Secret> {
        // One that was never ours has no rotation of ours; its values are taken over.
        let rotates = live.annotation(marks::RENDERED).is_some()
            && live.annotation(marks::ROTATION).unwrap_or_default() != self.rotation;
        let value = |(key, length): (&String, &usize)| {
            let kept = live.value(key).filter(|_| !rotates);
            (key.clone(), kept.unwrap_or_else(|| make(key, *length)))
        };
        self.lengths.iter().map(value).collect()
    }
}

/// Replaces `stringData` by `data`, because fields that are only ever written have no owner, and
/// sets the generated values in.
pub(super) fn fill_in(body: &mut Value, generated: &BTreeMap<String, Secret>) {
    let Value::Object(secret) = body else { return };
    let texts = secret.shift_remove("stringData");
    let data = secret.entry("data").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(data) = data else { return };
    let mut put = |key: &str, text: &str| {
        data.insert(key.to_owned(), Value::String(BASE64.encode(text)));
    };
    if let Some(Value::Object(texts)) = texts {
        for (key, text) in &texts {
            let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
            put(key, &substituted(&text, generated));
        }
    }
    for (key, value) in generated {
        put(key, value.expose());
    }
}

/// Puts values in the place of `$(key)`. As in Kubernetes, `$$(key)` is `$(key)`, and what is no
/// key of ours stays.
fn substituted(text: &str, values: &BTreeMap<String, Secret>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("$$") {
            // Only before a parenthesis is the second one an escape.
            out.push_str(if after.starts_with('(') { "$(" } else { "$$" });
            rest = after.strip_prefix('(').unwrap_or(after);
            continue;
        }
        let quoted = rest.strip_prefix("$(").and_then(|inside| inside.split_once(')'));
        if let Some((value, after)) =
            quoted.and_then(|(key, after)| Some((values.get(key)?, after)))
        {
            out.push_str(value.expose());
            rest = after;
        } else {
            out.push('$');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn random_text(length: usize) -> Secret {
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        ring::rand::SystemRandom::new()
            .fill(&mut bytes)
            .expect("because the kernel always has random numbers to give");
        // Six bits choose a letter, and what chooses none is thrown away: none is favoured.
        let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
        text.extend(letters.take(length - text.len()).map(|letter| char::from(*letter)));
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret() -> Value {
        json!({
            "kind": "Secret",
            "metadata": {"annotations": {"tenantry.dev/generate": r#"{"password": 32}"#}},
            "stringData": {"url": "postgres://acme:$(password)@db/acme", "user": "acme"},
        })
    }

    fn filled(body: &Value, live: &LiveSecret) -> BTreeMap<String, String> {
        let wanted = Wanted::of(body, "Secret/a/b").unwrap().unwrap();
        let mut filled = body.clone();
        fill_in(&mut filled, &wanted.values(live));
        assert!(filled.get("stringData").is_none());
        let data = filled["data"].as_object().unwrap();
        let text =
            |value: &Value| String::from_utf8(BASE64.decode(value.as_str().unwrap()).unwrap());
        data.iter().map(|(key, value)| (key.clone(), text(value).unwrap())).collect()
    }

    fn live(password: &str, rotation: &str) -> LiveSecret {
        serde_json::from_value(json!({
            "metadata": {"annotations": {"tenantry.dev/rotation": rotation, "tenantry.dev/rendered": "x"}},
            "data": {"password": BASE64.encode(password)},
        }))
        .unwrap()
    }

    #[test]
    fn a_missing_value_is_made_and_quoted() {
        let data = filled(&secret(), &LiveSecret::default());
        assert_eq!(data["password"].len(), 32);
        assert_eq!(data["url"], format!("postgres://acme:{}@db/acme", data["password"]));
        assert_eq!(data["user"], "acme");
        assert_ne!(filled(&secret(), &LiveSecret::default())["password"], data["password"]);
    }

    #[test]
    fn a_value_that_is_there_is_kept() {
        assert_eq!(filled(&secret(), &live("kept", ""))["password"], "kept");
    }

    #[test]
    fn another_rotation_makes_it_anew() {
        let mut body = secret();
        body["metadata"]["annotations"]["tenantry.dev/rotation"] = json!("2");
        assert_eq!(filled(&body, &live("kept", "2"))["password"], "kept");
        assert_ne!(filled(&body, &live("kept", "1"))["password"], "kept");
        let mut adopted = live("kept", "1");
        adopted.metadata.annotations.clear();
        assert_eq!(filled(&body, &adopted)["password"], "kept");
    }

    #[test]
    fn dollars_follow_the_rules_of_kubernetes() {
        let values = BTreeMap::from([("a".to_owned(), Secret::new("A".into()))]);
        for (text, expected) in [
            ("$(a)$(a)", "AA"),
            ("$$(a)", "$(a)"),
            ("$(b) $ $a 5$", "$(b) $ $a 5$"),
            ("$(a", "$(a"),
            ("$$", "$$"),
            ("é$(a)é", "éAé"),
        ] {
            assert_eq!(substituted(text, &values), expected, "{text}");
        }
    }

    #[test]
    fn a_wrong_annotation_says_what_would_be_right() {
        let with = |text: &str| {
            let mut body = secret();
            body["metadata"]["annotations"]["tenantry.dev/generate"] = json!(text);
            Wanted::of(&body, "Secret/a/b").unwrap_err().to_string()
        };
        assert!(with("password").contains(r#"such as `{"password": 32}`"#));
        assert!(with(r#"{"password": 3}"#).contains("8 to 1024"));
        assert!(with(r#"{"user": 32}"#).contains("`user` has a value already"));
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?} {:?}", random_text(32), live("kept", ""));
        assert!(shown.contains("[hidden]") && !shown.contains(&BASE64.encode("kept")), "{shown}");
    }

    #[test]
    fn every_letter_is_as_likely_as_any_other() {
        let text = random_text(62 * 2_000);
        for letter in ALPHABET {
            let count = text.expose().bytes().filter(|byte| byte == letter).count();
            assert!((1_700..2_300).contains(&count), "{} came {count} times", char::from(*letter));
        }
    }
}
