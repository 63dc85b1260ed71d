//! Deployment tokens: an operator makes one, and a client's own server registers itself with it,
//! once. It names the tenant, so that the server cannot.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Accounts;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::error::AccountError;
use super::error::Invalid;
use super::principal::Principal;
use super::token;
use super::token::Use;
use crate::model::Name;
use crate::model::Secret;
use crate::postgres::stamp;

/// A deployment token, without itself.
#[derive(Clone, Debug)]
pub struct DeploymentToken {
    pub id: Uuid,
    pub tenant: String,
    pub note: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub used_by: Option<String>,
    pub revoked_at: Option<Timestamp>,
}

/// A token that somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Whose server it is for.
    pub tenant: &'a Name,
    pub note: &'a str,
    /// How long it lasts.
    pub hours: i64,
}

type Row = (
    Uuid,
    String,
    String,
    jiff_sqlx::Timestamp,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<String>,
    Option<jiff_sqlx::Timestamp>,
);

fn read(row: Row) -> DeploymentToken {
    let (id, tenant, note, created, expires, used, used_by, revoked) = row;
    DeploymentToken {
        id,
        tenant,
        note,
        created_at: created.to_jiff(),
        expires_at: expires.to_jiff(),
        used_at: used.map(jiff_sqlx::Timestamp::to_jiff),
        used_by,
        revoked_at: revoked.map(jiff_sqlx::Timestamp::to_jiff),
    }
}

impl Accounts {
    /// Makes a token for a server of this tenant.
    pub async fn create_deployment_token(
        &self,
        principal: &Principal,
        wish: &Wish<'_>,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(DeploymentToken, Secret), AccountError> {
        let Wish { tenant, note, hours } = *wish;
        let mut wrong = Vec::new();
        if note.chars().count() > 200 || note.chars().any(char::is_control) {
            wrong.push(Invalid::new(
                "note",
                "the note is not one line of text",
                "write at most 200 characters on one line",
            ));
        }
        if !(1..=720).contains(&hours) {
            wrong.push(Invalid::new(
                "expires_in_hours",
                "a deployment token lasts between an hour and thirty days",
                "write a number from 1 to 720",
            ));
        }
        if !wrong.is_empty() {
            return Err(AccountError::Invalid(wrong));
        }
        let (secret, hash) = token::fresh(Use::Deployment)?;
        let mut transaction = self.begin().await?;
        let row: Row = sqlx::query_as(
            "insert into deployment_token
                 (id, hash, tenant, note, created_by, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             returning id, tenant, note, created_at, expires_at, used_at, used_by, revoked_at",
        )
        .bind(Uuid::now_v7())
        .bind(&hash[..])
        .bind(tenant.as_str())
        .bind(note)
        .bind(principal.account)
        .bind(stamp(now))
        .bind(stamp(now + SignedDuration::from_hours(hours)))
        .fetch_one(&mut *transaction)
        .await
        .map_err(self.failed())?;
        let made = read(row);
        let act = Act::done("deployment.create", format!("deployment token {}", made.id))
            .with(json!({ "tenant": tenant, "note": note }));
        self.conclude(transaction, &Actor::Principal(principal), &act, origin, now).await?;
        Ok((made, secret))
    }

    /// The newest tokens.
    pub async fn deployment_tokens(&self) -> Result<Vec<DeploymentToken>, AccountError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select id, tenant, note, created_at, expires_at, used_at, used_by, revoked_at
             from deployment_token order by created_at desc, id limit 200",
        )
        .fetch_all(self.pool()?)
        .await
        .map_err(self.failed())?;
        Ok(rows.into_iter().map(read).collect())
    }

    /// Revokes a token. Doing it again changes nothing.
    pub async fn revoke_deployment_token(
        &self,
        principal: &Principal,
        id: Uuid,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let mut transaction = self.begin().await?;
        let revoked = sqlx::query(
            "update deployment_token set revoked_at = coalesce(revoked_at, $2) where id = $1",
        )
        .bind(id)
        .bind(stamp(now))
        .execute(&mut *transaction)
        .await
        .map_err(self.failed())?;
        if revoked.rows_affected() == 0 {
            return Err(AccountError::Missing);
        }
        let act = Act::done("deployment.revoke", format!("deployment token {id}"));
        self.conclude(transaction, &Actor::Principal(principal), &act, origin, now).await
    }

    /// Uses a token for a host, and says whose it is. Call it in the transaction that registers
    /// the host: the token is used only where that succeeds.
    pub async fn use_deployment_token(
        &self,
        connection: &mut PgConnection,
        secret: &Secret,
        host: &Name,
        now: Timestamp,
    ) -> Result<Name, AccountError> {
        let hash = token::hash(Use::Deployment, secret).ok_or(AccountError::Token)?;
        let used: Option<(String,)> = sqlx::query_as(
            "update deployment_token set used_at = $2, used_by = $3
             where hash = $1 and used_at is null and revoked_at is null and expires_at > $2
             returning tenant",
        )
        .bind(&hash[..])
        .bind(stamp(now))
        .bind(host.as_str())
        .fetch_optional(connection)
        .await
        .map_err(self.failed())?;
        let (tenant,) = used.ok_or(AccountError::Token)?;
        tenant.parse().map_err(|error| AccountError::Internal(format!("{error}")))
    }
}
