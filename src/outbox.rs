//! What has to follow from a fact: a mail to send, a commit to make, an order that may go on. It is
//! written in the transaction of the fact, under a key that makes it unique, and carried out later;
//! so it neither happens without the fact, nor is forgotten, nor happens twice because the fact was
//! told twice.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::PgPool;
use uuid::Uuid;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Mail,
    Commit,
    /// A payment that an order waits for is there.
    Paid,
}

impl Kind {
    /// As the table has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Commit => "commit",
            Self::Paid => "paid",
        }
    }
}

/// A mail to one person: the payload of [`Kind::Mail`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Such as `verify`.
    pub template: String,
    pub to: String,
    /// By ISO 639-1.
    pub language: String,
    /// What the template fills in.
    pub values: Value,
}

/// A payment arrived in time for its order: the payload of [`Kind::Paid`], under the key
/// `paid:<payment>`. The money is in the customer's wallet by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    pub payment: Uuid,
    pub order: Uuid,
    /// The name of the document `Tenant`.
    pub customer: String,
}

/// Puts something into the outbox, to be done at once. Says whether it was not there before.
///
/// Call it in the transaction that writes the fact. `key` names the fact, such as
/// `mail:verify:<account>:<day>`.
pub async fn put(
    connection: &mut PgConnection,
    kind: Kind,
    key: &str,
    payload: &impl Serialize,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    put_for(connection, kind, key, payload, now, now).await
}

/// The same, to be done at a time and not before.
pub async fn put_for(
    connection: &mut PgConnection,
    kind: Kind,
    key: &str,
    payload: &impl Serialize,
    now: Timestamp,
    due: Timestamp,
) -> Result<bool, sqlx::Error> {
    let payload =
        serde_json::to_value(payload).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let put = sqlx::query(
        "insert into outbox (id, kind, key, payload, created_at, due_at)
         values ($1, $2, $3, $4, $5, $6) on conflict (key) do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(kind.word())
    .bind(key)
    .bind(sqlx::types::Json(payload))
    .bind(now.to_sqlx())
    .bind(due.to_sqlx())
    .execute(connection)
    .await?;
    Ok(put.rows_affected() == 1)
}

/// Something to carry out that is nobody else's until its lease is over.
#[derive(Clone, Debug)]
pub struct Leased {
    pub id: Uuid,
    pub key: String,
    pub payload: Value,
    pub created_at: Timestamp,
    /// How often somebody took it, this time included.
    pub attempts: u32,
    worker: Uuid,
}

/// Takes what is due, so much at most, the oldest first. What somebody took and did not finish is
/// free again when its lease is over.
pub async fn lease(
    pool: &PgPool,
    kind: Kind,
    at_most: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Leased>, sqlx::Error> {
    type Row = (Uuid, String, sqlx::types::Json<Value>, jiff_sqlx::Timestamp, i32);
    let worker = Uuid::now_v7();
    let rows: Vec<Row> = sqlx::query_as(
        "update outbox set leased_by = $2, leased_until = $4, attempts = attempts + 1
         where id in (
             select id from outbox
             where kind = $1 and done_at is null and failed_at is null and due_at <= $3
                 and (leased_until is null or leased_until <= $3)
             order by due_at, id limit $5 for update skip locked)
         returning id, key, payload, created_at, attempts",
    )
    .bind(kind.word())
    .bind(worker)
    .bind(now.to_sqlx())
    .bind(until.to_sqlx())
    .bind(at_most)
    .fetch_all(pool)
    .await?;
    let leased = |(id, key, payload, created_at, attempts): Row| Leased {
        id,
        key,
        payload: payload.0,
        created_at: created_at.to_jiff(),
        attempts: attempts.unsigned_abs(),
        worker,
    };
    let mut leased: Vec<Leased> = rows.into_iter().map(leased).collect();
    leased.sort_by_key(|one| (one.created_at, one.id));
    Ok(leased)
}

/// Says that it is done, and what came of it, in the transaction that writes that down. False where
/// the lease was over and somebody else took it: then nothing of it may be written here.
pub async fn done(
    connection: &mut PgConnection,
    leased: &Leased,
    result: &impl Serialize,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let result =
        serde_json::to_value(result).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let done = sqlx::query(
        "update outbox set done_at = $3, result = $4, last_error = null, leased_by = null, leased_until = null
         where id = $1 and leased_by = $2 and done_at is null",
    )
    .bind(leased.id)
    .bind(leased.worker)
    .bind(now.to_sqlx())
    .bind(sqlx::types::Json(result))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts it off to a later time, because of a failure that may pass.
pub async fn put_off(
    pool: &PgPool,
    leased: &Leased,
    due: Timestamp,
    why: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set due_at = $3, last_error = $4, leased_by = null, leased_until = null
         where id = $1 and leased_by = $2 and done_at is null",
    )
    .bind(leased.id)
    .bind(leased.worker)
    .bind(due.to_sqlx())
    .bind(why)
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes back what nobody has begun. False where somebody has, or it is done.
pub async fn withdraw(
    connection: &mut PgConnection,
    key: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let withdrawn = sqlx::query(
        "update outbox set done_at = $2, result = '{\"withdrawn\": true}'
         where key = $1 and attempts = 0 and leased_by is null and done_at is null",
    )
    .bind(key)
    .bind(now.to_sqlx())
    .execute(connection)
    .await?;
    Ok(withdrawn.rows_affected() == 1)
}

/// Says that a mail was sent, and takes out of it what may be secret. False where the lease was
/// over and somebody else took it.
pub async fn sent(
    connection: &mut PgConnection,
    leased: &Leased,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sent = sqlx::query(
        "update outbox set done_at = $3, payload = payload - 'values', last_error = null,
             leased_by = null, leased_until = null
         where id = $1 and leased_by = $2 and done_at is null",
    )
    .bind(leased.id)
    .bind(leased.worker)
    .bind(now.to_sqlx())
    .execute(connection)
    .await?;
    Ok(sent.rows_affected() == 1)
}

/// Gives it up, for a person to look at, and takes out of it what may be secret.
pub async fn give_up(
    pool: &PgPool,
    leased: &Leased,
    why: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set failed_at = $3, last_error = $4, payload = payload #- '{values,token}',
             leased_by = null, leased_until = null
         where id = $1 and leased_by = $2 and done_at is null",
    )
    .bind(leased.id)
    .bind(leased.worker)
    .bind(now.to_sqlx())
    .bind(why)
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets what was done before a time. Of a mail its key stays, because nothing else says that the
/// fact was told; whom it went to and what it said goes. Says how many rows that were.
pub async fn clean(pool: &PgPool, before: Timestamp) -> Result<u64, sqlx::Error> {
    let mails = sqlx::query(
        "update outbox set payload = '{}', result = null
         where kind = 'mail' and done_at <= $1 and payload <> '{}'",
    )
    .bind(before.to_sqlx())
    .execute(pool)
    .await?;
    let rest = sqlx::query("delete from outbox where kind <> 'mail' and done_at <= $1")
        .bind(before.to_sqlx())
        .execute(pool)
        .await?;
    Ok(mails.rows_affected() + rest.rows_affected())
}
