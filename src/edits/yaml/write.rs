//! Writes whole values: on one line in brackets where that is short, by indentation elsewhere.

use serde_json::Map;
use serde_json::Value;

use super::scalar::key;
use super::scalar::scalar;

/// A list or the fields of an item stand on one line up to this many columns.
const WIDE: usize = 80;
/// How far the inside of a value stands to the right.
const STEP: usize = 2;

/// A value in brackets, on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => format!("{{ {} }}", fields_in_flow(fields)),
        other => scalar(other, None),
    }
}

fn fields_in_flow(fields: &Map<String, Value>) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| field_in_flow(name, value)).collect();
    fields.join(", ")
}

/// One field as it stands in brackets.
pub(super) fn field_in_flow(name: &str, value: &Value) -> String {
    format!("{}: {}", key(name), flow(value))
}

/// Lines without their indentation and ends. The first goes where it is put, the others go below.
pub(super) type Lines = Vec<String>;

/// One field as lines.
pub(super) fn field(name: &str, value: &Value) -> Lines {
    let mut lines = after_colon(value);
    let first = match lines.remove(0) {
        same_line if same_line.is_empty() => format!("{}:", key(name)),
        same_line => format!("{}: {same_line}", key(name)),
    };
    lines.insert(0, first);
    lines
}

/// One item of a list as lines, its dash included.
pub(super) fn item(value: &Value) -> Lines {
    let in_one_line = flow(value);
    let lines = match value {
        Value::Object(fields) if !fields.is_empty() && !is_short(fields.values(), &in_one_line) => {
            fields.iter().flat_map(|(name, value)| field(name, value)).collect()
        }
        _ => vec![in_one_line],
    };
    lines
        .into_iter()
        .enumerate()
        .map(|(number, line)| if number == 0 { format!("- {line}") } else { indented(&line) })
        .collect()
}

/// What follows a colon: the first line stands beside it, and is empty where everything goes below.
pub(super) fn after_colon(value: &Value) -> Lines {
    let below = |lines: Vec<String>| {
        let mut all = vec![String::new()];
        all.extend(lines.iter().map(|line| indented(line)));
        all
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            below(fields.iter().flat_map(|(name, value)| field(name, value)).collect())
        }
        Value::Array(items) if !items.is_empty() && !is_short(items, &flow(value)) => {
            below(items.iter().flat_map(item).collect())
        }
        other => vec![flow(other)],
    }
}

/// Whether everything in it is a single word, and one line holds it.
fn is_short<'a>(values: impl IntoIterator<Item = &'a Value>, in_one_line: &str) -> bool {
    let nested = |value: &Value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    };
    in_one_line.chars().count() <= WIDE && !values.into_iter().any(nested)
}

fn indented(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(STEP)) }
}

/// A document as a text of its own, its last line ended.
pub fn document(value: &Value) -> String {
    let lines = match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().flat_map(|(name, value)| field(name, value)).collect()
        }
        other => vec![flow(other)],
    };
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_laid_out_as_a_person_would() {
        let value = json!({
            "kind": "Tenant",
            "metadata": { "name": "acme" },
            "spec": {
                "organisation": "ACME: the one",
                "contacts": [{ "email": "admin@acme.com", "role": "admin" }],
                "domains": ["a.example", "b.example"],
                "addOns": { "storage-50": 2 },
                "nothing": {},
                "long": ["x".repeat(50), "y".repeat(50)],
                "deep": [{ "a": [1], "b": { "c": 1 } }, [1, 2]],
            },
        });
        let (x, y) = ("x".repeat(50), "y".repeat(50));
        assert_eq!(
            document(&value),
            format!(
                "kind: Tenant\nmetadata:\n  name: acme\nspec:\n  organisation: \"ACME: the one\"\n  \
                 contacts:\n    - {{ email: admin@acme.com, role: admin }}\n  \
                 domains: [a.example, b.example]\n  addOns:\n    storage-50: 2\n  nothing: {{}}\n  \
                 long:\n    - {x}\n    - {y}\n  deep:\n    - a: [1]\n      b:\n        c: 1\n    - [1, 2]\n"
            )
        );
        let (documents, refused) = crate::model::yaml::read(document(&value).as_bytes());
        assert_eq!(refused, []);
        assert_eq!(documents[0].to_json(), value);
    }
}
