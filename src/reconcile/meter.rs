//! Measures what subscriptions use in the clusters that are followed. A cluster that cannot be
//! measured is a sentence in the report, and keeps no other from being measured.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout_at;

use crate::apply::Cluster;
use crate::apply::cluster::watch::Watches;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::usage::Measured;
use crate::usage::Meter;
use crate::usage::Reading;

use super::targets::ClusterTarget;
use super::targets::Kubeconfigs;

/// How long it is waited for clusters to be seen as wholes, right after the start.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The clusters that are followed now.
pub type Followed = BTreeMap<Name, Arc<ClusterTarget>>;

/// Measures the clusters that are followed.
pub struct ClusterMeter {
    clusters: watch::Receiver<Followed>,
    /// Where no daemon watches the clusters, and somebody has to.
    _watches: Vec<Watches>,
}

impl ClusterMeter {
    pub fn over(clusters: watch::Receiver<Followed>) -> Self {
        Self { clusters, _watches: Vec::new() }
    }

    /// Connects to the clusters of a configuration and watches them, for whoever measures once.
    /// One that cannot be connected to is a failure: nobody would miss what is not measured there.
    pub async fn connect(
        configuration: &Configuration,
        kubeconfigs: &Kubeconfigs,
    ) -> Result<Self, String> {
        let (mut followed, mut watches) = (Followed::new(), Vec::new());
        for (name, document) in &configuration.clusters {
            let target = ClusterTarget::connect(document, kubeconfigs).await?;
            // What is seen is kept; nobody has to hear of it.
            let (watching, _) = Watches::start(target.cluster());
            watches.push(watching);
            followed.insert(name.clone(), Arc::new(target));
        }
        Ok(Self { clusters: watch::Sender::new(followed).subscribe(), _watches: watches })
    }
}

impl fmt::Debug for ClusterMeter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClusterMeter").finish_non_exhaustive()
    }
}

impl Meter for ClusterMeter {
    fn measure(&self) -> BoxFuture<'_, Measured> {
        let mut watched = self.clusters.clone();
        async move {
            let deadline = Instant::now() + PATIENCE;
            let clusters = followed(&mut watched, deadline).await;
            let measuring =
                clusters.iter().map(|(name, target)| measure(name, target.cluster(), deadline));
            let mut all = Measured::default();
            for measured in join_all(measuring).await {
                all.readings.extend(measured.readings);
                all.troubles.extend(measured.troubles);
            }
            all
        }
        .boxed()
    }
}

/// The clusters that are followed, once there are any: right after the start there are none yet.
/// Where there never are any, none is missed.
pub(super) async fn followed(
    watched: &mut watch::Receiver<Followed>,
    deadline: Instant,
) -> Followed {
    let some = watched.wait_for(|clusters| !clusters.is_empty());
    let _ = timeout_at(deadline, some).await.map(|_| ());
    watched.borrow().clone()
}

async fn measure(name: &Name, cluster: &Cluster, deadline: Instant) -> Measured {
    while !cluster.is_seen() && Instant::now() < deadline {
        sleep(LOOK_AGAIN).await;
    }
    if !cluster.is_seen() {
        // Who lives there is not known: nothing could be told apart.
        let trouble =
            format!("cluster `{name}` is not seen as a whole yet: nothing is measured there");
        return Measured { readings: Vec::new(), troubles: vec![trouble] };
    }
    let (loads, claimed) = futures_util::join!(cluster.loads(), cluster.claimed());
    let mut troubles = Vec::new();
    let loads = loads.unwrap_or_else(|error| {
        troubles.push(format!("CPU and memory in cluster `{name}` are not known: {error}"));
        None
    });
    if loads.is_none() && troubles.is_empty() {
        troubles.push(format!(
            "CPU and memory in cluster `{name}` are not known, because it serves no `metrics.k8s.io`: install metrics-server"
        ));
    }
    let claimed = claimed.map_err(|error| {
        troubles.push(format!("storage in cluster `{name}` is not known: {error}"));
    });
    let (loads, claimed) = (loads.as_ref(), claimed.as_ref().ok());
    let of: BTreeSet<&SubscriptionId> = loads
        .into_iter()
        .flatten()
        .map(|(of, _)| of)
        .chain(claimed.into_iter().flatten().map(|(of, _)| of))
        .collect();
    // Who has volumes and no pods uses no CPU, as far as anybody knows what CPU is used.
    let reading = |of: &SubscriptionId| Reading {
        of: of.clone(),
        cpu: loads.map(|loads| small(loads.get(of).map_or(0, |load| load.cpu))),
        memory: loads.map(|loads| mebibytes(loads.get(of).map_or(0, |load| load.memory))),
        storage: claimed.map(|claimed| mebibytes(claimed.get(of).copied().unwrap_or(0))),
    };
    Measured { readings: of.into_iter().map(reading).collect(), troubles }
}

/// What is begun counts whole.
fn mebibytes(bytes: i128) -> i64 {
    const MEBIBYTE: i128 = 1 << 20;
    small(bytes.saturating_add(MEBIBYTE - 1) / MEBIBYTE)
}

fn small(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
