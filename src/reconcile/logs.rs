//! Reads logs of pods in the clusters that are followed: only of a pod that the watch knows to be
//! the tenant's, whatever our database says, and only a few at a time.

use std::fmt;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use crate::apply::ApplyError;
use crate::apply::cluster::LogWish;
use crate::pods::LogError;
use crate::pods::LogText;
use crate::pods::Logs;
use crate::pods::Wish;

use super::meter::Followed;

/// How many logs are read at a time: each holds a connection to a node.
const AT_ONCE: usize = 16;

/// Reads logs in the clusters that are followed.
pub struct ClusterLogs {
    clusters: watch::Receiver<Followed>,
    places: Semaphore,
}

impl ClusterLogs {
    pub fn over(clusters: watch::Receiver<Followed>) -> Self {
        Self { clusters, places: Semaphore::new(AT_ONCE) }
    }
}

impl fmt::Debug for ClusterLogs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClusterLogs").finish_non_exhaustive()
    }
}

impl Logs for ClusterLogs {
    fn read(&self, wish: Wish) -> BoxFuture<'_, Result<LogText, LogError>> {
        let target = self.clusters.borrow().get(&wish.cluster).cloned();
        async move {
            let Ok(_place) = self.places.try_acquire() else {
                return Err(LogError::Away("too many logs are being read".to_owned()));
            };
            let target = target.ok_or_else(|| LogError::Away("it is not followed".to_owned()))?;
            let cluster = target.cluster();
            let pod = cluster.pod(&wish.tenant, wish.pod).ok_or(LogError::Gone)?;
            let of = LogWish {
                container: wish.container,
                previous: wish.previous,
                tail: wish.tail,
                since: wish.since,
                most: wish.most,
            };
            let log = cluster.log(&pod, &of).await.map_err(error_of)?;
            let truncated = log.len() >= usize::try_from(of.most).unwrap_or(usize::MAX);
            Ok(LogText { text: String::from_utf8_lossy(&log).into_owned(), truncated })
        }
        .boxed()
    }
}

fn error_of(error: ApplyError) -> LogError {
    match error {
        error if error.is_not_found() => LogError::Gone,
        // A container that has not started, or was not restarted.
        ApplyError::Refused { status, .. } if status.code == 400 => {
            LogError::NotThere(status.message)
        }
        error => LogError::Away(error.to_string()),
    }
}
