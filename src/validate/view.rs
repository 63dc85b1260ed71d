//! What the rules look at: the documents, with their references resolved as far as they go.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::assemble::component_of;
use super::capacity::Amounts;
use super::capacity::asked_of;
use super::demand::Demand;
use super::unread::Unread;
use super::valid::ValidComponent;
use crate::model::Cluster;
use crate::model::Component;
use crate::model::Configuration;
use crate::model::Document;
use crate::model::Name;
use crate::model::Package;
use crate::model::Platform;
use crate::model::Snapshot;
use crate::model::Subscription;
use crate::model::Task;
use crate::model::Tenant;
use crate::model::on_all_cores;
use crate::model::package::NamespacePer;
use crate::model::package::Placement;
use crate::model::package::Runs;
use crate::model::side_by_side;

/// A package and the components it names.
pub(super) struct Offer<'a> {
    pub(super) package: &'a Arc<Document<Package>>,
    /// Each after those it needs, otherwise as the package lists them.
    pub(super) parts: Vec<OfferedPart<'a>>,
    pub(super) cache: Option<&'a Arc<Document<Component>>>,
    /// The parts as they run where a subscription changes nothing.
    pub(super) components: Vec<Arc<ValidComponent>>,
    /// A component it names that is not there.
    pub(super) missing: Option<&'a Name>,
    /// What it asks of a cluster, without overrides.
    pub(super) demand: Demand,
}

/// A component that is there, and how often the package runs it.
pub(super) struct OfferedPart<'a> {
    pub(super) component: &'a Arc<Document<Component>>,
    pub(super) replicas: u16,
}

/// Every package by its name.
pub(super) type Offers<'a> = HashMap<&'a Name, Offer<'a>>;

/// A tenant and what is known of it. Any part may be missing: some rule says so.
pub(super) struct Customer<'a> {
    pub(super) name: &'a Name,
    pub(super) tenant: Option<&'a Arc<Document<Tenant>>>,
    pub(super) cluster: Option<&'a Arc<Document<Cluster>>>,
    pub(super) subscriptions: Vec<Purchase<'a>>,
}

/// A subscription, what it buys, and the names that follow from both.
pub(super) struct Purchase<'a> {
    pub(super) document: &'a Arc<Document<Subscription>>,
    pub(super) offer: Option<&'a Offer<'a>>,
    /// What is to be done to it once, in the order in which it was asked for.
    pub(super) tasks: Vec<&'a Arc<Document<Task>>>,
    /// Where its package runs on a cluster.
    pub(super) namespace: Option<String>,
    /// The public address, then the customer's own domains.
    pub(super) hosts: Vec<String>,
}

/// Everything a rule may look at.
pub(super) struct World<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) templates: &'a BTreeSet<String>,
    pub(super) offers: &'a Offers<'a>,
    pub(super) unread: Unread<'a>,
    /// Whoever has a document, by name.
    pub(super) customers: Vec<Customer<'a>>,
}

impl<'a> World<'a> {
    pub(super) fn new(
        configuration: &'a Configuration,
        snapshot: &'a Snapshot,
        templates: &'a BTreeSet<String>,
        offers: &'a Offers<'a>,
    ) -> Self {
        let unread = Unread::of(configuration, snapshot);
        let undecided = undecided(configuration, &unread);
        let tasks = tasks(configuration);
        let known: Vec<_> =
            side_by_side(&configuration.tenants, &configuration.subscriptions).collect();
        let customers = on_all_cores(&known, |(name, tenant, subscriptions)| {
            let subscriptions = subscriptions.map(|subscriptions| &**subscriptions);
            let mut customer =
                Customer::new(name, *tenant, subscriptions, configuration, offers, undecided);
            for purchase in &mut customer.subscriptions {
                let about = tasks.get(&(name, &purchase.document.name));
                purchase.tasks = about.cloned().unwrap_or_default();
            }
            customer
        });
        Self { configuration, templates, offers, unread, customers }
    }
}

/// Every task, by the subscription that it is done to.
fn tasks(configuration: &Configuration) -> HashMap<(&Name, &Name), Vec<&Arc<Document<Task>>>> {
    let mut tasks: HashMap<(&Name, &Name), Vec<&Arc<Document<Task>>>> = HashMap::new();
    for task in configuration.tasks.values() {
        tasks.entry((&task.spec.tenant, &task.spec.subscription)).or_default().push(task);
    }
    for about in tasks.values_mut() {
        about.sort_by_key(|task| (task.spec.asked, &task.name));
    }
    tasks
}

/// The cluster of tenants that name none: the only one there is.
fn undecided<'a>(
    configuration: &'a Configuration,
    unread: &Unread<'_>,
) -> Option<&'a Arc<Document<Cluster>>> {
    let mut clusters = configuration.clusters.values();
    let only = clusters.next()?;
    (clusters.next().is_none() && !unread.knows_any("Cluster")).then_some(only)
}

impl<'a> Customer<'a> {
    pub(super) fn new(
        name: &'a Name,
        tenant: Option<&'a Arc<Document<Tenant>>>,
        subscriptions: Option<&'a BTreeMap<Name, Arc<Document<Subscription>>>>,
        configuration: &'a Configuration,
        offers: &'a Offers<'a>,
        undecided: Option<&'a Arc<Document<Cluster>>>,
    ) -> Self {
        let platform = configuration.platform.as_ref().map(|platform| &platform.spec);
        let subscriptions: Vec<Purchase<'_>> = subscriptions
            .into_iter()
            .flat_map(BTreeMap::values)
            .map(|document| Purchase::new(document, platform, offers))
            .collect();
        let clusters = &configuration.clusters;
        let cluster = match tenant.and_then(|tenant| tenant.spec.cluster.as_ref()) {
            Some(chosen) => clusters.get(chosen),
            // Who runs nothing may be on any.
            None if !subscriptions.iter().any(Purchase::runs_on_a_cluster) => {
                clusters.values().next()
            }
            None => undecided,
        };
        Self { name, tenant, cluster, subscriptions }
    }
}

