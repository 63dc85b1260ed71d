//! Holds: money set aside for an order that may still fail. A hold ends once: it is captured when
//! the order is there, voided when it failed, or expires. What was not captured returns.
//!
//! A capture is two transactions of the ledger, both or none: the hold is released, and what is
//! taken is charged. So a charge looks the same however it came about, and is refunded alike.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Account;
use super::Booking;
use super::Customer;
use super::LedgerError;
use super::Posted;
use super::Reason;
use super::Sale;
use super::flows::charge;
use super::flows::positive;
use super::post::Draft;
use super::post::content;
use super::post::post;
use super::read::currency_of;
use crate::billing::keys::OperationKey;
use crate::model::money::Money;
use crate::postgres::stamp;

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldState {
    Pending,
    Captured,
    Voided,
    Expired,
}

impl HoldState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Expired => "expired",
        }
    }

    fn of(text: &str) -> Result<Self, LedgerError> {
        [Self::Pending, Self::Captured, Self::Voided, Self::Expired]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| LedgerError::Unreadable {
                text: text.to_owned(),
                expected: "the state of a hold",
            })
    }
}

impl fmt::Display for HoldState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A hold as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub id: Uuid,
    pub customer: Customer,
    pub amount: Money,
    /// What of it was taken.
    pub captured: Money,
    /// What it is for, such as the id of an order.
    pub subject: String,
    pub state: HoldState,
    pub expires_at: Timestamp,
}

