//! What an admin sees and changes of people.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::Accounts;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::error::AccountError;
use super::me::Person;
use super::me::Row;
use super::me::read_person;
use super::principal::Principal;
use super::principal::Role;
use super::principal::Standing;
use super::principal::standing_of;
use super::sessions;
use crate::model::Name;
use crate::postgres::stamp;

/// What is to change of a person.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub standing: Option<Standing>,
    pub disabled: Option<bool>,
}

impl Accounts {
    /// People, the first to register first; at most so many, after one of them.
    pub async fn people(
        &self,
        tenant: Option<&Name>,
        after: Option<(Timestamp, Uuid)>,
        most: i64,
    ) -> Result<Vec<Person>, AccountError> {
        let (at, id) = after.unzip();
        let rows: Vec<Row> = sqlx::query_as(
            "select id, email, name, organisation, language, role, tenant,
                 created_at, verified_at, disabled_at
             from user_account
             where ($1::text is null or tenant = $1)
                 and ($2::timestamptz is null or (created_at, id) > ($2, $3))
             order by created_at, id
             limit $4",
        )
        .bind(tenant.map(Name::as_str))
        .bind(at.map(stamp))
        .bind(id)
        .bind(most)
        .fetch_all(self.pool()?)
        .await
        .map_err(self.failed())?;
        rows.into_iter().map(read_person).collect()
    }

    /// Changes a person's role, or lets them in no more. Their sessions and API tokens end, so
    /// that nothing goes on with the old rights. The last admin stays one.
    pub async fn change(
        &self,
        principal: &Principal,
        account: Uuid,
        change: &Change,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Person, AccountError> {
        let mut transaction = self.begin().await?;
        // All admins are locked, in order: two who demote each other at once do not both succeed.
        let admins: Vec<(Uuid,)> = sqlx::query_as(
            "select id from user_account where role = 'admin' and disabled_at is null order by id for update",
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(self.failed())?;
        let stays = change.standing.as_ref().is_none_or(|new| new.role() == Role::Admin)
            && change.disabled != Some(true);
        if admins == [(account,)] && !stays {
            return Err(AccountError::Conflict("this is the last admin: make another one first"));
        }
        let (role, tenant) = match &change.standing {
            Some(standing) => (Some(standing.role().word()), standing.tenant()),
            None => (None, None),
        };
        let row: Option<Row> = sqlx::query_as(
            "update user_account set
                 role = coalesce($2, role),
                 tenant = case when $2 is null then tenant else $3 end,
                 disabled_at = case $4 when true then coalesce(disabled_at, $5)
                     when false then null else disabled_at end
             where id = $1
             returning id, email, name, organisation, language, role, tenant,
                 created_at, verified_at, disabled_at",
        )
        .bind(account)
        .bind(role)
        .bind(tenant.map(Name::as_str))
        .bind(change.disabled)
        .bind(stamp(now))
        .fetch_optional(&mut *transaction)
        .await
        .map_err(self.failed())?;
        let person = read_person(row.ok_or(AccountError::Missing)?)?;
        sessions::end_all(&mut transaction, account, "changed", now).await?;
        let act = Act::done("users.change", format!("account {account}")).with(json!({
            "role": role,
            "tenant": tenant,
            "disabled": change.disabled,
        }));
        self.conclude(transaction, &Actor::Principal(principal), &act, origin, now).await?;
        Ok(person)
    }

    /// How somebody stands now, whatever a token of theirs says; none who is let in no more.
    pub async fn standing_now(&self, account: Uuid) -> Result<Option<Standing>, AccountError> {
        let row: Option<(String, Option<String>)> = sqlx::query_as(
            "select role, tenant from user_account where id = $1 and disabled_at is null",
        )
        .bind(account)
        .fetch_optional(self.pool()?)
        .await
        .map_err(self.failed())?;
        row.map(|(role, tenant)| standing_of(&role, tenant.as_deref())).transpose()
    }
}
