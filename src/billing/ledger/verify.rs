//! Checking the ledger against itself: what the database keeps true is looked at again, so that a
//! restored or repaired database cannot lie.

use std::fmt;

use sqlx::PgConnection;

use super::LedgerError;

/// Something that does not add up; nothing is changed about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    pub what: String,
    pub expected: i64,
    pub found: i64,
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} is {} and should be {}: find out who wrote to the database, then book a correction",
            self.what, self.found, self.expected
        )
    }
}

/// Everything that does not add up: balances that are not the sum of their postings, transactions
/// that do not balance, and holds that are not backed by the money set aside.
pub async fn verify(db: &mut PgConnection) -> Result<Vec<Discrepancy>, LedgerError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select format('the balance of %s:%s in %s', kind, owner, currency), expected, balance
         from (
            select account.*, coalesce((select sum(amount) from posting where account_id = account.id), 0)::bigint as expected
            from account where balance is not null
         ) as cached where balance <> expected
         union all
         select format('the transaction %s in %s', transaction_id, currency), 0, sum(amount)::bigint
         from posting group by transaction_id, currency having sum(amount) <> 0
         union all
         select format('the pending holds of %s in %s', owner, currency), balance, pending
         from (
            select account.*, coalesce((
                select sum(amount) from hold
                where hold.customer = account.owner and hold.currency = account.currency and state = 'pending'
            ), 0)::bigint as pending
            from account where kind = 'hold'
         ) as held where balance <> pending
         order by 1",
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(what, expected, found)| Discrepancy { what, expected, found })
        .collect())
}
