//! Logging in: the password, and the session it opens.

use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Accounts;
use super::access;
use super::audit;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::error::AccountError;
use super::limits::Try;
use super::principal::Standing;
use super::principal::standing_of;
use super::sessions;
use crate::model::Secret;

/// What somebody who was let in gets.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    pub access: Secret,
    pub access_expires_at: Timestamp,
    pub refresh: Secret,
    pub refresh_expires_at: Timestamp,
}

/// What the password was compared with.
struct Known {
    id: Uuid,
    password: String,
    role: String,
    tenant: Option<String>,
    verified: bool,
    disabled: bool,
}

/// A password that was right, and whose it is.
pub(super) struct RightPassword {
    pub(super) account: Uuid,
    pub(super) standing: Standing,
    pub(super) verified: bool,
    attempt: Try,
}

impl Accounts {
    /// Opens a session for whoever knows the password of a verified address.
    pub async fn login(
        &self,
        email: &str,
        password: &Secret,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<LoggedIn, AccountError> {
        let keys = self.keys(now).await?;
        let right = self.check_password("auth.login", email, password, origin, now).await?;
        let mut transaction = self.begin().await?;
        self.forgive(&mut transaction, &right.attempt).await?;
        if !right.verified {
            transaction.commit().await.map_err(self.failed())?;
            return Err(AccountError::Unverified);
        }
        let (session, refresh, refresh_expires_at) =
            sessions::open(&mut transaction, right.account, now).await?;
        let act = Act::done("auth.login", format!("session {session}"));
        let actor = Actor::Anonymous(Some(right.account));
        self.conclude(transaction, &actor, &act, origin, now).await?;
        let (access, access_expires_at) =
            access::issue(&keys, right.account, session, &right.standing, now);
        Ok(LoggedIn { access, access_expires_at, refresh, refresh_expires_at })
    }

    /// Compares a password. It takes as long for an address that nobody has, and counts tries.
    pub(super) async fn check_password(
        &self,
        action: &'static str,
        email: &str,
        password: &Secret,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<RightPassword, AccountError> {
        let email_key = email.to_lowercase();
        let attempt = self.count_try(&email_key, origin.address, now).await;
        if let Err(AccountError::Limited { .. }) = &attempt {
            self.refused(action, None, "limited", origin, now).await?;
        }
        let attempt = attempt?;
        let known = self.known(&email_key).await?;
        let hash = known.as_ref().map(|known| known.password.clone());
        let right = self.inner.hashing.verify(password, hash).await?;
        match known {
            Some(known) if right && !known.disabled => Ok(RightPassword {
                account: known.id,
                standing: standing_of(&known.role, known.tenant.as_deref())?,
                verified: known.verified,
                attempt,
            }),
            known => {
                let reason = match &known {
                    None => "unknown address",
                    Some(known) if known.disabled => "disabled",
                    Some(_) => "wrong password",
                };
                self.refused(action, known.map(|known| known.id), reason, origin, now).await?;
                Err(AccountError::Credentials)
            }
        }
    }

    /// Forgets failed tries of whoever turned out to be right.
    pub(super) async fn forgive_right(
        &self,
        connection: &mut PgConnection,
        right: &RightPassword,
    ) -> Result<(), AccountError> {
        self.forgive(connection, &right.attempt).await
    }

    async fn known(&self, email_key: &str) -> Result<Option<Known>, AccountError> {
        type Row = (Uuid, String, String, Option<String>, bool, bool);
        let row: Option<Row> = sqlx::query_as(
            "select id, password, role, tenant, verified_at is not null, disabled_at is not null
             from user_account where email_key = $1",
        )
        .bind(email_key)
        .fetch_optional(self.pool()?)
        .await
        .map_err(self.failed())?;
        Ok(row.map(|(id, password, role, tenant, verified, disabled)| Known {
            id,
            password,
            role,
            tenant,
            verified,
            disabled,
        }))
    }

    /// Writes down that somebody was refused.
    pub(super) async fn refused(
        &self,
        action: &'static str,
        account: Option<Uuid>,
        reason: &str,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let subject = account.map_or_else(|| "nobody".to_owned(), |id| format!("account {id}"));
        let act = Act::refused(action, subject, reason);
        let mut connection = self.pool()?.acquire().await.map_err(self.failed())?;
        audit::write(&mut connection, &Actor::Anonymous(account), &act, origin, now)
            .await
            .map_err(self.failed())
    }
}
