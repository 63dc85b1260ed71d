//! Taking effect: what a provider said about a payment becomes postings, a state, mails, and the
//! word to the order that waits, in the caller's transaction. All of it or nothing, and once: the
//! payment's row is locked first, and each posting has the payment's name in its key.

use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::Decision;
use super::decide::decide;
use super::error::PaymentError;
use super::payment::Payment;
use super::payment::State;
use super::payment::Subject;
use super::payment::by_transaction;
use super::payment::locked;
use super::refund;
use super::report::Report;
use super::report::Which;
use crate::accounts;
use crate::billing::OperationKey;
use crate::billing::ledger;
use crate::billing::ledger::Booking;
use crate::billing::ledger::Customer;
use crate::model::Name;
use crate::model::money::Money;
use crate::model::platform::PaymentProvider;
use crate::outbox;
use crate::outbox::Kind;
use crate::postgres::stamp;

/// What came of what a provider said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It changed something.
    Applied,
    /// It was known.
    Known,
    /// It is not for us.
    Ignored(String),
    /// It contradicts what we know, and changed nothing.
    Refused(String),
}

impl Verdict {
    /// As the table has it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Known => "known",
            Self::Ignored(_) => "ignored",
            Self::Refused(_) => "refused",
        }
    }

    pub(super) fn why(&self) -> Option<&str> {
        match self {
            Self::Applied | Self::Known => None,
            Self::Ignored(why) | Self::Refused(why) => Some(why),
        }
    }
}

/// When a provider said something, and who takes it down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    pub(super) provider: PaymentProvider,
    /// When we were told.
    pub(super) arrived: Timestamp,
    pub(super) now: Timestamp,
    /// Who books it: `system`, or whoever recorded a payment.
    pub(super) actor: &'a str,
}

/// Lets a report take effect, and says what came of it and for which payment.
pub(super) async fn settle(
    db: &mut PgConnection,
    report: &Report,
    told: Told<'_>,
) -> Result<(Verdict, Option<Uuid>), PaymentError> {
    let id = match &report.which {
        Which::Payment(id) => Some(*id),
        Which::Transaction(name) => by_transaction(db, told.provider, name).await?,
    };
    let Some(id) = id else {
        return Ok((Verdict::Ignored("no payment of ours has this name".to_owned()), None));
    };
    let payment = match locked(db, id).await {
        Ok(payment) => payment,
        Err(PaymentError::Missing(_)) => {
            return Ok((Verdict::Refused(format!("there is no payment {id}")), None));
        }
        Err(error) => return Err(error),
    };
    if payment.provider != told.provider {
        let why =
            format!("{} has this payment, not {}", payment.provider.word(), told.provider.word());
        return Ok((Verdict::Refused(why), Some(id)));
    }
    let verdict = match decide(&payment, report, told.arrived) {
        Err(guard) => Verdict::Refused(guard.to_string()),
        Ok(None) => Verdict::Known,
        Ok(Some(decision)) => {
            apply(db, &payment, &decision, told).await?;
            Verdict::Applied
        }
    };
    Ok((verdict, Some(id)))
}

async fn apply(
    db: &mut PgConnection,
    payment: &Payment,
    decision: &Decision,
    told: Told<'_>,
) -> Result<(), PaymentError> {
    if decision.arrives {
        arrive(db, payment, decision, told).await?;
    }
    // A payment that is open is asked about again; one that is paid no more.
    let paid_at = (decision.state == State::Paid).then(|| stamp(told.arrived));
    sqlx::query(
        "update payment set state = $2, rank = $3, late = $4, why = $5, refunded = $6, disputed = $7,
             transaction = $8, paid_at = coalesce(paid_at, $9),
             ask_at = case when $2 = 'paid' then null else ask_at end
         where id = $1",
    )
    .bind(payment.id)
    .bind(decision.state.word())
    .bind(decision.rank)
    .bind(decision.late)
    .bind(&decision.why)
    .bind(decision.refunded.minor)
    .bind(decision.disputed.minor)
    .bind(&decision.transaction)
    .bind(paid_at)
    .execute(&mut *db)
    .await?;
    let refunded = decision.refunded.minor - payment.refunded.minor;
    if refunded > 0 {
        refund::gone_back(db, payment, decision.refunded, told.now).await?;
    }
    let disputed = decision.disputed.minor - payment.disputed.minor;
    if disputed > 0 {
        let amount = Money::new(disputed, payment.amount.currency);
        let key = format!("dispute:{}:{}", payment.id, decision.disputed.minor);
        take_from_wallet(db, payment, amount, &key, told.now).await?;
    }
    Ok(())
}