/// Sets money of a wallet aside. The booking's subject says what for.
pub async fn hold(
    db: &mut PgConnection,
    booking: Booking<'_>,
    customer: &Customer,
    amount: Money,
    expires_at: Timestamp,
) -> Result<Hold, LedgerError> {
    let subject = booking.subject.unwrap_or_default();
    let postings = vec![
        (Account::CustomerCredit(customer.clone()), positive(amount)?.checked_neg()?),
        (Account::Hold(customer.clone()), amount),
    ];
    let content = content(&(Reason::Hold, customer, amount, subject));
    let reason = Reason::Hold;
    let draft = Draft { booking, reason, customer: Some(customer), reverses: None, postings };
    let posted = post(db, draft, &content).await?;
    if !posted.repeated {
        // The transaction's id serves as the hold's: the one belongs to the other.
        sqlx::query(
            "insert into hold (id, op_key, customer, currency, amount, subject, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(posted.transaction)
        .bind(booking.key.as_str())
        .bind(customer.as_str())
        .bind(amount.currency.code())
        .bind(amount.minor)
        .bind(subject)
        .bind(stamp(booking.at))
        .bind(stamp(expires_at))
        .execute(&mut *db)
        .await?;
    }
    find(db, posted.transaction).await
}

/// A hold by its id.
pub async fn find(db: &mut PgConnection, id: Uuid) -> Result<Hold, LedgerError> {
    let row = sqlx::query_as(
        "select id, customer, currency, amount, captured, subject, state, expires_at
         from hold where id = $1",
    );
    read(row.bind(id).fetch_optional(db).await?, id)
}

/// A hold by its id, which nobody else ends before this transaction does.
async fn locked(db: &mut PgConnection, id: Uuid) -> Result<Hold, LedgerError> {
    let row = sqlx::query_as(
        "select id, customer, currency, amount, captured, subject, state, expires_at
         from hold where id = $1 for update",
    );
    read(row.bind(id).fetch_optional(db).await?, id)
}

type Row = (Uuid, String, String, i64, i64, String, String, jiff_sqlx::Timestamp);

fn read(row: Option<Row>, id: Uuid) -> Result<Hold, LedgerError> {
    let (id, customer, currency, amount, captured, subject, state, expires_at) =
        row.ok_or(LedgerError::NoHold(id))?;
    let currency = currency_of(&currency)?;
    let customer = customer
        .parse()
        .map_err(|_| LedgerError::Unreadable { text: customer, expected: "a customer" })?;
    Ok(Hold {
        id,
        customer,
        amount: Money::new(amount, currency),
        captured: Money::new(captured, currency),
        subject,
        state: HoldState::of(&state)?,
        expires_at: expires_at.to_jiff(),
    })
}

/// Takes what was sold out of a hold, at most the hold; the rest is in the wallet again.
///
/// A hold that is past its time and not yet expired may still be captured: the order succeeded.
pub async fn capture(
    db: &mut PgConnection,
    id: Uuid,
    sale: &Sale<'_>,
    at: Timestamp,
    actor: &str,
) -> Result<Posted, LedgerError> {
    let held = locked(db, id).await?;
    let taken = positive(sale.total()?)?;
    if held.amount.checked_sub(taken)?.minor < 0 {
        return Err(LedgerError::AboveHold { asked: taken, held: held.amount });
    }
    let key = OperationKey::follows("capture", id);
    let booking = Booking { actor, subject: Some(&held.subject), ..Booking::by_system(&key, at) };
    match held.state {
        HoldState::Pending => {
            release(db, &held, at, actor).await?;
            let posted = charge(db, booking, &held.customer, sale).await?;
            end(db, &held, HoldState::Captured, taken, at, None).await?;
            Ok(posted)
        }
        // It finds what was booked, or that it was something else.
        HoldState::Captured => charge(db, booking, &held.customer, sale).await,
        state @ (HoldState::Voided | HoldState::Expired) => {
            Err(LedgerError::HoldEnded { id, state })
        }
    }
}

/// Gives a hold back, because what it was for failed or was cancelled. Doing so twice is fine.
pub async fn void(
    db: &mut PgConnection,
    id: Uuid,
    at: Timestamp,
    actor: &str,
    why: &str,
) -> Result<(), LedgerError> {
    let held = locked(db, id).await?;
    match held.state {
        HoldState::Pending => {
            release(db, &held, at, actor).await?;
            let nothing = Money::zero(held.amount.currency);
            end(db, &held, HoldState::Voided, nothing, at, Some(why)).await
        }
        HoldState::Voided | HoldState::Expired => Ok(()),
        state @ HoldState::Captured => Err(LedgerError::HoldEnded { id, state }),
    }
}

/// Gives back holds whose time is over, so many at most; says which. Those that somebody is
/// ending just now are left to them.
pub async fn expire_holds(
    db: &mut PgConnection,
    now: Timestamp,
    at_most: i64,
) -> Result<Vec<Uuid>, LedgerError> {
    let due: Vec<(Uuid,)> = sqlx::query_as(
        "select id from hold where state = 'pending' and expires_at <= $1
         order by expires_at limit $2 for update skip locked",
    )
    .bind(stamp(now))
    .bind(at_most)
    .fetch_all(&mut *db)
    .await?;
    let mut expired = Vec::with_capacity(due.len());
    for (id,) in due {
        let held = locked(db, id).await?;
        release(db, &held, now, "system").await?;
        let nothing = Money::zero(held.amount.currency);
        end(db, &held, HoldState::Expired, nothing, now, Some("its time was over")).await?;
        expired.push(id);
    }
    Ok(expired)
}

async fn release(
    db: &mut PgConnection,
    held: &Hold,
    at: Timestamp,
    actor: &str,
) -> Result<Posted, LedgerError> {
    let key = OperationKey::follows("release", held.id);
    let booking = Booking { actor, subject: Some(&held.subject), ..Booking::by_system(&key, at) };
    let postings = vec![
        (Account::Hold(held.customer.clone()), held.amount.checked_neg()?),
        (Account::CustomerCredit(held.customer.clone()), held.amount),
    ];
    let content = content(&(Reason::Release, held.id));
    let (reason, customer) = (Reason::Release, Some(&held.customer));
    post(db, Draft { booking, reason, customer, reverses: None, postings }, &content).await
}

async fn end(
    db: &mut PgConnection,
    held: &Hold,
    state: HoldState,
    captured: Money,
    at: Timestamp,
    why: Option<&str>,
) -> Result<(), LedgerError> {
    sqlx::query("update hold set state = $2, captured = $3, ended_at = $4, why = $5 where id = $1")
        .bind(held.id)
        .bind(state.as_str())
        .bind(captured.minor)
        .bind(stamp(at))
        .bind(why)
        .execute(db)
        .await?;
    Ok(())
}
