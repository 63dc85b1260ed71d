//! What differs between two objects, field by field, as a person would tell it: items of a list
//! go by their name and not by their position, texts by their lines, and secrets are not shown.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use similar::ChangeTag;
use similar::TextDiff;

use super::masking;
use super::masking::Step;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Such as `spec.template.spec.containers[web].image`.
    pub path: String,
    #[serde(flatten)]
    pub change: FieldChange,
}

/// How a field differs. What must not be shown is not in here.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum FieldChange {
    Added {
        to: Value,
    },
    Removed {
        from: Value,
    },
    Changed {
        from: Value,
        to: Value,
    },
    /// Lines of a text that differ, and a line around them.
    Text {
        lines: Vec<Line>,
    },
    /// It differs, and may not be shown.
    Hidden {
        what: HiddenChange,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HiddenChange {
    Added,
    Removed,
    Changed,
}

/// `(hidden, changed)`
impl fmt::Display for HiddenChange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Added => "(hidden, added)",
            Self::Removed => "(hidden, removed)",
            Self::Changed => "(hidden, changed)",
        })
    }
}

/// One line of a text, and on which side it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "side", content = "line", rename_all = "lowercase")]
pub enum Line {
    Both(String),
    From(String),
    To(String),
    /// Lines that are the same on both sides are left out here.
    Gap,
}

/// Tells what differs between two objects, in the order of their paths.
pub fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let secret = [from, to].into_iter().any(is_secret);
    let mut walk = Walk { secret, only_asked: false, path: Vec::new(), found: Vec::new() };
    walk.compare(from, to);
    walk.found
}

/// Tells what a live object lacks of what is asked for. What others put on it does not count.
pub fn shortfalls(live: &Value, asked: &Value) -> Vec<Difference> {
    let secret = [live, asked].into_iter().any(is_secret);
    let mut walk = Walk { secret, only_asked: true, path: Vec::new(), found: Vec::new() };
    walk.compare(live, asked);
    walk.found
}

fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret"
}

