//! Asking: a webhook may never come. A payment that stays open is asked about less and less often,
//! once more right before nobody waits for it, and twice after that, because money may be late.

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
use super::settle::Told;
use super::settle::Verdict;
use super::settle::settle;
use crate::model::Name;
use crate::postgres::stamp;

/// Somebody asks; afterwards somebody else may.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// The waits between questions, in minutes; the last one goes on.
const WAITS: [i64; 6] = [2, 5, 10, 20, 40, 60];
/// How long before the end the last question is asked.
const LAST_QUESTION: SignedDuration = SignedDuration::from_mins(1);
/// When late money is looked for, after the end.
const AFTERWARDS: [SignedDuration; 2] =
    [SignedDuration::from_hours(1), SignedDuration::from_hours(24)];

/// When a payment is asked about next, after it was asked so often; none where no more.
fn next_question(payment: &Payment, now: Timestamp) -> Option<Timestamp> {
    if payment.state == State::Paid {
        return None;
    }
    let last = payment.expires_at - LAST_QUESTION;
    if payment.state.is_open() && now < last {
        let step = usize::try_from(payment.asked).unwrap_or(0).min(WAITS.len() - 1);
        return Some((now + SignedDuration::from_mins(WAITS[step])).min(last));
    }
    if now < payment.expires_at {
        return Some(payment.expires_at);
    }
    AFTERWARDS.into_iter().map(|wait| payment.expires_at + wait).find(|then| *then > now)
}

impl Payments {
    /// Asks the provider how a payment stands, and lets the answer take effect. Call it right
    /// before anything is taken from a customer who may have paid.
    pub async fn ask(&self, id: Uuid, now: Timestamp) -> Result<Payment, PaymentError> {
        let payment = self.find(id).await?;
        let asked = self.gateway(payment.provider)?.ask(&payment, now).await;
        let told = Told { provider: payment.provider, arrived: now, now, actor: "system" };
        let mut transaction = self.transaction().await?;
        match asked {
            Ok(report) => {
                if let (Verdict::Refused(why), _) = settle(&mut transaction, &report, told).await? {
                    tracing::warn!(payment = %id, why, "an answer has no effect");
                }
            }
            // Somebody has to look at it; until then nobody waits for it longer than for others.
            Err(GatewayError::Refused(why)) => {
                tracing::warn!(payment = %id, why, "a payment cannot be asked about");
            }
            Err(error) => return Err(error.into()),
        }
        let payment = end_of_question(&mut transaction, id, now).await?;
        transaction.commit().await?;
        Ok(payment)
    }

    /// Asks about the payment that is due; says which, or that none is.
    pub async fn ask_next(&self, now: Timestamp) -> Result<Option<Uuid>, PaymentError> {
        let due: Option<(Uuid,)> = sqlx::query_as(
            "update payment set ask_at = $2
             where id = (
                 select id from payment where ask_at <= $1
                 order by ask_at limit 1 for update skip locked
             )
             returning id",
        )
        .bind(stamp(now))
        .bind(stamp(now + LEASE))
        .fetch_optional(self.pool()?)
        .await?;
        let Some((id,)) = due else { return Ok(None) };
        match self.ask(id, now).await {
            Ok(_) => {}
            // Its turn comes again when the lease is over.
            Err(error) => {
                tracing::warn!(payment = %id, "a payment was asked about in vain: {error}");
            }
        }
        Ok(Some(id))
    }

    /// Asks about everything of a customer that may be on its way; says whether something still
    /// is. Nobody is suspended before this was asked, nor while it answers yes.
    pub async fn asked_and_in_flight(
        &self,
        customer: &Name,
        now: Timestamp,
    ) -> Result<bool, PaymentError> {
        let open: Vec<(Uuid,)> = sqlx::query_as(
            "select id from payment where customer = $1 and state in ('new', 'pending')
                 and provider not in ('manual', 'dummy') order by id",
        )
        .bind(customer.as_str())
        .fetch_all(self.pool()?)
        .await?;
        for (id,) in open {
            self.ask(id, now).await?;
        }
        let mut connection = self.pool()?.acquire().await?;
        payment::in_flight(&mut connection, customer).await
    }
}

/// Whether anybody still waits for it, and when it is asked about next.
async fn end_of_question(
    db: &mut PgConnection,
    id: Uuid,
    now: Timestamp,
) -> Result<Payment, PaymentError> {
    let mut payment = payment::locked(db, id).await?;
    if payment.state.is_open() && now >= payment.expires_at {
        payment.state = State::Expired;
        payment.why = Some("it was not paid in time".to_owned());
    }
    sqlx::query(
        "update payment set state = $2, why = $3, ask_at = $4, asked = asked + 1 where id = $1",
    )
    .bind(id)
    .bind(payment.state.word())
    .bind(&payment.why)
    .bind(next_question(&payment, now).map(stamp))
    .execute(&mut *db)
    .await?;
    payment::find(db, id).await
}
