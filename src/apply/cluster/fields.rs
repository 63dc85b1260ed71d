//! Fields of an object, as Kubernetes names them: `spec.replicas`,
//! `spec.template.spec.containers[name="web"].image`, `metadata.labels.example.com/team`.
//!
//! A path is looked up in an object or in a set of fields (`fieldsV1`) of its `managedFields`.
//! Names may hold dots themselves, so a path can only be understood beside what it is looked up in.

use serde_json::Map;
use serde_json::Value;

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
}

/// The value at a path of an object.
pub(super) fn get<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = object;
    for step in resolve(object, path)? {
        value = match step {
            Step::Key(key) => value.get(key)?,
            Step::Item(index) => value.get(index)?,
        };
    }
    Some(value)
}

/// The value at a path of an object, to be changed.
pub(super) fn get_mut<'a>(object: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let steps = resolve(object, path)?;
    follow(object, &steps)
}

/// Takes the value at a path out of an object. Says whether there was one.
pub(super) fn remove(object: &mut Value, path: &str) -> bool {
    let Some(mut steps) = resolve(object, path) else { return false };
    let Some(last) = steps.pop() else { return false };
    match (follow(object, &steps), last) {
        (Some(Value::Object(fields)), Step::Key(key)) => fields.shift_remove(&key).is_some(),
        (Some(Value::Array(items)), Step::Item(index)) => {
            items.remove(index);
            true
        }
        _ => false,
    }
}

fn follow<'a>(object: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    let mut value = object;
    for step in steps {
        value = match step {
            Step::Key(key) => value.get_mut(key)?,
            Step::Item(index) => value.get_mut(*index)?,
        };
    }
    Some(value)
}

fn resolve(value: &Value, path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    walk(value, path, &mut steps).then_some(steps)
}

fn walk(value: &Value, path: &str, steps: &mut Vec<Step>) -> bool {
    let path = path.strip_prefix('.').unwrap_or(path);
    if path.is_empty() {
        return true;
    }
    if let Some(inside) = path.strip_prefix('[') {
        let (Some((selector, rest)), Value::Array(items)) = (bracket(inside), value) else {
            return false;
        };
        let Some(index) = items.iter().position(|item| selector.selects(item)) else {
            return match selector {
                Selector::Index(index) if index < items.len() => {
                    step_into(&items[index], Step::Item(index), rest, steps)
                }
                _ => false,
            };
        };
        return step_into(&items[index], Step::Item(index), rest, steps);
    }
    let Value::Object(fields) = value else { return false };
    for (name, rest) in names(fields, path, "") {
        if let Some(child) = fields.get(name)
            && step_into(child, Step::Key(name.to_owned()), rest, steps)
        {
            return true;
        }
    }
    false
}

fn step_into(child: &Value, step: Step, rest: &str, steps: &mut Vec<Step>) -> bool {
    steps.push(step);
    let found = walk(child, rest, steps);
    if !found {
        steps.pop();
    }
    found
}

/// The keys that the path may begin with, longest first, each with what comes after it.
fn names<'a, 'p>(
    fields: &'a Map<String, Value>,
    path: &'p str,
    prefix: &str,
) -> Vec<(&'a str, &'p str)> {
    let mut names: Vec<(&str, &str)> = fields
        .keys()
        .filter_map(|key| {
            let rest = path.strip_prefix(key.strip_prefix(prefix)?)?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some((key.as_str(), rest))
        })
        .collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
}

/// Whether a set of fields holds anything at or below a path.
pub(super) fn owns(set: &Value, path: &str) -> bool {
    let path = path.strip_prefix('.').unwrap_or(path);
    let Value::Object(fields) = set else { return false };
    if path.is_empty() {
        return true;
    }
    children(fields, path)
        .iter()
        .any(|(key, rest)| fields.get(*key).is_some_and(|child| owns(child, rest)))
}

