//! What a pod may use is at least what it is promised: Kubernetes refuses anything else.

use super::Rule;
use crate::model::component::Resources;
use crate::model::quantity::Quantity;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "limits-below-requests",
    "The limits of a component are at least its requests.",
    check_shared,
)
.and_each(check_customer);

fn check_shared(world: &World<'_>, findings: &mut Findings) {
    for component in world.configuration.components.values() {
        compare(&component.spec.resources, findings, |field| {
            component.at(format!("spec.resources.limits.{field}"))
        });
    }
}

fn check_customer(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        for (name, change) in &purchase.document.spec.overrides.components {
            if let Some(resources) = &change.resources {
                compare(resources, findings, |field| {
                    let path = format!("spec.overrides.components.{name}.resources.limits.{field}");
                    purchase.document.at(path)
                });
            }
        }
    }
}

fn compare(resources: &Resources, findings: &mut Findings, at: impl Fn(&str) -> At) {
    let (requests, limits) = (&resources.requests, &resources.limits);
    let mut pair = |field: &str, request: &Option<Quantity>, limit: &Option<Quantity>| {
        if let (Some(request), Some(limit)) = (request, limit)
            && limit < request
        {
            findings
                .error(at(field), format!("the limit {limit} is less than the request {request}"))
                .help(format!("raise it to at least {request}"));
        }
    };
    pair("cpu", &requests.cpu, &limits.cpu);
    pair("memory", &requests.memory, &limits.memory);
}