impl<'a> Purchase<'a> {
    fn new(
        document: &'a Arc<Document<Subscription>>,
        platform: Option<&Platform>,
        offers: &'a Offers<'a>,
    ) -> Self {
        let subscription = &document.spec;
        let offer = offers.get(&subscription.package);
        let placement = offer.and_then(|offer| offer.package.spec.placement.as_ref());
        let address = placement.and_then(|placement| placement.hostname.as_ref()).map(|pattern| {
            let domain = platform.map_or("", |platform| &platform.domain);
            address(pattern, subscription.subdomain(), subscription.tenant.as_str(), domain)
        });
        Self {
            document,
            offer,
            tasks: Vec::new(),
            namespace: placement.map(|placement| {
                namespace(placement, subscription.subdomain(), subscription.tenant.as_str())
            }),
            hosts: address.into_iter().chain(subscription.domains.iter().cloned()).collect(),
        }
    }
}

impl<'a> Purchase<'a> {
    /// Who was here first: by the day it starts, then by name.
    pub(super) fn seniority(&self) -> (Date, &'a Name, &'a Name) {
        (self.document.spec.starts, &self.document.spec.tenant, &self.document.name)
    }

    pub(super) fn placement(&self) -> Option<&'a Placement> {
        self.offer?.package.spec.placement.as_ref()
    }

    /// The field that its subdomain comes from.
    pub(super) fn path_of_subdomain(&self) -> &'static str {
        match self.document.spec.subdomain {
            Some(_) => "spec.subdomain",
            None => "spec.tenant",
        }
    }

    pub(super) fn runs_on_a_cluster(&self) -> bool {
        self.offer.is_some_and(Offer::runs_on_a_cluster)
    }

    /// What it asks of its cluster; none where it runs on none.
    pub(super) fn asks(&self) -> Option<Amounts> {
        let offer = self.offer.filter(|offer| offer.runs_on_a_cluster())?;
        Some(asked_of(offer, &self.document.spec))
    }
}

impl Offer<'_> {
    pub(super) fn runs_on_a_cluster(&self) -> bool {
        self.package.spec.runs == Runs::Cluster
    }
}

pub(super) fn namespace(placement: &Placement, subdomain: &str, tenant: &str) -> String {
    let whose = match placement.namespace_per {
        NamespacePer::Subdomain => subdomain,
        NamespacePer::Tenant => tenant,
    };
    format!("{}{whose}", placement.namespace_prefix)
}

pub(super) fn address(pattern: &str, subdomain: &str, tenant: &str, domain: &str) -> String {
    let mut address = String::with_capacity(pattern.len() + domain.len() + 40);
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        address.push_str(before);
        let filled = [("{subdomain}", subdomain), ("{tenant}", tenant), ("{domain}", domain)]
            .into_iter()
            .find_map(|(name, value)| Some((value, from.strip_prefix(name)?)));
        let (value, after) = filled.unwrap_or(("{", &from[1..]));
        address.push_str(value);
        rest = after;
    }
    address.push_str(rest);
    address
}

/// Resolves what packages are made of.
pub(super) fn offers(configuration: &Configuration) -> Offers<'_> {
    configuration
        .packages
        .iter()
        .map(|(name, package)| (name, offer(package, configuration)))
        .collect()
}

fn offer<'a>(package: &'a Arc<Document<Package>>, configuration: &'a Configuration) -> Offer<'a> {
    let component = |name: &Name| configuration.components.get(name);
    let parts = package.spec.components.iter().filter_map(|part| {
        Some(OfferedPart { component: component(&part.component)?, replicas: part.replicas })
    });
    let cache = package.spec.cache.as_ref().and_then(|cache| component(&cache.component));
    let named = package.spec.components.iter().map(|part| &part.component);
    let missing = named
        .chain(package.spec.cache.as_ref().map(|cache| &cache.component))
        .find(|name| component(name).is_none());
    let parts = in_order(parts.collect());
    let components = parts.iter().map(|part| Arc::new(component_of(part, None))).collect();
    let demand = Demand::default();
    let offer = Offer { package, parts, cache, components, missing, demand };
    Offer { demand: Demand::of_package(&offer), ..offer }
}

/// Puts each part after those it needs. Parts of a circle come last; a rule reports them.
fn in_order(parts: Vec<OfferedPart<'_>>) -> Vec<OfferedPart<'_>> {
    let positions: HashMap<&Name, usize> =
        parts.iter().enumerate().map(|(index, part)| (&part.component.name, index)).collect();
    let needs: Vec<BTreeSet<usize>> = parts
        .iter()
        .map(|part| {
            part.component
                .spec
                .needs
                .iter()
                .filter_map(|name| positions.get(name).copied())
                .collect()
        })
        .collect();
    let mut needed_by = vec![Vec::new(); parts.len()];
    for (index, needs) in needs.iter().enumerate() {
        for need in needs {
            needed_by[*need].push(index);
        }
    }
    let mut missing: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let mut ready: BTreeSet<usize> =
        (0..parts.len()).filter(|index| missing[*index] == 0).collect();
    let mut rank = vec![usize::MAX; parts.len()];
    let mut next = 0;
    while let Some(index) = ready.pop_first() {
        rank[index] = next;
        next += 1;
        for dependent in &needed_by[index] {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    let mut ranked: Vec<(usize, OfferedPart<'_>)> = rank.into_iter().zip(parts).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, part)| part).collect()
}
