//! Orders: what costs money. An order is paid from the wallet, or waits until there is enough in it;
//! paid means that the money is set aside and the change accepted, both in one transaction.

mod read;

pub use read::find;
pub use read::last_sale;
pub use read::list;
pub(super) use read::locked;
pub(super) use read::sales_of;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::billing::keys::OperationKey;
use crate::billing::ledger;
use crate::billing::ledger::Booking;
use crate::billing::ledger::Customer;
use crate::billing::ledger::LedgerError;
use crate::billing::quote::Purpose;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::operations::Change;
use crate::operations::Intent;
use crate::operations::OperationError;
use crate::operations::operation;
use crate::operations::operation::New;
use crate::operations::pricing::Sale;
use crate::operations::pricing::Shop;
use crate::operations::tell;
use crate::outbox;
use crate::postgres::stamp;

/// How long an order waits for its payment.
const PAYABLE: SignedDuration = SignedDuration::from_hours(24);
/// How long one waits whose price is reckoned by the day.
const PAYABLE_TODAY: SignedDuration = SignedDuration::from_hours(1);
/// Longer than any operation takes: a hold is ended by what became of its order, not by the clock.
const HELD: SignedDuration = SignedDuration::from_hours(24 * 60);

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    AwaitingPayment,
    /// The money is set aside, and the change under way.
    Paid,
    Fulfilled,
    Failed,
    Cancelled,
    Expired,
}

impl OrderState {
    pub fn word(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::Paid => "paid",
            Self::Fulfilled => "fulfilled",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// An order as it stands. Its operation, where there is one, has the same id.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: Uuid,
    /// Whose.
    pub customer: Name,
    pub account: Uuid,
    pub subscription: Name,
    pub intent: Intent,
    pub sale: Sale,
    pub total: Money,
    pub state: OrderState,
    pub hold: Option<Uuid>,
    pub invoice: Option<Uuid>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Why it ended otherwise than fulfilled.
    pub why: Option<String>,
}

impl Order {
    /// Which subscription of whom.
    pub fn subscription_id(&self) -> SubscriptionId {
        SubscriptionId { tenant: self.customer.clone(), name: self.subscription.clone() }
    }
}

/// What somebody orders.
#[derive(Clone, Copy, Debug)]
pub struct NewOrder<'a> {
    /// The same once more changes nothing.
    pub id: Uuid,
    pub account: Uuid,
    pub intent: &'a Intent,
    pub sale: &'a Sale,
}

/// The ledger's name of a tenant.
pub fn customer(tenant: &Name) -> Customer {
    tenant.as_str().parse().expect("because a name is short and of visible ASCII characters")
}

fn purpose(sale: &Sale) -> &'static str {
    match sale.quote.purpose {
        Purpose::Order => "order",
        Purpose::Renewal => "renewal",
        Purpose::ChangeNow | Purpose::ChangeAtEnd => "change",
    }
}

/// Places an order, and pays it from the wallet where there is enough in it.
pub async fn place(
    db: &mut PgConnection,
    new: NewOrder<'_>,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Order, OperationError> {
    let NewOrder { id, account, intent, sale } = new;
    let subscription = intent.change.subscription().ok_or(OperationError::Missing)?;
    let due = sale.quote.due();
    let payable = if sale.quote.purpose == Purpose::Order { PAYABLE } else { PAYABLE_TODAY };
    let inserted = sqlx::query(
        "insert into customer_order (id, customer, account_id, purpose, subscription, intent, sale, currency, total,
            state, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'awaiting_payment', $10, $11)
         on conflict (id) do nothing",
    )
    .bind(id)
    .bind(intent.tenant.as_str())
    .bind(account)
    .bind(purpose(sale))
    .bind(subscription.as_str())
    .bind(Json(intent))
    .bind(Json(sale))
    .bind(due.currency.code())
    .bind(due.minor)
    .bind(stamp(now))
    .bind(stamp(now + payable))
    .execute(&mut *db)
    .await?;
    if inserted.rows_affected() == 1 {
        match pay(db, id, configuration, now).await {
            Ok(_) | Err(OperationError::Unpaid(_)) => {}
            Err(error) => return Err(error),
        }
    }
    find(db, id).await
}

