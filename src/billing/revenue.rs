//! Revenue: what was earned, as the ledger has it, by month or by day.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sqlx::PgConnection;

use super::ledger::LedgerError;
use crate::model::money::Currency;
use crate::model::money::Money;
use crate::postgres::stamp;

/// By what it is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Day,
    Month,
}

impl Step {
    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// What was earned with a package from one day on, in a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// The first day of the month, or the day.
    pub from: Date,
    /// By its name, also where there is no such package any more.
    pub package: String,
    /// Below zero where more was taken back than earned.
    pub amount: Money,
}

/// What was earned on the days that lie between the beginning of one and that of another, in the
/// order of days, currencies and packages.
///
/// What a day earned is booked at its end, which is the midnight that the next day begins with. So
/// a booking belongs to the day that was not over a moment before it.
pub async fn earned(
    db: &mut PgConnection,
    (from, to): (Timestamp, Timestamp),
    step: Step,
    zone: &TimeZone,
) -> Result<Vec<Earned>, LedgerError> {
    let rows: Vec<(jiff_sqlx::Date, String, String, i64)> = sqlx::query_as(
        "select date_trunc($4, (written.booked_at - interval '1 microsecond') at time zone $3)::date as first,
             account.currency::text, account.owner, sum(posting.amount)::bigint
         from account join posting on posting.account_id = account.id
         join ledger_transaction as written on written.id = posting.transaction_id
         where account.kind = 'revenue' and written.booked_at > $1 and written.booked_at <= $2
         group by first, account.currency, account.owner
         order by first, account.currency, account.owner",
    )
    .bind(stamp(from))
    .bind(stamp(to))
    .bind(zone.iana_name().unwrap_or("UTC"))
    .bind(step.word())
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(from, currency, package, amount)| {
            let currency: Currency = currency
                .parse()
                .map_err(|_| LedgerError::Unreadable { text: currency, expected: "a currency" })?;
            Ok(Earned { from: from.to_jiff(), package, amount: Money::new(amount, currency) })
        })
        .collect()
}
