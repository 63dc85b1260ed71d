//! A tenant's objects land in namespaces that are that tenant's alone.
//!
//! Names of namespaces are joined of a prefix and a customer's name, and two pairs can come to the
//! same: `a-` with `b-c`, and `a-b-` with `c`. As with addresses, whoever started first keeps it.

use std::collections::HashMap;

use super::Rule;
use crate::model::Cluster;
use crate::model::package::NamespacePer;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::Purchase;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "foreign-namespace",
    "A tenant's objects land in namespaces that are that tenant's alone.",
    check,
)
.and_each(check_system);

/// Namespaces that others own on most clusters.
const SYSTEM: &[&str] =
    &["default", "cert-manager", "external-dns", "ingress-nginx", "monitoring", "tenantry-system"];

fn check(world: &World<'_>, findings: &mut Findings) {
    let mut first: HashMap<&str, &Purchase<'_>> = HashMap::new();
    let mut contested: HashMap<&str, Vec<&Purchase<'_>>> = HashMap::new();
    for purchase in world.customers.iter().flat_map(|customer| &customer.subscriptions) {
        let Some(namespace) = &purchase.namespace else { continue };
        if let Some(other) = first.insert(namespace, purchase)
            && (contested.contains_key(namespace.as_str()) || !may_share(world, purchase, other))
        {
            contested.entry(namespace).or_insert_with(|| vec![other]).push(purchase);
        }
    }
    let mut contested: Vec<_> = contested.into_iter().collect();
    contested.sort_by_key(|(namespace, _)| *namespace);
    for (namespace, mut purchases) in contested {
        purchases.sort_by_key(|purchase| purchase.seniority());
        decide(world, namespace, &purchases, findings);
    }
}

/// Subscriptions of one tenant share a namespace where their packages say so, and where the same
/// templates render them: others could give two objects one name. Templates that are missing are
/// a mistake of their own.
fn may_share(world: &World<'_>, one: &Purchase<'_>, other: &Purchase<'_>) -> bool {
    let (Some(here), Some(there)) = (one.placement(), other.placement()) else { return true };
    one.document.spec.tenant == other.document.spec.tenant
        && here.namespace_per == NamespacePer::Tenant
        && there.namespace_per == NamespacePer::Tenant
        && (here.templates == there.templates
            || [here, there].iter().any(|placement| is_missing(world, &placement.templates)))
}

fn is_missing(world: &World<'_>, folder: &str) -> bool {
    !world
        .templates
        .iter()
        .any(|name| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

fn decide(
    world: &World<'_>,
    namespace: &str,
    purchases: &[&Purchase<'_>],
    findings: &mut Findings,
) {
    let Some((first, others)) = purchases.split_first() else { return };
    let with_first = |purchase: &Purchase<'_>| {
        purchase.document.origin == first.document.origin || may_share(world, purchase, first)
    };
    let Some(rival) = others.iter().find(|other| !with_first(other)) else { return };
    let unclear = rival.document.spec.starts == first.document.spec.starts;
    for purchase in purchases {
        let other = match (with_first(purchase), unclear) {
            (true, false) => continue,
            (true, true) => rival,
            (false, _) => first,
        };
        let tenant = &other.document.spec.tenant;
        let (message, help) = if *tenant == purchase.document.spec.tenant {
            (
                format!(
                    "subscription `{}` is in the namespace `{namespace}` already",
                    other.document.name
                ),
                "choose another `subdomain`",
            )
        } else {
            (
                format!("the namespace `{namespace}` belongs to `{tenant}`"),
                "choose another `subdomain`, or have the operator change the package's `namespacePrefix`",
            )
        };
        findings
            .error(purchase.document.at(purchase.path_of_subdomain()), message)
            .help(help)
            .related(other.document.at(other.path_of_subdomain()), "it belongs to this one");
    }
}

fn check_system(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let Some(namespace) = purchase.namespace.as_deref() else { continue };
        if is_system(namespace, customer.cluster.map(|cluster| &cluster.spec)) {
            findings
                .error(purchase.document.at(purchase.path_of_subdomain()), format!("the namespace `{namespace}` belongs to the cluster"))
                .help("choose another `subdomain`, or have the operator change the package's `namespacePrefix`");
        }
    }
}

/// Whether a namespace belongs to the cluster itself.
pub(in crate::validate) fn is_system(namespace: &str, cluster: Option<&Cluster>) -> bool {
    let of_cluster = cluster.is_some_and(|cluster| {
        let database = cluster.database_server.as_ref();
        cluster.ingress.namespace == namespace
            || database.is_some_and(|server| server.admin_secret.namespace == namespace)
    });
    of_cluster || namespace.starts_with("kube-") || SYSTEM.contains(&namespace)
}
