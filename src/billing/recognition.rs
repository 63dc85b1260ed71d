//! Recognition: what was paid in advance is earned day by day, as the days are delivered.
//!
//! Of what is not earned yet, each day earns its part of the days that are left, that day included;
//! the last day earns all that is left. So a change in the middle, which charges or gives back, is
//! spread over the days that are left by itself, and nothing is ever left over.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sqlx::PgConnection;

use super::calendar::days_between;
use super::calendar::start_of_day;
use super::keys::OperationKey;
use super::ledger;
use super::ledger::Account;
use super::ledger::AsOf;
use super::ledger::Booking;
use super::ledger::LedgerError;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Currency;
use crate::model::money::Money;

/// What is earned, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    pub subscription: &'a SubscriptionId,
    /// Whose revenue it is.
    pub package: &'a Name,
    /// The zone in which days begin and end.
    pub zone: &'a TimeZone,
}

/// The part that a day earns of what is not earned yet, where so many days are left, that day
/// included.
fn share(left: Money, days: i64) -> Result<Money, ArithmeticError> {
    if days <= 1 { Ok(left) } else { left.part(1, days) }
}

/// Every subscription of which something is paid and not earned yet, and how much.
pub async fn outstanding(
    db: &mut PgConnection,
) -> Result<Vec<(SubscriptionId, Money)>, LedgerError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select owner, currency::text, balance from account
         where kind = 'deferred_revenue' and balance > 0 order by owner, currency",
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(owner, currency, balance)| {
            let unreadable =
                |text: &str, expected| LedgerError::Unreadable { text: text.to_owned(), expected };
            let subscription = owner.parse().map_err(|_| unreadable(&owner, "a subscription"))?;
            let currency = currency.parse().map_err(|_| unreadable(&currency, "a currency"))?;
            Ok((subscription, Money::new(balance, currency)))
        })
        .collect()
}

/// Books what was delivered up to a day, that day included; of each day once. Says how much that
/// was. Call it in a transaction of its own.
pub async fn through(
    db: &mut PgConnection,
    of: Of<'_>,
    currency: Currency,
    last: Date,
    now: Timestamp,
) -> Result<Money, LedgerError> {
    let Of { subscription, package, zone } = of;
    // Two that reckon the same subscription wait for each other, and the second finds it done.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 7236428203))")
        .bind(subscription.to_string())
        .execute(&mut *db)
        .await?;
    let closed: Option<jiff_sqlx::Timestamp> =
        sqlx::query_scalar("select max(closed_until) from ledger_close")
            .fetch_one(&mut *db)
            .await?;
    let open = closed.map_or(Timestamp::MIN, jiff_sqlx::Timestamp::to_jiff);
    let mut earned = Money::zero(currency);
    let Some((mut day, end)) = days(db, subscription, currency).await? else { return Ok(earned) };
    while day <= last {
        let account = Account::DeferredRevenue(subscription.clone());
        let left = ledger::balance(db, &account, currency, AsOf::default()).await?;
        let amount = share(left, days_between(day, end))?;
        if left.is_zero() {
            break;
        }
        if amount.minor > 0 {
            let key = OperationKey::recognition(subscription, currency, day);
            // At the end of the day; or as soon after it as the books are open.
            let over = day.tomorrow().ok().and_then(|next| start_of_day(next, zone).ok());
            let at = over.map_or(now, |over| over.min(now)).max(open);
            let about = subscription.to_string();
            let booking = Booking::by_system(&key, at).about(&about);
            ledger::recognise(db, booking, subscription, package, amount).await?;
            earned = earned.checked_add(amount)?;
        }
        if day >= end {
            break;
        }
        day = day.tomorrow().unwrap_or(Date::MAX);
    }
    Ok(earned)
}

/// The first day that is not booked yet, and the day up to which days are sold.
async fn days(
    db: &mut PgConnection,
    subscription: &SubscriptionId,
    currency: Currency,
) -> Result<Option<(Date, Date)>, LedgerError> {
    let prefix = format!("recognise:{subscription}:{currency}:");
    let row: (Option<jiff_sqlx::Date>, Option<jiff_sqlx::Date>, Option<String>) = sqlx::query_as(
        "select min(starts) filter (where paid_by is not null), max(ends), (
             -- The range is what the index of keys can find; others may lie between.
             select op_key from ledger_transaction
             where op_key between $2 || '0000-01-01' and $2 || '9999-12-31' and starts_with(op_key, $2)
             order by op_key desc limit 1)
         from subscription_term where subscription = $1",
    )
    .bind(subscription.to_string())
    .bind(&prefix)
    .fetch_one(db)
    .await?;
    let (first, end, booked) = row;
    let booked = booked.and_then(|key| key.strip_prefix(&prefix)?.parse::<Date>().ok());
    let after = booked.and_then(|day| day.tomorrow().ok());
    let first = first.map(jiff_sqlx::Date::to_jiff);
    let begin = first.into_iter().chain(after).max();
    Ok(begin.zip(end.map(jiff_sqlx::Date::to_jiff)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_earn_all_that_was_paid_and_about_the_same_each(
            paid in 0..100_000_000_i64,
            days in 1..400_i64,
        ) {
            let currency: Currency = "IDR".parse().unwrap();
            let mut left = Money::new(paid, currency);
            for day in 0..days {
                let part = share(left, days - day).unwrap();
                prop_assert!(part.minor >= 0 && (part.minor - paid / days).abs() <= 1, "{part}");
                left = left.checked_sub(part).unwrap();
            }
            prop_assert!(left.is_zero());
        }
    }
}
