//! Values seen through their schema: which fields a value holds, how two differ, how one is laid
//! over the other, and how fields are taken out. The rules are those of structured-merge-diff.

use serde_json::Map;
use serde_json::Value;

use crate::sandbox::fields::FieldSet;
use crate::sandbox::fields::Step;
use crate::sandbox::fields::field_step;
use crate::sandbox::schema::Items;
use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;

/// What changed from one value to another.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

/// How a list item is named in paths; `None` when a key is missing.
pub(crate) fn item_step(items: &Items, item: &Value) -> Option<Step> {
    match items {
        Items::Atomic => None,
        Items::Set => Some(format!("v:{item}").into()),
        Items::Keyed(keys) => {
            let mut found: Vec<(&str, Value)> = Vec::with_capacity(keys.len());
            for (key, default) in keys {
                let value = item.get(key).filter(|value| !value.is_null()).cloned();
                match value.or_else(|| default.clone().map(Value::String)) {
                    Some(value) => found.push((key, value)),
                    None if keys.len() > 1 => {}
                    None => return None,
                }
            }
            if found.is_empty() {
                return None;
            }
            found.sort_by_key(|(key, _)| *key);
            let object: Map<String, Value> =
                found.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            Some(format!("k:{}", Value::Object(object)).into())
        }
    }
}

/// The fields that `value` holds, as an applier would own them.
pub(crate) fn fields_of(schema: &Schema, of: &Type, value: &Value) -> FieldSet {
    held_by(schema, of, value).1
}

/// Whether the value itself is a leaf, and the fields below it.
fn held_by(schema: &Schema, of: &Type, value: &Value) -> (bool, FieldSet) {
    let mut set = FieldSet::default();
    match value {
        _ if schema.is_atomic(of) => return (true, set),
        Value::Object(object) => {
            for (name, value) in object {
                let Some(below) = schema.field(of, name) else {
                    continue;
                };
                let (leaf, children) = held_by(schema, below, value);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                let member = leaf || empty || !schema.is_declared(of, name);
                set.attach(field_step(name), member, children);
            }
        }
        Value::Array(list) => {
            let Type::List(item_type, items) = of else {
                return (true, set);
            };
            for item in list {
                let Some(step) = item_step(items, item) else {
                    continue;
                };
                let (_, children) = held_by(schema, item_type, item);
                set.attach(step, true, children);
            }
        }
        _ => return (true, set),
    }
    (false, set)
}

pub(crate) fn compare(schema: &Schema, of: &Type, old: &Value, new: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    let mut walk = Walk { schema, path: Vec::new(), comparison: &mut comparison };
    walk.compare(of, Some(old), Some(new));
    comparison
}

struct Walk<'a> {
    schema: &'a Schema,
    path: Vec<Step>,
    comparison: &'a mut Comparison,
}

