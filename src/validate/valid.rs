//! What passed every rule: references resolved, names computed, overrides applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Cluster;
use crate::model::Component;
use crate::model::Document;
use crate::model::Name;
use crate::model::Package;
use crate::model::Platform;
use crate::model::Subscription;
use crate::model::Task;
use crate::model::Tenant;
use crate::model::UnitName;
use crate::model::component::Resources;
use crate::model::quantity::Quantity;

/// A tenant that may converge. Nothing in it needs a second look.
#[derive(Clone, Debug)]
pub struct ValidTenant {
    pub unit: UnitName,
    pub platform: Arc<Document<Platform>>,
    pub tenant: Arc<Document<Tenant>>,
    pub cluster: Arc<Document<Cluster>>,
    /// The namespaces its subscriptions live in; empty where it has none that run on a cluster.
    pub namespaces: Vec<ValidNamespace>,
}

/// A namespace and the subscriptions that share it: at least one.
#[derive(Clone, Debug)]
pub struct ValidNamespace {
    pub name: String,
    pub subscriptions: Vec<ValidSubscription>,
}

/// A subscription whose package runs on a cluster.
#[derive(Clone, Debug)]
pub struct ValidSubscription {
    pub document: Arc<Document<Subscription>>,
    pub package: Arc<Document<Package>>,
    /// The public address, then the customer's own domains.
    pub hosts: Vec<String>,
    /// The package's components with the overrides applied, each after those it needs.
    pub components: Vec<Arc<ValidComponent>>,
    /// The component that renders the package's cache, where it has one.
    pub cache: Option<Arc<Document<Component>>>,
    /// The package's quota with the overrides applied.
    pub quota: BTreeMap<String, Quantity>,
    /// The package's limits with the overrides and add-ons applied.
    pub limits: BTreeMap<String, Quantity>,
    /// What is to be done to it once, in the order in which it was asked for.
    pub tasks: Vec<Arc<Document<Task>>>,
}

/// A component as a subscription runs it.
#[derive(Clone, Debug)]
pub struct ValidComponent {
    pub document: Arc<Document<Component>>,
    pub replicas: u16,
    pub image: String,
    pub resources: Resources,
}

impl ValidSubscription {
    pub fn name(&self) -> &Name {
        &self.document.name
    }
}
