//! Money that goes back on our wish. It is held in the wallet until the provider says what became
//! of it; then it leaves the books, or is the customer's again.

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::PaymentError;
use super::payment::Payment;
use super::payment::State;
use super::settle::named;
use super::settle::take_from_wallet;
use super::settle::top_up_key;
use super::settle::wallet_of;
use crate::billing::OperationKey;
use crate::billing::ledger;
use crate::billing::ledger::Booking;
use crate::billing::ledger::Extent;
use crate::billing::ledger::LedgerError;
use crate::model::money::Money;
use crate::postgres::stamp;

/// How long we wait to hear what became of it, before somebody has to look.
const PATIENCE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Money to send back.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// By which it is asked for once.
    pub id: Uuid,
    pub payment: Uuid,
    /// All that is left where absent.
    pub amount: Option<Money>,
    pub reason: String,
    /// What shows that it went back, where a person sends it.
    pub evidence: Option<String>,
    pub by: Uuid,
    pub now: Timestamp,
}

/// Money on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    pub id: Uuid,
    pub payment: Uuid,
    pub amount: Money,
    pub reason: String,
    /// `asked`, `done` or `refused`.
    pub state: String,
    /// Why it was refused, or why nobody knows yet.
    pub why: Option<String>,
    pub created_at: Timestamp,
}

type Row = (Uuid, Uuid, i64, String, String, Option<String>, jiff_sqlx::Timestamp, String, Uuid);
const COLUMNS: &str = "payment_refund.id, payment_id, payment_refund.amount, reason,
    payment_refund.state, payment_refund.why, payment_refund.created_at, payment.currency, hold_id";

fn refund_of(row: Row) -> Result<(Refund, Uuid), PaymentError> {
    let (id, payment, amount, reason, state, why, created_at, currency, hold) = row;
    let currency = currency.parse().map_err(|_| PaymentError::Unreadable(currency))?;
    let amount = Money::new(amount, currency);
    Ok((Refund { id, payment, amount, reason, state, why, created_at: created_at.to_jiff() }, hold))
}

