//! The end of an operation: what becomes of its money, its days and its invoice. All of it is
//! written in the transaction in which the operation ends.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Intent;
use super::OperationError;
use super::operation;
use super::operation::New;
use super::operation::Operation;
use super::operation::State;
use super::order;
use super::order::Order;
use super::order::OrderState;
use super::order::customer;
use super::tell;
use crate::billing::invoice;
use crate::billing::keys::OperationKey;
use crate::billing::ledger;
use crate::billing::terms;
use crate::billing::terms::NewTerm;
use crate::billing::terms::Rules;
use crate::model::zone::zone;

/// How an operation ended otherwise than well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending<'a> {
    /// It was not committed, or could not be brought about.
    Failed(&'a str),
    /// Somebody changed their mind.
    Superseded(&'a str),
    /// Somebody reviewed it, and does not want it.
    Cancelled(&'a str),
}

/// What came of an operation that ended well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came<'a> {
    /// Where what it is about can be reached.
    pub(super) addresses: &'a [String],
    /// What a task left behind, such as the name of a backup.
    pub(super) left: Option<&'a str>,
}

/// It is done: the hold is captured, the days are sold, and the invoice is made.
pub(super) async fn succeed(
    db: &mut PgConnection,
    operation: &Operation,
    came: Came<'_>,
    now: Timestamp,
) -> Result<(), OperationError> {
    if let Some(id) = operation.order {
        let order = order::locked(db, id).await?;
        if order.state == OrderState::Paid {
            fulfil(db, operation, &order, came.addresses, now).await?;
        }
    }
    if let Some(change) = &operation.intent.follow_up {
        let intent = Intent {
            change: change.clone(),
            undo: None,
            follow_up: None,
            ..operation.intent.clone()
        };
        follow(db, operation.id, &intent, now).await?;
    }
    if let Some(backup) = came.left {
        tell::backup_done(db, operation, backup, now).await?;
    }
    tell::purged(db, operation, now).await?;
    let remembered = operation.intent.change.remembered();
    let message = came.left.or(remembered.as_deref());
    operation::enter(db, operation, State::Succeeded, message, now).await
}

async fn fulfil(
    db: &mut PgConnection,
    operation: &Operation,
    order: &Order,
    addresses: &[String],
    now: Timestamp,
) -> Result<(), OperationError> {
    let (sale, subscription) = (&order.sale, order.subscription_id());
    let actor = order.intent.asker.actor();
    let paid = match order.hold {
        Some(hold) => {
            let sold = ledger::Sale {
                subscription: &subscription,
                net: sale.quote.net,
                tax: sale.quote.tax,
            };
            Some(ledger::capture(db, hold, &sold, now, &actor).await?.transaction)
        }
        None => None,
    };
    let invoice = match (paid, &sale.seller) {
        (Some(paid), Some(seller)) => {
            let key = OperationKey::follows("invoice", order.id);
            let draft = invoice::Draft {
                key: &key,
                issuer: seller.series.as_str(),
                customer: &customer(&order.customer),
                subscription: Some(&subscription),
                seller: &seller.party,
                buyer: &sale.buyer,
                quote: &sale.quote,
            };
            let draft = invoice::draft(db, draft, now).await?;
            let made = invoice::finalise(db, draft.id, now, now).await?;
            invoice::mark_paid(db, made.id, paid, now).await?;
            Some(made)
        }
        _ => None,
    };
    let invoice_id = invoice.as_ref().map(|invoice| invoice.id);
    if sale.sells_days() {
        let key = OperationKey::renewal(&subscription, sale.quote.period.start);
        let term = NewTerm {
            key: &key,
            subscription: &subscription,
            period: sale.quote.period,
            anchor: sale.anchor,
            invoice: invoice_id,
            paid_by: paid,
        };
        let zone = zone(&sale.zone).unwrap_or(TimeZone::UTC);
        let rules = Rules { lifecycle: &sale.lifecycle, zone: &zone };
        terms::record(db, term, rules, now).await?;
    }
    order::end(db, order.id, OrderState::Fulfilled, None, invoice_id, now).await?;
    if matches!(operation.intent.change, super::Change::Open { .. }) {
        tell::instance_ready(db, order, addresses, now).await?;
    }
    if let Some(invoice) = &invoice {
        tell::invoice(db, order, invoice, now).await?;
    }
    Ok(())
}

/// It is not done: the hold is voided, and whoever asked is told why. What was committed and could
/// not be brought about is taken back by another commit.
pub(super) async fn give_up(
    db: &mut PgConnection,
    operation: &Operation,
    ending: Ending<'_>,
    now: Timestamp,
) -> Result<(), OperationError> {
    let (state, why) = match ending {
        Ending::Failed(why) => (State::Failed, why),
        Ending::Superseded(why) => (State::Superseded, why),
        Ending::Cancelled(why) => (State::Cancelled, why),
    };
    if let Some(id) = operation.order {
        let order = order::locked(db, id).await?;
        if order.state == OrderState::Paid {
            if let Some(hold) = order.hold {
                ledger::void(db, hold, now, "system", why).await?;
            }
            let ended = match ending {
                Ending::Failed(_) | Ending::Superseded(_) => OrderState::Failed,
                Ending::Cancelled(_) => OrderState::Cancelled,
            };
            order::end(db, id, ended, Some(why), None, now).await?;
        }
    }
    if let (State::Failed, Some(undo), Some(_)) = (state, &operation.intent.undo, &operation.commit)
    {
        let mut intent = Intent {
            change: undo.clone(),
            undo: None,
            follow_up: None,
            ..operation.intent.clone()
        };
        intent.asker.account = None;
        intent.asker.role = None;
        follow(db, operation.id, &intent, now).await?;
    }
    operation::enter(db, operation, state, Some(why), now).await?;
    if state == State::Failed {
        tell::task_failed(db, operation, why, now).await?;
    }
    tell::failed(db, operation, why, now).await
}

/// Accepts what follows from an operation. That ends once, so it follows once.
async fn follow(
    db: &mut PgConnection,
    cause: Uuid,
    intent: &Intent,
    now: Timestamp,
) -> Result<(), OperationError> {
    let id = Uuid::now_v7();
    let new = New { id, intent, order: None, cause: Some(cause), due: now };
    operation::accept(db, new, now).await?;
    Ok(())
}
