//! The three patches that are no applies: JSON patch, JSON merge patch and strategic merge patch.

use serde_json::Map;
use serde_json::Value;

use crate::sandbox::kinds::Kind;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;

/// RFC 7386.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            target.shift_remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// RFC 6902.
pub(crate) fn json(target: &mut Value, patch: &Value) -> Result<(), Refusal> {
    let unreadable =
        || Refusal::bad_request("error decoding patch: it is no list of JSON patch operations");
    for operation in patch.as_array().ok_or_else(unreadable)? {
        let path = operation["path"].as_str().ok_or_else(unreadable)?;
        let from = || operation["from"].as_str().ok_or_else(unreadable);
        match operation["op"].as_str().ok_or_else(unreadable)? {
            "add" => insert(target, path, operation["value"].clone())?,
            "remove" => drop(take(target, path)?),
            "replace" => {
                *target.pointer_mut(path).ok_or_else(|| missing("replace", path))? =
                    operation["value"].clone();
            }
            "move" => {
                let value = take(target, from()?)?;
                insert(target, path, value)?;
            }
            "copy" => {
                let value =
                    target.pointer(from()?).cloned().ok_or_else(|| missing("copy", path))?;
                insert(target, path, value)?;
            }
            "test" => {
                if target.pointer(path).unwrap_or(&Value::Null) != &operation["value"] {
                    let why = format!("testing value {path} failed");
                    return Err(Refusal::new(
                        422,
                        "Invalid",
                        format!("the server rejected our request: {why}"),
                    ));
                }
            }
            other => {
                return Err(Refusal::bad_request(format!(
                    "unexpected kind: unknown JSON patch operation {other}"
                )));
            }
        }
    }
    Ok(())
}

fn missing(operation: &str, path: &str) -> Refusal {
    let why =
        format!("{operation} operation does not apply: doc is missing path: {path}: missing value");
    Refusal::new(
        422,
        "Invalid",
        format!("the server rejected our request due to an error in our request: {why}"),
    )
}

fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn insert(target: &mut Value, path: &str, value: Value) -> Result<(), Refusal> {
    let Some((parent, last)) = split(path) else {
        *target = value;
        return Ok(());
    };
    match target.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            object.insert(last, value);
        }
        Some(Value::Array(list)) => {
            let place = if last == "-" { Some(list.len()) } else { last.parse().ok() };
            let place =
                place.filter(|place| *place <= list.len()).ok_or_else(|| missing("add", path))?;
            list.insert(place, value);
        }
        _ => return Err(missing("add", path)),
    }
    Ok(())
}

fn take(target: &mut Value, path: &str) -> Result<Value, Refusal> {
    let gone = || missing("remove", path);
    let (parent, last) = split(path).ok_or_else(gone)?;
    match target.pointer_mut(parent) {
        Some(Value::Object(object)) => object.shift_remove(&last).ok_or_else(gone),
        Some(Value::Array(list)) => {
            let place =
                last.parse().ok().filter(|place: &usize| *place < list.len()).ok_or_else(gone)?;
            Ok(list.remove(place))
        }
        _ => Err(gone()),
    }
}

/// Like a merge patch, but lists whose items have a merge key are merged item by item.
pub(crate) fn strategic(kind: &Kind, target: &mut Value, patch: &Value) {
    merge_strategically(&kind.schema, Some(&kind.root), target, patch);
}

fn merge_strategically(schema: &Schema, of: Option<&Type>, target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if patch.get("$patch").is_some_and(|directive| directive == "replace") {
        *target = Value::Object(plain(patch));
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(object) = target else {
        return;
    };
    if patch.get("$patch").is_some_and(|directive| directive == "delete") {
        object.clear();
        return;
    }
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        object.retain(|name, _| kept.iter().any(|kept| kept == name));
    }
    for (name, value) in patch.iter().filter(|(name, _)| !name.starts_with('$')) {
        if value.is_null() {
            object.shift_remove(name);
            continue;
        }
        let field = match of {
            Some(Type::Struct(id)) => schema.of(*id).fields.get(name),
            _ => None,
        };
        let below = of.and_then(|of| schema.field(of, name));
        let merge_key = field.and_then(|field| field.merge_key.as_deref());
        let current = object.entry(name.clone()).or_insert(Value::Null);
        match (value, merge_key) {
            (Value::Array(items), Some("")) => unite(current, items),
            (Value::Array(items), Some(key)) => {
                let item_type = match below {
                    Some(Type::List(item, _)) => Some(&**item),
                    _ => None,
                };
                merge_items(schema, item_type, key, current, items);
            }
            _ => merge_strategically(schema, below, current, value),
        }
    }
    for (directive, removed) in
        patch.iter().filter(|(name, _)| name.starts_with("$deleteFromPrimitiveList/"))
    {
        let name = directive.rsplit('/').next().unwrap_or_default();
        if let Some(list) = object.get_mut(name).and_then(Value::as_array_mut) {
            let removed = removed.as_array().map_or(&[][..], Vec::as_slice);
            list.retain(|item| !removed.contains(item));
        }
    }
    for (directive, order) in patch.iter().filter(|(name, _)| name.starts_with("$setElementOrder/"))
    {
        let name = directive.rsplit('/').next().unwrap_or_default();
        let key = match of {
            Some(Type::Struct(id)) => {
                schema.of(*id).fields.get(name).and_then(|field| field.merge_key.as_deref())
            }
            _ => None,
        };
        if let Some(list) = object.get_mut(name).and_then(Value::as_array_mut) {
            reorder(list, key.unwrap_or_default(), order.as_array().map_or(&[][..], Vec::as_slice));
        }
    }
}