/// Pays an order from the wallet: the money is set aside, and its change is accepted. Doing so
/// twice is fine.
pub async fn pay(
    db: &mut PgConnection,
    id: Uuid,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Order, OperationError> {
    let order = locked(db, id).await?;
    match order.state {
        OrderState::AwaitingPayment if order.expires_at > now => {}
        OrderState::AwaitingPayment | OrderState::Expired => {
            let why = format!("the order {id} was not paid in time: order anew");
            return Err(OperationError::Conflict(why));
        }
        OrderState::Paid | OrderState::Fulfilled => return Ok(order),
        state @ (OrderState::Failed | OrderState::Cancelled) => {
            let why = format!("the order {id} is {} and cannot be paid: order anew", state.word());
            return Err(OperationError::Conflict(why));
        }
    }
    settle(db, order, configuration, now).await
}

/// A payment for an order arrived in the wallet, at a time. What arrived in time pays the order,
/// however late that is noticed; what did not stays in the wallet, and its owner is told.
pub async fn payment_arrived(
    db: &mut PgConnection,
    id: Uuid,
    configuration: &Configuration,
    arrived: Timestamp,
    now: Timestamp,
) -> Result<(), OperationError> {
    let order = match locked(db, id).await {
        Ok(order) => order,
        // A payment for what we do not know of is in the wallet, and nothing follows from it.
        Err(OperationError::Missing) => return Ok(()),
        Err(error) => return Err(error),
    };
    let in_time = order.state == OrderState::AwaitingPayment && arrived <= order.expires_at;
    if in_time {
        return match settle(db, order, configuration, now).await {
            // Less than it costs: it goes on waiting for the rest.
            Ok(_) | Err(OperationError::Unpaid(_)) => Ok(()),
            Err(error) => Err(error),
        };
    }
    match order.state {
        OrderState::Paid | OrderState::Fulfilled => Ok(()),
        _ => tell::payment_stays_credit(db, &order, now).await,
    }
}

/// Sets the money of a locked order aside and accepts its change.
async fn settle(
    db: &mut PgConnection,
    order: Order,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Order, OperationError> {
    let order = beginning_today(db, order, configuration, now).await?;
    let id = order.id;
    let hold = if order.total.is_zero() {
        None
    } else {
        let key = OperationKey::follows("hold", id);
        let (actor, subject) = (order.intent.asker.actor(), id.to_string());
        let booking = Booking {
            key: &key,
            at: now,
            actor: &actor,
            subject: Some(&subject),
            evidence: None,
            note: None,
        };
        let customer = customer(&order.customer);
        match ledger::hold(db, booking, &customer, order.total, now + HELD).await {
            Ok(hold) => Some(hold.id),
            Err(LedgerError::Insufficient { available, needed, .. }) => {
                return Err(OperationError::Unpaid(format!(
                    "the wallet has {available}, and {needed} are needed: top it up by the difference"
                )));
            }
            Err(error) => return Err(error.into()),
        }
    };
    sqlx::query(
        "update customer_order set state = 'paid', hold_id = $2, paid_at = $3 where id = $1",
    )
    .bind(id)
    .bind(hold)
    .bind(stamp(now))
    .execute(&mut *db)
    .await?;
    let new = New { id, intent: &order.intent, order: Some(id), cause: None, due: now };
    operation::accept(db, new, now).await?;
    let order = find(db, id).await?;
    tell::order_confirmed(db, &order, now).await?;
    Ok(order)
}

/// A first period begins on the day when it is paid, at the price that was promised.
async fn beginning_today(
    db: &mut PgConnection,
    order: Order,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Order, OperationError> {
    let shop = Shop::open(configuration, now)?;
    let (id, today) = (order.id, shop.today());
    let Change::Open { name, tenant, subscription, region } = &order.intent.change else {
        return Ok(order);
    };
    if subscription.starts == today {
        return Ok(order);
    }
    let sale = order.sale.beginning(today, shop.package(&order.sale.package)?)?;
    let mut subscription = subscription.clone();
    subscription.starts = today;
    subscription.paid_through = subscription.paid_through.map(|_| sale.through());
    let (name, tenant, region) = (name.clone(), tenant.clone(), region.clone());
    let change = Change::Open { name, tenant, subscription, region };
    let intent = Intent { change, ..order.intent.clone() };
    sqlx::query("update customer_order set intent = $2, sale = $3 where id = $1")
        .bind(id)
        .bind(Json(&intent))
        .bind(Json(&sale))
        .execute(&mut *db)
        .await?;
    Ok(Order { intent, sale, ..order })
}

/// Cancels an order that is not committed yet: the money is in the wallet again.
pub async fn cancel(
    db: &mut PgConnection,
    id: Uuid,
    actor: &str,
    now: Timestamp,
) -> Result<Order, OperationError> {
    const WHY: &str = "cancelled by whoever ordered it";
    // The operation first, as whoever moves it on does: nobody waits crosswise.
    let operation = match operation::locked(db, id).await {
        Ok(operation) => Some(operation),
        Err(OperationError::Missing) => None,
        Err(error) => return Err(error),
    };
    let order = locked(db, id).await?;
    match order.state {
        OrderState::Cancelled => return Ok(order),
        OrderState::AwaitingPayment => {}
        OrderState::Paid => {
            let withdrawn = outbox::withdraw(db, &operation::commit_key(id), now).await?;
            let Some(operation) = operation.filter(|_| withdrawn) else {
                let why = format!(
                    "the order {id} is being carried out: wait until it is done, and cancel the subscription then"
                );
                return Err(OperationError::Conflict(why));
            };
            operation::enter(db, &operation, operation::State::Cancelled, Some(WHY), now).await?;
            if let Some(hold) = order.hold {
                ledger::void(db, hold, now, actor, WHY).await?;
            }
        }
        state @ (OrderState::Fulfilled | OrderState::Failed | OrderState::Expired) => {
            let why = format!("the order {id} is {}: there is nothing to cancel", state.word());
            return Err(OperationError::Conflict(why));
        }
    }
    end(db, id, OrderState::Cancelled, Some(WHY), None, now).await?;
    find(db, id).await
}

/// Ends an order.
pub(in crate::operations) async fn end(
    db: &mut PgConnection,
    id: Uuid,
    state: OrderState,
    why: Option<&str>,
    invoice: Option<Uuid>,
    now: Timestamp,
) -> Result<(), OperationError> {
    sqlx::query(
        "update customer_order set state = $2, why = $3, invoice_id = $4, ended_at = $5 where id = $1",
    )
    .bind(id)
    .bind(state.word())
    .bind(why)
    .bind(invoice)
    .bind(stamp(now))
    .execute(db)
    .await?;
    Ok(())
}

/// Lets go of orders that nobody paid in time. One whose payment arrived in time, and was not
/// looked at yet, waits.
pub async fn expire(db: &mut PgConnection, now: Timestamp) -> Result<u64, OperationError> {
    let expired = sqlx::query(
        "update customer_order set state = 'expired', ended_at = $1, why = 'it was not paid in time'
         where id in (
             select id from customer_order as waiting
             where state = 'awaiting_payment' and expires_at <= $1 and not exists (
                 select from outbox where kind = 'paid' and done_at is null and payload ->> 'order' = waiting.id::text)
             limit 100 for update skip locked)",
    )
    .bind(stamp(now))
    .execute(db)
    .await?;
    Ok(expired.rows_affected())
}