/// Takes everything at and below a path out of a set of fields. Says whether anything was there.
pub(super) fn disown(set: &mut Value, path: &str) -> bool {
    let path = path.strip_prefix('.').unwrap_or(path);
    let Value::Object(fields) = set else { return false };
    for (key, rest) in owned_keys(fields, path) {
        if rest.is_empty() {
            fields.shift_remove(&key);
            return true;
        }
        let Some(child) = fields.get_mut(&key) else { continue };
        if disown(child, &rest) {
            // A parent that only led there goes with it.
            if child.as_object().is_some_and(Map::is_empty) {
                fields.shift_remove(&key);
            }
            return true;
        }
    }
    false
}

fn owned_keys(fields: &Map<String, Value>, path: &str) -> Vec<(String, String)> {
    children(fields, path)
        .into_iter()
        .map(|(key, rest)| (key.to_owned(), rest.to_owned()))
        .collect()
}

/// The children of a set of fields through which the path may lead, each with what comes after it.
fn children<'a, 'p>(fields: &'a Map<String, Value>, path: &'p str) -> Vec<(&'a str, &'p str)> {
    let Some(inside) = path.strip_prefix('[') else { return names(fields, path, "f:") };
    let Some((selector, rest)) = bracket(inside) else { return Vec::new() };
    fields.keys().filter(|key| selector.selects_key(key)).map(|key| (key.as_str(), rest)).collect()
}

/// What stands in brackets: which item of a list is meant.
#[derive(Debug, PartialEq)]
enum Selector {
    /// `[name="web"]`, `[containerPort=80,protocol="TCP"]`
    Keys(Vec<(String, Value)>),
    /// `[="value"]`
    Value(Value),
    /// `[0]`
    Index(usize),
}

impl Selector {
    fn selects(&self, item: &Value) -> bool {
        match self {
            // A key that is missing in what we send has its default: it does not tell them apart.
            Self::Keys(keys) => {
                let mut known =
                    keys.iter().filter_map(|(key, value)| Some((item.get(key)?, value)));
                let first = known.next();
                first.is_some_and(|(one, other)| one == other)
                    && known.all(|(one, other)| one == other)
            }
            Self::Value(value) => item == value,
            Self::Index(_) => false,
        }
    }

    /// Whether a key of a set of fields, such as `k:{"name":"web"}`, means the same.
    fn selects_key(&self, key: &str) -> bool {
        match (self, key.split_once(':')) {
            (Self::Keys(keys), Some(("k", json))) => {
                let Ok(Value::Object(parsed)) = serde_json::from_str(json) else { return false };
                keys.iter().all(|(key, value)| parsed.get(key) == Some(value))
            }
            (Self::Value(value), Some(("v", json))) => {
                serde_json::from_str::<Value>(json).is_ok_and(|parsed| parsed == *value)
            }
            (Self::Index(index), Some(("i", number))) => number.parse() == Ok(*index),
            _ => false,
        }
    }
}

/// Reads what follows an opening bracket, and returns what comes after the closing one.
fn bracket(text: &str) -> Option<(Selector, &str)> {
    let mut rest = text;
    let mut keys = Vec::new();
    loop {
        let end = rest.find(['=', ']'])?;
        let (key, after) = rest.split_at(end);
        let Some(value) = after.strip_prefix('=') else {
            let index = key.parse().ok()?;
            return keys.is_empty().then_some((Selector::Index(index), &after[1..]));
        };
        // A string may hold any character, also `]`.
        let mut values = serde_json::Deserializer::from_str(value).into_iter::<Value>();
        let parsed = values.next()?.ok()?;
        let after = &value[values.byte_offset()..];
        if key.is_empty() {
            return Some((Selector::Value(parsed), after.strip_prefix(']')?));
        }
        keys.push((key.to_owned(), parsed));
        match after.split_at_checked(1)? {
            (",", next) => rest = next,
            ("]", next) => return Some((Selector::Keys(keys), next)),
            _ => return None,
        }
    }
}

