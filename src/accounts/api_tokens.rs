//! API tokens: for machines, with the rights of the account that made them, or fewer.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::Accounts;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::error::AccountError;
use super::error::Invalid;
use super::principal::Means;
use super::principal::Principal;
use super::principal::Scope;
use super::principal::standing_of;
use super::token;
use super::token::Use;
use crate::model::Secret;
use crate::postgres::stamp;

/// The longest life of a token, in days.
pub const LONGEST_DAYS: i64 = 366;
/// How many an account may have that are good.
const MOST: i64 = 50;
/// Its last use is written down no more often than this: reading must not cost a write each time.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// An API token, without itself.
#[derive(Clone, Debug)]
pub struct ApiToken {
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// A token that somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// What uses it.
    pub name: &'a str,
    pub scopes: &'a [Scope],
    /// How long it lasts.
    pub days: i64,
}

type Row = (
    Uuid,
    String,
    Vec<String>,
    jiff_sqlx::Timestamp,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
);

fn read(row: Row) -> ApiToken {
    let (id, name, scopes, created, expires, used, revoked) = row;
    ApiToken {
        id,
        name,
        scopes: read_scopes(&scopes),
        created_at: created.to_jiff(),
        expires_at: expires.to_jiff(),
        last_used_at: used.map(jiff_sqlx::Timestamp::to_jiff),
        revoked_at: revoked.map(jiff_sqlx::Timestamp::to_jiff),
    }
}

fn read_scopes(words: &[String]) -> Vec<Scope> {
    let known = [Scope::Read, Scope::Write];
    words.iter().filter_map(|word| known.into_iter().find(|scope| scope.word() == word)).collect()
}

impl Accounts {
    /// Makes a token. What is returned with it is shown once and never again.
    pub async fn create_api_token(
        &self,
        principal: &Principal,
        wish: &Wish<'_>,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(ApiToken, Secret), AccountError> {
        let mut wrong = Vec::new();
        let days = wish.days;
        let name = wish.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            wrong.push(Invalid::new(
                "name",
                "the name is not one line of text",
                "write 1 to 100 characters that tell what uses it",
            ));
        }
        let mut scopes = wish.scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            wrong.push(Invalid::new(
                "scopes",
                "a token without scopes could do nothing",
                "name `read`, `write` or both",
            ));
        }
        if !(1..=LONGEST_DAYS).contains(&days) {
            wrong.push(Invalid::new(
                "expires_in_days",
                "a token lasts between a day and a year",
                "write a number from 1 to 366",
            ));
        }
        if !wrong.is_empty() {
            return Err(AccountError::Invalid(wrong));
        }
        let (secret, hash) = token::fresh(Use::Api)?;
        let words: Vec<String> = scopes.iter().map(|scope| scope.word().to_owned()).collect();
        let mut transaction = self.begin().await?;
        // The account is locked while its tokens are counted.
        sqlx::query("select 1 from user_account where id = $1 for update")
            .bind(principal.account)
            .execute(&mut *transaction)
            .await
            .map_err(self.failed())?;
        let (good,): (i64,) = sqlx::query_as(
            "select count(*) from api_token
             where account_id = $1 and revoked_at is null and expires_at > $2",
        )
        .bind(principal.account)
        .bind(stamp(now))
        .fetch_one(&mut *transaction)
        .await
        .map_err(self.failed())?;
        if good >= MOST {
            return Err(AccountError::Conflict(
                "there are 50 tokens already: revoke one that nobody uses",
            ));
        }
        let row: Row = sqlx::query_as(
            "insert into api_token (id, account_id, name, hash, scopes, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             returning id, name, scopes, created_at, expires_at, last_used_at, revoked_at",
        )
        .bind(Uuid::now_v7())
        .bind(principal.account)
        .bind(name)
        .bind(&hash[..])
        .bind(&words)
        .bind(stamp(now))
        .bind(stamp(now + SignedDuration::from_hours(24 * days)))
        .fetch_one(&mut *transaction)
        .await
        .map_err(self.failed())?;
        let made = read(row);
        let act = Act::done("tokens.create", format!("api token {}", made.id))
            .with(json!({ "name": name, "scopes": scopes }));
        self.conclude(transaction, &Actor::Principal(principal), &act, origin, now).await?;
        Ok((made, secret))
    }

    /// The tokens of an account, the newest first.
    pub async fn api_tokens(&self, principal: &Principal) -> Result<Vec<ApiToken>, AccountError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select id, name, scopes, created_at, expires_at, last_used_at, revoked_at
             from api_token where account_id = $1 order by created_at desc, id limit 200",
        )
        .bind(principal.account)
        .fetch_all(self.pool()?)
        .await
        .map_err(self.failed())?;
        Ok(rows.into_iter().map(read).collect())
    }

    /// Revokes a token of one's own. Doing it again changes nothing.
    pub async fn revoke_api_token(
        &self,
        principal: &Principal,
        id: Uuid,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let mut transaction = self.begin().await?;
        let revoked = sqlx::query(
            "update api_token set revoked_at = coalesce(revoked_at, $3) where id = $1 and account_id = $2",
        )
        .bind(id)
        .bind(principal.account)
        .bind(stamp(now))
        .execute(&mut *transaction)
        .await
        .map_err(self.failed())?;
        if revoked.rows_affected() == 0 {
            return Err(AccountError::Missing);
        }
        let act = Act::done("tokens.revoke", format!("api token {id}"));
        self.conclude(transaction, &Actor::Principal(principal), &act, origin, now).await
    }

    /// Who asks with an API token, with the role that its account has now.
    pub async fn by_api_token(
        &self,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<Principal, AccountError> {
        type Found =
            (Uuid, Uuid, Vec<String>, Option<jiff_sqlx::Timestamp>, String, Option<String>);
        let hash = token::hash(Use::Api, secret).ok_or(AccountError::Token)?;
        let found: Option<Found> = sqlx::query_as(
            "select api_token.id, user_account.id, scopes, last_used_at, role, tenant
             from api_token join user_account on user_account.id = api_token.account_id
             where hash = $1 and revoked_at is null and expires_at > $2 and disabled_at is null",
        )
        .bind(&hash[..])
        .bind(stamp(now))
        .fetch_optional(self.pool()?)
        .await
        .map_err(self.failed())?;
        let (id, account, scopes, used, role, tenant) = found.ok_or(AccountError::Token)?;
        if used.is_none_or(|used| used.to_jiff() + NOTED_EVERY <= now) {
            sqlx::query("update api_token set last_used_at = $2 where id = $1")
                .bind(id)
                .bind(stamp(now))
                .execute(self.pool()?)
                .await
                .map_err(self.failed())?;
        }
        let standing = standing_of(&role, tenant.as_deref())?;
        let means = Means::ApiToken { id, scopes: read_scopes(&scopes) };
        Ok(Principal { account, standing, means })
    }
}
