//! What the junction needs of the world: clusters it can look at and act on, and the time.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::ResourceId;
use crate::model::UnitName;
use crate::plan::Action;
use crate::plan::Done;
use crate::plan::Inventory;
use crate::plan::Observed;

/// One cluster, with the database server that belongs to it.
pub trait Target: Send + Sync + 'static {
    /// What is there of a unit, its databases included; none until everything was seen once.
    fn observed(&self, unit: &UnitName) -> Option<Observed>;

    /// As [`Target::observed`], without the inventory: for whoever knows what it says. To read it
    /// anew at each event is a third of what an event costs.
    fn things(&self, unit: &UnitName) -> Option<Observed> {
        self.observed(unit)
    }

    /// Every unit that has an inventory or anything live, as far as that was seen.
    fn units(&self) -> Vec<UnitName>;

    /// Carries out one action. What it made is in [`Target::observed`] when this returns.
    fn apply(&self, unit: &UnitName, action: &Action) -> impl Future<Output = Done> + Send;

    /// Writes the inventory over the one that is known, and returns it with the identity of its
    /// parent. An empty one is removed.
    fn write_inventory(
        &self,
        unit: &UnitName,
        inventory: &Inventory,
    ) -> impl Future<Output = Result<Inventory, String>> + Send;

    /// Looks at the databases, of which no watch tells.
    fn look_at_databases(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Comes back when they should be looked at now and not at their time.
    fn databases_in_doubt(&self) -> impl Future<Output = ()> + Send;

    /// The sentence a person needs about a thing that is not ready.
    fn explain(&self, id: &ResourceId) -> impl Future<Output = Option<String>> + Send;
}

/// The time. Tests move it by hand.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn of(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The machine's clock.
    pub fn system() -> Self {
        Self::of(Timestamp::now)
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}
