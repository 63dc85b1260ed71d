//! An address leads to one subscription.
//!
//! Whoever started first keeps it. Of several who started on the same day none gets it, because
//! nobody can tell whose it is; those who have it keep their last good state.

use std::collections::HashMap;

use super::Rule;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Purchase;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("domain-taken", "An address leads to one subscription.", check);

fn check(world: &World<'_>, findings: &mut Findings) {
    let mut first: HashMap<&str, &Purchase<'_>> = HashMap::new();
    let mut contested: HashMap<&str, Vec<&Purchase<'_>>> = HashMap::new();
    for purchase in world.customers.iter().flat_map(|customer| &customer.subscriptions) {
        for host in &purchase.hosts {
            if let Some(first) = first.insert(host, purchase) {
                contested.entry(host).or_insert_with(|| vec![first]).push(purchase);
            }
        }
    }
    let mut contested: Vec<_> = contested.into_iter().collect();
    contested.sort_by_key(|(host, _)| *host);
    for (host, mut purchases) in contested {
        purchases.sort_by_key(|purchase| purchase.seniority());
        decide(host, &purchases, findings);
    }
}

fn decide(host: &str, purchases: &[&Purchase<'_>], findings: &mut Findings) {
    let Some((first, others)) = purchases.split_first() else { return };
    let rival = others.iter().find(|other| {
        other.document.origin != first.document.origin
            && other.document.spec.starts == first.document.spec.starts
    });
    for (index, purchase) in purchases.iter().enumerate() {
        let other = match (index, rival) {
            (0, None) => continue,
            (0, Some(rival)) => rival,
            _ => first,
        };
        let spec = &other.document.spec;
        let message = if purchase.document.origin == other.document.origin {
            format!("`{host}` stands here twice")
        } else {
            format!("`{host}` leads to subscription `{}` of `{}`", other.document.name, spec.tenant)
        };
        findings
            .error(place(purchase, host, index), message)
            .help("choose another `subdomain` or domain")
            .related(place(other, host, 0), "taken here");
    }
}

/// Where a subscription asks for an address.
fn place(purchase: &Purchase<'_>, host: &str, index: usize) -> At {
    let subscription = &purchase.document.spec;
    let mut own = subscription.domains.iter().enumerate().filter(|(_, domain)| *domain == host);
    let found = if index == 0 { own.next() } else { own.next_back() };
    match found {
        Some((index, _)) => purchase.document.at(format!("spec.domains.{index}")),
        None => purchase.document.at(purchase.path_of_subdomain()),
    }
}
