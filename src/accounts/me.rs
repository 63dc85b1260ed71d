//! A person, as they and the operator see them.

use jiff::Timestamp;
use uuid::Uuid;

use super::Accounts;
use super::error::AccountError;
use super::principal::Standing;
use super::principal::standing_of;

/// A person who has an account.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub organisation: String,
    pub language: String,
    pub standing: Standing,
    pub created_at: Timestamp,
    pub verified_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
}

/// As the table has it.
pub(super) type Row = (
    Uuid,
    String,
    String,
    String,
    String,
    String,
    Option<String>,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
);

impl Accounts {
    /// A person by the id of the account.
    pub async fn person(&self, account: Uuid) -> Result<Person, AccountError> {
        let row: Option<Row> = sqlx::query_as(
            "select id, email, name, organisation, language, role, tenant,
                 created_at, verified_at, disabled_at
             from user_account where id = $1",
        )
        .bind(account)
        .fetch_optional(self.pool()?)
        .await
        .map_err(self.failed())?;
        read_person(row.ok_or(AccountError::Missing)?)
    }
}

pub(super) fn read_person(row: Row) -> Result<Person, AccountError> {
    let (id, email, name, organisation, language, role, tenant, created, verified, disabled) = row;
    Ok(Person {
        id,
        email,
        name,
        organisation,
        language,
        standing: standing_of(&role, tenant.as_deref())?,
        created_at: created.to_jiff(),
        verified_at: verified.map(jiff_sqlx::Timestamp::to_jiff),
        disabled_at: disabled.map(jiff_sqlx::Timestamp::to_jiff),
    })
}