/// The money is there: it is in the wallet, and whoever waits for it is told.
async fn arrive(
    db: &mut PgConnection,
    payment: &Payment,
    decision: &Decision,
    told: Told<'_>,
) -> Result<(), PaymentError> {
    let id = payment.id;
    let (key, subject) = (top_up_key(id), format!("payment {id}"));
    let evidence = payment.evidence.as_deref().or(decision.transaction.as_deref());
    let booking = Booking { actor: told.actor, evidence, ..Booking::by_system(&key, told.now) }
        .about(&subject);
    let customer = wallet_of(payment);
    ledger::top_up(db, booking, &customer, &gateway(payment.provider), payment.amount).await?;
    let waits = match payment.subject {
        Subject::Order(order) if !decision.late => Some(order),
        Subject::Order(_) | Subject::TopUp => None,
    };
    if let Some(order) = waits {
        let payload =
            outbox::Paid { payment: id, order, customer: payment.customer.as_str().to_owned() };
        // It counts from when we were told, however late that is worked at.
        outbox::put(db, Kind::Paid, &format!("paid:{id}"), &payload, told.arrived).await?;
    }
    // Late money starts nothing by itself: the customer is told that it is theirs to use.
    let template = if decision.late { "payment-late" } else { "payment-received" };
    let order = match payment.subject {
        Subject::Order(order) => Some(order),
        Subject::TopUp => None,
    };
    let values = json!({
        "payment": id,
        "order": order,
        "amount": payment.amount,
        "provider": payment.provider,
        "paidAt": told.arrived,
    });
    accounts::tell_tenant(db, template, &id.to_string(), &payment.customer, &values, told.now)
        .await?;
    Ok(())
}

/// Money that somebody else sent back: the wallet gives what it has, and the rest is our loss.
pub(super) async fn take_from_wallet(
    db: &mut PgConnection,
    payment: &Payment,
    amount: Money,
    key: &str,
    now: Timestamp,
) -> Result<(), PaymentError> {
    let key = named(key);
    let subject = format!("payment {}", payment.id);
    let booking = Booking::by_system(&key, now).about(&subject);
    let (customer, gateway) = (wallet_of(payment), gateway(payment.provider));
    // Whoever spends from the wallet meanwhile waits for this row.
    sqlx::query(
        "select id from account where kind = 'customer_credit' and owner = $1 and currency = $2 for update",
    )
    .bind(customer.as_str())
    .bind(amount.currency.code())
    .fetch_optional(&mut *db)
    .await?;
    let available = ledger::wallet(db, &customer, amount.currency).await?.available;
    let given = Money::new(available.minor.clamp(0, amount.minor), amount.currency);
    ledger::charge_back(db, booking, &customer, &gateway, amount, given).await?;
    Ok(())
}

/// What the arrival of a payment is booked as.
pub(super) fn top_up_key(payment: Uuid) -> OperationKey {
    OperationKey::follows("payment", payment)
}

pub(super) fn named(key: &str) -> OperationKey {
    key.parse().expect("because it is made of words and ids")
}

pub(super) fn wallet_of(payment: &Payment) -> Customer {
    payment.customer.as_str().parse().expect("because names are visible and short")
}

/// The account of the ledger that holds what a provider has of ours.
pub(super) fn gateway(provider: PaymentProvider) -> Name {
    provider.word().parse().expect("because the words of providers are names")
}
