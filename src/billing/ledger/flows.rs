//! The flows of money, each with the accounts it touches.

use jiff::Timestamp;
use sqlx::PgConnection;

use super::Account;
use super::Booking;
use super::Customer;
use super::LedgerError;
use super::Posted;
use super::Reason;
use super::post::Draft;
use super::post::content;
use super::post::post;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::postgres::stamp;

/// What was sold: how much is ours to earn, and how much is the state's.
#[derive(Clone, Debug)]
pub struct Sale<'a> {
    pub subscription: &'a SubscriptionId,
    pub net: Money,
    pub tax: Money,
}

impl Sale<'_> {
    pub fn total(&self) -> Result<Money, LedgerError> {
        Ok(self.net.checked_add(self.tax)?)
    }
}

/// Refuses what would move nothing, or backwards.
pub(super) fn positive(amount: Money) -> Result<Money, LedgerError> {
    if amount.minor > 0 { Ok(amount) } else { Err(LedgerError::Amount(amount)) }
}

async fn flow(
    db: &mut PgConnection,
    booking: Booking<'_>,
    reason: Reason,
    customer: Option<&Customer>,
    postings: Vec<(Account, Money)>,
) -> Result<Posted, LedgerError> {
    let content = content(&(reason, customer, &postings));
    let draft = Draft { booking, reason, customer, reverses: None, postings };
    post(db, draft, &content).await
}

/// A payment arrived: it is in the wallet. Manual payments name their evidence in the booking.
pub async fn top_up(
    db: &mut PgConnection,
    booking: Booking<'_>,
    customer: &Customer,
    gateway: &Name,
    amount: Money,
) -> Result<Posted, LedgerError> {
    let postings = vec![
        (Account::Cash(gateway.clone()), positive(amount)?.checked_neg()?),
        (Account::CustomerCredit(customer.clone()), amount),
    ];
    flow(db, booking, Reason::TopUp, Some(customer), postings).await
}

/// What a gateway kept for itself.
pub async fn gateway_fee(
    db: &mut PgConnection,
    booking: Booking<'_>,
    gateway: &Name,
    amount: Money,
) -> Result<Posted, LedgerError> {
    let postings = vec![
        (Account::GatewayFee, positive(amount)?.checked_neg()?),
        (Account::Cash(gateway.clone()), amount),
    ];
    flow(db, booking, Reason::GatewayFee, None, postings).await
}

/// Takes what was sold out of the wallet.
pub async fn charge(
    db: &mut PgConnection,
    booking: Booking<'_>,
    customer: &Customer,
    sale: &Sale<'_>,
) -> Result<Posted, LedgerError> {
    let postings = vec![
        (Account::CustomerCredit(customer.clone()), positive(sale.total()?)?.checked_neg()?),
        (Account::DeferredRevenue(sale.subscription.clone()), sale.net),
        (Account::TaxPayable, sale.tax),
    ];
    flow(db, booking, Reason::Charge, Some(customer), postings).await
}

/// Gives back to the wallet what of a sale is not delivered, such as after a downgrade.
///
/// At most what of the subscription's income is not earned yet.
pub async fn credit(
    db: &mut PgConnection,
    booking: Booking<'_>,
    customer: &Customer,
    sale: &Sale<'_>,
) -> Result<Posted, LedgerError> {
    let postings = vec![
        (Account::DeferredRevenue(sale.subscription.clone()), sale.net.checked_neg()?),
        (Account::TaxPayable, sale.tax.checked_neg()?),
        (Account::CustomerCredit(customer.clone()), positive(sale.total()?)?),
    ];
    flow(db, booking, Reason::Credit, Some(customer), postings).await
}

/// Days were delivered: their part of the income is earned.
pub async fn recognise(
    db: &mut PgConnection,
    booking: Booking<'_>,
    subscription: &SubscriptionId,
    package: &Name,
    amount: Money,
) -> Result<Posted, LedgerError> {
    let postings = vec![
        (Account::DeferredRevenue(subscription.clone()), positive(amount)?.checked_neg()?),
        (Account::Revenue(package.clone()), amount),
    ];
    flow(db, booking, Reason::Recognition, None, postings).await
}

/// Taxes were paid to the state out of the cash of a gateway or bank.
pub async fn pay_tax(
    db: &mut PgConnection,
    booking: Booking<'_>,
    from: &Name,
    amount: Money,
) -> Result<Posted, LedgerError> {
    let postings = vec![
        (Account::TaxPayable, positive(amount)?.checked_neg()?),
        (Account::Cash(from.clone()), amount),
    ];
    flow(db, booking, Reason::TaxPayment, None, postings).await
}

/// An operator gives to a wallet, or takes from it where the amount is below zero. The booking
/// names the operator, the evidence and the reason.
pub async fn adjust(
    db: &mut PgConnection,
    booking: Booking<'_>,
    customer: &Customer,
    amount: Money,
) -> Result<Posted, LedgerError> {
    let said = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
    if !said(booking.evidence) || !said(booking.note) {
        return Err(LedgerError::NoEvidence);
    }
    if amount.is_zero() {
        return Err(LedgerError::Amount(amount));
    }
    let postings = vec![
        (Account::Promo, amount.checked_neg()?),
        (Account::CustomerCredit(customer.clone()), amount),
    ];
    flow(db, booking, Reason::Adjustment, Some(customer), postings).await
}

/// Money left a wallet for the customer's own account, by a gateway or bank.
pub async fn pay_out(
    db: &mut PgConnection,
    booking: Booking<'_>,
    customer: &Customer,
    gateway: &Name,
    amount: Money,
) -> Result<Posted, LedgerError> {
    let postings = vec![
        (Account::CustomerCredit(customer.clone()), positive(amount)?.checked_neg()?),
        (Account::Cash(gateway.clone()), amount),
    ];
    flow(db, booking, Reason::Payout, Some(customer), postings).await
}

/// A bank took a payment back: the wallet gives what it has, at most that, and the rest is lost.
///
/// `from_wallet` is what the caller found there; more than that is refused.
pub async fn charge_back(
    db: &mut PgConnection,
    booking: Booking<'_>,
    customer: &Customer,
    gateway: &Name,
    amount: Money,
    from_wallet: Money,
) -> Result<Posted, LedgerError> {
    let lost = positive(amount)?.checked_sub(from_wallet)?;
    if lost.minor < 0 || from_wallet.minor < 0 {
        return Err(LedgerError::Amount(from_wallet));
    }
    let postings = vec![
        (Account::CustomerCredit(customer.clone()), from_wallet.checked_neg()?),
        (Account::ChargebackLoss, lost.checked_neg()?),
        (Account::Cash(gateway.clone()), amount),
    ];
    // How it is divided depends on the wallet, which a repetition finds emptied.
    let content = content(&(Reason::Chargeback, customer, gateway, amount));
    let reason = Reason::Chargeback;
    let draft = Draft { booking, reason, customer: Some(customer), reverses: None, postings };
    post(db, draft, &content).await
}

/// Closes the books: nothing is booked before this time any more.
pub async fn close_books(
    db: &mut PgConnection,
    until: Timestamp,
    actor: &str,
) -> Result<(), LedgerError> {
    sqlx::query("insert into ledger_close (closed_until, actor) values ($1, $2)")
        .bind(stamp(until))
        .bind(actor)
        .execute(db)
        .await?;
    Ok(())
}
