//! Quotas have the names that Kubernetes gives them, and limits those of the product: a name that
//! nobody knows limits nothing.

use std::collections::BTreeSet;
use std::collections::HashMap;

use super::Rule;
use crate::model::Name;
use crate::model::typed::nearest;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "unknown-quota",
    "Quotas have Kubernetes' names, and limits those that the product's packages sell.",
    check,
);

const QUOTAS: &[&str] = &[
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "cpu",
    "memory",
    "pods",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "persistentvolumeclaims",
    "configmaps",
    "secrets",
    "resourcequotas",
    "replicationcontrollers",
];

fn check(world: &World<'_>, findings: &mut Findings) {
    let sold = sold_by_product(world);
    for package in world.configuration.packages.values() {
        let spec = &package.spec;
        for name in spec.quota.keys().filter(|name| !is_quota(name)) {
            unknown(
                "quota",
                name,
                QUOTAS.iter().copied(),
                package.at(format!("spec.quota.{name}")),
                findings,
            );
        }
        let limits = &sold[&spec.product];
        for name in spec.maximum.keys().filter(|name| !is_quota(name)) {
            if !limits.contains(name.as_str()) {
                let known = limits.iter().copied().chain(QUOTAS.iter().copied());
                unknown("limit", name, known, package.at(format!("spec.maximum.{name}")), findings);
            }
        }
        for (index, add_on) in spec.add_ons.iter().enumerate() {
            for name in add_on.adds.keys().filter(|name| !limits.contains(name.as_str())) {
                let at = package.at(format!("spec.addOns.{index}.adds.{name}"));
                unknown("limit", name, limits.iter().copied(), at, findings);
            }
        }
    }
    for purchase in world.customers.iter().flat_map(|customer| &customer.subscriptions) {
        let Some(offer) = purchase.offer else { continue };
        let overrides = &purchase.document.spec.overrides;
        for name in overrides.quota.keys().filter(|name| !is_quota(name)) {
            let at = purchase.document.at(format!("spec.overrides.quota.{name}"));
            unknown("quota", name, QUOTAS.iter().copied(), at, findings);
        }
        if overrides.limits.is_empty() {
            continue;
        }
        let limits = &sold[&offer.package.spec.product];
        for name in overrides.limits.keys().filter(|name| !limits.contains(name.as_str())) {
            let at = purchase.document.at(format!("spec.overrides.limits.{name}"));
            unknown("limit", name, limits.iter().copied(), at, findings);
        }
    }
}

/// What the packages of each product sell by number.
fn sold_by_product<'a>(world: &World<'a>) -> HashMap<&'a Name, BTreeSet<&'a str>> {
    let mut sold: HashMap<&Name, BTreeSet<&str>> = HashMap::new();
    for package in world.configuration.packages.values() {
        let names = package.spec.limits.keys().map(String::as_str);
        sold.entry(&package.spec.product).or_default().extend(names);
    }
    sold
}

fn is_quota(name: &str) -> bool {
    QUOTAS.contains(&name)
        || name.starts_with("count/")
        || name.contains(".storageclass.storage.k8s.io/")
        || name.starts_with("hugepages-")
        || (name.starts_with("requests.") && name.contains('/'))
}

fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
    at: At,
    findings: &mut Findings,
) {
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if what == "quota" => {
            "use a name that a ResourceQuota has, such as `limits.cpu`".into()
        }
        None => "use a name that stands in the `limits` of one of the product's packages".into(),
    };
    findings.error(at, format!("there is no {what} `{name}`")).help(help);
}
