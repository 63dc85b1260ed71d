//! A forgotten password: a link by mail, and a new one.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;

use super::Accounts;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::email::Email;
use super::error::AccountError;
use super::mails;
use super::mails::Link;
use super::password;
use super::sessions;
use crate::model::Secret;
use crate::postgres::stamp;

pub(super) const RESET: Link = Link {
    purpose: "reset",
    asking: "auth.forgot",
    lasts: SignedDuration::from_mins(60),
    every_seconds: 120,
};

impl Accounts {
    /// Mails a link to set a new password. It tells nobody whether there is such an account.
    pub async fn forgot(
        &self,
        email: &str,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        self.offer_link(RESET, email, |known| !known.disabled, origin, now).await
    }

    /// Sets a new password by the link of a mail. That proves the address, too; every session and
    /// every API token ends, because somebody else may have made them.
    pub async fn reset(
        &self,
        link: &Secret,
        password: &Secret,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let address: Email = self.owner_of_link(RESET.purpose, link, now).await?.parse()?;
        // A password that is refused leaves the link as it was.
        password::check(password, &address)?;
        let hash = self.inner.hashing.hash(password).await?;
        let mut transaction = self.begin().await?;
        let account = mails::use_link(&mut transaction, RESET.purpose, link, now).await?;
        sqlx::query(
            "update user_account set password = $2, verified_at = coalesce(verified_at, $3) where id = $1",
        )
        .bind(account)
        .bind(hash)
        .bind(stamp(now))
        .execute(&mut *transaction)
        .await
        .map_err(self.failed())?;
        sqlx::query("update mail_token set used_at = $2 where account_id = $1 and used_at is null")
            .bind(account)
            .bind(stamp(now))
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        sessions::end_all(&mut transaction, account, "reset", now).await?;
        let to = self.recipient(&mut transaction, account).await?;
        let fact = now.as_second().to_string();
        mails::send(&mut transaction, "password-changed", &fact, &to, json!({}), now).await?;
        let act = Act::done("auth.reset", format!("account {account}"));
        self.conclude(transaction, &Actor::Anonymous(Some(account)), &act, origin, now).await
    }
}
