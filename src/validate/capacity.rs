//! What clusters can carry, what is promised of it, and where a newcomer goes. The arithmetic stands
//! here once: the rule `capacity-exceeded`, the placement of new tenants and what operators are
//! shown all reckon with it.
//!
//! A cluster promises requests up to what is left beside its reserve, limits up to its
//! oversubscription, and volumes up to the storage there is. Suspended subscriptions count: they
//! may come back any day.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::demand::Demand;
use super::view::Customer;
use super::view::Offer;
use super::view::Offers;
use super::view::Purchase;
use super::view::offers;
use crate::model::Cluster;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::Subscription;
use crate::model::quantity::Quantity;
use crate::model::side_by_side;

/// What is asked for, or what there is: in thousandths of cores and of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub requested_cpu: i128,
    pub requested_memory: i128,
    pub limited_cpu: i128,
    pub limited_memory: i128,
    /// [`UNLIMITED`] in what there is of a cluster that does not say how much storage it has.
    pub storage: i128,
}

/// More than anybody can ask for.
pub const UNLIMITED: i128 = i128::MAX;

impl Amounts {
    pub(super) fn each(self) -> [i128; 5] {
        [
            self.requested_cpu,
            self.requested_memory,
            self.limited_cpu,
            self.limited_memory,
            self.storage,
        ]
    }

    fn zip(self, other: Self, join: impl Fn(i128, i128) -> i128) -> Self {
        Self {
            requested_cpu: join(self.requested_cpu, other.requested_cpu),
            requested_memory: join(self.requested_memory, other.requested_memory),
            limited_cpu: join(self.limited_cpu, other.limited_cpu),
            limited_memory: join(self.limited_memory, other.limited_memory),
            storage: join(self.storage, other.storage),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        self.zip(other, i128::saturating_add)
    }

    pub(super) fn fits(self, room: Self) -> bool {
        self.each().into_iter().zip(room.each()).all(|(asked, there)| asked <= there)
    }

    /// What is left when these are promised; below zero where that is too much.
    #[must_use]
    pub fn left_after(self, promised: Self) -> Self {
        self.zip(
            promised,
            |there, promised| {
                if there == UNLIMITED { there } else { there.saturating_sub(promised) }
            },
        )
    }

    /// How often others fit into these; without end where they ask for nothing.
    pub fn holds(self, asked: Self) -> u64 {
        let each = self.each().into_iter().zip(asked.each());
        let times = each.map(|(left, asked)| if asked <= 0 { UNLIMITED } else { left / asked });
        u64::try_from(times.min().unwrap_or(0).max(0)).unwrap_or(u64::MAX)
    }
}

/// What a subscription of a package asks for, with its overrides.
pub(super) fn asked_of(offer: &Offer<'_>, subscription: &Subscription) -> Amounts {
    if subscription.overrides.components.is_empty() {
        asked(&offer.demand)
    } else {
        asked(&Demand::of_subscription(offer, subscription))
    }
}

fn asked(demand: &Demand) -> Amounts {
    let sums = demand.sums;
    Amounts {
        requested_cpu: sums.requested_cpu,
        requested_memory: sums.requested_memory,
        limited_cpu: sums.limited_cpu,
        limited_memory: sums.limited_memory,
        storage: demand.storage,
    }
}

/// What may be asked of a cluster; none where it does not say what it has, or in percentages that
/// make no sense: another rule looks at them.
pub(super) fn room(cluster: &Cluster) -> Option<Amounts> {
    let capacity = cluster.capacity.as_ref()?;
    let kept = 100_u16.checked_sub(capacity.reserve.into()).filter(|kept| *kept > 0)?;
    let percent =
        |amount: &Quantity, percent: u16| amount.milli().saturating_mul(percent.into()) / 100;
    Some(Amounts {
        requested_cpu: percent(&capacity.cpu, kept),
        requested_memory: percent(&capacity.memory, kept),
        limited_cpu: percent(&capacity.cpu, capacity.oversubscription),
        limited_memory: percent(&capacity.memory, capacity.oversubscription),
        storage: capacity.storage.as_ref().map_or(UNLIMITED, Quantity::milli),
    })
}

/// What one cluster can carry and has promised.
#[derive(Clone, Debug, Default)]
pub struct Load {
    pub region: Option<String>,
    /// What may be promised; none where the cluster does not say what it has.
    pub room: Option<Amounts>,
    /// What is promised.
    pub promised: Amounts,
    /// How many subscriptions that is.
    pub subscriptions: u32,
}

impl Load {
    /// What may still be promised.
    pub fn left(&self) -> Option<Amounts> {
        Some(self.room?.left_after(self.promised))
    }

