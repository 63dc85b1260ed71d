//! JSON Schemas of all kinds, so that editors complete and check documents while they are typed.

use schemars::Schema;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use serde_json::json;

use super::names::Name;
use super::read::API_VERSION;
use super::read::KINDS;
use super::read::spec_schema;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Every schema as a file's name and its content: one for each kind, and `tenantry.json` for a
/// document of any kind.
pub fn all() -> Vec<(String, String)> {
    let one = KINDS.iter().map(|kind| (format!("{}.json", kind.to_lowercase()), of_kind(kind)));
    one.chain([("tenantry.json".to_owned(), of_any())])
        .map(|(file, schema)| (file, pretty(&schema)))
        .collect()
}

fn of_kind(kind: &str) -> Value {
    let mut generator = generator();
    let document = document(kind, &mut generator);
    root(&format!("Tenantry {kind}"), document, generator)
}

fn of_any() -> Value {
    let mut generator = generator();
    let any: Vec<Value> = KINDS.iter().map(|kind| document(kind, &mut generator)).collect();
    root("Tenantry", json!({ "oneOf": any }), generator)
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_deserialize().into_generator()
}

/// A whole document of a kind.
fn document(kind: &str, generator: &mut SchemaGenerator) -> Value {
    let name = generator.subschema_for::<Name>();
    let spec = spec_schema(kind, generator).unwrap_or_else(|| Schema::from(true));
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": { "const": API_VERSION },
            "kind": { "const": kind },
            "metadata": {
                "type": "object",
                "additionalProperties": false,
                "required": ["name"],
                "properties": { "name": name },
            },
            "spec": spec,
        },
    })
}

fn root(title: &str, schema: Value, mut generator: SchemaGenerator) -> Value {
    let mut root = json!({ "$schema": DRAFT, "title": title });
    let definitions = generator.take_definitions(true);
    if let (Some(root), Value::Object(schema)) = (root.as_object_mut(), schema) {
        root.extend(schema);
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root
}

fn pretty(schema: &Value) -> String {
    format!("{schema:#}\n")
}
