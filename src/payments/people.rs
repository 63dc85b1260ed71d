//! What people say about payments: that they paid (where that is enough), that money came to the
//! bank, that a second person has seen it, that money is to go back.

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Payments;
use super::error::GatewayError;
use super::error::PaymentError;
use super::payment;
use super::payment::Payment;
use super::payment::State;
use super::payment::Subject;
use super::provider::Gateway;
use super::provider::Sent;
use super::refund;
use super::refund::NewRefund;
use super::refund::Refund;
use super::report::Report;
use super::report::Standing;
use super::settle::Told;
use super::settle::Verdict;
use super::settle::settle;
use crate::model::Name;
use crate::model::money::Money;
use crate::model::platform::PaymentProvider;
use crate::postgres::stamp;

/// Whoever sends a refund has it for so long; afterwards somebody else may.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// How long a refund is left alone that its provider has under way.
const UNDER_WAY: SignedDuration = SignedDuration::from_hours(6);
const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(6);

/// Money that came to the bank, as a person records it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// By which it is recorded once.
    pub id: Uuid,
    pub subject: Subject,
    pub customer: Name,
    pub amount: Money,
    /// What shows it, such as the bank's number of the transfer. It shows one payment.
    pub evidence: String,
    pub note: String,
    pub by: Uuid,
    /// Whether a second person has to see it before it counts.
    pub second_person: bool,
    /// Until when the second person may.
    pub approve_until: Timestamp,
    pub now: Timestamp,
}

impl Payments {
    /// Takes the word of a customer that a payment by nobody is paid. Again changes nothing.
    pub async fn confirm(
        &self,
        db: &mut PgConnection,
        id: Uuid,
        actor: &str,
        now: Timestamp,
    ) -> Result<Payment, PaymentError> {
        let payment = payment::locked(db, id).await?;
        if payment.provider != PaymentProvider::Dummy {
            return Err(PaymentError::Conflict(
                "its provider says whether it is paid: nobody else",
            ));
        }
        self.gateway(payment.provider)?;
        arrived(db, &payment, actor, now).await
    }

