//! Reading what happened to operations, across all of them.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::News;
use super::Whose;
use super::frontier::Writer;
use crate::operations::OperationError;
use crate::operations::operation::Event;
use crate::operations::operation::word;

/// What happened after a sequence number and up to another, in order, so many at most.
pub(super) async fn after(
    db: &mut PgConnection,
    whose: &Whose,
    (after, up_to): (i64, i64),
    most: usize,
) -> Result<Vec<News>, OperationError> {
    type Row =
        (i64, Uuid, String, Option<String>, jiff_sqlx::Timestamp, String, String, Option<String>);
    // A statement for each, so that each is read by its own index.
    let (only, one) = match whose {
        Whose::All => ("$4::text is null", None),
        Whose::Tenant(tenant) => ("operation.tenant = $4", Some(tenant.to_string())),
        Whose::Operation(id) => ("operation_id = $4::text::uuid", Some(id.to_string())),
    };
    let statement = format!(
        "select sequence, operation_id, operation_event.state, operation_event.message, at,
             tenant, kind, subscription
         from operation_event join operation on operation.id = operation_id
         where sequence > $1 and sequence <= $2 and {only}
         order by sequence limit $3"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(after)
        .bind(up_to)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(one)
        .fetch_all(db)
        .await?;
    rows.into_iter().map(read).collect()
}

fn read(
    row: (i64, Uuid, String, Option<String>, jiff_sqlx::Timestamp, String, String, Option<String>),
) -> Result<News, OperationError> {
    let (sequence, operation, state, message, at, tenant, kind, subscription) = row;
    let unreadable =
        |text: String, expected| OperationError::Unreadable { id: operation, text, expected };
    let state = word(operation, &state)?;
    let tenant = tenant.parse().map_err(|_| unreadable(tenant, "a tenant"))?;
    let subscription = match subscription {
        Some(name) => Some(name.parse().map_err(|_| unreadable(name, "a subscription"))?),
        None => None,
    };
    let event = Event { sequence, operation, state, message, at: at.to_jiff() };
    Ok(News { event, tenant, kind, subscription })
}

/// The highest number that anybody can see; 0 where nothing happened yet.
pub(super) async fn newest(db: &mut PgConnection) -> Result<i64, OperationError> {
    let (newest,): (i64,) =
        sqlx::query_as("select coalesce(max(sequence), 0) from operation_event")
            .fetch_one(db)
            .await?;
    Ok(newest)
}

/// The transactions that may have drawn a number and are not over. Others see what a transaction
/// wrote before it lets go of its locks.
pub(super) async fn writers(db: &mut PgConnection) -> Result<BTreeSet<Writer>, OperationError> {
    let rows: Vec<(Writer,)> = sqlx::query_as(
        "select distinct virtualtransaction from pg_locks
         where locktype = 'relation' and relation = 'operation_event'::regclass
             and database = (select oid from pg_database where datname = current_database())
             and mode = 'RowExclusiveLock'",
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(writer,)| writer).collect())
}
