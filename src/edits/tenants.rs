//! Changes of a tenant: it comes, it looks and is spoken to in another way, it goes.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::model::Document;
use crate::model::Name;
use crate::model::Tenant;
use crate::model::quantity::Quantity;
use crate::model::read::API_VERSION;
use crate::model::tenant::Branding;
use crate::model::tenant::Contact;
use crate::model::tenant::Language;

use super::Draft;
use super::Refused;
use super::yaml::Change;
use super::yaml::Path;

/// Adds a tenant, in `tenants/<name>/tenant.yaml`.
pub fn add(draft: &mut Draft<'_>, name: &Name, tenant: &Tenant) -> Result<(), Refused> {
    if let Some(there) = draft.tenant(name) {
        let file = Arc::clone(&there.origin.file);
        return Err(Refused::Taken { kind: "tenant", name: name.to_string(), file });
    }
    draft.add(&format!("tenants/{name}/tenant.yaml"), &document("Tenant", name, tenant))
}

/// Says where the tenant runs, once and for all: moved elsewhere it would leave its data behind.
pub fn place(draft: &mut Draft<'_>, tenant: &Name, cluster: &Name) -> Result<(), Refused> {
    let there = existing(draft, tenant)?;
    draft.set(&there.origin, ["spec", "cluster"], cluster.as_str())
}

/// Changes how the tenant's instances look; none takes every branding away.
pub fn set_branding(
    draft: &mut Draft<'_>,
    tenant: &Name,
    branding: Option<&Branding>,
) -> Result<(), Refused> {
    let there = existing(draft, tenant)?;
    put(draft, &there, "branding", branding.map_or(Value::Null, sparse))
}

/// Changes the language of mails and pages.
pub fn set_language(
    draft: &mut Draft<'_>,
    tenant: &Name,
    language: Language,
) -> Result<(), Refused> {
    let there = existing(draft, tenant)?;
    if there.spec.language == language {
        return Ok(());
    }
    draft.set(&there.origin, ["spec", "language"], sparse(&language))
}

/// Changes who gets our mail.
pub fn set_contacts(
    draft: &mut Draft<'_>,
    tenant: &Name,
    contacts: &[Contact],
) -> Result<(), Refused> {
    if contacts.is_empty() {
        let why = format!("`{tenant}` would have nobody to write to: keep one contact");
        return Err(Refused::Because(why));
    }
    let there = existing(draft, tenant)?;
    draft.set(&there.origin, ["spec", "contacts"], sparse(contacts))
}

/// Changes the name that the customer goes by.
pub fn set_organisation(
    draft: &mut Draft<'_>,
    tenant: &Name,
    organisation: &str,
) -> Result<(), Refused> {
    let there = existing(draft, tenant)?;
    draft.set(&there.origin, ["spec", "organisation"], organisation)
}

/// Says that nothing is kept any longer of a subscription that ended.
pub fn purge(draft: &mut Draft<'_>, tenant: &Name, name: &Name) -> Result<(), Refused> {
    let there = existing(draft, tenant)?;
    if draft.subscription(tenant, name).is_some() {
        let why = format!("the subscription `{name}` of `{tenant}` has not ended: remove it first");
        return Err(Refused::Because(why));
    }
    if there.spec.purged.contains(name) {
        return Ok(());
    }
    let path = Path::from(["spec", "purged"]);
    draft.edit(&there.origin, &Change::Append(path, name.as_str().into()))
}

/// Whoever comes back under a name has what is kept of it from then on.
pub(super) fn keep_again(draft: &mut Draft<'_>, tenant: &Name, name: &Name) -> Result<(), Refused> {
    let there = existing(draft, tenant)?;
    if !there.spec.purged.contains(name) {
        return Ok(());
    }
    let mut purged = there.spec.purged.clone();
    purged.remove(name);
    put(draft, &there, "purged", sparse(&purged))
}

/// Removes the tenant with everything in its folder.
pub fn remove(draft: &mut Draft<'_>, tenant: &Name) -> Result<(), Refused> {
    existing(draft, tenant)?;
    for file in draft.files_of(tenant) {
        draft.remove_file(&file)?;
    }
    Ok(())
}

pub(super) fn existing(draft: &Draft<'_>, name: &Name) -> Result<Arc<Document<Tenant>>, Refused> {
    draft.tenant(name).ok_or_else(|| Refused::Missing { kind: "tenant", name: name.to_string() })
}

/// Gives a field of the specification a value, or removes it where the value is nothing.
pub(super) fn put<T>(
    draft: &mut Draft<'_>,
    document: &Document<T>,
    field: &str,
    value: Value,
) -> Result<(), Refused> {
    let path = Path::from(["spec", field]);
    if is_nothing(&value) {
        draft.unset(&document.origin, path)
    } else {
        draft.set(&document.origin, path, value)
    }
}

/// A whole document, its fields in the order of the model.
pub(super) fn document(kind: &str, name: &Name, spec: &impl Serialize) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": { "name": name },
        "spec": sparse(spec),
    })
}

/// A value as a person would write it: without what is empty, and whole quantities as numbers.
pub(super) fn sparse(value: &(impl Serialize + ?Sized)) -> Value {
    let value = serde_json::to_value(value).expect("because the model has texts for keys");
    without_nothing(value)
}

fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| {
                let value = if matches!(key.as_str(), "quota" | "limits") {
                    with_numbers(value)
                } else {
                    without_nothing(value)
                };
                (key, value)
            });
            Value::Object(fields.filter(|(_, value)| !is_nothing(value)).collect())
        }
        Value::Array(items) => items.into_iter().map(without_nothing).collect(),
        other => other,
    }
}

/// Quantities by name: `3000` and not `"3000"`.
fn with_numbers(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let number = |value: Value| match value.as_str().map(|text| (text, text.parse::<Quantity>())) {
        Some((text, Ok(_))) => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => number.into(),
            _ => value,
        },
        _ => value,
    };
    Value::Object(
        fields.into_iter().map(|(key, value)| (key, number(value))).collect::<Map<_, _>>(),
    )
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
