//! Payments that orders wait for: what arrived in the wallet is set aside for its order, which goes
//! on. Each payment is looked at once.

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgPool;

use super::OperationError;
use super::order;
use crate::model::Configuration;
use crate::outbox;
use crate::outbox::Kind;
use crate::outbox::Leased;
use crate::outbox::Paid;

const LEASE: SignedDuration = SignedDuration::from_mins(1);
const AT_ONCE: i64 = 100;
/// How long one waits that could not be looked at.
const LATER: SignedDuration = SignedDuration::from_secs(10);

/// Takes in every payment that is there, and says how many there were.
pub async fn work(
    pool: &PgPool,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<usize, OperationError> {
    let leased = outbox::lease(pool, Kind::Paid, AT_ONCE, now, now + LEASE).await?;
    for payment in &leased {
        if let Err(error) = one(pool, configuration, payment, now).await {
            tracing::warn!("{} is looked at again: {error}", payment.key);
            outbox::put_off(pool, payment, now + LATER, &error.to_string()).await?;
        }
    }
    Ok(leased.len())
}

async fn one(
    pool: &PgPool,
    configuration: &Configuration,
    leased: &Leased,
    now: Timestamp,
) -> Result<(), OperationError> {
    let paid: Paid = serde_json::from_value(leased.payload.clone()).map_err(|error| {
        OperationError::Conflict(format!("{} cannot be read: {error}", leased.key))
    })?;
    let mut transaction = pool.begin().await?;
    order::payment_arrived(&mut transaction, paid.order, configuration, leased.created_at, now)
        .await?;
    let order = serde_json::json!({ "order": paid.order });
    if outbox::done(&mut transaction, leased, &order, now).await? {
        transaction.commit().await?;
    }
    Ok(())
}
