//! A subscription differs from its package only as far as the package allows.

use std::collections::BTreeMap;

use super::Rule;
use crate::model::Package;
use crate::model::quantity::Quantity;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::Purchase;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::each(
    "override-exceeds-package",
    "A subscription raises quotas and limits only as far as its package's maximum.",
    check,
);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let Some(offer) = purchase.offer else { continue };
        let package = &offer.package.spec;
        let overrides = &purchase.document.spec.overrides;
        compare("quota", &overrides.quota, &package.quota, package, purchase, findings);
        compare("limits", &overrides.limits, &package.limits, package, purchase, findings);
    }
}

fn compare(
    field: &str,
    overrides: &BTreeMap<String, Quantity>,
    amounts: &BTreeMap<String, Quantity>,
    package: &Package,
    purchase: &Purchase<'_>,
    findings: &mut Findings,
) {
    for (name, wanted) in overrides {
        // What the package does not limit may be limited here to anything.
        let Some(allowed) = package.maximum.get(name).or_else(|| amounts.get(name)) else {
            continue;
        };
        if wanted > allowed {
            let title = &purchase.document.spec.package;
            findings
                .error(
                    purchase.document.at(format!("spec.overrides.{field}.{name}")),
                    format!(
                        "`{name}` {wanted} is more than the package `{title}` allows ({allowed})"
                    ),
                )
                .help(format!("lower it to {allowed}, or choose a larger package"));
        }
    }
}
