//! The mails that accounts ask for, as the outbox takes them.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Map;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Accounts;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::error::AccountError;
use super::reset::RESET;
use super::token;
use super::token::Use;
use crate::model::Name;
use crate::model::Secret;
use crate::outbox;
use crate::outbox::Kind;
use crate::outbox::Mail;
use crate::postgres::stamp;

/// How long the link of a handover works: it is read when its reader has time, and a forgotten
/// password gets a new one at any time.
const HANDOVER: SignedDuration = SignedDuration::from_hours(72);

/// Whom a mail goes to.
pub(super) struct Recipient {
    pub(super) account: Uuid,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) language: String,
}

/// Somebody who has an account, and whether mails reach them.
pub(super) struct Addressee {
    pub(super) recipient: Recipient,
    pub(super) verified: bool,
    pub(super) disabled: bool,
}

/// A link that may be used once, before it is written.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) purpose: &'static str,
    /// What audit calls it when somebody asks for it.
    pub(super) asking: &'static str,
    pub(super) lasts: SignedDuration,
    /// The same mail goes out once within this many seconds, however often it is asked for.
    pub(super) every_seconds: i64,
}

/// Puts a mail into the outbox. Says whether it was not there before.
pub(super) async fn send(
    connection: &mut PgConnection,
    template: &str,
    fact: &str,
    to: &Recipient,
    mut values: Value,
    now: Timestamp,
) -> Result<bool, AccountError> {
    if let Value::Object(values) = &mut values {
        values.insert("name".to_owned(), to.name.clone().into());
    }
    let mail = Mail {
        template: template.to_owned(),
        to: to.email.clone(),
        language: to.language.clone(),
        values,
    };
    let key = format!("mail:{template}:{}:{fact}", to.account);
    outbox::put(connection, Kind::Mail, &key, &mail, now).await.map_err(AccountError::of)
}

/// Mails a fact to whoever has an account, in the transaction that writes it: once, however often
/// it is told. Says whether it was not told before.
pub async fn tell_account(
    connection: &mut PgConnection,
    account: Uuid,
    template: &str,
    fact: &str,
    values: Value,
    now: Timestamp,
) -> Result<bool, AccountError> {
    let to = recipient(connection, account).await.map_err(AccountError::of)?;
    send(connection, template, fact, &to, values, now).await
}

async fn recipient(connection: &mut PgConnection, account: Uuid) -> Result<Recipient, sqlx::Error> {
    let (email, name, language) =
        sqlx::query_as("select email, name, language from user_account where id = $1")
            .bind(account)
            .fetch_one(connection)
            .await?;
    Ok(Recipient { account, email, name, language })
}

/// Mails a fact to everybody of a tenant whom mails reach, each once. Says to how many.
///
/// Call it in the transaction that writes the fact; `fact` names it, such as the id of a payment.
pub async fn tell_tenant(
    connection: &mut PgConnection,
    template: &str,
    fact: &str,
    tenant: &Name,
    values: &Value,
    now: Timestamp,
) -> Result<usize, AccountError> {
    let whom = sqlx::query_as(
        "select id, email, name, language from user_account
         where tenant = $1 and verified_at is not null and disabled_at is null order by id",
    );
    let rows = whom.bind(tenant.as_str()).fetch_all(&mut *connection).await;
    let rows = rows.map_err(AccountError::of)?;
    tell_all(connection, template, fact, rows, values, now).await
}

/// Mails a fact to everybody who works for the operator and whom mails reach, each once. Says to how
/// many.
pub async fn tell_operators(
    connection: &mut PgConnection,
    template: &str,
    fact: &str,
    values: &Value,
    now: Timestamp,
) -> Result<usize, AccountError> {
    let whom = sqlx::query_as(
        "select id, email, name, language from user_account
         where role <> 'customer' and verified_at is not null and disabled_at is null order by id",
    );
    let rows = whom.fetch_all(&mut *connection).await.map_err(AccountError::of)?;
    tell_all(connection, template, fact, rows, values, now).await
}