/// What tells the items of a list apart, by the list's name: the merge keys of Kubernetes.
const KEYS: &[(&str, &[&str])] = &[
    ("ports", &["containerPort", "protocol"]),
    ("ports", &["port", "protocol"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("hostAliases", &["ip"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("ownerReferences", &["uid"]),
    ("conditions", &["type"]),
    ("rules", &["host"]),
    ("paths", &["path"]),
    ("tls", &["secretName"]),
];
/// What usually tells the items of any list apart.
const USUAL_KEYS: &[&[&str]] = &[&["name"], &["key"]];
/// Lists of words whose order means nothing.
const SETS: &[&str] =
    &["finalizers", "accessModes", "policyTypes", "schemas", "extensions", "drop"];

struct Walk {
    secret: bool,
    /// Whether what only the first side has counts as no difference.
    only_asked: bool,
    path: Vec<Step>,
    found: Vec<Difference>,
}

impl Walk {
    fn compare(&mut self, from: &Value, to: &Value) {
        match (from, to) {
            _ if from == to => {}
            (Value::Object(from), Value::Object(to)) => self.compare_fields(from, to),
            (Value::Array(from), Value::Array(to)) => self.compare_lists(from, to),
            _ => self.report(Some(from), Some(to)),
        }
    }

    fn compare_fields(&mut self, from: &Map<String, Value>, to: &Map<String, Value>) {
        let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        for key in keys {
            self.path.push(Step::Field(key.clone()));
            self.compare_maybe(from.get(key), to.get(key));
            self.path.pop();
        }
    }

    fn compare_maybe(&mut self, from: Option<&Value>, to: Option<&Value>) {
        match (from, to) {
            (Some(from), Some(to)) => self.compare(from, to),
            (Some(_), None) if self.only_asked => {}
            // Server-side apply drops what is null and keeps nothing of what is empty.
            (Some(nothing), None) | (None, Some(nothing)) if nothing.is_null() => {}
            (from, to) => self.report(from, to),
        }
    }

    fn compare_lists(&mut self, from: &[Value], to: &[Value]) {
        let list = match self.path.last() {
            Some(Step::Field(field)) => field.as_str(),
            _ => "",
        };
        if SETS.contains(&list) && same_words(from, to) {
            return;
        }
        let labelled = keys_of(list)
            .find_map(|keys| Some((keys, label_all(keys, from)?, label_all(keys, to)?)));
        if let Some((_, from, to)) = labelled {
            let labels: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
            for label in labels {
                self.path.push(Step::Item(label.clone()));
                self.compare_maybe(from.get(label).copied(), to.get(label).copied());
                self.path.pop();
            }
        } else if from.iter().chain(to).any(Value::is_object) {
            for position in 0..from.len().max(to.len()) {
                self.path.push(Step::Item(position.to_string()));
                self.compare_maybe(from.get(position), to.get(position));
                self.path.pop();
            }
        } else {
            let whole = |items: &[Value]| Value::Array(items.to_vec());
            self.report(Some(&whole(from)), Some(&whole(to)));
        }
    }

    fn report(&mut self, from: Option<&Value>, to: Option<&Value>) {
        let secret = self.secret;
        let mut masked =
            |value: Option<&Value>| value.map(|value| masking::mask(secret, &mut self.path, value));
        let (from, to) = (masked(from), masked(to));
        let hidden = |value: &Value| *value == masking::HIDDEN;
        let change = match (from, to) {
            (None, None) => return,
            (None, Some(to)) if hidden(&to) => FieldChange::Hidden { what: HiddenChange::Added },
            (Some(from), None) if hidden(&from) => {
                FieldChange::Hidden { what: HiddenChange::Removed }
            }
            // They differ, and what is left of them when secrets are hidden does not.
            (Some(from), Some(to)) if from == to => {
                FieldChange::Hidden { what: HiddenChange::Changed }
            }
            (None, Some(to)) => FieldChange::Added { to },
            (Some(from), None) => FieldChange::Removed { from },
            (Some(Value::String(from)), Some(Value::String(to)))
                if from.contains('\n') || to.contains('\n') =>
            {
                FieldChange::Text { lines: lines(&from, &to) }
            }
            (Some(from), Some(to)) => FieldChange::Changed { from, to },
        };
        self.found.push(Difference { path: written(&self.path), change });
    }
}

/// The ways in which items of a list may be told apart, the likeliest first.
fn keys_of(list: &str) -> impl Iterator<Item = &'static [&'static str]> {
    let usual = USUAL_KEYS.iter().copied();
    KEYS.iter().filter(move |(name, _)| *name == list).map(|(_, keys)| *keys).chain(usual)
}

/// The items under their labels, where every item has one of its own.
fn label_all<'a>(keys: &[&str], items: &'a [Value]) -> Option<BTreeMap<String, &'a Value>> {
    let mut labelled = BTreeMap::new();
    for item in items {
        if labelled.insert(label(keys, item)?, item).is_some() {
            return None;
        }
    }
    Some(labelled)
}

/// What tells an item apart: `80`, or `53/UDP` where the protocol is not the usual one.
fn label(keys: &[&str], item: &Value) -> Option<String> {
    let mut label = String::new();
    for (position, key) in keys.iter().enumerate() {
        let value = match item.as_object()?.get(*key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            None if *key == "protocol" => continue,
            _ => return None,
        };
        if position > 0 && value == "TCP" {
            continue;
        }
        if position > 0 {
            label.push('/');
        }
        label.push_str(&value);
    }
    Some(label)
}

fn same_words(from: &[Value], to: &[Value]) -> bool {
    let sorted = |items: &[Value]| {
        items.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|mut words| {
            words.sort_unstable();
            words.into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
    };
    sorted(from).is_some_and(|words| Some(words) == sorted(to))
}

/// The lines that differ, each with one line of what stands around.
pub(super) fn lines(from: &str, to: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(from, to);
    let mut lines = Vec::new();
    for (position, group) in diff.grouped_ops(1).iter().enumerate() {
        if position > 0 {
            lines.push(Line::Gap);
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let text = change.value().trim_end_matches('\n').to_owned();
            lines.push(match change.tag() {
                ChangeTag::Equal => Line::Both(text),
                ChangeTag::Delete => Line::From(text),
                ChangeTag::Insert => Line::To(text),
            });
        }
    }
    lines
}

/// `spec.containers[web].image`; names that hold dots are quoted.
fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Item(item) => text.extend(["[", item, "]"]),
            Step::Field(field) if field.contains(['.', '/']) => {
                text.extend(["[\"", field, "\"]"]);
            }
            Step::Field(field) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(field);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One line for each difference; this is the only call to [`differences`].
    #[track_caller]
    fn check(from: &Value, to: &Value, expected: &[&str]) {
        let told: Vec<String> = differences(from, to).iter().map(told).collect();
        assert_eq!(told, expected);
    }

    fn told(difference: &Difference) -> String {
        let path = &difference.path;
        match &difference.change {
            FieldChange::Added { to } => format!("+ {path}: {to}"),
            FieldChange::Removed { from } => format!("- {path}: {from}"),
            FieldChange::Changed { from, to } => format!("~ {path}: {from} -> {to}"),
            FieldChange::Hidden { what } => format!("~ {path}: {what}"),
            FieldChange::Text { lines } => {
                let lines: Vec<String> = lines
                    .iter()
                    .map(|line| match line {
                        Line::Both(line) => format!(" {line}"),
                        Line::From(line) => format!("-{line}"),
                        Line::To(line) => format!("+{line}"),
                        Line::Gap => "…".into(),
                    })
                    .collect();
                format!("~ {path}: {}", lines.join("|"))
            }
        }
    }

    fn pod(containers: &Value) -> Value {
        json!({"kind": "Pod", "spec": {"containers": containers}})
    }

    #[test]
    fn items_of_a_list_go_by_their_name_and_not_by_their_position() {
        let from = pod(&json!([{"name": "web", "image": "a:1"}, {"name": "log", "image": "b"}]));
        let to = pod(&json!([{"name": "log", "image": "b"}, {"name": "web", "image": "a:2"}]));
        check(&from, &to, &[r#"~ spec.containers[web].image: "a:1" -> "a:2""#]);
    }

    #[test]
    fn reordered_lists_are_no_difference() {
        let from = json!({"ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
            "accessModes": ["A", "B"]});
        let to = json!({"ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80}],
            "accessModes": ["B", "A"]});
        check(&from, &to, &[]);
    }

    #[test]
    fn the_order_of_arguments_counts() {
        let from = json!({"args": ["a", "b"]});
        check(&from, &json!({"args": ["b", "a"]}), &[r#"~ args: ["a","b"] -> ["b","a"]"#]);
    }

    #[test]
    fn ports_are_told_apart_by_number_and_protocol() {
        let from = json!({"ports": [{"port": 53}, {"port": 53, "protocol": "UDP"}]});
        let to =
            json!({"ports": [{"port": 53, "targetPort": 5353}, {"port": 53, "protocol": "UDP"}]});
        check(&from, &to, &["+ ports[53].targetPort: 5353"]);
    }

    #[test]
    fn texts_are_compared_line_by_line() {
        let from = json!({"kind": "ConfigMap", "data": {"nginx.conf": "a\nb\nc\nd\ne\nf\ng\n"}});
        let to = json!({"kind": "ConfigMap", "data": {"nginx.conf": "a\nB\nc\nd\ne\nf\nG\n"}});
        check(&from, &to, &[r#"~ data["nginx.conf"]:  a|-b|+B| c|…| f|-g|+G"#]);
    }

    #[test]
    fn what_a_secret_holds_is_not_shown() {
        let from = json!({"kind": "Secret", "data": {"a": "b2xk", "b": "eA=="}, "type": "Opaque"});
        let to = json!({"kind": "Secret", "data": {"a": "bmV3", "c": "eQ=="}, "type": "TLS"});
        check(
            &from,
            &to,
            &[
                "~ data.a: (hidden, changed)",
                "~ data.b: (hidden, removed)",
                "~ data.c: (hidden, added)",
                r#"~ type: "Opaque" -> "TLS""#,
            ],
        );
    }

    #[test]
    fn a_secret_that_gets_all_its_data_at_once_shows_none_of_it() {
        let to = json!({"kind": "Secret", "stringData": {"password": "hunter2"}});
        check(&json!({"kind": "Secret"}), &to, &[r#"+ stringData: {"password":"(hidden)"}"#]);
    }

    #[test]
    fn environment_that_looks_secret_is_not_shown() {
        let env = |password: &str, url: &str| {
            pod(&json!([{"name": "web", "env": [
                {"name": "DB_PASSWORD", "value": password},
                {"name": "DATABASE_URL", "value": url},
                {"name": "LOG_LEVEL", "value": "info"},
            ]}]))
        };
        check(
            &env("old", "postgresql://acme:old@db/acme"),
            &env("new", "postgresql://acme:new@db/acme"),
            &[
                "~ spec.containers[web].env[DATABASE_URL].value: (hidden, changed)",
                "~ spec.containers[web].env[DB_PASSWORD].value: (hidden, changed)",
            ],
        );
        let added = differences(&pod(&json!([])), &env("hunter2", "postgresql://a:hunter2@db/a"));
        assert!(!serde_json::to_string(&added).unwrap().contains("hunter2"), "{added:?}");
    }

    #[test]
    fn a_null_is_as_good_as_nothing() {
        check(&json!({"a": null}), &json!({}), &[]);
        check(&json!({"a": null}), &json!({"a": 1}), &["~ a: null -> 1"]);
    }

    #[test]
    fn what_others_put_on_a_live_object_is_no_shortfall() {
        let live = json!({"metadata": {"uid": "1", "labels": {"a": "1"}}, "spec": {"replicas": 3}});
        let asked = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 2}});
        let told: Vec<String> = shortfalls(&live, &asked).iter().map(told).collect();
        assert_eq!(told, ["~ spec.replicas: 3 -> 2"]);
    }
}
