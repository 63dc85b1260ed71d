//! What a subscription asks of the cluster it runs on, added up.

use super::view::Offer;
use crate::model::Component;
use crate::model::Subscription;
use crate::model::component::Resources;
use crate::model::quantity::Quantity;

/// Thousandths of cores and of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) requested_cpu: i128,
    pub(super) requested_memory: i128,
    pub(super) limited_cpu: i128,
    pub(super) limited_memory: i128,
}

/// What a subscription asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Demand {
    /// All pods together.
    pub(super) sums: Sums,
    /// The most that one more pod takes while a component is updated.
    pub(super) surge: Sums,
    pub(super) pods: i128,
    pub(super) services: i128,
    pub(super) claims: i128,
    /// Thousandths of bytes.
    pub(super) storage: i128,
}

impl Sums {
    fn of(resources: &Resources) -> Self {
        let milli = |quantity: &Option<Quantity>| quantity.as_ref().map_or(0, Quantity::milli);
        Self {
            requested_cpu: milli(&resources.requests.cpu),
            requested_memory: milli(&resources.requests.memory),
            limited_cpu: milli(&resources.limits.cpu),
            limited_memory: milli(&resources.limits.memory),
        }
    }

    fn zip(self, other: Self, join: impl Fn(i128, i128) -> i128) -> Self {
        Self {
            requested_cpu: join(self.requested_cpu, other.requested_cpu),
            requested_memory: join(self.requested_memory, other.requested_memory),
            limited_cpu: join(self.limited_cpu, other.limited_cpu),
            limited_memory: join(self.limited_memory, other.limited_memory),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        self.zip(other, i128::saturating_add)
    }

    fn times(self, count: u16) -> Self {
        self.zip(Self::default(), |sum, _| sum.saturating_mul(i128::from(count)))
    }
}

impl Demand {
    /// Of the package as it is sold.
    pub(super) fn of_package(offer: &Offer<'_>) -> Self {
        Self::of(offer, None)
    }

    /// Of a subscription with its overrides.
    pub(super) fn of_subscription(offer: &Offer<'_>, subscription: &Subscription) -> Self {
        Self::of(offer, Some(subscription))
    }

    fn of(offer: &Offer<'_>, subscription: Option<&Subscription>) -> Self {
        let mut demand = Self::default();
        for part in &offer.parts {
            let change = subscription.and_then(|subscription| {
                subscription.overrides.components.get(&part.component.name)
            });
            let replicas = change.and_then(|change| change.replicas).unwrap_or(part.replicas);
            let component = &part.component.spec;
            let resources =
                change.and_then(|change| change.resources.as_ref()).unwrap_or(&component.resources);
            demand.add(component, resources, replicas);
        }
        if let Some(cache) = offer.cache {
            demand.add(&cache.spec, &cache.spec.resources, 1);
            demand.claims += 1;
            let size = offer.package.spec.cache.as_ref().map_or(0, |cache| cache.size.milli());
            demand.storage = demand.storage.saturating_add(size);
        }
        // Where the size is not given, the database's is; what a template takes then is not known.
        if let Some(backup) = &offer.package.spec.backup {
            let database = offer.package.spec.database.as_ref().map(|database| &database.size);
            let size = backup.size.as_ref().or(database).map_or(0, Quantity::milli);
            demand.claims += 1;
            demand.storage = demand.storage.saturating_add(size);
        }
        demand
    }

    fn add(&mut self, component: &Component, resources: &Resources, replicas: u16) {
        let one = Sums::of(resources);
        self.sums = self.sums.plus(one.times(replicas));
        // A pod with a volume of its own stops before the next one starts.
        if replicas > 0 && component.volumes.is_empty() {
            self.surge = self.surge.zip(one, i128::max);
        }
        self.pods += i128::from(replicas);
        self.services += i128::from(component.port.is_some());
        for volume in &component.volumes {
            self.claims += 1;
            self.storage = self.storage.saturating_add(volume.size.milli());
        }
    }
}
