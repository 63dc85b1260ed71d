//! One version of one object, kept as compact JSON text: two hundred thousand of them fit into a
//! few hundred megabytes. Who owns which fields is kept apart, because the same sets of fields
//! return in thousands of objects and are then stored once.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use jiff::Timestamp;
use serde_json::Map;
use serde_json::Value;

use crate::sandbox::fields::FieldSet;
use crate::sandbox::kinds::Kind;
use crate::sandbox::quota::Usage;

/// A namespace (empty for what has none) and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: interned(namespace), name: name.into() }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) key: Key,
    /// Its `resourceVersion`.
    pub(crate) version: u64,
    pub(crate) uid: Arc<str>,
    pub(crate) labels: Box<[(Arc<str>, Arc<str>)]>,
    /// The uids of its owners.
    pub(crate) owners: Box<[Arc<str>]>,
    pub(crate) managed: Arc<[Owner]>,
    pub(crate) facts: Option<Box<Facts>>,
    pub(crate) deleting: bool,
    /// Everything behind `{"metadata":{`, without resource version and managed fields.
    text: Box<str>,
    /// Where the metadata ends in the text.
    metadata_end: usize,
}

/// What is asked of some kinds so often that it is kept beside the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) phase: Arc<str>,
    pub(crate) node: Arc<str>,
    pub(crate) ready: bool,
    pub(crate) usage: Usage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operation {
    Apply,
    Update,
}

/// An entry of `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) manager: Arc<str>,
    pub(crate) operation: Operation,
    pub(crate) api_version: Arc<str>,
    pub(crate) subresource: Arc<str>,
    /// In seconds since 1970.
    pub(crate) time: i64,
    /// `FieldsV1`, as text.
    pub(crate) fields: Arc<str>,
}

impl Owner {
    pub(crate) fn set(&self) -> FieldSet {
        FieldSet::parse(&self.fields)
    }