    /// How many that ask for so much fit beside what is there; none where nobody can say.
    pub fn holds(&self, asked: Amounts) -> Option<u64> {
        Some(self.left()?.holds(asked))
    }

    fn promise(&mut self, asked: Amounts) {
        self.promised = self.promised.plus(asked);
        self.subscriptions = self.subscriptions.saturating_add(1);
    }
}

/// Why there is no place for a newcomer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    #[error("there is no cluster: add a document of the kind `Cluster`")]
    NoCluster,
    #[error("there is no cluster in the region `{region}`: choose one of {}", .known.join(", "))]
    NoRegion { region: String, known: Vec<String> },
    #[error("there is no room for this{} at the moment: choose a smaller package{}, or ask support",
        .region.as_ref().map(|region| format!(" in `{region}`")).unwrap_or_default(),
        if .region.is_some() { " or another region" } else { "" })]
    NoRoom { region: Option<String> },
}

/// What every cluster can carry and has promised, by its name.
#[derive(Clone, Debug, Default)]
pub struct Loads(BTreeMap<Name, Load>);

impl Loads {
    /// As the documents have it. It looks at every subscription.
    pub fn of(configuration: &Configuration) -> Self {
        let load = |cluster: &Cluster| Load {
            region: cluster.region.clone(),
            room: room(cluster),
            ..Load::default()
        };
        let clusters = configuration.clusters.iter();
        let mut loads = Self(clusters.map(|(name, at)| (name.clone(), load(&at.spec))).collect());
        let offers = offers(configuration);
        let mut named = configuration.clusters.values();
        let only = named.next().filter(|_| named.next().is_none());
        for (name, tenant, subscriptions) in
            side_by_side(&configuration.tenants, &configuration.subscriptions)
        {
            let subscriptions = subscriptions.map(|subscriptions| &**subscriptions);
            let customer = Customer::new(name, tenant, subscriptions, configuration, &offers, only);
            let load = customer.cluster.and_then(|cluster| loads.0.get_mut(&cluster.name));
            let Some(load) = load else { continue };
            customer.subscriptions.iter().filter_map(Purchase::asks).for_each(|asked| {
                load.promise(asked);
            });
        }
        loads
    }

    /// The same with one more subscription on a cluster.
    pub fn promise(&mut self, cluster: &Name, asked: Amounts) {
        if let Some(load) = self.0.get_mut(cluster) {
            load.promise(asked);
        }
    }

    pub fn get(&self, cluster: &Name) -> Option<&Load> {
        self.0.get(cluster)
    }

    /// The regions that clusters are in.
    pub fn regions(&self) -> Vec<String> {
        let mut regions: Vec<String> =
            self.0.values().filter_map(|load| load.region.clone()).collect();
        regions.sort();
        regions.dedup();
        regions
    }

    /// The cluster where a newcomer goes: of those in its region, or of all where it names none,
    /// the one that holds most that ask for as much. Among equals it is the one with the fewest
    /// subscriptions, then the first by name. One that does not say what it has comes last: nobody
    /// knows what it can carry.
    pub fn place(&self, asked: Amounts, region: Option<&str>) -> Result<&Name, NoPlace> {
        if self.0.is_empty() {
            return Err(NoPlace::NoCluster);
        }
        let there = |load: &Load| region.is_none() || load.region.as_deref() == region;
        let mut candidates = self.0.iter().filter(|(_, load)| there(load)).peekable();
        if let Some(region) = region.filter(|_| candidates.peek().is_none()) {
            return Err(NoPlace::NoRegion { region: region.to_owned(), known: self.regions() });
        }
        let held = candidates.map(|(name, load)| (name, load, load.holds(asked)));
        let fitting = held.filter(|(.., holds)| holds.is_none_or(|holds| holds > 0));
        let best =
            fitting.min_by_key(|(name, load, holds)| (Reverse(*holds), load.subscriptions, *name));
        let no_room = || NoPlace::NoRoom { region: region.map(str::to_owned) };
        best.map(|(name, ..)| name).ok_or_else(no_room)
    }
}

/// What packages and subscriptions ask of a cluster.
pub struct Demands<'a>(Offers<'a>);

impl<'a> Demands<'a> {
    pub fn of(configuration: &'a Configuration) -> Self {
        Self(offers(configuration))
    }

