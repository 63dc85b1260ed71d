//! `schemas/` is what the types generate, and what they generate fits the example.

use std::path::Path;

use serde_json::Value;
use tenantry::model::schema;
use tenantry::model::yaml;

use crate::support::example;

/// To write them again: `WRITE_SCHEMAS=1 cargo test --test integration schemas`, or
/// `tenantry schema --write schemas`.
#[test]
fn the_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let generated = schema::all();
    if std::env::var_os("WRITE_SCHEMAS").is_some() {
        for (file, schema) in &generated {
            std::fs::write(folder.join(file), schema).unwrap();
        }
    }
    for (file, schema) in &generated {
        let written = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(
            written == *schema,
            "schemas/{file} is not what the types generate: run `tenantry schema --write schemas`"
        );
    }
    let files = std::fs::read_dir(&folder).unwrap();
    // The portal's document stands beside them.
    let files = files.filter(|file| file.as_ref().unwrap().file_name() != "openapi.json").count();
    assert_eq!(files, generated.len(), "schemas/ holds a file that no kind generates");
}

/// Editors show what a schema says about a field: every field that the example uses is known to it.
#[test]
fn the_example_has_no_field_that_the_schemas_do_not_know() {
    let snapshot = example::snapshot();
    let schemas: Vec<(String, Value)> = schema::all()
        .into_iter()
        .map(|(file, text)| (file, serde_json::from_str(&text).unwrap()))
        .collect();
    let mut seen = 0;
    for file in snapshot.files.values() {
        for node in yaml::read(&file.content).0 {
            let document = node.to_json();
            let name = format!("{}.json", document["kind"].as_str().unwrap().to_lowercase());
            let (_, schema) = schemas.iter().find(|(file, _)| *file == name).unwrap();
            fits(&document, schema, schema, &file.path);
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} documents were looked at");
}

/// As much of JSON Schema as ours use for objects: properties, references, alternatives.
fn fits(value: &Value, schema: &Value, root: &Value, path: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        return fits(value, &root["$defs"][name], root, path);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let first = any.iter().find(|one| one["type"] != "null").unwrap();
        return fits(value, first, root, path);
    }
    match value {
        Value::Object(fields) if schema["properties"].is_object() => {
            for (name, value) in fields {
                let known = &schema["properties"][name];
                assert!(!known.is_null(), "{path}: the schema does not know `{name}`");
                fits(value, known, root, &format!("{path}.{name}"));
            }
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(required.as_str().unwrap()), "{path}: {required}");
            }
        }
        Value::Object(fields) if schema["additionalProperties"].is_object() => {
            for (name, value) in fields {
                fits(value, &schema["additionalProperties"], root, &format!("{path}.{name}"));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                fits(item, &schema["items"], root, &format!("{path}.{index}"));
            }
        }
        _ => {
            if let Some(constant) = schema.get("const") {
                assert_eq!(value, constant, "{path}");
            }
        }
    }
}