impl Walk<'_> {
    fn compare(&mut self, of: &Type, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        let is_empty = |value: Option<&Value>| match value {
            None | Some(Value::Null) => true,
            Some(Value::Object(object)) => object.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(_) => false,
        };
        if self.schema.is_atomic(of) || is_empty(old) && is_empty(new) {
            return self.leaf(old, new);
        }
        match (old, new) {
            (Some(Value::Object(_)) | None, Some(Value::Object(_)) | None) => {
                self.compare_maps(
                    of,
                    old.and_then(Value::as_object),
                    new.and_then(Value::as_object),
                );
            }
            (Some(Value::Array(_)) | None, Some(Value::Array(_)) | None)
                if matches!(of, Type::List(..)) =>
            {
                self.compare_lists(
                    of,
                    old.and_then(Value::as_array),
                    new.and_then(Value::as_array),
                );
            }
            _ => return self.leaf(old, new),
        }
        match (old, new) {
            (None, _) => self.comparison.added.insert(&self.path),
            (_, None) => self.comparison.removed.insert(&self.path),
            _ => {}
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (None, _) => self.comparison.added.insert(&self.path),
            (_, None) => self.comparison.removed.insert(&self.path),
            (old, new) if old != new => self.comparison.modified.insert(&self.path),
            _ => {}
        }
    }

    fn compare_maps(
        &mut self,
        of: &Type,
        old: Option<&Map<String, Value>>,
        new: Option<&Map<String, Value>>,
    ) {
        let schema = self.schema;
        for (name, before) in old.into_iter().flatten() {
            let below = schema.field(of, name).unwrap_or(&Type::Any);
            self.descend(field_step(name), below, Some(before), new.and_then(|new| new.get(name)));
        }
        for (name, after) in new.into_iter().flatten() {
            if old.is_none_or(|old| !old.contains_key(name)) {
                let below = schema.field(of, name).unwrap_or(&Type::Any);
                self.descend(field_step(name), below, None, Some(after));
            }
        }
    }

    fn compare_lists(&mut self, of: &Type, old: Option<&Vec<Value>>, new: Option<&Vec<Value>>) {
        let Type::List(item, items) = of else { return };
        let old = by_step(items, old.map_or(&[], Vec::as_slice));
        let new = by_step(items, new.map_or(&[], Vec::as_slice));
        for (step, before) in &old {
            let after = new.iter().find(|(other, _)| other == step).map(|(_, after)| *after);
            self.descend(step.clone(), item, Some(before), after);
        }
        for (step, after) in
            new.iter().filter(|(step, _)| old.iter().all(|(other, _)| other != step))
        {
            self.descend(step.clone(), item, None, Some(after));
        }
    }

    fn descend(&mut self, step: Step, of: &Type, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        self.path.push(step);
        self.compare(of, old, new);
        self.path.pop();
    }
}

fn by_step<'a>(items: &Items, list: &'a [Value]) -> Vec<(Step, &'a Value)> {
    list.iter().filter_map(|item| Some((item_step(items, item)?, item))).collect()
}