    /// What every package that runs on a cluster asks for, by its name.
    pub fn packages(&self) -> BTreeMap<&'a Name, Amounts> {
        let running = self.0.iter().filter(|(_, offer)| offer.runs_on_a_cluster());
        running.map(|(name, offer)| (*name, asked(&offer.demand))).collect()
    }

    /// What a subscription asks of its cluster; none where it runs on none.
    pub fn subscription(&self, subscription: &Subscription) -> Option<Amounts> {
        let offer = self.0.get(&subscription.package);
        Some(asked_of(offer.filter(|offer| offer.runs_on_a_cluster())?, subscription))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amounts(all: [i128; 5]) -> Amounts {
        let [requested_cpu, requested_memory, limited_cpu, limited_memory, storage] = all;
        Amounts { requested_cpu, requested_memory, limited_cpu, limited_memory, storage }
    }

    fn load(region: &str, room: i128, promised: i128, subscriptions: u32) -> Load {
        Load {
            region: Some(region.to_owned()),
            room: Some(amounts([room, room, room, room, UNLIMITED])),
            promised: amounts([promised; 5]),
            subscriptions,
        }
    }

    fn loads<const MANY: usize>(all: [(&str, Load); MANY]) -> Loads {
        Loads(all.into_iter().map(|(name, load)| (name.parse().unwrap(), load)).collect())
    }

    fn placed(loads: &Loads, asked: i128, region: Option<&str>) -> Result<String, NoPlace> {
        loads.place(amounts([asked; 5]), region).map(ToString::to_string)
    }

    #[test]
    fn a_newcomer_goes_where_most_like_it_fit_in_its_region() {
        let clusters = loads([
            ("hanoi", load("vn-north", 100, 10, 1)),
            ("saigon-1", load("vn-south", 50, 30, 3)),
            ("saigon-2", load("vn-south", 50, 20, 2)),
        ]);
        assert_eq!(placed(&clusters, 10, None).unwrap(), "hanoi");
        assert_eq!(placed(&clusters, 10, Some("vn-south")).unwrap(), "saigon-2");
        // Both hold one of this size: the emptier one gets it.
        assert_eq!(placed(&clusters, 20, Some("vn-south")).unwrap(), "saigon-2");
        let even = loads([("b", load("x", 9, 0, 0)), ("a", load("x", 9, 0, 0))]);
        assert_eq!(placed(&even, 1, None).unwrap(), "a");
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_other_regions_are_told() {
        let clusters = loads([
            ("hanoi", load("vn-north", 100, 0, 0)),
            ("saigon", load("vn-south", 50, 45, 9)),
        ]);
        let south = || Some("vn-south".to_owned());
        assert_eq!(
            placed(&clusters, 6, Some("vn-south")),
            Err(NoPlace::NoRoom { region: south() })
        );
        assert_eq!(placed(&clusters, 5, Some("vn-south")).unwrap(), "saigon");
        assert_eq!(placed(&clusters, 101, None), Err(NoPlace::NoRoom { region: None }));
        let unknown = placed(&clusters, 1, Some("mars")).unwrap_err().to_string();
        assert!(unknown.contains("vn-north, vn-south"), "{unknown}");
        assert_eq!(placed(&Loads::default(), 1, None), Err(NoPlace::NoCluster));
    }

    #[test]
    fn a_cluster_that_does_not_say_what_it_has_is_taken_last() {
        let unknown = Load { room: None, ..load("x", 0, 0, 0) };
        let clusters = loads([("a", unknown.clone()), ("b", load("x", 10, 5, 7))]);
        assert_eq!(placed(&clusters, 5, None).unwrap(), "b");
        assert_eq!(placed(&clusters, 6, None).unwrap(), "a");
    }

    #[test]
    fn what_asks_for_nothing_fits_without_end() {
        let clusters = loads([("a", load("x", 10, 10, 7)), ("b", load("x", 10, 10, 6))]);
        assert_eq!(placed(&clusters, 0, None).unwrap(), "b");
        assert_eq!(amounts([5; 5]).holds(Amounts::default()), u64::MAX);
    }

    proptest! {
        #[test]
        fn as_many_fit_as_are_said_to_and_not_one_more(
            room in prop::array::uniform5(0..1_000_i128),
            promised in prop::array::uniform5(0..1_000_i128),
            asked in prop::array::uniform5(1..50_i128),
        ) {
            let (room, promised, asked) = (amounts(room), amounts(promised), amounts(asked));
            let holds = room.left_after(promised).holds(asked);
            let many = |count: u64| (0..count).fold(promised, |sum, _| sum.plus(asked));
            prop_assert!(holds == 0 || many(holds).fits(room));
            prop_assert!(!many(holds + 1).fits(room));
        }
    }
}
