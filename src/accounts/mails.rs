//! The mails that accounts ask for, as the outbox takes them.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Accounts;
use super::error::AccountError;
use super::token;
use super::token::Use;
use crate::model::Secret;
use crate::outbox;
use crate::outbox::Kind;
use crate::outbox::Mail;
use crate::postgres::stamp;

/// Whom a mail goes to.
pub(super) struct Recipient<'a> {
    pub(super) account: Uuid,
    pub(super) email: &'a str,
    pub(super) name: &'a str,
    pub(super) language: &'a str,
}

/// A link that may be used once, before it is written.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) purpose: &'static str,
    pub(super) lasts: jiff::SignedDuration,
    /// The same mail goes out once within this many seconds, however often it is asked for.
    pub(super) every_seconds: i64,
}

/// Puts a mail into the outbox. Says whether it was not there before.
pub(super) async fn send(
    connection: &mut PgConnection,
    template: &str,
    fact: &str,
    to: &Recipient<'_>,
    mut values: Value,
    now: Timestamp,
) -> Result<bool, AccountError> {
    if let Value::Object(values) = &mut values {
        values.insert("name".to_owned(), to.name.into());
    }
    let mail = Mail {
        template: template.to_owned(),
        to: to.email.to_owned(),
        language: to.language.to_owned(),
        values,
    };
    let key = format!("mail:{template}:{}:{fact}", to.account);
    outbox::put(connection, Kind::Mail, &key, &mail, now).await.map_err(AccountError::of)
}

/// Mails a link that may be used once, unless the same was mailed a moment ago.
pub(super) async fn send_link(
    connection: &mut PgConnection,
    link: Link,
    to: &Recipient<'_>,
    now: Timestamp,
) -> Result<(), AccountError> {
    let (secret, hash) = token::fresh(Use::Mail)?;
    let expires = now + link.lasts;
    let slot = (now.as_second() / link.every_seconds).to_string();
    let values = serde_json::json!({ "token": secret.reveal(), "expiresAt": expires });
    if !send(connection, link.purpose, &slot, to, values, now).await? {
        return Ok(());
    }
    sqlx::query(
        "insert into mail_token (hash, account_id, purpose, created_at, expires_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(&hash[..])
    .bind(to.account)
    .bind(link.purpose)
    .bind(stamp(now))
    .bind(stamp(expires))
    .execute(connection)
    .await
    .map_err(AccountError::of)?;
    Ok(())
}

/// Uses a link, and says whose it was.
pub(super) async fn use_link(
    connection: &mut PgConnection,
    purpose: &'static str,
    secret: &Secret,
    now: Timestamp,
) -> Result<Uuid, AccountError> {
    let hash = token::hash(Use::Mail, secret).ok_or(AccountError::Token)?;
    let used: Option<(Uuid,)> = sqlx::query_as(
        "update mail_token set used_at = $3
         where hash = $1 and purpose = $2 and used_at is null and expires_at > $3
         returning account_id",
    )
    .bind(&hash[..])
    .bind(purpose)
    .bind(stamp(now))
    .fetch_optional(connection)
    .await
    .map_err(AccountError::of)?;
    used.map(|(account,)| account).ok_or(AccountError::Token)
}

impl Accounts {
    /// The address of whom a link was mailed to, while it can be used. It stays unused.
    pub(super) async fn owner_of_link(
        &self,
        purpose: &'static str,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<String, AccountError> {
        let hash = token::hash(Use::Mail, secret).ok_or(AccountError::Token)?;
        let owner: Option<(String,)> = sqlx::query_as(
            "select email from mail_token join user_account on user_account.id = mail_token.account_id
             where hash = $1 and purpose = $2 and used_at is null and expires_at > $3
                 and disabled_at is null",
        )
        .bind(&hash[..])
        .bind(purpose)
        .bind(stamp(now))
        .fetch_optional(self.pool()?)
        .await
        .map_err(self.failed())?;
        owner.map(|(email,)| email).ok_or(AccountError::Token)
    }
}