    /// Records money that came to the bank. It is in the wallet at once, or once a second person
    /// has approved it.
    pub async fn record(
        &self,
        db: &mut PgConnection,
        wish: &Recorded,
    ) -> Result<Payment, PaymentError> {
        let order = match wish.subject {
            Subject::Order(order) => Some(order),
            Subject::TopUp => None,
        };
        let until = stamp(wish.approve_until.max(wish.now));
        let written = sqlx::query(
            "insert into payment (id, customer, provider, currency, amount, order_id, state, created_at,
                 payable_until, expires_at, recorded_by, evidence, note)
             values ($1, $2, 'manual', $3, $4, $5, 'pending', $6, $7, $7, $8, $9, $10)
             on conflict do nothing",
        )
        .bind(wish.id)
        .bind(wish.customer.as_str())
        .bind(wish.amount.currency.code())
        .bind(wish.amount.minor)
        .bind(order)
        .bind(stamp(wish.now))
        .bind(until)
        .bind(wish.by)
        .bind(&wish.evidence)
        .bind(&wish.note)
        .execute(&mut *db)
        .await?;
        let payment = match payment::locked(db, wish.id).await {
            Ok(payment) => payment,
            Err(PaymentError::Missing(_)) => {
                return Err(PaymentError::Conflict(
                    "that evidence was recorded with another payment",
                ));
            }
            Err(error) => return Err(error),
        };
        if written.rows_affected() == 0
            && (&payment.customer, payment.amount) != (&wish.customer, wish.amount)
        {
            return Err(PaymentError::Reused(wish.id));
        }
        if wish.second_person {
            return Ok(payment);
        }
        arrived(db, &payment, &wish.by.to_string(), wish.now).await
    }

    /// A second person has seen what a first one recorded: it counts.
    pub async fn approve(
        &self,
        db: &mut PgConnection,
        id: Uuid,
        by: Uuid,
        now: Timestamp,
    ) -> Result<Payment, PaymentError> {
        let payment = waits_for_second(db, id).await?;
        if payment.recorded_by == Some(by) {
            return Err(PaymentError::Conflict(
                "whoever recorded it cannot approve it: ask somebody else",
            ));
        }
        sqlx::query("update payment set approved_by = $2 where id = $1")
            .bind(id)
            .bind(by)
            .execute(&mut *db)
            .await?;
        arrived(db, &payment, &by.to_string(), now).await
    }

    /// What was recorded is not so: it never counts, and its evidence is free again.
    pub async fn reject(
        &self,
        db: &mut PgConnection,
        id: Uuid,
        why: &str,
    ) -> Result<Payment, PaymentError> {
        waits_for_second(db, id).await?;
        sqlx::query("update payment set state = 'failed', why = $2 where id = $1")
            .bind(id)
            .bind(why)
            .execute(&mut *db)
            .await?;
        payment::find(db, id).await
    }

    /// Gives up a payment that nobody approved in time: it never counts, and its evidence is free
    /// again. Says which, or that there is none.
    pub async fn expire_next(
        &self,
        db: &mut PgConnection,
        now: Timestamp,
    ) -> Result<Option<Payment>, PaymentError> {
        let expired = sqlx::query_as(
            "update payment set state = 'expired', why = 'nobody approved it in time'
             where id = (
                 select id from payment
                 where provider = 'manual' and state = 'pending' and expires_at <= $1
                 order by expires_at limit 1 for update skip locked
             )
             returning to_jsonb(payment)",
        );
        payment::read(expired.bind(stamp(now)).fetch_optional(db).await)
    }

    /// Asks for money to go back. It is held from now on, and sent by [`Payments::refund_next`];
    /// with evidence it has been sent by hand already.
    pub async fn refund(
        &self,
        db: &mut PgConnection,
        wish: &NewRefund,
    ) -> Result<Refund, PaymentError> {
        let payment = payment::locked(db, wish.payment).await?;
        let by_hand = wish.evidence.is_some();
        let sends = self.gateway(payment.provider).is_ok_and(Gateway::sends_back);
        if !sends && !by_hand {
            return Err(PaymentError::Conflict(
                "nothing can be sent back this way by itself: send it by hand, and say what shows it in `evidence`",
            ));
        }
        let refund = refund::ask(db, &payment, wish).await?;
        if by_hand {
            refund::done(db, &payment, refund.id, wish.now).await?;
        }
        let found = refund::find(db, refund.id).await?;
        found.map(|(refund, _)| refund).ok_or(PaymentError::Missing(refund.id))
    }

    /// Sends back what is due to be; says which refund, or that there is none.
    pub async fn refund_next(&self, now: Timestamp) -> Result<Option<Uuid>, PaymentError> {
        let due: Option<(Uuid, i32)> = sqlx::query_as(
            "update payment_refund set due_at = $2, attempts = attempts + 1
             where id = (
                 select id from payment_refund where state = 'asked' and due_at <= $1
                 order by due_at limit 1 for update skip locked
             )
             returning id, attempts",
        )
        .bind(stamp(now))
        .bind(stamp(now + LEASE))
        .fetch_optional(self.pool()?)
        .await?;
        let Some((id, attempts)) = due else { return Ok(None) };
        let mut connection = self.pool()?.acquire().await?;
        let Some((asked, _)) = refund::find(&mut connection, id).await? else { return Ok(None) };
        let payment = payment::find(&mut connection, asked.payment).await?;
        drop(connection);
        let sent = match self.gateway(payment.provider) {
            Ok(gateway) => gateway.refund(&payment, &asked, now).await,
            Err(error) => Err(GatewayError::Away(error.to_string())),
        };
        let mut transaction = self.transaction().await?;
        let payment = payment::locked(&mut transaction, payment.id).await?;
        match sent {
            Ok(Sent::Done) => refund::done(&mut transaction, &payment, id, now).await?,
            Ok(Sent::UnderWay) => {
                refund::put_off(&mut transaction, id, "it is under way", now + UNDER_WAY).await?;
            }
            Err(error) if error.is_passing() => {
                let doublings = u32::try_from(attempts.clamp(1, 12) - 1).unwrap_or(0);
                let wait = (SignedDuration::from_mins(1) * 2_i32.pow(doublings)).min(LONGEST_RETRY);
                refund::put_off(&mut transaction, id, &error.to_string(), now + wait).await?;
            }
            Err(error) => {
                refund::refused(&mut transaction, id, &error.to_string(), now).await?;
            }
        }
        transaction.commit().await?;
        Ok(Some(id))
    }
}

async fn waits_for_second(db: &mut PgConnection, id: Uuid) -> Result<Payment, PaymentError> {
    let payment = payment::locked(db, id).await?;
    if payment.provider == PaymentProvider::Manual && payment.state == State::Pending {
        Ok(payment)
    } else {
        Err(PaymentError::Conflict("it does not wait for a second person"))
    }
}

/// The money is there, as somebody says who may.
async fn arrived(
    db: &mut PgConnection,
    payment: &Payment,
    actor: &str,
    now: Timestamp,
) -> Result<Payment, PaymentError> {
    let report = Report::of(payment.id, Standing::Settled, payment.amount);
    let told = Told { provider: payment.provider, arrived: now, now, actor };
    match settle(db, &report, told).await? {
        (Verdict::Refused(why) | Verdict::Ignored(why), _) => Err(PaymentError::Unreadable(why)),
        (Verdict::Applied | Verdict::Known, _) => payment::find(db, payment.id).await,
    }
}
