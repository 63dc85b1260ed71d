//! Tickets for streams of events: a browser's `EventSource` sends no `Authorization`, and a token
//! in an address would stand in logs and histories for as long as it is good. A ticket is good for
//! half a minute, opens one stream in the name of one session, and is gone then.

use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use super::Accounts;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::error::AccountError;
use super::principal::Means;
use super::principal::Principal;
use super::principal::standing_of;
use super::token;
use super::token::Use;
use crate::model::Secret;
use crate::postgres::stamp;

/// How long a ticket waits to be used.
pub const LASTS: SignedDuration = SignedDuration::from_secs(30);

impl Accounts {
    /// Makes a ticket for a session, and says when it expires.
    pub async fn create_event_ticket(
        &self,
        principal: &Principal,
        session: Uuid,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(Secret, Timestamp), AccountError> {
        let (ticket, hash) = token::fresh(Use::Ticket)?;
        let expires = now + LASTS;
        let mut transaction = self.begin().await?;
        // Those that nobody came with are of no use to anybody.
        sqlx::query("delete from event_ticket where expires_at <= $1")
            .bind(stamp(now))
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        sqlx::query(
            "insert into event_ticket (hash, session_id, created_at, expires_at) values ($1, $2, $3, $4)",
        )
        .bind(&hash[..])
        .bind(session)
        .bind(stamp(now))
        .bind(stamp(expires))
        .execute(&mut *transaction)
        .await
        .map_err(self.failed())?;
        let act = Act::done("events.ticket", format!("session {session}"));
        self.conclude(transaction, &Actor::Principal(principal), &act, origin, now).await?;
        Ok((ticket, expires))
    }

    /// Uses a ticket up, and says who comes with it: whoever the session belongs to, as they stand
    /// now.
    pub async fn use_event_ticket(
        &self,
        ticket: &Secret,
        now: Timestamp,
    ) -> Result<Principal, AccountError> {
        let hash = token::hash(Use::Ticket, ticket).ok_or(AccountError::Token)?;
        let found: Option<(Uuid, Uuid, String, Option<String>)> = sqlx::query_as(
            "with used as (
                 delete from event_ticket where hash = $1 and expires_at > $2 returning session_id
             )
             select session.id, user_account.id, role, tenant
             from used
             join session on session.id = used.session_id
             join user_account on user_account.id = session.account_id
             where ended_at is null and session.expires_at > $2 and disabled_at is null",
        )
        .bind(&hash[..])
        .bind(stamp(now))
        .fetch_optional(self.pool()?)
        .await
        .map_err(self.failed())?;
        let (session, account, role, tenant) = found.ok_or(AccountError::Token)?;
        let standing = standing_of(&role, tenant.as_deref())?;
        Ok(Principal { account, standing, means: Means::Session(session) })
    }

    /// Whether somebody who was let in a while ago would still be let in as the same: nobody was
    /// logged out, dismissed or moved, and no token was revoked.
    pub async fn still_stands(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<bool, AccountError> {
        let (statement, id) = match &principal.means {
            Means::Session(id) => (
                "select role, tenant from user_account
                 join session on session.account_id = user_account.id
                 where user_account.id = $1 and disabled_at is null
                     and session.id = $2 and ended_at is null and session.expires_at > $3",
                id,
            ),
            Means::ApiToken { id, .. } => (
                "select role, tenant from user_account
                 join api_token on api_token.account_id = user_account.id
                 where user_account.id = $1 and disabled_at is null
                     and api_token.id = $2 and revoked_at is null and api_token.expires_at > $3",
                id,
            ),
        };
        let found: Option<(String, Option<String>)> = sqlx::query_as(statement)
            .bind(principal.account)
            .bind(id)
            .bind(stamp(now))
            .fetch_optional(self.pool()?)
            .await
            .map_err(self.failed())?;
        let Some((role, tenant)) = found else { return Ok(false) };
        Ok(standing_of(&role, tenant.as_deref())? == principal.standing)
    }
}
