//! When a tenant's people came in for the first time.

use jiff::Timestamp;

use super::Accounts;
use super::error::AccountError;
use crate::model::Name;

/// The first time of each; none where it was never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstSteps {
    /// Somebody showed that their address is theirs.
    pub verified_at: Option<Timestamp>,
    pub logged_in_at: Option<Timestamp>,
}

impl Accounts {
    /// What the people of a tenant did first, as long as they are its people; logins stand in the
    /// audit for ever.
    pub async fn first_steps(&self, tenant: &Name) -> Result<FirstSteps, AccountError> {
        let (verified, logged_in): (Option<jiff_sqlx::Timestamp>, Option<jiff_sqlx::Timestamp>) =
            sqlx::query_as(
                "select (select min(verified_at) from user_account where tenant = $1),
                     (select min(audit.at) from audit join user_account on user_account.id = audit.account_id
                      where user_account.tenant = $1 and audit.action = 'auth.login' and audit.outcome = 'done')",
            )
            .bind(tenant.as_str())
            .fetch_one(self.pool()?)
            .await
            .map_err(self.failed())?;
        let time = |time: Option<jiff_sqlx::Timestamp>| time.map(jiff_sqlx::Timestamp::to_jiff);
        Ok(FirstSteps { verified_at: time(verified), logged_in_at: time(logged_in) })
    }
}
