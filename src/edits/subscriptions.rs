//! Changes of a subscription: bought, paid, changed, held, cancelled, gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::Value;

use crate::model::Document;
use crate::model::Name;
use crate::model::Subscription;
use crate::model::subscription::Hold;
use crate::model::subscription::HoldReason;
use crate::model::subscription::Overrides;

use super::Draft;
use super::Refused;
use super::tenants;
use super::tenants::document;
use super::tenants::put;
use super::tenants::sparse;
use super::yaml::Change;
use super::yaml::Path;

/// Adds a subscription, in `tenants/<tenant>/<name>.yaml`. The tenant is there, or was added in
/// the same draft.
pub fn add(draft: &mut Draft<'_>, name: &Name, subscription: &Subscription) -> Result<(), Refused> {
    let tenant = &subscription.tenant;
    tenants::existing(draft, tenant)?;
    if let Some(there) = draft.subscription(tenant, name) {
        let file = Arc::clone(&there.origin.file);
        return Err(Refused::Taken { kind: "subscription", name: name.to_string(), file });
    }
    tenants::keep_again(draft, tenant, name)?;
    let mut whole = document("Subscription", name, subscription);
    if let Some(spec) = whole["spec"].as_object_mut() {
        // What counts from zero is not worth a line before it counted.
        for counter in ["restarts", "rotations"] {
            if spec.get(counter).is_some_and(|count| *count == 0) {
                spec.shift_remove(counter);
            }
        }
    }
    draft.add(&format!("tenants/{tenant}/{name}.yaml"), &whole)
}

/// Moves it to another package.
pub fn set_package(
    draft: &mut Draft<'_>,
    tenant: &Name,
    name: &Name,
    package: &Name,
) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    if draft.package(package).is_none() {
        return Err(Refused::Missing { kind: "package", name: package.to_string() });
    }
    draft.set(&there.origin, ["spec", "package"], package.as_str())
}

/// Changes where it differs from its package.
pub fn set_overrides(
    draft: &mut Draft<'_>,
    tenant: &Name,
    name: &Name,
    overrides: &Overrides,
) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    put(draft, &there, "overrides", sparse(overrides))
}

/// Changes what is bought beside the package; an add-on of which there are none is gone.
pub fn set_add_ons(
    draft: &mut Draft<'_>,
    tenant: &Name,
    name: &Name,
    add_ons: &BTreeMap<Name, u16>,
) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    let some: BTreeMap<&Name, &u16> = add_ons.iter().filter(|(_, count)| **count > 0).collect();
    put(draft, &there, "addOns", sparse(&some))
}

/// Changes the last day that is paid for; none for what does not end by itself.
pub fn set_paid_through(
    draft: &mut Draft<'_>,
    tenant: &Name,
    name: &Name,
    day: Option<Date>,
) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    put(draft, &there, "paidThrough", day.map_or(Value::Null, |day| day.to_string().into()))
}

/// Changes the customer's own addresses.
pub fn set_domains(
    draft: &mut Draft<'_>,
    tenant: &Name,
    name: &Name,
    domains: &[String],
) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    put(draft, &there, "domains", sparse(domains))
}

/// Holds it for a reason. For one reason it is held once, with the last note.
pub fn hold(draft: &mut Draft<'_>, tenant: &Name, name: &Name, hold: &Hold) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    let path = Path::from(["spec", "holds"]);
    let same = there.spec.holds.iter().position(|other| other.reason == hold.reason);
    match same {
        Some(at) => draft.set(&there.origin, path.item(at), sparse(hold)),
        None => draft.edit(&there.origin, &Change::Append(path, sparse(hold))),
    }
}

/// Lifts what holds it for a reason. It runs when no reason is left.
pub fn lift(
    draft: &mut Draft<'_>,
    tenant: &Name,
    name: &Name,
    reason: HoldReason,
) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    let holds = &there.spec.holds;
    let path = Path::from(["spec", "holds"]);
    if !holds.is_empty() && holds.iter().all(|hold| hold.reason == reason) {
        return draft.unset(&there.origin, path);
    }
    // From the end, so that the positions before it stay what they are.
    for at in (0..holds.len()).rev().filter(|at| holds[*at].reason == reason) {
        draft.unset(&there.origin, path.clone().item(at))?;
    }
    Ok(())
}

/// Restarts every pod once.
pub fn restart(draft: &mut Draft<'_>, tenant: &Name, name: &Name) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    draft.set(&there.origin, ["spec", "restarts"], there.spec.restarts.saturating_add(1))
}

/// Makes new credentials once.
pub fn rotate(draft: &mut Draft<'_>, tenant: &Name, name: &Name) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    draft.set(&there.origin, ["spec", "rotations"], there.spec.rotations.saturating_add(1))
}

/// Cancels it at the end of what is paid for, or takes that back.
pub fn set_cancel_at_period_end(
    draft: &mut Draft<'_>,
    tenant: &Name,
    name: &Name,
    cancelled: bool,
) -> Result<(), Refused> {
    let there = existing(draft, tenant, name)?;
    if cancelled && there.spec.paid_through.is_none() {
        let why = format!(
            "the subscription `{name}` of `{tenant}` has no `paidThrough` at which it could end: \
             remove it, or put a day first"
        );
        return Err(Refused::Because(why));
    }
    let value = if cancelled { Value::Bool(true) } else { Value::Null };
    put(draft, &there, "cancelAtPeriodEnd", value)
}

/// Removes it, and the tasks that are about it. What becomes of its data, its package says.
pub fn remove(draft: &mut Draft<'_>, tenant: &Name, name: &Name) -> Result<(), Refused> {
    for task in draft.tasks_of(tenant, name) {
        if let Some(there) = draft.task(&task) {
            draft.remove(&there.origin)?;
        }
    }
    let there = existing(draft, tenant, name)?;
    draft.remove(&there.origin)
}

fn existing(
    draft: &Draft<'_>,
    tenant: &Name,
    name: &Name,
) -> Result<Arc<Document<Subscription>>, Refused> {
    let missing = || Refused::Missing { kind: "subscription", name: format!("{tenant}/{name}") };
    draft.subscription(tenant, name).ok_or_else(missing)
}
