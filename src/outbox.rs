//! What has to follow from a fact: a mail to send, a commit to make, an order that may go on. It is written in the
//! transaction of the fact, under a key that makes it unique, and carried out later; so it neither
//! happens without the fact, nor is forgotten, nor happens twice because the fact was told twice.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
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
    let payload =
        serde_json::to_value(payload).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let put = sqlx::query(
        "insert into outbox (id, kind, key, payload, created_at, due_at)
         values ($1, $2, $3, $4, $5, $5) on conflict (key) do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(kind.word())
    .bind(key)
    .bind(sqlx::types::Json(payload))
    .bind(now.to_sqlx())
    .execute(connection)
    .await?;
    Ok(put.rows_affected() == 1)
}
