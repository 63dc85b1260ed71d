//! Sets of fields: who owns what, in the `FieldsV1` form of `metadata.managedFields`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

use serde_json::Map;
use serde_json::Value;

use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;

/// One step of a path, spelled as in `FieldsV1`: `f:name`, `k:{"name":"web"}`, `v:"x"` or `i:0`.
pub(crate) type Step = Box<str>;

/// A set of paths. A path may be in it with or without its descendants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    nodes: BTreeMap<Step, Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    member: bool,
    children: FieldSet,
}

pub(crate) fn field_step(name: &str) -> Step {
    format!("f:{name}").into()
}

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.values().all(|node| !node.member && node.children.is_empty())
    }

    pub(crate) fn insert(&mut self, path: &[Step]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let node = self.nodes.entry(first.clone()).or_default();
        if rest.is_empty() {
            node.member = true;
        } else {
            node.children.insert(rest);
        }
    }

    /// Puts a whole set below `step`, and the step itself if it is a member.
    pub(crate) fn attach(&mut self, step: Step, member: bool, children: Self) {
        if member || !children.nodes.is_empty() {
            self.nodes.insert(step, Node { member, children });
        }
    }

    pub(crate) fn has(&self, step: &str) -> bool {
        self.nodes.get(step).is_some_and(|node| node.member)
    }

    /// What the set holds below `step`.
    pub(crate) fn below(&self, step: &str) -> Option<&Self> {
        self.nodes.get(step).map(|node| &node.children).filter(|children| !children.is_empty())
    }

    pub(crate) fn union(mut self, other: &Self) -> Self {
        self.add(other);
        self
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (step, theirs) in &other.nodes {
            match self.nodes.entry(step.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(theirs.clone());
                }
                Entry::Occupied(mut ours) => {
                    let ours = ours.get_mut();
                    ours.member |= theirs.member;
                    ours.children.add(&theirs.children);
                }
            }
        }
    }

    /// Without the other's paths; descendants of those stay.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(other, |ours, theirs| ours && !theirs, true)
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |ours, theirs| ours && theirs, false)
    }

    fn combine(&self, other: &Self, member: fn(bool, bool) -> bool, keep_unmatched: bool) -> Self {
        let mut nodes = BTreeMap::new();
        for (step, ours) in &self.nodes {
            let node = match other.nodes.get(step) {
                None if keep_unmatched => ours.clone(),
                None => continue,
                Some(theirs) => Node {
                    member: member(ours.member, theirs.member),
                    children: ours.children.combine(&theirs.children, member, keep_unmatched),
                },
            };
            if node.member || !node.children.nodes.is_empty() {
                nodes.insert(step.clone(), node);
            }
        }
        Self { nodes }
    }

    /// Takes out a field with all that is below it.
    pub(crate) fn remove_below(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        if rest.is_empty() {
            self.nodes.remove(*first);
        } else if let Some(node) = self.nodes.get_mut(*first) {
            node.children.remove_below(rest);
            if !node.member && node.children.nodes.is_empty() {
                self.nodes.remove(*first);
            }
        }
    }

    /// Takes out a path itself, if it stands there only because of what is below it.
    pub(crate) fn unmark(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let Some(node) = self.nodes.get_mut(*first) else {
            return;
        };
        if !rest.is_empty() {
            node.children.unmark(rest);
        } else if !node.children.nodes.is_empty() {
            node.member = false;
        }
    }

    /// The same set with every declared field on the way to a member a member itself.
    pub(crate) fn with_named_parents(&self, schema: &Schema, of: &Type) -> Self {
        let nodes = self.nodes.iter().map(|(step, node)| {
            let name = step.strip_prefix("f:");
            let below = match name {
                Some(name) => schema.field(of, name),
                None => match of {
                    Type::List(item, _) => Some(&**item),
                    _ => None,
                },
            };
            let named = name.is_some_and(|name| schema.is_declared(of, name));
            let has_children = !node.children.nodes.is_empty();
            let children = node.children.with_named_parents(schema, below.unwrap_or(&Type::Any));
            (step.clone(), Node { member: node.member || named && has_children, children })
        });
        Self { nodes: nodes.collect() }
    }

    /// Every path, spelled for people: `.spec.containers[name="web"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths(&mut String::new(), &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &mut String, paths: &mut Vec<String>) {
        let length = prefix.len();
        for (step, _) in self.nodes.iter().filter(|(_, node)| node.member) {
            push_step(prefix, step);
            paths.push(prefix.clone());
            prefix.truncate(length);
        }
        for (step, node) in &self.nodes {
            push_step(prefix, step);
            node.children.collect_paths(prefix, paths);
            prefix.truncate(length);
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let mut text = String::with_capacity(256);
        self.write_json(false, &mut text);
        text
    }

    fn write_json(&self, member: bool, text: &mut String) {
        text.push('{');
        let mut comma = "";
        if member && !self.nodes.is_empty() {
            text.push_str(r#"".":{}"#);
            comma = ",";
        }
        for (step, node) in &self.nodes {
            let step = serde_json::to_string(step).expect("because a string can always be written");
            write!(text, "{comma}{step}:").expect("because writing to a string succeeds");
            node.children.write_json(node.member, text);
            comma = ",";
        }
        text.push('}');
    }

    pub(crate) fn parse(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        value.as_object().map(|object| Self::of_object(object).1).unwrap_or_default()
    }

    fn of_object(object: &Map<String, Value>) -> (bool, Self) {
        let mut set = Self::default();
        for (step, below) in object.iter().filter(|(step, _)| *step != ".") {
            let Some(below) = below.as_object() else {
                continue;
            };
            let (member, children) = Self::of_object(below);
            set.nodes.insert(
                step.as_str().into(),
                Node { member: member || below.is_empty(), children },
            );
        }
        (object.contains_key("."), set)
    }
}

pub(crate) fn push_step(path: &mut String, step: &str) {
    let written = match step.split_at(step.len().min(2)) {
        ("f:", name) => write!(path, ".{name}"),
        ("k:", keys) => match serde_json::from_str::<Map<String, Value>>(keys) {
            Ok(keys) => {
                let keys: Vec<String> =
                    keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(path, "[{}]", keys.join(","))
            }
            Err(_) => write!(path, "[{keys}]"),
        },
        ("v:", value) => write!(path, "[={value}]"),
        (_, index) => write!(path, "[{index}]"),
    };
    written.expect("because writing to a string succeeds");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> FieldSet {
        FieldSet::parse(text)
    }

    #[test]
    fn a_set_reads_and_writes_the_published_form() {
        let text = r#"{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{}}}}}"#;
        assert_eq!(set(text).to_json(), text);
        assert_eq!(
            set(text).paths(),
            [
                ".metadata.labels",
                ".metadata.labels.app",
                r#".spec.containers[name="web"]"#,
                r#".spec.containers[name="web"].image"#
            ]
        );
    }

    #[test]
    fn a_difference_keeps_descendants_and_an_intersection_does_not_invent_parents() {
        let all = set(r#"{"f:a":{".":{},"f:b":{}},"f:c":{}}"#);
        assert_eq!(
            all.difference(&set(r#"{"f:a":{}}"#)).to_json(),
            r#"{"f:a":{"f:b":{}},"f:c":{}}"#
        );
        assert_eq!(
            all.intersection(&set(r#"{"f:a":{"f:b":{}}}"#)).to_json(),
            r#"{"f:a":{"f:b":{}}}"#
        );
    }
}