/// The paths of an annotation: separated by commas, but not by those in brackets or quotes.
pub(super) fn paths(annotation: &str) -> Vec<&str> {
    let (mut paths, mut start, mut brackets, mut quoted) = (Vec::new(), 0, 0_u32, false);
    for (position, letter) in annotation.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '[' if !quoted => brackets += 1,
            ']' if !quoted => brackets = brackets.saturating_sub(1),
            ',' if !quoted && brackets == 0 => {
                paths.push(&annotation[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    paths.push(&annotation[start..]);
    paths.into_iter().map(str::trim).filter(|path| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> Value {
        json!({
            "metadata": {"labels": {"app": "web", "example.com/team": "a", "example": {"com/team": "b"}}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "web", "image": "nginx", "ports": [{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}]},
                {"name": "a]b", "image": "other"},
            ]}}},
        })
    }

    #[test]
    fn a_path_leads_to_a_value() {
        let object = deployment();
        let containers = "spec.template.spec.containers";
        for (path, value) in [
            ("spec.replicas".to_owned(), json!(2)),
            (".spec.replicas".to_owned(), json!(2)),
            ("metadata.labels.example.com/team".to_owned(), json!("a")),
            (format!(r#"{containers}[name="web"].image"#), json!("nginx")),
            (format!(r#"{containers}[name="a]b"].image"#), json!("other")),
            (format!("{containers}[1].image"), json!("other")),
            (
                format!(r#"{containers}[name="web"].ports[containerPort=80,protocol="TCP"]"#),
                json!({"containerPort": 80}),
            ),
        ] {
            assert_eq!(get(&object, &path), Some(&value), "{path}");
        }
        for path in
            ["spec.replica", "spec.replicas.x", "spec[0]", "nowhere", "spec.template[name=\"x\"]"]
        {
            assert_eq!(get(&object, path), None, "{path}");
        }
    }

    #[test]
    fn a_value_is_taken_out() {
        let mut object = deployment();
        assert!(remove(&mut object, "spec.replicas"));
        assert!(!remove(&mut object, "spec.replicas"));
        assert!(remove(&mut object, r#"spec.template.spec.containers[name="web"]"#));
        assert_eq!(get(&object, "spec.template.spec.containers[0].name"), Some(&json!("a]b")));
        assert!(!remove(&mut object, ""));
    }

    fn set() -> Value {
        json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:example.com/team": {}}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                r#"k:{"name":"web"}"#: {".": {}, "f:image": {}, "f:name": {}},
            }}}},
        })
    }

    #[test]
    fn a_set_owns_what_stands_in_it_and_what_leads_there() {
        for path in [
            "spec.replicas",
            "spec",
            ".metadata.labels.example.com/team",
            r#"spec.template.spec.containers[name="web"].image"#,
            r#"spec.template.spec.containers[name="web"]"#,
        ] {
            assert!(owns(&set(), path), "{path}");
        }
        for path in
            ["spec.paused", "metadata.labels.team", r#"spec.template.spec.containers[name="x"]"#]
        {
            assert!(!owns(&set(), path), "{path}");
        }
    }

    #[test]
    fn what_is_disowned_leaves_no_trace() {
        let mut only = json!({"f:spec": {"f:replicas": {}}});
        assert!(disown(&mut only, "spec.replicas"));
        assert_eq!(only, json!({}));
        let mut more = set();
        assert!(disown(&mut more, r#"spec.template.spec.containers[name="web"].image"#));
        assert!(disown(&mut more, "metadata.labels.example.com/team"));
        assert!(!disown(&mut more, "spec.paused"));
        assert!(owns(&more, "spec.replicas") && owns(&more, "metadata.labels.app"));
        assert!(!owns(&more, "metadata.labels.example.com/team"));
    }

    #[test]
    fn commas_separate_paths_but_not_inside_brackets() {
        let annotation = r#"spec.replicas, spec.x[a=1,b="c,d"].y ,, metadata.labels"#;
        let expected = ["spec.replicas", r#"spec.x[a=1,b="c,d"].y"#, "metadata.labels"];
        assert_eq!(paths(annotation), expected);
    }
}
