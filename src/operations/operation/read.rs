//! Reading operations back, and what they came into.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::Asker;
use super::Event;
use super::Intent;
use super::Operation;
use super::State;
use crate::model::Commit;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::task::Action;
use crate::operations::Change;
use crate::operations::OperationError;
use crate::postgres::stamp;

const COLUMNS: &str = "id, kind, tenant, account_id, role, author, email, request_id, change, undo, follow_up, order_id,
    cause_id, state, message, commit_id, created_at, due_at, updated_at, committed_at, stuck_since, ended_at";

/// An operation by its id.
pub async fn find(db: &mut PgConnection, id: Uuid) -> Result<Operation, OperationError> {
    let statement = format!("select {COLUMNS} from operation where id = $1");
    one(sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(db).await?)
}

/// An operation by its id, which nobody else moves on before this transaction is over.
pub async fn locked(db: &mut PgConnection, id: Uuid) -> Result<Operation, OperationError> {
    let statement = format!("select {COLUMNS} from operation where id = $1 for update");
    one(sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(db).await?)
}

/// Which operations to list.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub tenant: Option<Name>,
    pub subscription: Option<Name>,
    /// Only what is older than this one.
    pub before: Option<(Timestamp, Uuid)>,
}

/// Operations, the newest first, so many at most.
pub async fn list(
    db: &mut PgConnection,
    asked: &Asked,
    most: i64,
) -> Result<Vec<Operation>, OperationError> {
    let statement = format!(
        "select {COLUMNS} from operation
         where ($1::text is null or tenant = $1) and ($2::text is null or subscription = $2)
            and ($3::timestamptz is null or (created_at, id) < ($3, $4))
         order by created_at desc, id desc limit $5"
    );
    let (at, id) = asked.before.unzip();
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(asked.tenant.as_ref().map(Name::as_str))
        .bind(asked.subscription.as_ref().map(Name::as_str))
        .bind(at.map(stamp))
        .bind(id)
        .bind(most)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// The operations that asked for something to be done once to a subscription, the newest first, so
/// many at most.
pub async fn tasks(
    db: &mut PgConnection,
    id: &SubscriptionId,
    action: Action,
    most: i64,
) -> Result<Vec<Operation>, OperationError> {
    let statement = format!(
        "select {COLUMNS} from operation
         where tenant = $1 and subscription = $2 and kind = 'task'
            and change #> '{{task,action}}' = $3
         order by created_at desc, id desc limit $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(id.tenant.as_str())
        .bind(id.name.as_str())
        .bind(Json(action))
        .bind(most)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// Operations that wait for review, those first that wait the longest.
pub async fn proposed(db: &mut PgConnection, most: i64) -> Result<Vec<Operation>, OperationError> {
    let statement = format!(
        "select {COLUMNS} from operation where state = 'proposed' order by updated_at, id limit $1"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(most).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// Operations that are commits and not done, those first that were moved on least lately.
pub async fn under_way(db: &mut PgConnection, most: i64) -> Result<Vec<Operation>, OperationError> {
    let statement = format!(
        "select {COLUMNS} from operation where ended_at is null and state not in ('accepted', 'proposed')
         order by updated_at, id limit $1"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(most).fetch_all(db).await?;
    rows.iter().map(read).collect()
}

/// The operation that a subscription, or where none is named a tenant's own document, is waiting
/// for: its commit is not read yet, so that nobody can have seen what it changes.
pub async fn unseen(
    db: &mut PgConnection,
    tenant: &Name,
    subscription: Option<&Name>,
    now: Timestamp,
) -> Result<Option<Uuid>, OperationError> {
    let row: Option<(Uuid,)> = sqlx::query_as(
        "select id from operation
         where tenant = $1 and subscription is not distinct from $2 and state in ('accepted', 'committed')
            and ended_at is null and due_at <= $3
         order by created_at desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(subscription.map(Name::as_str))
    .bind(stamp(now))
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(id,)| id))
}

/// The subscriptions that are being opened: they were never there yet.
pub async fn opening(db: &mut PgConnection) -> Result<BTreeSet<SubscriptionId>, OperationError> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
        "select id, tenant, subscription from operation where kind = 'open' and ended_at is null",
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|(id, tenant, name)| subscription(id, &tenant, &name)).collect()
}

/// The subscription that an operation is about.
pub(super) fn subscription(
    id: Uuid,
    tenant: &str,
    name: &str,
) -> Result<SubscriptionId, OperationError> {
    let text = format!("{tenant}/{name}");
    text.parse().map_err(|_| OperationError::Unreadable { id, text, expected: "a subscription" })
}

/// The change of a subscription that waits for the end of what is paid for, if there is one.
pub async fn waiting(
    db: &mut PgConnection,
    tenant: &Name,
    subscription: &Name,
    now: Timestamp,
) -> Result<Option<Operation>, OperationError> {
    let statement = format!(
        "select {COLUMNS} from operation
         where tenant = $1 and subscription = $2 and kind = 'scale' and state = 'accepted' and due_at > $3
         order by created_at desc limit 1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(tenant.as_str())
        .bind(subscription.as_str())
        .bind(stamp(now))
        .fetch_optional(db)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The states that an operation came into, in order, after a sequence number or from the first.
pub async fn events(
    db: &mut PgConnection,
    id: Uuid,
    after: Option<i64>,
) -> Result<Vec<Event>, OperationError> {
    type Row = (i64, String, Option<String>, jiff_sqlx::Timestamp);
    let rows: Vec<Row> = sqlx::query_as(
        "select sequence, state, message, at from operation_event
         where operation_id = $1 and sequence > $2 order by sequence",
    )
    .bind(id)
    .bind(after.unwrap_or(0))
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(sequence, state, message, at)| {
            let state = word(id, &state)?;
            Ok(Event { sequence, operation: id, state, message, at: at.to_jiff() })
        })
        .collect()
}

fn one(row: Option<PgRow>) -> Result<Operation, OperationError> {
    read(&row.ok_or(OperationError::Missing)?)
}

pub(in crate::operations) fn word(id: Uuid, text: &str) -> Result<State, OperationError> {
    serde_json::from_value(text.into()).map_err(|_| OperationError::Unreadable {
        id,
        text: text.to_owned(),
        expected: "a state",
    })
}

fn read(row: &PgRow) -> Result<Operation, OperationError> {
    let id: Uuid = row.try_get("id")?;
    let unreadable = |text: String, expected| OperationError::Unreadable { id, text, expected };
    let time = |name: &str| -> Result<Timestamp, sqlx::Error> {
        Ok(row.try_get::<jiff_sqlx::Timestamp, _>(name)?.to_jiff())
    };
    let maybe = |name: &str| -> Result<Option<Timestamp>, sqlx::Error> {
        let time: Option<jiff_sqlx::Timestamp> = row.try_get(name)?;
        Ok(time.map(jiff_sqlx::Timestamp::to_jiff))
    };
    let change = |name: &str| -> Result<Option<Change>, sqlx::Error> {
        Ok(row.try_get::<Option<Json<Change>>, _>(name)?.map(|change| change.0))
    };
    let tenant: String = row.try_get("tenant")?;
    let tenant = tenant.parse().map_err(|_| unreadable(tenant, "a tenant"))?;
    let role: String = row.try_get("role")?;
    let commit: Option<String> = row.try_get("commit_id")?;
    Ok(Operation {
        id,
        kind: row.try_get("kind")?,
        intent: Intent {
            tenant,
            change: row.try_get::<Json<Change>, _>("change")?.0,
            undo: change("undo")?,
            follow_up: change("follow_up")?,
            asker: Asker {
                account: row.try_get("account_id")?,
                role: role.parse().ok(),
                author: row.try_get("author")?,
                email: row.try_get("email")?,
                request_id: row.try_get("request_id")?,
            },
        },
        order: row.try_get("order_id")?,
        cause: row.try_get("cause_id")?,
        state: word(id, &row.try_get::<String, _>("state")?)?,
        message: row.try_get("message")?,
        commit: commit.as_deref().map(Commit::new),
        created_at: time("created_at")?,
        due_at: time("due_at")?,
        updated_at: time("updated_at")?,
        committed_at: maybe("committed_at")?,
        stuck_since: maybe("stuck_since")?,
        ended_at: maybe("ended_at")?,
    })
}
