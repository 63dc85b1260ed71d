//! Reading what a client sent, as the typed API server reads it: unknown fields are dropped and
//! told of, wrong types refused, quantities written canonically, and what means nothing left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::sandbox::fields::push_step;
use crate::sandbox::kinds::Kind;
use crate::sandbox::quantity::Quantity;
use crate::sandbox::schema::Items;
use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;
use crate::sandbox::typed::item_step;

/// What was wrong with a value, seen through its schema.
#[derive(Debug, Default)]
pub(crate) struct Oddities {
    /// Paths such as `spec.replicass`.
    pub(crate) unknown: Vec<String>,
    /// Paths, and what was expected and found there.
    pub(crate) wrong: Vec<(String, String)>,
    /// Keys that two items of a list share.
    pub(crate) duplicate: Vec<String>,
}

/// Makes `value` what the server would store. Nulls count as absent.
pub(crate) fn normalize(kind: &Kind, value: &mut Value) -> Oddities {
    look_at(kind, value, None)
}

/// What a server of the given minor version finds odd in an applied configuration.
pub(crate) fn check_applied(kind: &Kind, config: &Value, minor: u16) -> Oddities {
    look_at(kind, &mut config.clone(), Some(minor))
}

fn look_at(kind: &Kind, value: &mut Value, applied: Option<u16>) -> Oddities {
    let oddities = Oddities::default();
    let mut reader = Reader { schema: &kind.schema, path: String::new(), oddities, applied };
    reader.read(&kind.root, value, false);
    reader.oddities
}

struct Reader<'a> {
    schema: &'a Schema,
    path: String,
    oddities: Oddities,
    /// For an applied configuration, whose items are named by their keys: the server's version.
    applied: Option<u16>,
}

impl Reader<'_> {
    /// `false` when nothing is left of the value.
    fn read(&mut self, of: &Type, value: &mut Value, drops_zero: bool) -> bool {
        let schema = self.schema;
        match (of, &mut *value) {
            (_, Value::Null) => return false,
            (Type::Any, Value::Object(object)) => object.retain(|_, value| !value.is_null()),
            (Type::Struct(id), Value::Object(object)) => {
                let known = &schema.of(*id).fields;
                object.retain(|name, value| {
                    let length = self.path.len();
                    if length > 0 {
                        self.path.push('.');
                    }
                    self.path.push_str(name);
                    let keep = if let Some(field) = known.get(name) {
                        self.read(&field.of, value, field.drops_zero)
                    } else {
                        self.oddities.unknown.push(self.path.clone());
                        false
                    };
                    self.path.truncate(length);
                    keep
                });
            }
            (Type::Map(item, _), Value::Object(object)) => {
                object.retain(|name, value| {
                    let length = self.path.len();
                    self.path.push('.');
                    self.path.push_str(name);
                    let keep = self.read(item, value, false);
                    self.path.truncate(length);
                    keep
                });
                return !(drops_zero && object.is_empty());
            }
            (Type::List(item, items), Value::Array(list)) => {
                self.read_items(item, items, list);
                return !(drops_zero && list.is_empty());
            }
            (Type::Quantity, Value::Number(_)) if self.applied.is_some_and(|minor| minor < 26) => {
                self.wrong("string", value);
            }
            (Type::Quantity, _) => match Quantity::of(value) {
                Some(quantity) => *value = Value::String(quantity.to_string()),
                None => self.wrong("quantity", value),
            },
            (Type::Bytes, Value::String(text)) => {
                if BASE64.decode(text.as_bytes()).is_err() {
                    self.wrong("base64", value);
                }
            }
            (Type::String | Type::Time, Value::String(text)) => {
                return !(drops_zero && text.is_empty());
            }
            (Type::Int | Type::IntOrString, Value::Number(number)) => {
                if let Some(whole) = whole_number(number) {
                    *value = Value::from(whole);
                } else {
                    self.wrong("integer", value);
                }
                return !(drops_zero && value.as_i64() == Some(0));
            }
            (Type::Any, _)
            | (Type::Number, Value::Number(_))
            | (Type::IntOrString, Value::String(_)) => {}
            (Type::Bool, Value::Bool(yes)) => return *yes || !drops_zero,
            (expected, _) => self.wrong(name_of(expected), value),
        }
        true
    }

    fn read_items(&mut self, item_type: &Type, items: &Items, list: &mut [Value]) {
        let mut seen = Vec::new();
        for (place, item) in list.iter_mut().enumerate() {
            let length = self.path.len();
            let step = item_step(items, item);
            if let Some(minor) = self.applied {
                self.check_keys(items, item, place, minor);
            }
            match &step {
                Some(step) if self.applied.is_some() => push_step(&mut self.path, step),
                _ => push_step(&mut self.path, &format!("i:{place}")),
            }
            self.read(item_type, item, false);
            if let Some(step) = step {
                if seen.contains(&step) {
                    let problem = format!(".{}: duplicate entries for key", self.path);
                    self.oddities.duplicate.push(problem);
                }
                seen.push(step);
            }
            self.path.truncate(length);
        }
    }

    /// Without its keys an item cannot be told apart. In 1.20 the ports of services had no default
    /// protocol yet.
    fn check_keys(&mut self, items: &Items, item: &Value, place: usize, minor: u16) {
        let Items::Keyed(keys) = items else { return };
        let of_service = keys.iter().any(|(key, _)| key == "port");
        let has_default =
            |default: &Option<String>| default.is_some() && !(of_service && minor <= 20);
        if let Some((key, _)) =
            keys.iter().find(|(key, default)| item[key].is_null() && !has_default(default))
        {
            let problem = format!(
                "element {place}: associative list with keys has an element that omits key field {key:?} (and doesn't \
                 have default value)"
            );
            self.oddities.wrong.push((self.path.clone(), problem));
        }
    }

    fn wrong(&mut self, expected: &str, found: &Value) {
        self.oddities
            .wrong
            .push((self.path.clone(), format!("expected {expected}, got {}", kind_of(found))));
    }
}

