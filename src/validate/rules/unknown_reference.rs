//! A name that is referred to is there.
//!
//! Where the document may be one that could not be read, its own finding says enough.

use super::Rule;
use crate::model::Name;
use crate::model::typed::nearest;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::Purchase;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("unknown-reference", "A name that is referred to is there.", check_shared)
        .and_each(check_customer);

/// How many findings get a suggestion: beyond that, looking for near names would take too long.
const SUGGESTED: usize = 100;

fn check_shared(world: &World<'_>, findings: &mut Findings) {
    let configuration = world.configuration;
    let components = &configuration.components;
    for package in configuration.packages.values() {
        for (index, part) in package.spec.components.iter().enumerate() {
            if !components.contains_key(&part.component) {
                let at = package.at(format!("spec.components.{index}.component"));
                missing(world, findings, "Component", &part.component, at, components.keys());
            }
        }
        if let Some(cache) = &package.spec.cache
            && !components.contains_key(&cache.component)
        {
            let at = package.at("spec.cache.component");
            missing(world, findings, "Component", &cache.component, at, components.keys());
        }
    }
    for component in components.values() {
        for (index, needed) in component.spec.needs.iter().enumerate() {
            if !components.contains_key(needed) {
                let at = component.at(format!("spec.needs.{index}"));
                missing(world, findings, "Component", needed, at, components.keys());
            }
        }
    }
    for host in configuration.hosts.values() {
        if !configuration.tenants.contains_key(&host.spec.tenant) {
            let tenants = configuration.tenants.keys();
            missing(world, findings, "Tenant", &host.spec.tenant, host.at("spec.tenant"), tenants);
        }
        if let Some(channel) = &host.spec.channel
            && !configuration.channels.contains_key(channel)
        {
            let channels = configuration.channels.keys();
            missing(world, findings, "Channel", channel, host.at("spec.channel"), channels);
        }
    }
    for task in configuration.tasks.values() {
        if configuration.tenants.contains_key(&task.spec.tenant) {
            let subscription = &task.spec.subscription;
            let known = configuration.subscriptions.get(&task.spec.tenant);
            let known = || known.into_iter().flat_map(|subscriptions| subscriptions.keys());
            if !known().any(|name| name == subscription)
                && !world.unread.in_folder_of(&task.spec.tenant)
            {
                let at = task.at("spec.subscription");
                missing(world, findings, "Subscription", subscription, at, known());
            }
        } else {
            let tenants = configuration.tenants.keys();
            missing(world, findings, "Tenant", &task.spec.tenant, task.at("spec.tenant"), tenants);
        }
    }
}

fn check_customer(world: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    let configuration = world.configuration;
    if customer.tenant.is_none()
        && let Some(purchase) = customer.subscriptions.first()
    {
        let at = purchase.document.at("spec.tenant");
        missing(world, findings, "Tenant", customer.name, at, configuration.tenants.keys());
    }
    if let Some(tenant) = customer.tenant
        && let Some(chosen) = &tenant.spec.cluster
        && !configuration.clusters.contains_key(chosen)
    {
        let clusters = configuration.clusters.keys();
        missing(world, findings, "Cluster", chosen, tenant.at("spec.cluster"), clusters);
    }
    for purchase in &customer.subscriptions {
        let package = &purchase.document.spec.package;
        if purchase.offer.is_none() {
            let at = purchase.document.at("spec.package");
            missing(world, findings, "Package", package, at, configuration.packages.keys());
        }
        check_parts(purchase, findings);
    }
}

/// What a subscription names of its package is in the package.
fn check_parts(purchase: &Purchase<'_>, findings: &mut Findings) {
    let Some(offer) = purchase.offer else { return };
    let subscription = &purchase.document.spec;
    let package = &offer.package.spec;
    for name in subscription.add_ons.keys() {
        if !package.add_ons.iter().any(|add_on| add_on.name == *name) {
            let known = package.add_ons.iter().map(|add_on| add_on.name.as_str());
            let message = format!("the package `{}` has no add-on `{name}`", subscription.package);
            let help = suggestion(name, known, "remove it, or add it to the package");
            findings.error(purchase.document.at(format!("spec.addOns.{name}")), message).help(help);
        }
    }
    for name in subscription.overrides.components.keys() {
        if !package.components.iter().any(|part| part.component == *name) {
            let known = package.components.iter().map(|part| part.component.as_str());
            let message =
                format!("the package `{}` has no component `{name}`", subscription.package);
            let help = suggestion(name, known, "remove it, or add it to the package");
            let at = purchase.document.at(format!("spec.overrides.components.{name}"));
            findings.error(at, message).help(help);
        }
    }
}

fn missing<'a>(
    world: &World<'_>,
    findings: &mut Findings,
    kind: &'static str,
    name: &Name,
    at: At,
    known: impl Iterator<Item = &'a Name>,
) {
    if world.unread.may_be(kind, name) {
        return;
    }
    let what = kind.to_lowercase();
    let otherwise = format!("add a document of the kind `{kind}` with this name");
    let help = if findings.len() < SUGGESTED {
        suggestion(name, known.map(Name::as_str), &otherwise)
    } else {
        otherwise
    };
    findings.error(at, format!("there is no {what} `{name}`")).help(help);
}

fn suggestion<'a>(name: &Name, known: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    match nearest(name.as_str(), known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.to_owned(),
    }
}
