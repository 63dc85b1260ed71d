//! A cluster knows the classes of storage that its tenants' packages name.

use std::collections::BTreeMap;
use std::collections::HashSet;

use super::Rule;
use crate::model::Cluster;
use crate::model::Document;
use crate::model::typed::nearest;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::findings::Subject;
use crate::validate::view::Offer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "unknown-storage-class",
    "A cluster knows the classes of storage that its tenants' packages name.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    let mut told = HashSet::new();
    for (cluster, offer) in placements(world) {
        let package = offer.package;
        if let Some(class) =
            package.spec.database.as_ref().and_then(|database| database.storage_class.as_ref())
        {
            let at = || package.at("spec.database.storageClass");
            let uses = |other: &Offer<'_>| other.package.name == package.name;
            look(world, cluster, class, at, uses, findings);
        }
        for component in offer.parts.iter().map(|part| part.component) {
            if !told.insert((&cluster.name, &component.name)) {
                continue;
            }
            for (index, volume) in component.spec.volumes.iter().enumerate() {
                let Some(class) = &volume.storage_class else { continue };
                let at = || component.at(format!("spec.volumes.{index}.storageClass"));
                let uses = |other: &Offer<'_>| {
                    other.parts.iter().any(|part| part.component.name == component.name)
                };
                look(world, cluster, class, at, uses, findings);
            }
        }
    }
}

/// Those on a cluster with such a package: they alone are held.
pub(super) fn tenants_on(
    world: &World<'_>,
    cluster: &Document<Cluster>,
    uses: impl Fn(&Offer<'_>) -> bool,
) -> Vec<Subject> {
    let on_it = world.customers.iter().filter(|customer| {
        customer.cluster.is_some_and(|other| other.name == cluster.name)
            && customer.subscriptions.iter().any(|purchase| purchase.offer.is_some_and(&uses))
    });
    on_it.map(|customer| Subject::tenant(customer.name)).collect()
}

/// Which packages run on which clusters, each pair once.
pub(super) fn placements<'a>(
    world: &World<'a>,
) -> impl Iterator<Item = (&'a Document<Cluster>, &'a Offer<'a>)> {
    let mut pairs = BTreeMap::new();
    for customer in &world.customers {
        let Some(cluster) = customer.cluster else { continue };
        for purchase in customer.subscriptions.iter().filter(|one| one.runs_on_a_cluster()) {
            if let Some(offer) = purchase.offer {
                pairs
                    .entry((&cluster.name, &offer.package.name))
                    .or_insert((cluster.as_ref(), offer));
            }
        }
    }
    pairs.into_values()
}

fn look(
    world: &World<'_>,
    cluster: &Document<Cluster>,
    class: &str,
    at: impl Fn() -> At,
    uses: impl Fn(&Offer<'_>) -> bool,
    findings: &mut Findings,
) {
    let known = &cluster.spec.storage_classes;
    if known.contains_key(class) {
        return;
    }
    let help = match nearest(class, known.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add it to the `storageClasses` of `{}`", cluster.name),
    };
    findings
        .error(at(), format!("the cluster `{}` has no class of storage `{class}`", cluster.name))
        .help(help)
        .related(cluster.at("spec.storageClasses"), "those it has")
        .holds(tenants_on(world, cluster, uses));
}
