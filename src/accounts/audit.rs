//! Audit: who did what, when, from where, and what became of it. A line is written in the
//! transaction of the change it is about, so that there is neither a change without a line nor a
//! line without its change; what was refused is written alone. The database lets no line be
//! changed afterwards.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::Postgres;
use sqlx::Transaction;
use sqlx::types::Json;
use uuid::Uuid;

use super::Accounts;
use super::error::AccountError;
use super::principal::Principal;
use crate::model::Name;
use crate::postgres::stamp;

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// One id joins the answer, the log, the audit and what follows.
    pub request_id: String,
    /// None for the command line.
    pub address: Option<IpAddr>,
}

impl Origin {
    /// The command line on our own machine.
    pub fn command_line() -> Self {
        Self { request_id: Uuid::now_v7().to_string(), address: None }
    }
}

/// Who did it.
#[derive(Clone, Debug)]
pub enum Actor<'a> {
    /// Whoever is logged in.
    Principal(&'a Principal),
    /// Somebody who is not, where it is known for whom they act.
    Anonymous(Option<Uuid>),
    /// The command line, and background work.
    System,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Act {
    /// Such as `auth.login`.
    pub action: &'static str,
    /// What it was done to, such as `account 01890a5d-…`.
    pub subject: String,
    pub outcome: Outcome,
    /// What else there is to know; never a secret.
    pub detail: Value,
}

impl Act {
    /// Something that is done.
    pub fn done(action: &'static str, subject: String) -> Self {
        Self { action, subject, outcome: Outcome::Done, detail: json!({}) }
    }

    /// Something that was refused, and why.
    pub fn refused(action: &'static str, subject: String, reason: &str) -> Self {
        let detail = json!({ "reason": reason });
        Self { action, subject, outcome: Outcome::Refused, detail }
    }

    /// The same with what else there is to know.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }
}

/// Writes one line. A change's line is written by [`Accounts::conclude`].
pub(super) async fn write(
    connection: &mut PgConnection,
    actor: &Actor<'_>,
    act: &Act,
    origin: &Origin,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let (account, role, tenant) = match actor {
        Actor::Principal(principal) => (
            Some(principal.account),
            principal.standing.role().word(),
            principal.standing.tenant().map(Name::as_str),
        ),
        Actor::Anonymous(account) => (*account, "anonymous", None),
        Actor::System => (None, "system", None),
    };
    let outcome = match act.outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
    };
    sqlx::query(
        "insert into audit
             (id, at, account_id, role, tenant, action, subject, outcome, detail, request_id, address)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(Uuid::now_v7())
    .bind(stamp(now))
    .bind(account)
    .bind(role)
    .bind(tenant)
    .bind(act.action)
    .bind(&act.subject)
    .bind(outcome)
    .bind(Json(&act.detail))
    .bind(&origin.request_id)
    .bind(origin.address.map(|address| address.to_string()))
    .execute(connection)
    .await?;
    Ok(())
}

/// A line as it is read back.
#[derive(Clone, Debug)]
pub struct Line {
    pub id: Uuid,
    pub at: Timestamp,
    pub account: Option<Uuid>,
    /// The address of that account, as it is now.
    pub email: Option<String>,
    pub role: String,
    pub tenant: Option<String>,
    pub action: String,
    pub subject: String,
    pub outcome: String,
    pub detail: Value,
    pub request_id: String,
    pub address: Option<String>,
}

/// Which lines to read.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub tenant: Option<Name>,
    pub account: Option<Uuid>,
    pub action: Option<String>,
    pub request_id: Option<String>,
    /// Only what is older than this line.
    pub before: Option<(Timestamp, Uuid)>,
}

impl Accounts {
    /// Ends a change: writes its line and commits both, or neither.
    pub async fn conclude(
        &self,
        mut transaction: Transaction<'_, Postgres>,
        actor: &Actor<'_>,
        act: &Act,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        write(&mut transaction, actor, act, origin, now).await.map_err(self.failed())?;
        transaction.commit().await.map_err(self.failed())
    }

    /// Lines of audit, newest first; at most so many.
    pub async fn audit(&self, asked: &Asked, most: i64) -> Result<Vec<Line>, AccountError> {
        let (at, id) = asked.before.unzip();
        let rows: Vec<Row> = sqlx::query_as(
            "select audit.id, at, account_id, user_account.email, audit.role, audit.tenant,
                 action, subject, outcome, detail, request_id, address
             from audit left join user_account on user_account.id = audit.account_id
             where ($1::text is null or audit.tenant = $1)
                 and ($2::uuid is null or account_id = $2)
                 and ($3::text is null or action = $3)
                 and ($4::text is null or request_id = $4)
                 and ($5::timestamptz is null or (at, audit.id) < ($5, $6))
             order by at desc, audit.id desc
             limit $7",
        )
        .bind(asked.tenant.as_ref().map(Name::as_str))
        .bind(asked.account)
        .bind(&asked.action)
        .bind(&asked.request_id)
        .bind(at.map(stamp))
        .bind(id)
        .bind(most)
        .fetch_all(self.pool()?)
        .await
        .map_err(self.failed())?;
        Ok(rows.into_iter().map(line).collect())
    }
}

type Row = (
    Uuid,
    jiff_sqlx::Timestamp,
    Option<Uuid>,
    Option<String>,
    String,
    Option<String>,
    String,
    String,
    String,
    Json<Value>,
    String,
    Option<String>,
);

fn line(row: Row) -> Line {
    let (
        id,
        at,
        account,
        email,
        role,
        tenant,
        action,
        subject,
        outcome,
        detail,
        request_id,
        address,
    ) = row;
    Line {
        id,
        at: at.to_jiff(),
        account,
        email,
        role,
        tenant,
        action,
        subject,
        outcome,
        detail: detail.0,
        request_id,
        address,
    }
}
