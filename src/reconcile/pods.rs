//! Keeps how the pods of a cluster stand in our database, as its watch tells: what changed is
//! written, and what could not be written waits for the database to be back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use crate::model::Name;
use crate::model::pod::Pod;
use crate::pods::PodError;
use crate::pods::Store;

use super::targets::ClusterTarget;
use super::world::Clock;

/// How long more is waited for after the first: pods change several times while they start.
const LINGER: Duration = Duration::from_millis(200);
const RETRY: Duration = Duration::from_secs(1);

/// Writes what happens to the pods of a cluster, for ever.
pub(super) async fn keep(name: Name, target: Arc<ClusterTarget>, store: Store, clock: Clock) {
    let mut unwritten: HashMap<Uuid, Option<Pod>> = HashMap::new();
    let mut all: Option<Vec<Uuid>> = None;
    loop {
        if unwritten.is_empty() && all.is_none() {
            target.cluster().pods_change().await;
            sleep(LINGER).await;
        }
        store.database().usable().await;
        let news = target.cluster().pod_news();
        unwritten.extend(news.changed);
        all = news.all.or(all);
        match write(&name, &store, &unwritten, all.as_deref(), &clock).await {
            Ok(()) => {
                unwritten.clear();
                all = None;
            }
            Err(error) => {
                store.database().doubt(&error.0);
                tracing::debug!(cluster = %name, "how pods stand is not written yet: {error}");
                sleep(RETRY).await;
            }
        }
    }
}

async fn write(
    name: &Name,
    store: &Store,
    changed: &HashMap<Uuid, Option<Pod>>,
    all: Option<&[Uuid]>,
    clock: &Clock,
) -> Result<(), PodError> {
    if let Some(all) = all {
        store.keep_only(name, all).await?;
    }
    store.write(name, changed, clock.now()).await
}
