//! Failed logins are counted, by whom they were tried for and by where they came from, in our
//! database: neither another replica nor a restart gives a guesser fresh tries.
//!
//! A try is counted *before* the password is looked at, so that a thousand tries at once are a
//! thousand and not one; it is taken back when the password was right.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use sha2::Digest as _;
use sha2::Sha256;

use super::Accounts;
use super::error::AccountError;
use crate::postgres::stamp;

/// How long failures count.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// Failures for one account within the window.
const OF_ACCOUNT: i32 = 10;
/// Failures from one address within the window; several people may share one.
const FROM_ADDRESS: i32 = 50;

/// A try that was counted.
pub(super) struct Try {
    account: String,
    address: Option<String>,
}

impl Accounts {
    /// Counts a try to log in; refuses it where too many failed.
    pub(super) async fn count_try(
        &self,
        email_key: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Try, AccountError> {
        let attempt = Try { account: of_account(email_key), address: address.map(from_address) };
        let mut transaction = self.begin().await?;
        // Always in this order, so that two tries do not wait for each other.
        let counted =
            [(Some(&attempt.account), OF_ACCOUNT), (attempt.address.as_ref(), FROM_ADDRESS)];
        let mut refused = None;
        for (subject, most) in counted {
            let Some(subject) = subject else { continue };
            let (failures, began): (i32, jiff_sqlx::Timestamp) = sqlx::query_as(
                "insert into login_limit as known (subject, failures, began_at) values ($1, 1, $2)
                 on conflict (subject) do update set
                     failures = case when known.began_at <= $3 then 1
                         else least(known.failures + 1, 1000000) end,
                     began_at = case when known.began_at <= $3 then $2 else known.began_at end
                 returning failures, began_at",
            )
            .bind(subject)
            .bind(stamp(now))
            .bind(stamp(now - WINDOW))
            .fetch_one(&mut *transaction)
            .await
            .map_err(self.failed())?;
            if failures > most {
                let over = (began.to_jiff() + WINDOW).duration_since(now);
                refused = refused.max(Some(over.unsigned_abs().max(Duration::from_secs(1))));
            }
        }
        transaction.commit().await.map_err(self.failed())?;
        match refused {
            Some(retry_after) => Err(AccountError::Limited { retry_after }),
            None => Ok(attempt),
        }
    }

    /// The password was right: what failed before for this account is forgotten, and the try is
    /// taken back for the address.
    pub(super) async fn forgive(
        &self,
        connection: &mut sqlx::PgConnection,
        attempt: &Try,
    ) -> Result<(), AccountError> {
        sqlx::query("delete from login_limit where subject = $1")
            .bind(&attempt.account)
            .execute(&mut *connection)
            .await
            .map_err(self.failed())?;
        sqlx::query(
            "update login_limit set failures = greatest(failures - 1, 0) where subject = $1",
        )
        .bind(&attempt.address)
        .execute(connection)
        .await
        .map_err(self.failed())?;
        Ok(())
    }

    /// Forgets what counts no more: limits that are over, links and logins that ended long ago.
    pub async fn clean(&self, now: Timestamp) -> Result<u64, AccountError> {
        const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
        let mut gone = 0;
        for (statement, before) in [
            ("delete from login_limit where began_at <= $1", now - WINDOW),
            ("delete from mail_token where expires_at <= $1", now - MONTH),
            ("delete from session where coalesce(ended_at, expires_at) <= $1", now - MONTH),
        ] {
            let deleted = sqlx::query(statement)
                .bind(stamp(before))
                .execute(self.pool()?)
                .await
                .map_err(self.failed())?;
            gone += deleted.rows_affected();
        }
        Ok(gone)
    }
}

/// Whether the account exists or not: it is counted all the same, and not by its name.
fn of_account(email_key: &str) -> String {
    let hash = Sha256::digest(email_key);
    hash.iter().fold("account ".to_owned(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whoever has one IPv6 address has its whole /64.
fn from_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("from {address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("from {}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_network_count_as_one() {
        let from = |text: &str| from_address(text.parse().unwrap());
        assert_eq!(from("2001:db8:1:2:3::4"), from("2001:db8:1:2:ffff::1"));
        assert_ne!(from("2001:db8:1:2::1"), from("2001:db8:1:3::1"));
        assert_eq!(from("::ffff:192.0.2.1"), "from 192.0.2.1");
    }

    #[test]
    fn an_address_is_not_kept_as_it_is() {
        assert!(!of_account("ada@example.com").contains("ada"));
    }
}
