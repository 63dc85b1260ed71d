//! What customers are told about their orders and changes: one mail for each fact, ever.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use sqlx::PgConnection;

use super::OperationError;
use super::operation::Operation;
use super::order::Order;
use crate::accounts;
use crate::billing::invoice::Invoice;

fn about(order: &Order) -> Value {
    json!({
        "order": order.id,
        "subscription": order.subscription_id(),
        "package": order.sale.package,
        "total": order.total.to_string(),
        "from": order.sale.quote.period.start,
        "through": order.sale.through(),
    })
}

/// The order is paid, and on its way.
pub(super) async fn order_confirmed(
    db: &mut PgConnection,
    order: &Order,
    now: Timestamp,
) -> Result<(), OperationError> {
    let fact = order.id.to_string();
    accounts::tell_account(db, order.account, "order-confirmed", &fact, about(order), now).await?;
    Ok(())
}

/// What was ordered is there, and whose it is gets all that is needed to begin.
pub(super) async fn instance_ready(
    db: &mut PgConnection,
    order: &Order,
    addresses: &[String],
    now: Timestamp,
) -> Result<(), OperationError> {
    let mut values = about(order);
    values["addresses"] = json!(addresses);
    let fact = order.id.to_string();
    accounts::hand_over(db, order.account, &fact, values, now).await?;
    Ok(())
}

/// The invoice is final.
pub(super) async fn invoice(
    db: &mut PgConnection,
    order: &Order,
    invoice: &Invoice,
    now: Timestamp,
) -> Result<(), OperationError> {
    let mut values = about(order);
    values["invoice"] = json!(invoice.id);
    values["number"] = json!(invoice.number);
    let fact = invoice.id.to_string();
    accounts::tell_account(db, order.account, "invoice", &fact, values, now).await?;
    Ok(())
}

/// It did not work out, and why.
pub(super) async fn failed(
    db: &mut PgConnection,
    operation: &Operation,
    why: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let Some(account) = operation.intent.asker.account else { return Ok(()) };
    let values = json!({
        "operation": operation.id,
        "kind": operation.kind,
        "subscription": operation.intent.change.subscription(),
        "paid": operation.order.is_some(),
        "why": why,
    });
    accounts::tell_account(db, account, "failed", &operation.id.to_string(), values, now).await?;
    Ok(())
}

/// A payment came for an order that is over: it stays in the wallet.
pub(super) async fn payment_stays_credit(
    db: &mut PgConnection,
    order: &Order,
    now: Timestamp,
) -> Result<(), OperationError> {
    let mut values = about(order);
    values["amount"] = json!(order.total.to_string());
    let fact = format!("late:{}", order.id);
    accounts::tell_account(db, order.account, "payment-late", &fact, values, now).await?;
    Ok(())
}
