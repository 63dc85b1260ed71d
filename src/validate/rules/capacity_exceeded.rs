//! A cluster carries what it has promised, also after the loss of a node.
//!
//! Requests add up to at most what is left beside the reserve, limits to at most the
//! oversubscription, and volumes to the storage there is. From nine tenths on, the cluster gets a warning. Where it is more than all,
//! the subscriptions that started last get an error, as many as do not fit: those that were there
//! before go on converging, and a new one is not opened. A subscription that runs already and is
//! among the last keeps its last good state. Suspended ones count: they may come back any day.

use std::collections::BTreeMap;

use super::Rule;
use crate::model::Cluster;
use crate::model::Document;
use crate::model::Name;
use crate::validate::capacity::Amounts;
use crate::validate::capacity::room;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Purchase;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "capacity-exceeded",
    "What subscriptions ask of a cluster stays within its capacity, reserve and oversubscription.",
    check,
);

/// What each of the amounts is called, its unit, and how many thousandths that has.
const FIELDS: [(&str, &str, i128); 5] = [
    ("requests for CPU", "cores", 1000),
    ("requests for memory", "GiB", 1000 << 30),
    ("limits of CPU", "cores", 1000),
    ("limits of memory", "GiB", 1000 << 30),
    ("volumes", "GiB", 1000 << 30),
];

fn check(world: &World<'_>, findings: &mut Findings) {
    let mut by_cluster: BTreeMap<&Name, Vec<(&Purchase<'_>, Amounts)>> = BTreeMap::new();
    for customer in &world.customers {
        let Some(cluster) = customer.cluster.filter(|cluster| cluster.spec.capacity.is_some())
        else {
            continue;
        };
        let load = by_cluster.entry(&cluster.name).or_default();
        let purchases = customer.subscriptions.iter();
        load.extend(purchases.filter_map(|purchase| Some((purchase, purchase.asks()?))));
    }
    for (name, load) in by_cluster {
        if let Some(cluster) = world.configuration.clusters.get(name)
            && let Some(room) = room(&cluster.spec)
        {
            compare(cluster, room, load, findings);
        }
    }
}

fn compare(
    cluster: &Document<Cluster>,
    room: Amounts,
    mut load: Vec<(&Purchase<'_>, Amounts)>,
    findings: &mut Findings,
) {
    let total = load.iter().fold(Amounts::default(), |total, (_, asked)| total.plus(*asked));
    for ((what, unit, size), (asked, there)) in
        FIELDS.into_iter().zip(total.each().into_iter().zip(room.each()))
    {
        let percent = asked.saturating_mul(100) / there.max(1);
        if percent >= 90 {
            let (asked, there) = (tenths(asked, size), tenths(there, size));
            findings
                .warning(
                    cluster.at("spec.capacity"),
                    format!("{what} add up to {asked} of {there} {unit}, which is {percent} %"),
                )
                .help("add a node and raise `capacity`, or place new tenants on another cluster");
        }
    }
    if total.fits(room) {
        return;
    }
    load.sort_by_key(|(purchase, _)| purchase.seniority());
    let mut sum = Amounts::default();
    for (purchase, asked) in load {
        let with_it = sum.plus(asked);
        if with_it.fits(room) {
            sum = with_it;
            continue;
        }
        findings
            .error(
                purchase.document.at("spec.package"),
                format!("this subscription does not fit on the cluster `{}`", cluster.name),
            )
            .help("place the tenant on another cluster, or raise the `capacity` of this one")
            .related(cluster.at("spec.capacity"), "all that it has");
    }
}

/// An amount in some unit with one digit after the point.
fn tenths(milli: i128, unit: i128) -> String {
    let tenths = milli.saturating_mul(10) / unit;
    format!("{}.{}", tenths / 10, tenths % 10)
}
