//! What was seen of clusters, in PostgreSQL: of each thing the last that was seen, and what kept it
//! from being seen since.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use sqlx::PgPool;
use sqlx::types::Json;

use super::STALE_AFTER;
use super::Surveyed;
use super::WorkersError;
use super::surveyor::Sight;
use crate::model::Name;
use crate::model::node::Node;
use crate::model::upkeep::Certificate;
use crate::model::upkeep::Disk;
use crate::model::upkeep::ScheduledBackup;
use crate::postgres::stamp;

/// What is known of one thing of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<T> {
    pub all: Vec<T>,
    /// When they were seen; none where they never were.
    pub seen_at: Option<Timestamp>,
    /// Why they could not be seen the last time.
    pub trouble: Option<String>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { all: Vec::new(), seen_at: None, trouble: None }
    }
}

impl<T> Seen<T> {
    /// Whether it may be otherwise by now.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.seen_at.is_none_or(|seen| now.duration_since(seen) > STALE_AFTER)
    }

    /// Why nobody knows how it is now; none where somebody does.
    pub fn unknown(&self, now: Timestamp) -> Option<&str> {
        let stale = self.is_stale(now).then_some("nobody has looked for a while");
        self.trouble.as_deref().or(stale)
    }
}

/// What is looked at.
#[derive(Clone, Copy)]
enum What {
    Nodes,
    Disks,
    Certificates,
    Backups,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Disks => "disks",
            Self::Certificates => "certificates",
            Self::Backups => "backups",
        }
    }
}

/// Keeps what was seen of a cluster in the place of what was seen before; where something could not
/// be seen, that stays, and it is said why.
pub async fn record(
    pool: &PgPool,
    surveyed: &Surveyed,
    now: Timestamp,
) -> Result<(), WorkersError> {
    let Surveyed { cluster, nodes, disks, certificates, backups } = surveyed;
    let mut transaction = pool.begin().await?;
    keep(&mut transaction, (cluster, What::Nodes), nodes, now).await?;
    keep(&mut transaction, (cluster, What::Disks), disks, now).await?;
    keep(&mut transaction, (cluster, What::Certificates), certificates, now).await?;
    keep(&mut transaction, (cluster, What::Backups), backups, now).await?;
    Ok(transaction.commit().await?)
}

async fn keep<T: Serialize + Sync>(
    db: &mut PgConnection,
    (cluster, what): (&Name, What),
    sight: &Sight<T>,
    now: Timestamp,
) -> Result<(), WorkersError> {
    let statement = "
        insert into cluster_look as known (cluster, what, seen, seen_at, tried_at, trouble)
        values ($1, $2, coalesce($3, '[]'), case when $3 is null then null else $4 end, $4, $5)
        on conflict (cluster, what) do update set seen = coalesce($3, known.seen),
            seen_at = coalesce(excluded.seen_at, known.seen_at), tried_at = excluded.tried_at,
            trouble = excluded.trouble";
    sqlx::query(statement)
        .bind(cluster.as_str())
        .bind(what.word())
        .bind(sight.as_ref().ok().map(Json))
        .bind(stamp(now))
        .bind(sight.as_ref().err())
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets clusters that no document names any more. Says of how many things.
pub async fn forget_others(pool: &PgPool, known: &[&str]) -> Result<u64, WorkersError> {
    let gone = sqlx::query("delete from cluster_look where cluster <> all($1)")
        .bind(known)
        .execute(pool)
        .await?;
    Ok(gone.rows_affected())
}

/// What is known of the nodes of every cluster that was ever looked at, by name.
pub async fn nodes(pool: &PgPool) -> Result<BTreeMap<Name, Seen<Node>>, WorkersError> {
    let mut seen: BTreeMap<Name, Seen<Node>> = read(pool, What::Nodes).await?;
    for of_cluster in seen.values_mut() {
        of_cluster.all.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(seen)
}

/// What is known of the disks of every cluster.
pub async fn disks(pool: &PgPool) -> Result<BTreeMap<Name, Seen<Disk>>, WorkersError> {
    read(pool, What::Disks).await
}

/// What is known of the certificates in every cluster.
pub async fn certificates(
    pool: &PgPool,
) -> Result<BTreeMap<Name, Seen<Certificate>>, WorkersError> {
    read(pool, What::Certificates).await
}

/// What is known of the backups that every cluster makes by the clock.
pub async fn backups(pool: &PgPool) -> Result<BTreeMap<Name, Seen<ScheduledBackup>>, WorkersError> {
    read(pool, What::Backups).await
}

type Row<T> = (String, Json<Vec<T>>, Option<jiff_sqlx::Timestamp>, Option<String>);

async fn read<T: DeserializeOwned + Send + Unpin + 'static>(
    pool: &PgPool,
    what: What,
) -> Result<BTreeMap<Name, Seen<T>>, WorkersError> {
    let rows: Vec<Row<T>> =
        sqlx::query_as("select cluster, seen, seen_at, trouble from cluster_look where what = $1")
            .bind(what.word())
            .fetch_all(pool)
            .await?;
    rows.into_iter()
        .map(|(cluster, Json(all), seen_at, trouble)| {
            let name = cluster.parse().map_err(|_| WorkersError::Unreadable(cluster))?;
            let seen_at = seen_at.map(jiff_sqlx::Timestamp::to_jiff);
            Ok((name, Seen { all, seen_at, trouble }))
        })
        .collect()
}
