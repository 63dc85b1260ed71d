//! Operations: the record of one accepted change, from the request to what became of it, with
//! every state that it came into.

mod backups;
mod read;

pub use backups::LastBackup;
pub use backups::last_backups;
pub use read::Asked;
pub use read::events;
pub use read::find;
pub use read::list;
pub use read::locked;
pub use read::opening;
pub use read::proposed;
pub use read::tasks;
pub use read::under_way;
pub use read::unseen;
pub use read::waiting;
pub(super) use read::word;

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::accounts::Role;
use crate::model::Commit;
use crate::model::Name;
use crate::operations::Change;
use crate::operations::OperationError;
use crate::outbox;
use crate::outbox::Kind;
use crate::postgres::stamp;

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is written down, and will be committed.
    Accepted,
    /// It is a branch of its own, which a person has to merge.
    Proposed,
    /// It is a commit on the branch.
    Committed,
    /// The commit was read.
    Observed,
    /// It is being brought about.
    Applying,
    /// It is brought about, and has to become ready.
    Verifying,
    Succeeded,
    Failed,
    /// Somebody changed their mind before it was done.
    Superseded,
    Cancelled,
}

impl State {
    /// The states of one that ends well and that nobody has to review, in order.
    pub const WAY: [Self; 6] = [
        Self::Accepted,
        Self::Committed,
        Self::Observed,
        Self::Applying,
        Self::Verifying,
        Self::Succeeded,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Proposed => "proposed",
            Self::Committed => "committed",
            Self::Observed => "observed",
            Self::Applying => "applying",
            Self::Verifying => "verifying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more becomes of it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Superseded | Self::Cancelled)
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// Who asks for a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asker {
    /// None where the program asks by itself.
    pub account: Option<Uuid>,
    /// None where the program asks by itself.
    pub role: Option<Role>,
    /// Who the commit is by: the organisation of a customer, and the address they log in with.
    pub author: String,
    pub email: String,
    /// One id joins the answer, the log, the audit, the ledger and the commit.
    pub request_id: String,
}

impl Asker {
    fn role_word(&self) -> &'static str {
        self.role.map_or("system", Role::word)
    }

    /// As the trailer `Actor` and the ledger name them: no address, because neither forgets.
    pub fn actor(&self) -> String {
        match self.account {
            Some(account) => format!("{} {account}", self.role_word()),
            None => self.role_word().to_owned(),
        }
    }
}

/// What is to be done, what takes it back where it fails, and what follows where it succeeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    pub tenant: Name,
    pub change: Change,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up: Option<Change>,
    pub asker: Asker,
}

/// An operation as it stands.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: Uuid,
    pub kind: String,
    pub intent: Intent,
    /// The order that paid for it.
    pub order: Option<Uuid>,
    /// The operation that it takes back or follows.
    pub cause: Option<Uuid>,
    pub state: State,
    pub message: Option<String>,
    pub commit: Option<Commit>,
    pub created_at: Timestamp,
    pub due_at: Timestamp,
    pub updated_at: Timestamp,
    pub committed_at: Option<Timestamp>,
    pub stuck_since: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

/// A state that an operation came into.
#[derive(Clone, Debug)]
pub struct Event {
    pub sequence: i64,
    pub operation: Uuid,
    pub state: State,
    pub message: Option<String>,
    pub at: Timestamp,
}

/// What an operation is accepted with.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// The intent of its commit. The same once more changes nothing.
    pub id: Uuid,
    pub intent: &'a Intent,
    pub order: Option<Uuid>,
    pub cause: Option<Uuid>,
    /// Not committed before.
    pub due: Timestamp,
}

/// What the row of the outbox is called whose commit is that of an operation.
pub fn commit_key(id: Uuid) -> String {
    format!("commit:{id}")
}

/// Accepts a change: it is written down with the commit that has to follow.
pub async fn accept(
    db: &mut PgConnection,
    new: New<'_>,
    now: Timestamp,
) -> Result<Operation, OperationError> {
    let New { id, intent, order, cause, due } = new;
    let Intent { tenant, change, undo, follow_up, asker } = intent;
    let inserted = sqlx::query(
        "insert into operation (id, kind, tenant, subscription, account_id, role, author, email, request_id,
            change, undo, follow_up, order_id, cause_id, state, created_at, due_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'accepted', $15, $16, $15)
         on conflict do nothing",
    )
    .bind(id)
    .bind(change.kind().word())
    .bind(tenant.as_str())
    .bind(change.subscription().map(Name::as_str))
    .bind(asker.account)
    .bind(asker.role_word())
    .bind(&asker.author)
    .bind(&asker.email)
    .bind(&asker.request_id)
    .bind(Json(change))
    .bind(undo.as_ref().map(Json))
    .bind(follow_up.as_ref().map(Json))
    .bind(order)
    .bind(cause)
    .bind(stamp(now))
    .bind(stamp(due))
    .execute(&mut *db)
    .await?;
    if inserted.rows_affected() == 1 {
        write_event(db, id, State::Accepted, None, now).await?;
        let payload = json!({ "operation": id });
        outbox::put_for(db, Kind::Commit, &commit_key(id), &payload, now, due).await?;
    }
    find(db, id).await
}

/// Moves a locked operation on. The same state with the same words once more is no news.
pub async fn enter(
    db: &mut PgConnection,
    operation: &Operation,
    state: State,
    message: Option<&str>,
    now: Timestamp,
) -> Result<(), OperationError> {
    if operation.state == state && operation.message.as_deref() == message {
        return Ok(());
    }
    sqlx::query(
        "update operation set state = $2, message = $3, updated_at = $4,
            ended_at = case when $5 then $4 end
         where id = $1",
    )
    .bind(operation.id)
    .bind(state.word())
    .bind(message)
    .bind(stamp(now))
    .bind(state.is_end())
    .execute(&mut *db)
    .await?;
    write_event(db, operation.id, state, message, now).await
}

/// Says which commit a locked operation is.
pub async fn committed(
    db: &mut PgConnection,
    operation: &Operation,
    commit: &Commit,
    now: Timestamp,
) -> Result<(), OperationError> {
    sqlx::query("update operation set commit_id = $2, committed_at = $3 where id = $1")
        .bind(operation.id)
        .bind(commit.as_str())
        .bind(stamp(now))
        .execute(&mut *db)
        .await?;
    enter(db, operation, State::Committed, None, now).await
}

/// Says since when something keeps a locked operation from going on, or that nothing does.
pub async fn stuck(
    db: &mut PgConnection,
    id: Uuid,
    since: Option<Timestamp>,
) -> Result<(), OperationError> {
    sqlx::query("update operation set stuck_since = $2 where id = $1")
        .bind(id)
        .bind(since.map(stamp))
        .execute(db)
        .await?;
    Ok(())
}

async fn write_event(
    db: &mut PgConnection,
    id: Uuid,
    state: State,
    message: Option<&str>,
    now: Timestamp,
) -> Result<(), OperationError> {
    sqlx::query(
        "insert into operation_event (operation_id, state, message, at) values ($1, $2, $3, $4)",
    )
    .bind(id)
    .bind(state.word())
    .bind(message)
    .bind(stamp(now))
    .execute(db)
    .await?;
    Ok(())
}
