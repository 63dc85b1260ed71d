//! What was done already, by the key of the effect.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::billing::keys::OperationKey;
use crate::billing::lifecycle::Due;
use crate::billing::lifecycle::FinalBackup;
use crate::jobs::JobError;
use crate::model::SubscriptionId;
use crate::postgres::stamp;

/// How long after a change that failed it is tried again, if it is still due.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Whether an effect was carried out. A change of a document that failed a while ago was not, nor
/// was a task that somebody took away before it began.
pub(super) async fn is_done(
    db: &mut PgConnection,
    key: &OperationKey,
    now: Timestamp,
) -> Result<bool, JobError> {
    let done: Option<bool> = sqlx::query_scalar(
        "select coalesce(
            not (operation.state = 'failed' or (operation.state = 'superseded' and operation.kind = 'task'))
            or operation.ended_at > $2, true)
         from lifecycle_effect left join operation on operation.id = operation_id
         where key = $1",
    )
    .bind(key.as_str())
    .bind(stamp(now - AGAIN))
    .fetch_optional(db)
    .await?;
    Ok(done.unwrap_or(false))
}

/// Claims an effect for this transaction, and says which attempt it is; none where it is done. Two
/// who claim the same wait for each other.
pub(super) async fn claim(
    db: &mut PgConnection,
    id: &SubscriptionId,
    due: &Due,
    now: Timestamp,
) -> Result<Option<i32>, JobError> {
    let inserted = sqlx::query(
        "insert into lifecycle_effect (key, subscription, effect, at) values ($1, $2, $3, $4)
         on conflict (key) do nothing",
    )
    .bind(due.key.as_str())
    .bind(id.to_string())
    .bind(Json(&due.effect))
    .bind(stamp(now))
    .execute(&mut *db)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(Some(1));
    }
    let attempts: i32 =
        sqlx::query_scalar("select attempts from lifecycle_effect where key = $1 for update")
            .bind(due.key.as_str())
            .fetch_one(&mut *db)
            .await?;
    Ok((!is_done(db, &due.key, now).await?).then_some(attempts + 1))
}

/// Says which operation an effect became.
pub(super) async fn became(
    db: &mut PgConnection,
    key: &OperationKey,
    attempt: i32,
    operation: Uuid,
    now: Timestamp,
) -> Result<(), JobError> {
    sqlx::query(
        "update lifecycle_effect set operation_id = $2, attempts = $3, at = $4 where key = $1",
    )
    .bind(key.as_str())
    .bind(operation)
    .bind(attempt)
    .bind(stamp(now))
    .execute(db)
    .await?;
    Ok(())
}

/// How the last backup stands that was asked for under a key.
pub(super) async fn final_backup(
    db: &mut PgConnection,
    key: &OperationKey,
) -> Result<FinalBackup, JobError> {
    let state: Option<String> = sqlx::query_scalar(
        "select state from lifecycle_effect join operation on operation.id = operation_id
         where key = $1",
    )
    .bind(key.as_str())
    .fetch_optional(db)
    .await?;
    Ok(match state.as_deref() {
        Some("succeeded") => FinalBackup::Verified,
        None | Some("failed" | "superseded" | "cancelled") => FinalBackup::Missing,
        Some(_) => FinalBackup::Running,
    })
}

/// What the last backup of a subscription that was removed is called, and for how many days it is
/// kept where somebody said so.
pub(super) async fn last_backup(
    db: &mut PgConnection,
    id: &SubscriptionId,
    removed: Timestamp,
) -> Result<Option<(String, Option<i64>)>, JobError> {
    let last: Option<(String, Option<String>)> = sqlx::query_as(
        "select message, change #>> '{task,with,retentionDays}' from operation
         where tenant = $1 and subscription = $2 and kind = 'task' and state = 'succeeded'
            and change #>> '{task,action}' = 'finalBackup' and message is not null and ended_at <= $3
         order by ended_at desc limit 1",
    )
    .bind(id.tenant.as_str())
    .bind(id.name.as_str())
    .bind(stamp(removed))
    .fetch_optional(db)
    .await?;
    Ok(last.map(|(backup, days)| (backup, days.and_then(|days| days.parse().ok()))))
}

/// When what was kept of subscriptions was last purged, by their names.
pub(super) async fn purged(db: &mut PgConnection) -> Result<BTreeMap<String, Timestamp>, JobError> {
    let rows: Vec<(String, jiff_sqlx::Timestamp)> = sqlx::query_as(
        "select format('%s/%s', tenant, subscription), max(ended_at) from operation
         where kind = 'purge' and state = 'succeeded' group by tenant, subscription",
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(id, at)| (id, at.to_jiff())).collect())
}

/// How many purges were asked for within the last hour.
pub(super) async fn purges_of_this_hour(
    db: &mut PgConnection,
    now: Timestamp,
) -> Result<usize, JobError> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from operation where kind = 'purge' and created_at > $1",
    )
    .bind(stamp(now - SignedDuration::from_hours(1)))
    .fetch_one(db)
    .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Which changes of a subscription's document failed lately, and why.
pub(super) async fn failed(
    db: &mut PgConnection,
    id: &SubscriptionId,
    now: Timestamp,
) -> Result<Vec<String>, JobError> {
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(
        "select key, operation.message
         from lifecycle_effect join operation on operation.id = operation_id
         where lifecycle_effect.subscription = $1 and state = 'failed' and ended_at > $2
         order by ended_at",
    )
    .bind(id.to_string())
    .bind(stamp(now - AGAIN))
    .fetch_all(db)
    .await?;
    let told = |(key, why): (String, Option<String>)| {
        let why = why.unwrap_or_else(|| "nobody knows why".to_owned());
        format!("{key} was not brought about, and is tried again within the hour: {why}")
    };
    Ok(rows.into_iter().map(told).collect())
}
