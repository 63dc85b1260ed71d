//! A cluster and its database server as the junction sees them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::apply::Cluster;
use crate::apply::Targets;
use crate::apply::cluster::Credentials;
use crate::model::Cluster as ClusterDocument;
use crate::model::Document;
use crate::model::Name;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::plan::Action;
use crate::plan::Done;
use crate::plan::Inventory;
use crate::plan::Observed;

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
    targets: Targets,
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
        Ok(Self { targets: Targets::new(cluster, document.spec.database_server.as_ref()) })
    }

    pub fn cluster(&self) -> &Cluster {
        self.targets.cluster()
    }
}

impl Target for ClusterTarget {
    fn observed(&self, unit: &UnitName) -> Option<Observed> {
        // An inventory that cannot be read is nobody's permission to start from nothing.
        self.targets.observed(unit)?.ok()
    }

    fn things(&self, unit: &UnitName) -> Option<Observed> {
        self.targets.things(unit)
    }

    fn units(&self) -> Vec<UnitName> {
        self.targets.units()
    }

    async fn apply(&self, unit: &UnitName, action: &Action) -> Done {
        self.targets.apply(unit, action).await
    }

    async fn write_inventory(
        &self,
        unit: &UnitName,
        inventory: &Inventory,
    ) -> Result<Inventory, String> {
        let cluster = self.targets.cluster();
        let written = if inventory.entries.is_empty() {
            cluster.delete_inventory(unit, inventory).await.map(|()| Inventory::default())
        } else {
            cluster.write_inventory(unit, inventory).await
        };
        written.map_err(|error| error.to_string())
    }

    async fn look_at_databases(&self) -> Result<(), String> {
        self.targets.look_at_databases().await.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn databases_in_doubt(&self) {
        self.targets.databases_in_doubt().await;
    }

    async fn explain(&self, id: &ResourceId) -> Option<String> {
        self.targets.explain(id).await
    }
}
