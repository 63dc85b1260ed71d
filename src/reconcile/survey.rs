//! Looks at the nodes of the clusters that are followed. A cluster that cannot be looked at is a
//! sentence in its place, and keeps no other from being looked at.

use std::fmt;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;

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
            let looking = clusters.iter().map(|(name, target)| async move {
                let nodes = target.cluster().nodes().await;
                let nodes = nodes.map_err(|error| {
                    format!("the nodes of cluster `{name}` are not known: {error}")
                });
                Surveyed { cluster: name.clone(), nodes }
            });
            join_all(looking).await
        }
        .boxed()
    }
}
