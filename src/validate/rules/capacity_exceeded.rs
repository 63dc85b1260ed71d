//! A cluster carries what it has promised, also after the loss of a node.
//!
//! Requests add up to at most what is left beside the reserve, and limits to at most the
//! oversubscription. From nine tenths on, the cluster gets a warning. Where it is more than all,
//! the subscriptions that started last get an error, as many as do not fit: those that were there
//! before go on converging, and a new one is not opened. A subscription that runs already and is
//! among the last keeps its last good state. Suspended ones count: they may come back any day.

use std::collections::BTreeMap;
use std::fmt;

use super::Rule;
use crate::model::Cluster;
use crate::model::Document;
use crate::model::Name;
use crate::model::quantity::Quantity;
use crate::validate::demand::Demand;
use crate::validate::demand::Sums;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Purchase;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "capacity-exceeded",
    "What subscriptions ask of a cluster stays within its capacity, reserve and oversubscription.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    let mut by_cluster: BTreeMap<&Name, Vec<(&Purchase<'_>, Sums)>> = BTreeMap::new();
    for customer in &world.customers {
        let Some(cluster) = customer.cluster.filter(|cluster| cluster.spec.capacity.is_some())
        else {
            continue;
        };
        let load = by_cluster.entry(&cluster.name).or_default();
        load.extend(customer.subscriptions.iter().filter_map(|purchase| {
            let offer = purchase.offer.filter(|_| purchase.runs_on_a_cluster())?;
            let subscription = &purchase.document.spec;
            let sums = if subscription.overrides.components.is_empty() {
                offer.demand.sums
            } else {
                Demand::of_subscription(offer, subscription).sums
            };
            Some((purchase, sums))
        }));
    }
    for (name, load) in by_cluster {
        if let Some(cluster) = world.configuration.clusters.get(name)
            && let Some(room) = room(&cluster.spec)
        {
            compare(cluster, room, load, findings);
        }
    }
}

/// What may be asked of a cluster, where its percentages make sense: another rule looks at them.
fn room(cluster: &Cluster) -> Option<Sums> {
    let capacity = cluster.capacity.as_ref()?;
    let kept = 100_u16.checked_sub(capacity.reserve.into()).filter(|kept| *kept > 0)?;
    let percent =
        |amount: &Quantity, percent: u16| amount.milli().saturating_mul(percent.into()) / 100;
    Some(Sums {
        requested_cpu: percent(&capacity.cpu, kept),
        requested_memory: percent(&capacity.memory, kept),
        limited_cpu: percent(&capacity.cpu, capacity.oversubscription),
        limited_memory: percent(&capacity.memory, capacity.oversubscription),
    })
}

fn compare(
    cluster: &Document<Cluster>,
    room: Sums,
    mut load: Vec<(&Purchase<'_>, Sums)>,
    findings: &mut Findings,
) {
    let total = load.iter().fold(Sums::default(), |total, (_, sums)| total.plus(*sums));
    for (what, asked, there) in fields(total, room) {
        let percent = asked.saturating_mul(100) / there.max(1);
        if percent >= 90 {
            let amounts = match what {
                Field::RequestedCpu | Field::LimitedCpu => {
                    format!("{} of {} cores", tenths(asked, 1000), tenths(there, 1000))
                }
                Field::RequestedMemory | Field::LimitedMemory => {
                    format!("{} of {} GiB", tenths(asked, 1000 << 30), tenths(there, 1000 << 30))
                }
            };
            findings
                .warning(
                    cluster.at("spec.capacity"),
                    format!("{what} add up to {amounts}, which is {percent} %"),
                )
                .help("add a node and raise `capacity`, or place new tenants on another cluster");
        }
    }
    if fits(total, room) {
        return;
    }
    load.sort_by_key(|(purchase, _)| purchase.seniority());
    let mut sum = Sums::default();
    for (purchase, sums) in load {
        let with_it = sum.plus(sums);
        if fits(with_it, room) {
            sum = with_it;
        } else {
            let message =
                format!("this subscription does not fit on the cluster `{}`", cluster.name);
            findings
                .error(purchase.document.at("spec.package"), message)
                .help("place the tenant on another cluster, or raise the `capacity` of this one")
                .related(cluster.at("spec.capacity"), "all that it has");
        }
    }
}

fn fits(asked: Sums, room: Sums) -> bool {
    fields(asked, room).iter().all(|(_, asked, there)| asked <= there)
}

#[derive(Clone, Copy)]
enum Field {
    RequestedCpu,
    RequestedMemory,
    LimitedCpu,
    LimitedMemory,
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::RequestedCpu => "requests for CPU",
            Self::RequestedMemory => "requests for memory",
            Self::LimitedCpu => "limits of CPU",
            Self::LimitedMemory => "limits of memory",
        })
    }
}

fn fields(asked: Sums, room: Sums) -> [(Field, i128, i128); 4] {
    [
        (Field::RequestedCpu, asked.requested_cpu, room.requested_cpu),
        (Field::RequestedMemory, asked.requested_memory, room.requested_memory),
        (Field::LimitedCpu, asked.limited_cpu, room.limited_cpu),
        (Field::LimitedMemory, asked.limited_memory, room.limited_memory),
    ]
}

/// An amount in some unit with one digit after the point.
fn tenths(milli: i128, unit: i128) -> String {
    let tenths = milli.saturating_mul(10) / unit;
    format!("{}.{}", tenths / 10, tenths % 10)
}