fn whole_number(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}

fn name_of(of: &Type) -> &'static str {
    match of {
        Type::Struct(_) | Type::Map(..) => "map",
        Type::List(..) => "list",
        Type::Bool => "boolean",
        Type::Int | Type::Number => "numeric (int or float)",
        Type::IntOrString => "number or string",
        _ => "string",
    }
}

pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::kinds::Kinds;
    use crate::sandbox::kinds::Version;

    fn read(mut value: Value) -> (Value, Oddities) {
        let kinds = Kinds::served_by(Version::default());
        let oddities = normalize(&kinds.named("apps", "deployments").unwrap(), &mut value);
        (value, oddities)
    }

    #[test]
    fn what_means_nothing_is_left_out_and_quantities_are_canonical() {
        let (value, oddities) = read(json!({"metadata": {"name": "web", "labels": {}}, "spec": {
            "replicas": 0, "minReadySeconds": 0, "paused": false,
            "template": {"spec": {"hostNetwork": false, "containers": [
                {"name": "web", "resources": {"limits": {"cpu": "1000m", "memory": 1024}}, "args": []}
            ], "volumes": [{"name": "v", "emptyDir": {}}], "nodeName": null}}}}));
        assert!(oddities.unknown.is_empty() && oddities.wrong.is_empty(), "{oddities:?}");
        assert_eq!(
            value,
            json!({"metadata": {"name": "web"}, "spec": {"replicas": 0, "template": {"spec": {
                "containers": [{"name": "web", "resources": {"limits": {"cpu": "1", "memory": "1024"}}}],
                "volumes": [{"name": "v", "emptyDir": {}}]}}}})
        );
    }

    #[test]
    fn oddities_are_told_with_their_place() {
        let (_, oddities) = read(json!({"spec": {"replicass": 1, "replicas": "two",
            "template": {"spec": {"containers": [{"name": "a"}, {"name": "a", "imagePullPolicyy": "x"}]}}}}));
        assert_eq!(
            oddities.unknown,
            ["spec.replicass", "spec.template.spec.containers[1].imagePullPolicyy"]
        );
        assert_eq!(oddities.wrong[0].0, "spec.replicas");
        assert_eq!(oddities.duplicate.len(), 1);
    }
}
