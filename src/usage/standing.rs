//! Where subscriptions stand with their limits, as far as that is worth telling: one row for each
//! that comes near to one or has reached it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::PgPool;
use sqlx::Row as _;

use super::Measure;
use super::UsageError;
use super::limits::Standing;
use super::store::measure;
use super::store::subscription;
use crate::model::SubscriptionId;
use crate::postgres::stamp;

/// Usage is judged by its average over this long: a moment at the limit is no news.
pub const JUDGED_OVER: SignedDuration = SignedDuration::from_hours(1);

/// Where a subscription stands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stands {
    pub standing: Standing,
    pub since: Timestamp,
}

/// Everybody, or one subscription, as far as they are near to a limit or have reached it.
pub async fn standings(
    pool: &PgPool,
    of: Option<&SubscriptionId>,
) -> Result<BTreeMap<(SubscriptionId, Measure), Stands>, UsageError> {
    let rows = sqlx::query(
        "select tenant, subscription, measure, state, since from usage_standing
         where $1::text is null or (tenant = $1 and subscription = $2)",
    )
    .bind(of.map(|of| of.tenant.as_str()))
    .bind(of.map(|of| of.name.as_str()))
    .fetch_all(pool)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let standing = match row.try_get("state")? {
            "near" => Standing::Near,
            "reached" => Standing::Reached,
            other => return Err(UsageError::Unreadable(other.to_owned())),
        };
        let since = row.try_get::<jiff_sqlx::Timestamp, _>("since")?.to_jiff();
        Ok(((subscription(row)?, measure(row)?), Stands { standing, since }))
    };
    rows.iter().map(read).collect()
}

/// Writes where a subscription stands from now on. Who is told of it is told in the same
/// transaction.
pub async fn enter(
    db: &mut PgConnection,
    of: &SubscriptionId,
    measure: Measure,
    standing: Standing,
    now: Timestamp,
) -> Result<(), UsageError> {
    let state = match standing {
        Standing::Within => {
            let leaves = "delete from usage_standing
                where tenant = $1 and subscription = $2 and measure = $3";
            let leaves = sqlx::query(leaves).bind(of.tenant.as_str()).bind(of.name.as_str());
            leaves.bind(measure.word()).execute(db).await?;
            return Ok(());
        }
        Standing::Near => "near",
        Standing::Reached => "reached",
    };
    sqlx::query(
        "insert into usage_standing (tenant, subscription, measure, state, since)
         values ($1, $2, $3, $4, $5)
         on conflict (tenant, subscription, measure)
         do update set state = excluded.state, since = excluded.since",
    )
    .bind(of.tenant.as_str())
    .bind(of.name.as_str())
    .bind(measure.word())
    .bind(state)
    .bind(stamp(now))
    .execute(db)
    .await?;
    Ok(())
}