fn plain(patch: &Map<String, Value>) -> Map<String, Value> {
    let fields = patch.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn unite(current: &mut Value, items: &[Value]) {
    if !current.is_array() {
        *current = Value::Array(Vec::new());
    }
    let Value::Array(list) = current else { return };
    for item in items {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

fn merge_items(
    schema: &Schema,
    item_type: Option<&Type>,
    key: &str,
    current: &mut Value,
    items: &[Value],
) {
    if !current.is_array() {
        *current = Value::Array(Vec::new());
    }
    let Value::Array(list) = current else { return };
    if items.iter().any(|item| item["$patch"] == "replace") {
        list.clear();
    }
    for item in items {
        let directive = item["$patch"].as_str();
        if directive == Some("replace") && item.get(key).is_none() {
            continue;
        }
        let place = list.iter().position(|known| known[key] == item[key]);
        match (place, directive) {
            (Some(place), Some("delete")) => drop(list.remove(place)),
            (None, Some("delete")) => {}
            (Some(place), _) => merge_strategically(schema, item_type, &mut list[place], item),
            (None, _) => {
                let mut new = Value::Object(Map::new());
                merge_strategically(schema, item_type, &mut new, item);
                list.push(new);
            }
        }
    }
}

/// Puts the named items into the given order; others keep their places behind them.
fn reorder(list: &mut [Value], key: &str, order: &[Value]) {
    let place = |item: &Value| {
        let same = |named: &Value| {
            if key.is_empty() { named == item } else { named[key] == item[key] }
        };
        order.iter().position(same).unwrap_or(order.len())
    };
    list.sort_by_key(place);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::kinds::Kinds;
    use crate::sandbox::kinds::Version;

    #[test]
    fn a_strategic_patch_merges_containers_by_name_and_environment_by_name() {
        let kinds = Kinds::served_by(Version::default());
        let deployment = kinds.named("apps", "deployments").unwrap();
        let mut target = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "args": ["x"]},
            {"name": "b", "image": "b:1"}]}}}});
        let patch = json!({"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            "containers": [
                {"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}], "args": ["y"]},
                {"name": "c", "image": "c:1"}]}}}});
        strategic(&deployment, &mut target, &patch);
        assert_eq!(
            target["spec"]["template"]["spec"]["containers"],
            json!([{"name": "b", "image": "b:1"},
                {"name": "a", "image": "a:2", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}], "args": ["y"]},
                {"name": "c", "image": "c:1"}])
        );
        strategic(
            &deployment,
            &mut target,
            &json!({"spec": {"template": {"spec": {"containers": [{"name": "b", "$patch": "delete"}]}}}}),
        );
        assert_eq!(target["spec"]["template"]["spec"]["containers"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_json_patch_does_what_it_says_or_is_refused() {
        let mut target = json!({"a": {"b/c": 1}, "list": [1, 3]});
        let patch = json!([
            {"op": "test", "path": "/a/b~1c", "value": 1},
            {"op": "add", "path": "/list/1", "value": 2},
            {"op": "add", "path": "/list/-", "value": 4},
            {"op": "move", "from": "/a/b~1c", "path": "/d"},
            {"op": "remove", "path": "/a"}]);
        json(&mut target, &patch).unwrap();
        assert_eq!(target, json!({"list": [1, 2, 3, 4], "d": 1}));
        assert!(json(&mut target, &json!([{"op": "remove", "path": "/nothing"}])).is_err());
        assert!(json(&mut target, &json!([{"op": "test", "path": "/d", "value": 2}])).is_err());
    }

    #[test]
    fn a_merge_patch_removes_with_null() {
        let mut target = json!({"a": {"b": 1, "c": 2}, "l": [1]});
        merge(&mut target, &json!({"a": {"b": null, "d": {"e": 1}}, "l": [2]}));
        assert_eq!(target, json!({"a": {"c": 2, "d": {"e": 1}}, "l": [2]}));
    }
}
