//! Reversals: what was booked is taken back by booking it backwards, the actual postings and not
//! a new reckoning. In whole or in parts, never more than there was.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::Account;
use super::Booking;
use super::Customer;
use super::LedgerError;
use super::Posted;
use super::Reason;
use super::flows::positive;
use super::post::Draft;
use super::post::booked;
use super::post::content;
use super::post::post;
use super::read::account_of;
use super::read::currency_of;
use crate::model::money::Currency;
use crate::model::money::Money;

/// How much of a transaction is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All that is left of it.
    Whole,
    /// So much, in the transaction's proportions; for transactions of one currency.
    Part(Money),
}

struct Posting {
    account: Account,
    currency: Currency,
    original: i64,
    /// What is left of it, above zero.
    left: u64,
}

/// Takes a transaction back: a refund of a charge returns to the wallet, a refund of a top-up
/// leaves it.
pub async fn reverse(
    db: &mut PgConnection,
    booking: Booking<'_>,
    transaction: Uuid,
    extent: Extent,
) -> Result<Posted, LedgerError> {
    let part = match extent {
        Extent::Whole => None,
        Extent::Part(amount) => Some(positive(amount)?),
    };
    let content = content(&(Reason::Reversal, transaction, part));
    if let Some(posted) = booked(db, booking.key, &content).await? {
        return Ok(posted);
    }
    // Two that take back the same wait for each other here.
    let original: Option<(Option<String>, Option<Uuid>)> = sqlx::query_as(
        "select customer, reverses from ledger_transaction where id = $1 for update",
    )
    .bind(transaction)
    .fetch_optional(&mut *db)
    .await?;
    let (customer, reverses) = original.ok_or(LedgerError::NoTransaction(transaction))?;
    if reverses.is_some() {
        return Err(LedgerError::ReversalOfReversal(transaction));
    }
    let customer: Option<Customer> = match customer {
        Some(text) => Some(
            text.parse().map_err(|_| LedgerError::Unreadable { text, expected: "a customer" })?,
        ),
        None => None,
    };
    let left = left_of(db, transaction).await?;
    let draft = Draft {
        booking,
        reason: Reason::Reversal,
        customer: customer.as_ref(),
        reverses: Some(transaction),
        postings: backwards(transaction, &left, part)?,
    };
    post(db, draft, &content).await
}

/// The postings of a transaction with what earlier reversals left of them.
async fn left_of(db: &mut PgConnection, transaction: Uuid) -> Result<Vec<Posting>, LedgerError> {
    let rows: Vec<(String, String, String, i64, i64)> = sqlx::query_as(
        "select account.kind, account.owner, account.currency, posting.amount,
            (posting.amount + coalesce((
                select sum(back.amount) from posting back
                join ledger_transaction reversal on reversal.id = back.transaction_id
                where reversal.reverses = posting.transaction_id and back.account_id = posting.account_id
            ), 0))::bigint
         from posting join account on account.id = posting.account_id
         where posting.transaction_id = $1
         order by account.id",
    )
    .bind(transaction)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(kind, owner, currency, original, left)| {
            Ok(Posting {
                account: account_of(&kind, &owner)?,
                currency: currency_of(&currency)?,
                original,
                left: left.unsigned_abs(),
            })
        })
        .collect()
}

fn backwards(
    transaction: Uuid,
    left: &[Posting],
    part: Option<Money>,
) -> Result<Vec<(Account, Money)>, LedgerError> {
    let whole = |posting: &Posting| {
        let left = i64::try_from(left_with_sign(posting)).unwrap_or(0);
        (posting.account.clone(), Money::new(left, posting.currency))
    };
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for posting in left.iter().filter(|posting| posting.original > 0) {
        *sums.entry(posting.currency).or_default() += i128::from(posting.left);
    }
    let Some(part) = part else {
        if let Some((currency, _)) = sums.iter().find(|(_, sum)| **sum == 0) {
            let nothing = Money::zero(*currency);
            return Err(LedgerError::AboveOriginal { transaction, asked: nothing, left: nothing });
        }
        return Ok(left.iter().map(whole).collect());
    };
    let available = sums.get(&part.currency).copied().unwrap_or(0);
    if i128::from(part.minor) > available || sums.len() > 1 {
        let left = Money::new(i64::try_from(available).unwrap_or(i64::MAX), part.currency);
        return Err(LedgerError::AboveOriginal { transaction, asked: part, left });
    }
    // By what is left and not by what there was: so the last part takes exactly the rest, and
    // none takes more than there is.
    let mut postings = Vec::with_capacity(left.len());
    for flows_to in [true, false] {
        let side: Vec<&Posting> =
            left.iter().filter(|posting| (posting.original > 0) == flows_to).collect();
        let weights: Vec<u64> = side.iter().map(|posting| posting.left).collect();
        for (posting, share) in side.iter().zip(part.split(&weights)?) {
            let back = if flows_to { share.checked_neg()? } else { share };
            postings.push((posting.account.clone(), back));
        }
    }
    Ok(postings)
}

/// What is left of a posting, with the sign that takes it back.
fn left_with_sign(posting: &Posting) -> i128 {
    -i128::from(posting.left) * i128::from(posting.original.signum())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_of_a_charge_add_up_to_it_and_none_takes_too_much(
            net in 1_u64..1_000_000, tax in 0_u64..200_000, parts in proptest::collection::vec(1_u64..300_000, 1..20),
        ) {
            let currency: Currency = "VND".parse().unwrap();
            let customer: Customer = "acme".parse().unwrap();
            let subscription = "acme/school".parse().unwrap();
            let total = i64::try_from(net + tax).unwrap();
            let posting = |account, original: i64| Posting {
                account, currency, original, left: original.unsigned_abs(),
            };
            let mut left = vec![
                posting(Account::CustomerCredit(customer), -total),
                posting(Account::DeferredRevenue(subscription), i64::try_from(net).unwrap()),
                posting(Account::TaxPayable, i64::try_from(tax).unwrap()),
            ];
            left.retain(|posting| posting.original != 0);
            for part in parts.into_iter().chain([net + tax]) {
                let available = left[0].left;
                let part = part.min(available);
                if part == 0 { break; }
                let part = Money::new(i64::try_from(part).unwrap(), currency);
                let back = backwards(Uuid::nil(), &left, Some(part)).unwrap();
                prop_assert_eq!(back.iter().map(|(_, money)| money.minor).sum::<i64>(), 0);
                for (account, money) in back {
                    let posting = left.iter_mut().find(|posting| posting.account == account).unwrap();
                    prop_assert!(money.minor == 0 || money.minor.signum() != posting.original.signum());
                    prop_assert!(money.minor.unsigned_abs() <= posting.left);
                    posting.left -= money.minor.unsigned_abs();
                }
            }
            prop_assert!(left.iter().all(|posting| posting.left == 0));
        }
    }
}
