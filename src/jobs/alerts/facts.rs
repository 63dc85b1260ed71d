//! What is known of everything that may be wrong, gathered from where it is recorded.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::restarts;
use super::restarts::Restarted;
use crate::alerts;
use crate::alerts::Kind;
use crate::history::Store as History;
use crate::history::record::TaskState;
use crate::jobs::Ground;
use crate::jobs::JobError;
use crate::jobs::usage::limits;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::node::Node;
use crate::model::platform::Alerts;
use crate::model::task::Action;
use crate::model::upkeep::Certificate;
use crate::model::upkeep::Disk;
use crate::model::upkeep::ScheduledBackup;
use crate::operations::operation;
use crate::operations::operation::LastBackup;
use crate::pods;
use crate::usage::limits::Limit;
use crate::usage::standing;
use crate::usage::standing::JUDGED_OVER;
use crate::usage::store as used;
use crate::workers::store as looked;
use crate::workers::store::Seen;

/// What is seen of each cluster.
pub(super) type ByCluster<T> = BTreeMap<Name, Seen<T>>;

/// A limit of a subscription, and where its use stands with it.
#[derive(Clone, Debug)]
pub(super) struct Used {
    pub(super) of: SubscriptionId,
    pub(super) limit: Limit,
    /// On average over the last hour; none where nothing was measured.
    pub(super) average: Option<i64>,
    /// Whether it is over the percentage from which the platform warns.
    pub(super) is_near: bool,
}

/// All that rules judge by.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) now: Timestamp,
    pub(super) thresholds: Alerts,
    pub(super) configuration: Arc<Configuration>,
    pub(super) nodes: ByCluster<Node>,
    pub(super) disks: ByCluster<Disk>,
    pub(super) certificates: ByCluster<Certificate>,
    pub(super) scheduled: ByCluster<ScheduledBackup>,
    /// The clusters that cannot be reached now, of whose pods nobody knows how they are.
    pub(super) away: BTreeSet<Name>,
    pub(super) pods: Vec<pods::Row>,
    pub(super) restarted: Vec<Restarted>,
    pub(super) used: Vec<Used>,
    /// What is being opened: it was never there yet.
    pub(super) opening: BTreeSet<SubscriptionId>,
    /// Of each subscription the last backup that somebody asked for, where one has ended.
    pub(super) backups: BTreeMap<SubscriptionId, LastBackup>,
    /// Which alerts are open.
    pub(super) open: BTreeSet<(Kind, String)>,
}

impl Facts {
    /// Where a tenant's things run, as far as it is decided.
    pub(super) fn cluster_of(&self, tenant: &Name) -> Option<&Name> {
        let named = self.configuration.tenants.get(tenant)?.spec.cluster.as_ref();
        let mut clusters = self.configuration.clusters.keys();
        named.or_else(|| clusters.next().filter(|_| clusters.next().is_none()))
    }

    pub(super) fn is_open(&self, kind: Kind, subject: &str) -> bool {
        self.open.contains(&(kind, subject.to_owned()))
    }
}

/// Gathers what is known.
pub(super) async fn gather(ground: &Ground) -> Result<Facts, JobError> {
    let (pool, now) = (ground.database().pool(), ground.now);
    let configuration = Arc::clone(&ground.documents()?.configuration);
    let platform = configuration.platform.as_ref();
    let thresholds = platform.map(|platform| platform.spec.alerts.clone()).unwrap_or_default();
    let standing = alerts::store::open(pool).await?;
    Ok(Facts {
        now,
        thresholds,
        nodes: looked::nodes(pool).await?,
        disks: looked::disks(pool).await?,
        certificates: looked::certificates(pool).await?,
        scheduled: looked::backups(pool).await?,
        away: History::over(ground.database().clone()).clusters_away().await?,
        pods: pods::Store::over(ground.database().clone())
            .list(&pods::Asked::default(), usize::MAX)
            .await?,
        restarted: restarts::count(pool, now).await?,
        used: usage(ground).await?,
        opening: operation::opening(&mut *pool.acquire().await?).await?,
        backups: backups(ground, &configuration).await?,
        open: standing.into_iter().map(|alert| (alert.kind, alert.subject)).collect(),
        configuration,
    })
}

async fn usage(ground: &Ground) -> Result<Vec<Used>, JobError> {
    let pool = ground.database().pool();
    let near = standing::standings(pool, None).await?;
    let sums = used::since(pool, None, ground.now - JUDGED_OVER).await?;
    let stands = |(of, limit): (SubscriptionId, Limit)| {
        let key = (of, limit.measure);
        let average = sums.get(&key).map(|sums| sums.average());
        Used { limit, average, is_near: near.contains_key(&key), of: key.0 }
    };
    Ok(limits(ground)?.into_iter().map(stands).collect())
}

/// The last backups by operations, and by tasks that people committed themselves.
async fn backups(
    ground: &Ground,
    configuration: &Configuration,
) -> Result<BTreeMap<SubscriptionId, LastBackup>, JobError> {
    let pool = ground.database().pool();
    let mut last = operation::last_backups(&mut *pool.acquire().await?).await?;
    let tasks = configuration.tasks.values();
    let tasks: Vec<_> = tasks.filter(|task| task.spec.action.is_backup()).collect();
    let names: Vec<&Name> = tasks.iter().map(|task| &task.name).collect();
    let outcomes = History::over(ground.database().clone()).tasks(&names).await?;
    for task in tasks {
        let Some(outcome) = outcomes.get(&task.name) else { continue };
        let failed = match outcome.state {
            TaskState::Running => continue,
            TaskState::Done => None,
            TaskState::Failed => Some(outcome.message.clone().unwrap_or_default()),
        };
        let of = SubscriptionId {
            tenant: task.spec.tenant.clone(),
            name: task.spec.subscription.clone(),
        };
        let is_last = task.spec.action == Action::FinalBackup;
        let this = LastBackup { at: outcome.at, is_last, failed };
        // An operation tells the same of its task a moment later, and in better words.
        if last.get(&of).is_none_or(|known| known.at < this.at) {
            last.insert(of, this);
        }
    }
    Ok(last)
}
