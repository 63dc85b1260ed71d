//! What people say about payments: that they paid (where that is enough), that money came to the
//! bank, that a second person has seen it, that money is to go back.

use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Payments;
use super::error::PaymentError;
use super::payment;
use super::payment::Payment;
use super::report::Report;
use super::report::Standing;
use super::settle::Told;
use super::settle::Verdict;
use super::settle::settle;
use crate::model::platform::PaymentProvider;

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