/// Asks for a refund: what is to go back is held from now on. The payment is locked.
pub(super) async fn ask(
    db: &mut PgConnection,
    payment: &Payment,
    wish: &NewRefund,
) -> Result<Refund, PaymentError> {
    if let Some((known, _)) = find(db, wish.id).await? {
        let same = known.payment == wish.payment && wish.amount.is_none_or(|it| it == known.amount);
        return if same { Ok(known) } else { Err(PaymentError::Reused(wish.id)) };
    }
    if payment.state != State::Paid {
        return Err(PaymentError::Conflict(
            "the payment is not paid: there is nothing to send back",
        ));
    }
    let (waiting,): (i64,) = sqlx::query_as(
        "select coalesce(sum(amount), 0)::bigint from payment_refund where payment_id = $1 and state = 'asked'",
    )
    .bind(payment.id)
    .fetch_one(&mut *db)
    .await?;
    let left = Money::new(payment.left().minor - waiting, payment.amount.currency);
    let amount = wish.amount.unwrap_or(left);
    if amount.currency != left.currency || amount.minor > left.minor || amount.minor <= 0 {
        return Err(PaymentError::AboveLeft { asked: amount, left });
    }
    let (key, subject) =
        (OperationKey::follows("refund-hold", wish.id), format!("refund {}", wish.id));
    let booking = Booking::by_system(&key, wish.now).about(&subject);
    let held = ledger::hold(db, booking, &wallet_of(payment), amount, wish.now + PATIENCE).await?;
    sqlx::query(
        "insert into payment_refund
             (id, payment_id, amount, reason, evidence, asked_by, hold_id, created_at, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
    )
    .bind(wish.id)
    .bind(payment.id)
    .bind(amount.minor)
    .bind(&wish.reason)
    .bind(&wish.evidence)
    .bind(wish.by)
    .bind(held.id)
    .bind(stamp(wish.now))
    .execute(&mut *db)
    .await?;
    let (refund, _) = find(db, wish.id).await?.ok_or(PaymentError::Missing(wish.id))?;
    Ok(refund)
}

pub(super) async fn find(
    db: &mut PgConnection,
    id: Uuid,
) -> Result<Option<(Refund, Uuid)>, PaymentError> {
    let statement = format!(
        "select {COLUMNS} from payment_refund join payment on payment.id = payment_id
         where payment_refund.id = $1"
    );
    let row: Option<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(db).await?;
    row.map(refund_of).transpose()
}

/// Refunds of a payment, the oldest first.
pub async fn of_payment(db: &mut PgConnection, payment: Uuid) -> Result<Vec<Refund>, PaymentError> {
    Ok(rows(db, payment).await?.into_iter().map(|(refund, _)| refund).collect())
}

async fn rows(db: &mut PgConnection, payment: Uuid) -> Result<Vec<(Refund, Uuid)>, PaymentError> {
    let statement = format!(
        "select {COLUMNS} from payment_refund join payment on payment.id = payment_id
         where payment_id = $1 order by payment_refund.created_at, payment_refund.id"
    );
    let rows: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(payment).fetch_all(db).await?;
    rows.into_iter().map(refund_of).collect()
}

/// The provider says that so much went back in all. What we asked for and is in it is done; what
/// nobody here asked for is taken from the wallet. The payment is locked, and says so already.
pub(super) async fn gone_back(
    db: &mut PgConnection,
    payment: &Payment,
    in_all: Money,
    now: Timestamp,
) -> Result<(), PaymentError> {
    let mut unexplained = in_all.minor - payment.refunded.minor;
    for (refund, hold) in rows(db, payment.id).await? {
        if refund.state == "asked" && refund.amount.minor <= unexplained {
            unexplained -= refund.amount.minor;
            finish(db, payment, &refund, hold, now).await?;
        }
    }
    if unexplained > 0 {
        let amount = Money::new(unexplained, in_all.currency);
        let key = format!("refunded:{}:{}", payment.id, in_all.minor);
        take_from_wallet(db, payment, amount, &key, now).await?;
    }
    Ok(())
}

/// The provider says of one refund that it is done. The payment is locked.
pub(super) async fn done(
    db: &mut PgConnection,
    payment: &Payment,
    id: Uuid,
    now: Timestamp,
) -> Result<(), PaymentError> {
    let Some((refund, hold)) = find(db, id).await? else { return Ok(()) };
    // It may have been told as part of the payment's sum meanwhile.
    if refund.state != "asked" {
        return Ok(());
    }
    let refunded = payment.refunded.minor + refund.amount.minor;
    let rank: i16 = if refunded >= payment.amount.minor { 5 } else { 4 };
    sqlx::query("update payment set refunded = $2, rank = greatest(rank, $3) where id = $1")
        .bind(payment.id)
        .bind(refunded)
        .bind(rank)
        .execute(&mut *db)
        .await?;
    finish(db, payment, &refund, hold, now).await
}

/// What was held leaves the books: the arrival of the money is taken back in part.
async fn finish(
    db: &mut PgConnection,
    payment: &Payment,
    refund: &Refund,
    hold: Uuid,
    now: Timestamp,
) -> Result<(), PaymentError> {
    end(db, refund.id, "done", None, now).await?;
    ledger::void(db, hold, now, "system", "it went back").await?;
    let key = OperationKey::follows("refund", refund.id);
    let arrival = ledger::booked_by(db, &top_up_key(payment.id)).await?;
    let arrival = arrival.ok_or(PaymentError::Conflict("the payment's arrival was not booked"))?;
    let subject = format!("payment {}", payment.id);
    let booking = Booking { note: Some(&refund.reason), ..Booking::by_system(&key, now) };
    let booked =
        ledger::reverse(db, booking.about(&subject), arrival, Extent::Part(refund.amount)).await;
    match booked {
        Ok(_) => Ok(()),
        // The hold had run out and the money was spent: it is gone all the same.
        Err(LedgerError::Insufficient { .. }) => {
            let key = format!("refund-lost:{}", refund.id);
            take_from_wallet(db, payment, refund.amount, named(&key).as_str(), now).await
        }
        Err(error) => Err(error.into()),
    }
}

/// It does not go back: it is the customer's again.
pub(super) async fn refused(
    db: &mut PgConnection,
    id: Uuid,
    why: &str,
    now: Timestamp,
) -> Result<(), PaymentError> {
    let Some((refund, hold)) = find(db, id).await? else { return Ok(()) };
    if refund.state != "asked" {
        return Ok(());
    }
    end(db, id, "refused", Some(why), now).await?;
    ledger::void(db, hold, now, "system", why).await?;
    Ok(())
}

async fn end(
    db: &mut PgConnection,
    id: Uuid,
    state: &str,
    why: Option<&str>,
    now: Timestamp,
) -> Result<(), PaymentError> {
    sqlx::query("update payment_refund set state = $2, why = $3, ended_at = $4 where id = $1")
        .bind(id)
        .bind(state)
        .bind(why)
        .bind(stamp(now))
        .execute(db)
        .await?;
    Ok(())
}

/// It is asked for again later.
pub(super) async fn put_off(
    db: &mut PgConnection,
    id: Uuid,
    why: &str,
    due: Timestamp,
) -> Result<(), PaymentError> {
    sqlx::query(
        "update payment_refund set due_at = $2, why = $3 where id = $1 and state = 'asked'",
    )
    .bind(id)
    .bind(stamp(due))
    .bind(why)
    .execute(db)
    .await?;
    Ok(())
}
