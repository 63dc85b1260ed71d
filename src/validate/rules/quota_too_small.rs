//! A namespace's quota has room for what runs in it, and for the one more pod of an update.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Rule;
use crate::model::quantity::Quantity;
use crate::validate::demand::Demand;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::sold::sold_quota;
use crate::validate::view::Customer;
use crate::validate::view::Purchase;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "quota-too-small",
    "A quota has room for what the components ask for, and for one more pod while they are updated.",
    check_packages,
)
.and_each(check_customer);

fn check_packages(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let Some(offer) = world.offers.get(&package.name).filter(|offer| offer.missing.is_none())
        else {
            continue;
        };
        for short in shortages(&package.spec.quota, &offer.demand) {
            short.tell(package.at(format!("spec.quota.{}", short.name)), findings);
        }
    }
}

fn check_customer(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let overrides = &purchase.document.spec.overrides;
        // Where a subscription changes nothing, its package has been looked at already.
        if overrides.quota.is_empty() && overrides.components.is_empty() {
            continue;
        }
        let Some((quota, demand)) = asks(purchase) else { continue };
        for short in shortages(&quota, &demand) {
            let path = if overrides.quota.contains_key(short.name) {
                format!("spec.overrides.quota.{}", short.name)
            } else {
                "spec.overrides".to_owned()
            };
            short.tell(purchase.document.at(path), findings);
        }
    }
    if customer.subscriptions.len() > 1 {
        check_neighbours(customer, findings);
    }
}

/// In a namespace that several subscriptions share their quotas add up: one that is not limited
/// where its neighbours are would live on what is theirs.
fn check_neighbours(customer: &Customer<'_>, findings: &mut Findings) {
    let mut limited: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let purchases = || {
        customer.subscriptions.iter().filter_map(|purchase| {
            let namespace = purchase.namespace.as_deref()?;
            let package = &purchase.offer?.package.spec;
            let own = &purchase.document.spec.overrides.quota;
            let quota: BTreeSet<&str> =
                package.quota.keys().chain(own.keys()).map(String::as_str).collect();
            Some((purchase, namespace, quota))
        })
    };
    for (_, namespace, quota) in purchases() {
        limited.entry(namespace).or_default().extend(quota);
    }
    for (purchase, namespace, quota) in purchases() {
        let lacking = limited[namespace].iter().find(|name| !quota.contains(*name));
        if let Some(lacking) = lacking {
            let package = &purchase.document.spec.package;
            findings
                .error(
                    purchase.document.at("spec.package"),
                    format!("the quota of `{namespace}` has `{lacking}`, and `{package}` adds nothing to it"),
                )
                .help(format!("add `{lacking}` to the `quota` of the package `{package}`"));
        }
    }
}

/// What a subscription may use, and what it asks for.
fn asks(purchase: &Purchase<'_>) -> Option<(BTreeMap<String, Quantity>, Demand)> {
    let offer = purchase.offer.filter(|offer| offer.missing.is_none())?;
    let subscription = &purchase.document.spec;
    let quota = sold_quota(&offer.package.spec, subscription);
    Some((quota, Demand::of_subscription(offer, subscription)))
}

struct Shortage<'a> {
    name: &'a str,
    quota: &'a Quantity,
    asked: i128,
    surge: i128,
}

impl Shortage<'_> {
    fn tell(&self, at: At, findings: &mut Findings) {
        let (name, quota) = (self.name, self.quota);
        let asked = Quantity::from_milli(self.asked);
        let surge = Quantity::from_milli(self.surge);
        let needed = Quantity::from_milli(self.asked.saturating_add(self.surge));
        let message = if self.surge == 0 {
            format!("`{name}` is {quota}, and the components ask for {asked}")
        } else {
            format!(
                "`{name}` is {quota}, and the components ask for {asked}, and {surge} more while they are updated"
            )
        };
        findings
            .error(at, message)
            .help(format!("raise it to at least {needed}, or lower what the components ask for"));
    }
}

fn shortages<'a>(
    quota: &'a BTreeMap<String, Quantity>,
    demand: &'a Demand,
) -> impl Iterator<Item = Shortage<'a>> {
    let (sums, surge) = (demand.sums, demand.surge);
    let whole = |count: i128| count.saturating_mul(1000);
    quota.iter().filter_map(move |(name, quota)| {
        let (asked, surge) = match name.as_str() {
            "requests.cpu" | "cpu" => (sums.requested_cpu, surge.requested_cpu),
            "requests.memory" | "memory" => (sums.requested_memory, surge.requested_memory),
            "limits.cpu" => (sums.limited_cpu, surge.limited_cpu),
            "limits.memory" => (sums.limited_memory, surge.limited_memory),
            "requests.storage" => (demand.storage, 0),
            "pods" | "count/pods" => (whole(demand.pods), 1000),
            "services" | "count/services" => (whole(demand.services), 0),
            "persistentvolumeclaims" | "count/persistentvolumeclaims" => (whole(demand.claims), 0),
            _ => return None,
        };
        (quota.milli() < asked.saturating_add(surge)).then_some(Shortage {
            name,
            quota,
            asked,
            surge,
        })
    })
}
