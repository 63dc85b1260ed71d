//! Whatever a customer types stays a value, and never becomes structure.

use std::sync::Arc;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;
use tenantry::model::component::Setting;
use tenantry::model::tenant::Branding;
use tenantry::render::Rendering;
use tenantry::render::render;
use tenantry::validate::ValidTenant;

use super::fixture::Files;
use super::fixture::NOW;
use super::fixture::Rendered as _;
use super::fixture::Repository;

static EXAMPLE: LazyLock<Repository> = LazyLock::new(|| Files::example().read());

/// Pieces that mean something to YAML, JSON, templates, shells or Kubernetes.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "{{ 1 }}",
    "{% set a = 1 %}",
    "{#",
    "}}",
    "\n---\n",
    "\n...\n",
    ": ",
    " #",
    "- ",
    "? ",
    "&a",
    "*a",
    "!!str ",
    "|\n  x",
    ">",
    "[",
    "]",
    "{",
    "}",
    ",",
    "%",
    "@",
    "`",
    "$(password)",
    "$(",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "null",
    "true",
    "0x1f",
    "1e9",
    "~",
    "<<: ",
    "kind: ClusterRole",
    "😀",
    "é",
    "\u{202e}",
    "{host}",
];

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-z ]{0,6}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn tenant(organisation: &str, value: &str) -> ValidTenant {
    let mut tenant = EXAMPLE.tenant("acme").clone();
    let spec = &mut Arc::make_mut(&mut tenant.tenant).spec;
    organisation.clone_into(&mut spec.organisation);
    organisation.clone_into(&mut spec.contacts[0].email);
    spec.branding = Some(Branding {
        logo: Some(value.to_owned()),
        primary_color: Some(organisation.to_owned()),
        secondary_color: Some(value.to_owned()),
    });
    let component = Arc::make_mut(&mut tenant.namespaces[0].subscriptions[0].components[0]);
    component.image = format!("image:{value}");
    let component = &mut Arc::make_mut(&mut component.document).spec;
    component.environment.insert("VALUE".into(), Setting::Value(value.to_owned()));
    component.environment.insert("FILLED".into(), Setting::Value("<{organisation}>".into()));
    component.args = vec![value.to_owned()];
    tenant
}

fn rendered(organisation: &str, value: &str) -> Rendering {
    let tenant = tenant(organisation, value);
    render(&tenant, &EXAMPLE.templates, NOW.parse().unwrap()).unwrap()
}

/// A value without its texts: its keys, its lengths, its kinds.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| (key.clone(), shape(value))).collect()
        }
        other => other.clone(),
    }
}

fn shapes(rendering: &Rendering) -> Vec<(String, Value)> {
    let shape = |one: &tenantry::model::Resource| (one.id.to_string(), shape(&one.body));
    rendering.rendered.resources.iter().map(shape).collect()
}

/// Names in braces are filled in, or refused where they are unknown; here they are neither.
fn without_placeholders(text: &str) -> String {
    text.replace(['{', '}'], "|")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_changes_the_structure(organisation in hostile(), value in hostile()) {
        let value = without_placeholders(&value);
        let plain = rendered("ACME Corp", "plain");
        let hostile = rendered(&organisation, &value);
        prop_assert_eq!(shapes(&plain), shapes(&hostile));

        let settings = &hostile.named("ConfigMap", "acme-settings").body["data"];
        prop_assert_eq!(settings["ORG_NAME"].as_str(), Some(organisation.as_str()));
        prop_assert_eq!(settings["LOGO_URL"].as_str(), Some(value.as_str()));
        let container =
            &hostile.named("Deployment", "main-class").body["spec"]["template"]["spec"]["containers"][0];
        let variable = |name: &str| {
            let variables = container["env"].as_array().unwrap();
            let variable = variables.iter().find(|variable| variable["name"] == name).unwrap();
            variable["value"].as_str().unwrap().to_owned()
        };
        prop_assert_eq!(variable("VALUE"), value.clone());
        prop_assert_eq!(variable("FILLED"), format!("<{organisation}>"));
        prop_assert_eq!(container["args"][0].as_str(), Some(value.as_str()));
    }
}

#[test]
fn a_text_that_is_too_long_for_a_template_is_refused() {
    let tenant = tenant(&"x".repeat(40_000), "");
    let refusal = render(&tenant, &EXAMPLE.templates, NOW.parse().unwrap()).unwrap_err();
    assert_eq!(&*refusal.place.file, "tenants/acme/tenant.yaml");
    assert!(refusal.message.contains("longer than"), "{refusal}");
}
