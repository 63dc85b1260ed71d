//! What runs of tenants uses, as the cluster's metrics API (`metrics.k8s.io`) and its volume claims
//! tell. Everything is read with our labels, and what is labelled for a tenant counts only in a
//! namespace of that tenant's unit.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::apply::error::ApplyError;
use crate::model::Name;
use crate::model::ResourceId;
use crate::model::SubscriptionId;
use crate::model::UnitName;
use crate::model::marks;
use crate::model::quantity::Quantity;

use super::Cluster;

const METRICS: &str = "/apis/metrics.k8s.io/v1beta1/pods";
const CLAIMS: &str = "/api/v1/persistentvolumeclaims";

/// What the pods of a subscription use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Thousandths of a core.
    pub cpu: i128,
    /// Bytes.
    pub memory: i128,
}

#[derive(Deserialize)]
struct Labelled {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: Box<str>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct PodMetrics {
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    usage: Usage,
}

#[derive(Deserialize)]
struct Usage {
    cpu: Option<Quantity>,
    memory: Option<Quantity>,
}

#[derive(Deserialize)]
struct Claim {
    spec: ClaimSpec,
    #[serde(default)]
    status: ClaimStatus,
}

#[derive(Deserialize)]
struct ClaimSpec {
    #[serde(default)]
    resources: Resources,
}

#[derive(Default, Deserialize)]
struct Resources {
    #[serde(default)]
    requests: Amounts,
}

#[derive(Default, Deserialize)]
struct ClaimStatus {
    #[serde(default)]
    capacity: Amounts,
}

#[derive(Default, Deserialize)]
struct Amounts {
    storage: Option<Quantity>,
}

impl Cluster {
    /// What the pods of each subscription use; none where the cluster serves no metrics.
    pub async fn loads(&self) -> Result<Option<BTreeMap<SubscriptionId, Load>>, ApplyError> {
        let mut loads: BTreeMap<SubscriptionId, Load> = BTreeMap::new();
        let read = self.each_labelled(METRICS, |of, item: PodMetrics| {
            let load = loads.entry(of).or_default();
            for Container { usage } in item.containers {
                let (cpu, memory) = (usage.cpu, usage.memory);
                load.cpu = load.cpu.saturating_add(cpu.map_or(0, |cpu| cpu.milli()));
                load.memory = load.memory.saturating_add(memory.map_or(0, |memory| memory.units()));
            }
        });
        match read.await {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(Some(loads)),
        }
    }

    /// How much storage the volume claims of each subscription have, in bytes; what they ask for
    /// where they are not bound yet.
    pub async fn claimed(&self) -> Result<BTreeMap<SubscriptionId, i128>, ApplyError> {
        let mut claimed: BTreeMap<SubscriptionId, i128> = BTreeMap::new();
        self.each_labelled(CLAIMS, |of, claim: Claim| {
            let size = claim.status.capacity.storage.or(claim.spec.resources.requests.storage);
            let sum = claimed.entry(of).or_default();
            *sum = sum.saturating_add(size.map_or(0, |size| size.units()));
        })
        .await?;
        Ok(claimed)
    }

    /// Reads everything of a collection that belongs to a subscription.
    pub(super) async fn each_labelled<T: for<'a> Deserialize<'a>>(
        &self,
        collection: &str,
        mut take: impl FnMut(SubscriptionId, T),
    ) -> Result<(), ApplyError> {
        let mut pages = self.pages(collection, marks::SUBSCRIPTION);
        while let Some(page) = pages.next().await? {
            for item in &page.items {
                if let Some(of) = self.owner(item)? {
                    take(of, self.connection().parse(item.get().as_bytes())?);
                }
            }
        }
        Ok(())
    }

    /// The subscription that something belongs to by its labels; none where it stands in a
    /// namespace of somebody else.
    fn owner(&self, item: &RawValue) -> Result<Option<SubscriptionId>, ApplyError> {
        let Labelled { metadata } = self.connection().parse(item.get().as_bytes())?;
        let named = |label| metadata.labels.get(label).and_then(|name| name.parse::<Name>().ok());
        let (tenant, name) = (named(marks::TENANT), named(marks::SUBSCRIPTION));
        let of = tenant.zip(name).map(|(tenant, name)| SubscriptionId { tenant, name });
        Ok(of.filter(|of| self.is_home(&of.tenant, &metadata.namespace)))
    }

    /// Whether a namespace is a tenant's, as the watches know it.
    pub(super) fn is_home(&self, tenant: &Name, namespace: &str) -> bool {
        let id = ResourceId::new("", "Namespace", "", namespace);
        self.live(&UnitName::Tenant(tenant.clone()), &id).is_some()
    }

    /// Whether the watches have read everything once.
    pub fn is_seen(&self) -> bool {
        self.store().is_complete()
    }
}