async fn tell_all(
    connection: &mut PgConnection,
    template: &str,
    fact: &str,
    rows: Vec<(Uuid, String, String, String)>,
    values: &Value,
    now: Timestamp,
) -> Result<usize, AccountError> {
    let mut told = 0;
    for (account, email, name, language) in rows {
        let to = Recipient { account, email, name, language };
        told += usize::from(send(connection, template, fact, &to, values.clone(), now).await?);
    }
    Ok(told)
}

/// Mails a link that may be used once, unless the same was mailed a moment ago.
pub(super) async fn send_link(
    connection: &mut PgConnection,
    link: Link,
    to: &Recipient,
    now: Timestamp,
) -> Result<(), AccountError> {
    let slot = (now.as_second() / link.every_seconds).to_string();
    let mail = Linked { template: link.purpose, fact: &slot, purpose: link.purpose };
    send_linked(connection, mail, to, Value::Object(Map::new()), now + link.lasts, now).await
}

/// A mail with a link in it.
struct Linked<'a> {
    template: &'a str,
    fact: &'a str,
    purpose: &'static str,
}

/// Mails a link that may be used once, with what else the mail says, unless the fact is told.
async fn send_linked(
    connection: &mut PgConnection,
    mail: Linked<'_>,
    to: &Recipient,
    mut values: Value,
    expires: Timestamp,
    now: Timestamp,
) -> Result<(), AccountError> {
    let (secret, hash) = token::fresh(Use::Mail)?;
    values["token"] = secret.reveal().into();
    values["expiresAt"] = expires.to_string().into();
    if !send(connection, mail.template, mail.fact, to, values, now).await? {
        return Ok(());
    }
    sqlx::query(
        "insert into mail_token (hash, account_id, purpose, created_at, expires_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(&hash[..])
    .bind(to.account)
    .bind(mail.purpose)
    .bind(stamp(now))
    .bind(stamp(expires))
    .execute(connection)
    .await
    .map_err(AccountError::of)?;
    Ok(())
}

/// Hands over what was ordered: where it is, as whom to sign in to the portal, and a link to set the
/// password for that, which works once. Never a password. Once for each fact.
pub async fn hand_over(
    connection: &mut PgConnection,
    account: Uuid,
    fact: &str,
    mut values: Value,
    now: Timestamp,
) -> Result<(), AccountError> {
    let to = recipient(connection, account).await.map_err(AccountError::of)?;
    values["user"] = to.email.clone().into();
    let mail = Linked { template: "instance-ready", fact, purpose: RESET.purpose };
    send_linked(connection, mail, &to, values, now + HANDOVER, now).await
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
    /// Mails a link to whoever has this address, where they are to get it. It tells nobody whether
    /// there is such an account.
    pub(super) async fn offer_link(
        &self,
        link: Link,
        email: &str,
        gets_it: impl FnOnce(&Addressee) -> bool,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let mut transaction = self.begin().await?;
        let known = self.addressee(&mut transaction, &email.trim().to_lowercase()).await?;
        let Some(Addressee { recipient, .. }) = known.filter(gets_it) else { return Ok(()) };
        send_link(&mut transaction, link, &recipient, now).await?;
        let account = recipient.account;
        let act = Act::done(link.asking, format!("account {account}"));
        self.conclude(transaction, &Actor::Anonymous(Some(account)), &act, origin, now).await
    }

    /// Who has this address, by its key.
    pub(super) async fn addressee(
        &self,
        connection: &mut PgConnection,
        key: &str,
    ) -> Result<Option<Addressee>, AccountError> {
        let row: Option<(Uuid, String, String, String, bool, bool)> = sqlx::query_as(
            "select id, email, name, language, verified_at is not null, disabled_at is not null
             from user_account where email_key = $1",
        )
        .bind(key)
        .fetch_optional(connection)
        .await
        .map_err(self.failed())?;
        Ok(row.map(|(account, email, name, language, verified, disabled)| Addressee {
            recipient: Recipient { account, email, name, language },
            verified,
            disabled,
        }))
    }

    /// Whom the mails of an account go to.
    pub(super) async fn recipient(
        &self,
        connection: &mut PgConnection,
        account: Uuid,
    ) -> Result<Recipient, AccountError> {
        recipient(connection, account).await.map_err(self.failed())
    }

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
