//! Reading what was rendered and rendering again is the same.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use tenantry::model::Resource;
use tenantry::model::UnitName;
use tenantry::model::marks;
use tenantry::reconcile::desired::Desired;
use tenantry::reconcile::desired::advance;
use tenantry::render::Templates;

use super::desired;
use super::snapshot;
use super::time;
use crate::support::business::Business;
use crate::support::business::any_business;

/// A rendered object as a template that says nothing but it, with the marks that rendering took
/// off.
fn as_template(resource: &Resource) -> String {
    let mut object = if resource.id.is_database() {
        json!({
            "apiVersion": "tenantry.dev/v1",
            "kind": resource.id.kind,
            "metadata": {"name": resource.id.name, "namespace": resource.id.namespace},
            "spec": resource.body,
        })
    } else {
        resource.body.clone()
    };
    let metadata = object["metadata"].as_object_mut().unwrap();
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    match &resource.task {
        None => annotations[marks::STAGE] = json!(resource.stage),
        Some(once) => {
            if let Some(result) = &once.result {
                annotations[marks::RESULT] = json!(result);
            }
        }
    }
    if resource.id.is_database() {
        annotations[marks::ON_DELETE] = json!(resource.on_delete);
    }
    let house = if resource.id.is_namespace() { &resource.id.name } else { &resource.id.namespace };
    let mut whose = format!("namespace.name == \"{house}\"");
    if let Some(subscription) = &resource.subscription {
        whose = format!(
            "subscription.namespace == \"{house}\" and subscription.name == \"{subscription}\""
        );
    }
    let text = serde_yaml::to_string(&object).unwrap();
    assert!(!text.contains("{{") && !text.contains("{%"), "{text}");
    format!("{{% if {whose} %}}\n{text}{{% endif %}}\n")
}

/// The business with what one tenant was rendered to in the place of all templates.
fn with_what_was_rendered(business: &Business, desired: &Desired, unit: &UnitName) -> Business {
    let mut business = business.clone();
    let mut put =
        |name: &str, text: String| business.files.insert(format!("templates/{name}"), text);
    for name in Templates::built_in().names() {
        put(&name, "# Nothing.\n".into());
    }
    for (number, resource) in desired.units[unit].bodies().unwrap().resources.iter().enumerate() {
        let kind = if resource.subscription.is_some() { "subscription" } else { "namespace" };
        for folder in ["kiteclass", "paas"] {
            if resource.task.is_some() {
                // The only task of the business verifies something.
                put(&format!("{folder}/task/verify.yaml"), as_template(resource));
                continue;
            }
            put(&format!("{folder}/{kind}/{number:03}.yaml"), as_template(resource));
        }
    }
    business
}

/// What differs, in words: the digests would only say that something does.
fn shown(desired: &Desired, unit: &UnitName) -> String {
    let mut text = String::new();
    for resource in desired.units[unit].bodies().unwrap().resources {
        let Resource { id, subscription, stage, on_delete, body, .. } = resource;
        let body: Value = body;
        writeln!(text, "{id} {subscription:?} {stage} {on_delete:?} {body:#}").unwrap();
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_what_was_rendered_and_rendering_again_is_the_same(
        business in any_business(),
        chosen in any::<proptest::sample::Index>(),
    ) {
        let first = desired(&business);
        for (name, unit) in &first.units {
            prop_assert_eq!(unit.bodies().unwrap().digest, unit.digest, "{} has one digest", name);
        }
        if first.units.is_empty() {
            return Ok(());
        }
        let (unit, before) = first.units.iter().nth(chosen.index(first.units.len())).unwrap();
        let fixed = with_what_was_rendered(&business, &first, unit);
        let second = advance(None, &snapshot(&fixed), time(&fixed));
        prop_assert!(second.units.contains_key(unit), "{:?}", second.held.get(unit));
        similar_asserts(&shown(&second, unit), &shown(&first, unit))?;
        prop_assert_eq!(second.units[unit].digest, before.digest);
    }
}

fn similar_asserts(one: &str, other: &str) -> Result<(), TestCaseError> {
    let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    prop_assert!(one == other, "{differs:?}");
    Ok(())
}