    fn write(&self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let Self { manager, operation, api_version, subresource, time, fields } = self;
        write!(out, r#"{{"manager":{},"operation":"{operation:?}""#, Value::from(&**manager))?;
        write!(out, r#","apiVersion":"{api_version}","time":"{}""#, written_time(*time))?;
        write!(out, r#","fieldsType":"FieldsV1","fieldsV1":{fields}"#)?;
        if !subresource.is_empty() {
            write!(out, r#","subresource":"{subresource}""#)?;
        }
        out.write_all(b"}")
    }
}

/// An object being made or changed. The body has neither type, nor resource version, nor managed
/// fields; its first field is the metadata.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub(crate) body: Value,
    pub(crate) managed: Vec<Owner>,
}

impl Draft {
    pub(crate) fn metadata(&self) -> &Map<String, Value> {
        static NOTHING: std::sync::LazyLock<Map<String, Value>> =
            std::sync::LazyLock::new(Map::new);
        self.body["metadata"].as_object().unwrap_or(&NOTHING)
    }

    pub(crate) fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        metadata_mut(&mut self.body)
    }

    pub(crate) fn name(&self) -> &str {
        self.metadata().get("name").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.metadata().get("namespace").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn uid(&self) -> &str {
        self.metadata().get("uid").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn is_deleting(&self) -> bool {
        self.metadata().contains_key("deletionTimestamp")
    }

    pub(crate) fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.metadata()
            .get("finalizers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    pub(crate) fn add_finalizer(&mut self, finalizer: &str) {
        let list =
            self.metadata_mut().entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut()
            && !list.iter().any(|known| known == finalizer)
        {
            list.push(finalizer.into());
        }
    }
}

/// The metadata of a body, made when it is not there.
pub(crate) fn metadata_mut(body: &mut Value) -> &mut Map<String, Value> {
    if !body.is_object() {
        *body = Value::Object(Map::new());
    }
    let metadata = &mut body["metadata"];
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    metadata.as_object_mut().expect("because it was just made an object")
}

impl Object {
    pub(crate) fn of(kind: &Kind, draft: &Draft) -> Self {
        let metadata = draft.metadata();
        let (text, metadata_end) = text_of(&draft.body);
        let strings =
            |name: &str| metadata.get(name).and_then(Value::as_object).into_iter().flatten();
        let owners =
            metadata.get("ownerReferences").and_then(Value::as_array).into_iter().flatten();
        Self {
            key: Key::new(draft.namespace(), draft.name()),
            version: 0,
            uid: draft.uid().into(),
            labels: strings("labels")
                .filter_map(|(name, value)| Some((interned(name), interned(value.as_str()?))))
                .collect(),
            owners: owners.filter_map(|owner| owner["uid"].as_str()).map(Arc::from).collect(),
            managed: draft.managed.clone().into(),
            facts: facts_of(kind, &draft.body),
            deleting: draft.is_deleting(),
            text,
            metadata_end,
        }
    }

    pub(crate) fn at_version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| &**known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn body(&self) -> Value {
        let text = format!(r#"{{"metadata":{{{}"#, self.text);
        serde_json::from_str(&text).expect("because the text was written by us")
    }

    pub(crate) fn draft(&self) -> Draft {
        Draft { body: self.body(), managed: self.managed.to_vec() }
    }

    /// Whether nothing but times would differ.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let same_owner = |(ours, theirs): (&Owner, &Owner)| {
            Owner { time: theirs.time, ..ours.clone() } == *theirs
        };
        self.managed.len() == other.managed.len()
            && self.managed.iter().zip(other.managed.iter()).all(same_owner)
            && (self.text == other.text || self.body() == other.body())
    }

    /// The object as clients see it. Items of a list carry no type.
    pub(crate) fn write(&self, type_of: Option<(&str, &str)>, out: &mut Vec<u8>) {
        let metadata = &self.text[..self.metadata_end];
        let mut write = || {
            out.write_all(b"{")?;
            if let Some((api_version, kind)) = type_of {
                write!(out, r#""kind":"{kind}","apiVersion":"{api_version}","#)?;
            }
            write!(out, r#""metadata":{{{metadata}"#)?;
            if self.version > 0 {
                write!(out, r#","resourceVersion":"{}""#, self.version)?;
            }
            for (place, owner) in self.managed.iter().enumerate() {
                out.write_all(if place == 0 { br#","managedFields":["# } else { b"," })?;
                owner.write(out)?;
            }
            out.write_all(if self.managed.is_empty() { b"" } else { b"]" })?;
            out.write_all(self.text[self.metadata_end..].as_bytes())
        };
        write().expect("because writing to memory succeeds");
    }

    pub(crate) fn to_value(&self, api_version: &str, kind: &str) -> Value {
        let mut text = Vec::new();
        self.write(Some((api_version, kind)), &mut text);
        serde_json::from_slice(&text).expect("because the text was written by us")
    }

    /// The metadata alone, as clients see it.
    pub(crate) fn metadata_value(&self) -> Value {
        self.to_value("", "")["metadata"].take()
    }
}

fn text_of(body: &Value) -> (Box<str>, usize) {
    let mut text = body["metadata"].to_string();
    text.remove(0);
    text.pop();
    let metadata_end = text.len();
    text.push('}');
    for (name, value) in
        body.as_object().into_iter().flatten().filter(|(name, _)| *name != "metadata")
    {
        if value.is_null() {
            continue;
        }
        text.push(',');
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    text.push('}');
    (text.into(), metadata_end)
}

fn facts_of(kind: &Kind, body: &Value) -> Option<Box<Facts>> {
    let usage = Usage::of(kind, body);
    let text = |value: &Value| interned(value.as_str().unwrap_or_default());
    let phase = text(&body["status"]["phase"]);
    let node = text(&body["spec"]["nodeName"]);
    let ready = has_condition(body, "Ready");
    let facts = Facts { phase, node, ready, usage };
    (facts != Facts::default()).then(|| Box::new(facts))
}

pub(crate) fn has_condition(body: &Value, name: &str) -> bool {
    let mut conditions = body["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == name && condition["status"] == "True")
}

/// One copy of each text, for those that thousands of objects share.
pub(crate) fn interned(text: &str) -> Arc<str> {
    static TEXTS: Mutex<(Option<HashSet<Arc<str>>>, usize)> = Mutex::new((None, 4096));
    let mut guard = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (texts, limit) = &mut *guard;
    let texts = texts.get_or_insert_default();
    if let Some(known) = texts.get(text) {
        return known.clone();
    }
    if texts.len() >= *limit {
        texts.retain(|known| Arc::strong_count(known) > 1);
        *limit = (texts.len() * 2).max(4096);
    }
    let new: Arc<str> = text.into();
    texts.insert(new.clone());
    new
}

/// The time as the API writes it, to the second.
pub(crate) fn written_time(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}