/// Lays `config` over `live`.
pub(crate) fn merge(schema: &Schema, of: &Type, live: &mut Value, config: &Value) {
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !schema.is_atomic(of) => {
            for (name, value) in config {
                let below = schema.field(of, name).unwrap_or(&Type::Any);
                match live.get_mut(name) {
                    Some(live) => merge(schema, below, live, value),
                    None => {
                        live.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(live), Value::Array(config))
            if !schema.is_atomic(of) && matches!(of, Type::List(..)) =>
        {
            merge_lists(schema, of, live, config);
        }
        (live, config) => *live = config.clone(),
    }
}

/// Keeps the applied order of shared and new items, and the place of items that only live has.
fn merge_lists(schema: &Schema, of: &Type, live: &mut Vec<Value>, config: &[Value]) {
    let Type::List(item_type, items) = of else {
        return;
    };
    let right: Vec<(Step, &Value)> = by_step(items, config);
    let left: Vec<(Option<Step>, Value)> =
        std::mem::take(live).into_iter().map(|item| (item_step(items, &item), item)).collect();
    let in_right = |step: &Step| right.iter().any(|(other, _)| other == step);
    let mut shared = right
        .iter()
        .map(|(step, _)| step)
        .filter(|step| left.iter().any(|(other, _)| other.as_ref() == Some(step)))
        .peekable();
    let merged = |step: &Step, config: &Value| {
        let mut item = left
            .iter()
            .find(|(other, _)| other.as_ref() == Some(step))
            .map(|(_, item)| item.clone());
        match &mut item {
            Some(item) => merge(schema, item_type, item, config),
            None => item = Some(config.clone()),
        }
        item.unwrap_or_default()
    };
    let mut done: Vec<&Step> = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        if l < left.len() && r < right.len() {
            let step = left[l].0.as_ref();
            if step == Some(&right[r].0) {
                live.push(merged(&right[r].0, right[r].1));
                done.push(&right[r].0);
                shared.next_if(|next| **next == right[r].0);
                (l, r) = (l + 1, r + 1);
                continue;
            }
            if step.is_some_and(in_right) && shared.peek().is_some_and(|next| Some(*next) != step) {
                l += 1;
                continue;
            }
        }
        if l < left.len() {
            match left[l].0.as_ref() {
                Some(step) if in_right(step) => {
                    if done.contains(&step) {
                        l += 1;
                    }
                }
                _ => {
                    live.push(left[l].1.clone());
                    l += 1;
                    continue;
                }
            }
        }
        if r < right.len() {
            let (step, config) = &right[r];
            live.push(merged(step, config));
            done.push(step);
            shared.next_if(|next| *next == step);
            r += 1;
        }
    }
}

/// Takes the fields of `set` out of `value`; `false` when nothing of it is left.
pub(crate) fn remove(schema: &Schema, of: &Type, value: &mut Value, set: &FieldSet) -> bool {
    if schema.is_atomic(of) {
        return false;
    }
    match value {
        Value::Object(object) => {
            if object.is_empty() {
                return false;
            }
            object.retain(|name, value| {
                let step = field_step(name);
                if set.has(&step) {
                    return false;
                }
                match set.below(&step) {
                    Some(below) => {
                        remove(schema, schema.field(of, name).unwrap_or(&Type::Any), value, below)
                    }
                    None => true,
                }
            });
            !object.is_empty()
        }
        Value::Array(list) => {
            let Type::List(item_type, items) = of else {
                return false;
            };
            list.retain_mut(|item| match item_step(items, item) {
                Some(step) if set.has(&step) => false,
                Some(step) => {
                    if let Some(below) = set.below(&step) {
                        remove(schema, item_type, item, below);
                    }
                    true
                }
                None => true,
            });
            !list.is_empty()
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod_spec() -> (std::sync::Arc<Schema>, Type) {
        let schema = Schema::built_in();
        let of = schema.find("core.v1.PodSpec").unwrap();
        (schema, of)
    }

    #[test]
    fn fields_are_named_as_the_api_server_names_them() {
        let (schema, of) = pod_spec();
        let value = json!({
            "containers": [{"name": "web", "args": ["a"], "ports": [{"containerPort": 80}], "resources": {}}],
            "nodeSelector": {"a": "b"},
            "volumes": [{"name": "v", "emptyDir": {}}],
        });
        let expected = concat!(
            r#"{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:args":{},"f:name":{},"#,
            r#""f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}},"#,
            r#""f:resources":{}}},"f:nodeSelector":{},"#,
            r#""f:volumes":{"k:{\"name\":\"v\"}":{".":{},"f:emptyDir":{},"f:name":{}}}}"#,
        );
        assert_eq!(fields_of(&schema, &of, &value).to_json(), expected);
    }

    #[test]
    fn applied_items_keep_their_order_and_others_keep_their_place() {
        let (schema, of) = pod_spec();
        let names = |value: &Value| -> Vec<String> {
            let list = value["containers"].as_array().unwrap();
            list.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
        };
        let containers = |names: &str| json!({"containers": names.chars().map(|name| json!({"name": name.to_string()})).collect::<Vec<_>>()});
        for (live, config, expected) in [
            ("abc", "c", "abc"),
            ("abc", "cad", "bcad"),
            ("ab", "ba", "ba"),
            ("a", "xay", "xay"),
            ("", "ab", "ab"),
        ] {
            let mut live = containers(live);
            merge(&schema, &of, &mut live, &containers(config));
            assert_eq!(names(&live).concat(), expected);
        }
    }

    #[test]
    fn a_comparison_names_parents_that_came_with_their_children() {
        let (schema, of) = pod_spec();
        let old = json!({"containers": [{"name": "a", "image": "1"}]});
        let new = json!({"containers": [{"name": "a", "image": "2", "env": [{"name": "X", "value": "1"}]}]});
        let comparison = compare(&schema, &of, &old, &new);
        assert_eq!(comparison.modified.paths(), [r#".containers[name="a"].image"#]);
        assert_eq!(
            comparison.added.paths(),
            [
                r#".containers[name="a"].env"#,
                r#".containers[name="a"].env[name="X"]"#,
                r#".containers[name="a"].env[name="X"].name"#,
                r#".containers[name="a"].env[name="X"].value"#
            ]
        );
    }

    #[test]
    fn removing_the_last_of_a_map_removes_the_map() {
        let (schema, of) = pod_spec();
        let mut value = json!({"securityContext": {"runAsUser": 1}, "hostname": "h"});
        let set = FieldSet::parse(r#"{"f:securityContext":{"f:runAsUser":{}}}"#);
        assert!(remove(&schema, &of, &mut value, &set));
        assert_eq!(value, json!({"hostname": "h"}));
    }
}
