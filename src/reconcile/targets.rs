//! A cluster and its database server as the junction sees them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::apply::ApplyError;
use crate::apply::Cluster;
use crate::apply::cluster::Credentials;
use crate::model::Cluster as ClusterDocument;
use crate::model::Document;
use crate::model::Name;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::plan::Action;
use crate::plan::Done;
use crate::plan::Inventory;
use crate::plan::Live;
use crate::plan::Observed;
use crate::plan::Outcome;

use super::world::Target;

/// Where the kubeconfigs of the clusters are.
#[derive(Clone, Debug, Default)]
pub struct Kubeconfigs {
    /// Files for clusters by name.
    pub files: BTreeMap<Name, PathBuf>,
    /// The file for every cluster that has none of its own.
    pub default: Option<PathBuf>,
}

impl Kubeconfigs {
    fn of(&self, cluster: &Name) -> Credentials<'_> {
        match self.files.get(cluster).or(self.default.as_ref()) {
            Some(file) => Credentials::File(file),
            None => Credentials::InCluster,
        }
    }
}

/// A connected cluster with its database server.
pub struct ClusterTarget {
    cluster: Cluster,
}

impl ClusterTarget {
    /// Prepares the connections that a document names; nothing is reached yet.
    pub async fn connect(
        document: &Document<ClusterDocument>,
        kubeconfigs: &Kubeconfigs,
    ) -> Result<Self, String> {
        let credentials = kubeconfigs.of(&document.name);
        let cluster = Cluster::connect(document.name.as_str(), credentials)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self { cluster })
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    async fn carry_out(&self, unit: &UnitName, action: &Action) -> Result<Done, ApplyError> {
        match action {
            Action::Create { resource, .. } => self.cluster.apply(unit, resource, &[]).await,
            Action::Update { resource, foreign_labels, .. } => {
                self.cluster.apply(unit, resource, foreign_labels).await
            }
            Action::Delete { id, api_version, uid } => {
                self.cluster.delete(id, api_version, uid).await
            }
            Action::Orphan { id, api_version } => self.cluster.orphan(id, api_version).await,
        }
    }
}

impl Target for ClusterTarget {
    fn observed(&self, unit: &UnitName) -> Option<Observed> {
        // An inventory that cannot be read is nobody's permission to start from nothing.
        self.cluster.observed(unit)?.ok()
    }

    fn units(&self) -> Option<Vec<UnitName>> {
        Some(self.cluster.units())
    }

    async fn apply(&self, unit: &UnitName, action: &Action) -> Done {
        self.carry_out(unit, action).await.unwrap_or_else(|error| Done {
            id: action.id().clone(),
            outcome: Outcome::Failed { message: error.to_string(), retry: error.retry() },
            live: None,
        })
    }

    async fn write_inventory(
        &self,
        unit: &UnitName,
        inventory: &Inventory,
    ) -> Result<Inventory, String> {
        let written = if inventory.entries.is_empty() {
            self.cluster.delete_inventory(unit, inventory).await.map(|()| Inventory::default())
        } else {
            self.cluster.write_inventory(unit, inventory).await
        };
        written.map_err(|error| error.to_string())
    }

    async fn databases(&self) -> Result<BTreeMap<UnitName, BTreeMap<ResourceId, Live>>, String> {
        Ok(BTreeMap::new())
    }

    async fn explain(&self, _: &ResourceId) -> Option<String> {
        None
    }
}
