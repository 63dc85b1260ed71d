//! Sessions: refresh tokens that change with every use, and the end of those that somebody copied.

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Accounts;
use super::access;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::error::AccountError;
use super::login::LoggedIn;
use super::principal::Principal;
use super::principal::standing_of;
use super::token;
use super::token::Use;
use crate::model::Secret;
use crate::postgres::stamp;

/// How long somebody stays logged in who does nothing.
const IDLE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long a session lasts, however often it is refreshed.
const WHOLE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Opens a session with its first refresh token, and says when that expires.
pub(super) async fn open(
    connection: &mut PgConnection,
    account: Uuid,
    now: Timestamp,
) -> Result<(Uuid, Secret, Timestamp), AccountError> {
    let session = Uuid::now_v7();
    let ends = now + WHOLE;
    sqlx::query(
        "insert into session (id, account_id, created_at, expires_at) values ($1, $2, $3, $4)",
    )
    .bind(session)
    .bind(account)
    .bind(stamp(now))
    .bind(stamp(ends))
    .execute(&mut *connection)
    .await
    .map_err(AccountError::of)?;
    let (refresh, expires) = next(connection, session, ends, now).await?;
    Ok((session, refresh, expires))
}

/// The next refresh token of a session.
async fn next(
    connection: &mut PgConnection,
    session: Uuid,
    ends: Timestamp,
    now: Timestamp,
) -> Result<(Secret, Timestamp), AccountError> {
    let (refresh, hash) = token::fresh(Use::Refresh)?;
    let expires = (now + IDLE).min(ends);
    sqlx::query(
        "insert into refresh_token (hash, session_id, created_at, expires_at) values ($1, $2, $3, $4)",
    )
    .bind(&hash[..])
    .bind(session)
    .bind(stamp(now))
    .bind(stamp(expires))
    .execute(connection)
    .await
    .map_err(AccountError::of)?;
    Ok((refresh, expires))
}

/// Ends all sessions of an account, and the API tokens that were made in them.
pub(super) async fn end_all(
    connection: &mut PgConnection,
    account: Uuid,
    ending: &'static str,
    now: Timestamp,
) -> Result<(), AccountError> {
    sqlx::query(
        "update session set ended_at = $2, ending = $3 where account_id = $1 and ended_at is null",
    )
    .bind(account)
    .bind(stamp(now))
    .bind(ending)
    .execute(&mut *connection)
    .await
    .map_err(AccountError::of)?;
    sqlx::query(
        "update api_token set revoked_at = $2 where account_id = $1 and revoked_at is null",
    )
    .bind(account)
    .bind(stamp(now))
    .execute(connection)
    .await
    .map_err(AccountError::of)?;
    Ok(())
}

impl Accounts {
    /// Changes a refresh token for the next one. An old one ends the session: either its owner or
    /// a thief has used it before, and nobody can tell who comes now (RFC 9700, 4.14.2).
    pub async fn refresh(
        &self,
        refresh: &Secret,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<LoggedIn, AccountError> {
        type Row = (
            Uuid,
            Uuid,
            jiff_sqlx::Timestamp,
            bool,
            jiff_sqlx::Timestamp,
            bool,
            String,
            Option<String>,
            bool,
        );
        let keys = self.keys(now).await?;
        let hash = token::hash(Use::Refresh, refresh).ok_or(AccountError::Token)?;
        let mut transaction = self.begin().await?;
        // The session is locked: of two who come at once with the same token, one is late.
        let row: Option<Row> = sqlx::query_as(
            "select session.id, user_account.id, session.expires_at, session.ended_at is not null,
                 refresh_token.expires_at, refresh_token.used_at is not null,
                 user_account.role, user_account.tenant, user_account.disabled_at is not null
             from session
             join refresh_token on refresh_token.session_id = session.id
             join user_account on user_account.id = session.account_id
             where refresh_token.hash = $1
             for update of session",
        )
        .bind(&hash[..])
        .fetch_optional(&mut *transaction)
        .await
        .map_err(self.failed())?;
        let Some((session, account, ends, ended, expires, _, role, tenant, disabled)) = row else {
            return Err(AccountError::Token);
        };
        // What was read while waiting for the lock may be old by now.
        let (used,): (bool,) =
            sqlx::query_as("select used_at is not null from refresh_token where hash = $1")
                .bind(&hash[..])
                .fetch_one(&mut *transaction)
                .await
                .map_err(self.failed())?;
        let subject = format!("session {session}");
        let actor = Actor::Anonymous(Some(account));
        if used && !ended {
            sqlx::query("update session set ended_at = $2, ending = 'reuse' where id = $1 and ended_at is null")
                .bind(session)
                .bind(stamp(now))
                .execute(&mut *transaction)
                .await
                .map_err(self.failed())?;
            let act = Act::refused("auth.refresh", subject, "reuse");
            self.conclude(transaction, &actor, &act, origin, now).await?;
            return Err(AccountError::Reused);
        }
        if used || ended || disabled || ends.to_jiff() <= now || expires.to_jiff() <= now {
            return Err(AccountError::Token);
        }
        sqlx::query("update refresh_token set used_at = $2 where hash = $1")
            .bind(&hash[..])
            .bind(stamp(now))
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        let (refresh, refresh_expires_at) =
            next(&mut transaction, session, ends.to_jiff(), now).await?;
        let act = Act::done("auth.refresh", subject);
        self.conclude(transaction, &actor, &act, origin, now).await?;
        let standing = standing_of(&role, tenant.as_deref())?;
        let (access, access_expires_at) = access::issue(&keys, account, session, &standing, now);
        Ok(LoggedIn { access, access_expires_at, refresh, refresh_expires_at })
    }

    /// Ends the session. Doing it again changes nothing.
    pub async fn logout(
        &self,
        principal: &Principal,
        session: Uuid,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "update session set ended_at = $3, ending = 'logout'
             where id = $1 and account_id = $2 and ended_at is null",
        )
        .bind(session)
        .bind(principal.account)
        .bind(stamp(now))
        .execute(&mut *transaction)
        .await
        .map_err(self.failed())?;
        let act = Act::done("auth.logout", format!("session {session}"));
        self.conclude(transaction, &Actor::Principal(principal), &act, origin, now).await
    }
}
