//! Looks at the clusters that are followed: nodes, disks, certificates and scheduled backups. What
//! cannot be seen is a sentence in its place, and keeps nothing else from being looked at.

use std::fmt;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::future::join_all;
use futures_util::future::try_join_all;
use futures_util::join;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::apply::ApplyError;
use crate::apply::Cluster;
use crate::model::Name;
use crate::model::node::Health;
use crate::model::node::Node;
use crate::model::upkeep::Disk;
use crate::model::upkeep::ScheduledBackup;
use crate::workers::Sight;
use crate::workers::Surveyed;
use crate::workers::Surveyor;

use super::meter::Followed;
use super::meter::PATIENCE;
use super::meter::followed;

/// Looks at the clusters that are followed.
pub struct ClusterSurveyor {
    clusters: watch::Receiver<Followed>,
}

impl ClusterSurveyor {
    pub fn over(clusters: watch::Receiver<Followed>) -> Self {
        Self { clusters }
    }
}

impl fmt::Debug for ClusterSurveyor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClusterSurveyor").finish_non_exhaustive()
    }
}

impl Surveyor for ClusterSurveyor {
    fn survey(&self) -> BoxFuture<'_, Vec<Surveyed>> {
        let mut watched = self.clusters.clone();
        async move {
            let clusters = followed(&mut watched, Instant::now() + PATIENCE).await;
            let looking = clusters.iter().map(|(name, target)| look(name, target.cluster()));
            join_all(looking).await
        }
        .boxed()
    }
}

async fn look(name: &Name, cluster: &Cluster) -> Surveyed {
    let nodes = cluster.nodes().await.map_err(|error| unknown("nodes", name, &error));
    let (disks, certificates, backups) =
        join!(disks(name, cluster, &nodes), cluster.certificates(), backups(name, cluster));
    let certificates = certificates.map_err(|error| unknown("certificates", name, &error));
    Surveyed { cluster: name.clone(), nodes, disks, certificates, backups }
}

/// The disks of a cluster are known where those of every node are that is ready: what is claimed
/// on a node that was not asked would be missed.
async fn disks(name: &Name, cluster: &Cluster, nodes: &Sight<Node>) -> Sight<Disk> {
    let nodes = nodes.as_ref().map_err(|_| {
        format!("the disks of cluster `{name}` are not known, because its nodes are not")
    })?;
    let ready = nodes.iter().filter(|node| node.health() != Health::NotReady);
    let asked = try_join_all(ready.map(|node| cluster.disks(&node.name))).await;
    let mut disks = asked.map_err(|error| unknown("disks", name, &error))?.concat();
    // What several nodes have is one disk.
    disks.sort_by(|one, other| (&one.of, other.used).cmp(&(&other.of, one.used)));
    disks.dedup_by(|later, first| later.of == first.of);
    Ok(disks)
}

async fn backups(name: &Name, cluster: &Cluster) -> Sight<ScheduledBackup> {
    match cluster.scheduled_backups().await {
        Ok(Some(backups)) => Ok(backups),
        Ok(None) => Err(format!(
            "how scheduled backups went in cluster `{name}` is not known, because it serves no `batch/v1` jobs by the clock: clusters do from 1.21 on"
        )),
        Err(error) => Err(unknown("scheduled backups", name, &error)),
    }
}

fn unknown(what: &str, cluster: &Name, error: &ApplyError) -> String {
    format!("the {what} of cluster `{cluster}` are not known: {error}")
}
