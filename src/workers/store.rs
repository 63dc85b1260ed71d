//! What was seen of nodes, in PostgreSQL: of each cluster the last that was seen, and what kept it
//! from being seen since.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgPool;
use sqlx::types::Json;

use super::STALE_AFTER;
use super::Surveyed;
use super::WorkersError;
use crate::model::Name;
use crate::model::node::Node;
use crate::postgres::stamp;

/// What is known of a cluster's nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By name.
    pub nodes: Vec<Node>,
    /// When they were seen; none where they never were.
    pub seen_at: Option<Timestamp>,
    /// Why they could not be seen the last time.
    pub trouble: Option<String>,
}

impl Seen {
    /// Whether it may be otherwise by now.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.seen_at.is_none_or(|seen| now.duration_since(seen) > STALE_AFTER)
    }
}

/// Keeps what was seen of a cluster in the place of what was seen before; where nothing could be
/// seen, that stays, and it is said why.
pub async fn record(
    pool: &PgPool,
    surveyed: &Surveyed,
    now: Timestamp,
) -> Result<(), WorkersError> {
    let cluster = surveyed.cluster.as_str();
    match &surveyed.nodes {
        Ok(nodes) => {
            let query = "
                insert into cluster_survey (cluster, nodes, seen_at, tried_at) values ($1, $2, $3, $3)
                on conflict (cluster) do update set nodes = excluded.nodes, seen_at = excluded.seen_at,
                    tried_at = excluded.tried_at, trouble = null";
            sqlx::query(query)
                .bind(cluster)
                .bind(Json(nodes))
                .bind(stamp(now))
                .execute(pool)
                .await?
        }
        Err(trouble) => {
            let query = "
                insert into cluster_survey (cluster, nodes, tried_at, trouble) values ($1, '[]', $3, $2)
                on conflict (cluster) do update set tried_at = excluded.tried_at, trouble = excluded.trouble";
            sqlx::query(query).bind(cluster).bind(trouble).bind(stamp(now)).execute(pool).await?
        }
    };
    Ok(())
}

/// Forgets clusters that no document names any more. Says how many.
pub async fn forget_others(pool: &PgPool, known: &[&str]) -> Result<u64, WorkersError> {
    let gone = sqlx::query("delete from cluster_survey where cluster <> all($1)")
        .bind(known)
        .execute(pool)
        .await?;
    Ok(gone.rows_affected())
}

type Row = (String, Json<Vec<Node>>, Option<jiff_sqlx::Timestamp>, Option<String>);

/// What is known of every cluster that was ever looked at.
pub async fn seen(pool: &PgPool) -> Result<BTreeMap<Name, Seen>, WorkersError> {
    let rows: Vec<Row> =
        sqlx::query_as("select cluster, nodes, seen_at, trouble from cluster_survey")
            .fetch_all(pool)
            .await?;
    rows.into_iter()
        .map(|(cluster, Json(mut nodes), seen_at, trouble)| {
            let name = cluster.parse().map_err(|_| WorkersError::Unreadable(cluster))?;
            nodes.sort_by(|one, other| one.name.cmp(&other.name));
            let seen_at = seen_at.map(jiff_sqlx::Timestamp::to_jiff);
            Ok((name, Seen { nodes, seen_at, trouble }))
        })
        .collect()
}
