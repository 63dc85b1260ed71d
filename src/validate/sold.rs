//! How much of everything a subscription may use: what its package says, with its overrides and
//! add-ons.

use std::collections::BTreeMap;

use crate::model::Package;
use crate::model::Subscription;
use crate::model::quantity::Quantity;

/// What the cluster grants, by the names of a `ResourceQuota`.
pub fn sold_quota(package: &Package, bought: &Subscription) -> BTreeMap<String, Quantity> {
    overridden(&package.quota, &bought.overrides.quota)
}

/// What is sold by number, such as users and storage. What has no limit needs no addition.
pub fn sold_limits(package: &Package, bought: &Subscription) -> BTreeMap<String, Quantity> {
    let mut limits = overridden(&package.limits, &bought.overrides.limits);
    for (name, count) in &bought.add_ons {
        let Some(add_on) = package.add_ons.iter().find(|add_on| add_on.name == *name) else {
            continue;
        };
        for (what, amount) in &add_on.adds {
            if let Some(limit) = limits.get_mut(what) {
                let added = amount.milli().saturating_mul(i128::from(*count));
                *limit = Quantity::from_milli(limit.milli().saturating_add(added));
            }
        }
    }
    limits
}

/// The package's amounts, with those of the subscription in their place.
fn overridden(
    package: &BTreeMap<String, Quantity>,
    subscription: &BTreeMap<String, Quantity>,
) -> BTreeMap<String, Quantity> {
    let mut amounts = package.clone();
    amounts.extend(subscription.iter().map(|(name, amount)| (name.clone(), amount.clone())));
    amounts
}
