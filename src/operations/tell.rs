//! What customers are told about their orders and changes: one mail for each fact, ever.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use sqlx::PgConnection;

use super::Change;
use super::OperationError;
use super::operation::Operation;
use super::order::Order;
use crate::accounts;
use crate::billing::invoice::Invoice;
use crate::model::Task;
use crate::model::task::Action;

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
    if task(operation).is_some_and(|task| task.action == Action::Backup) {
        // The mail of backups tells it to everybody.
        return Ok(());
    }
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

fn task(operation: &Operation) -> Option<&Task> {
    match &operation.intent.change {
        Change::Task { task, .. } => Some(task),
        _ => None,
    }
}

fn about_backup(task: &Task, now: Timestamp) -> Value {
    json!({ "subscription": format!("{}/{}", task.tenant, task.subscription), "at": now })
}

/// A backup is there. The last one before a removal is told of with the removal.
pub(super) async fn backup_done(
    db: &mut PgConnection,
    operation: &Operation,
    backup: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let Some(task) = task(operation).filter(|task| task.action == Action::Backup) else {
        return Ok(());
    };
    let mut values = about_backup(task, now);
    values["backup"] = json!(backup);
    let fact = operation.id.to_string();
    accounts::tell_tenant(db, "backup-done", &fact, &task.tenant, &values, now).await?;
    Ok(())
}

/// What was kept of a subscription that ended is deleted.
pub(super) async fn purged(
    db: &mut PgConnection,
    operation: &Operation,
    now: Timestamp,
) -> Result<(), OperationError> {
    let Change::Purge { name, backup } = &operation.intent.change else { return Ok(()) };
    let tenant = &operation.intent.tenant;
    let mut values = json!({ "subscription": format!("{tenant}/{name}") });
    if let Some(backup) = backup {
        values["backup"] = json!(backup);
    }
    let fact = operation.id.to_string();
    accounts::tell_tenant(db, "purged", &fact, tenant, &values, now).await?;
    Ok(())
}

/// A backup failed, or another thing to do once: customers are told of backups, and operators of the
/// rest. Of backups operators have an alert.
pub(super) async fn task_failed(
    db: &mut PgConnection,
    operation: &Operation,
    why: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let Some(task) = task(operation) else { return Ok(()) };
    let fact = operation.id.to_string();
    match task.action {
        Action::Backup => {
            let mut values = about_backup(task, now);
            values["why"] = json!(why);
            accounts::tell_tenant(db, "backup-failed", &fact, &task.tenant, &values, now).await?;
        }
        Action::FinalBackup => {}
        action @ (Action::Restore | Action::Verify) => {
            let (tenant, subscription) = (&task.tenant, &task.subscription);
            let what = format!("the {} of {tenant}/{subscription} failed: {why}", action.word());
            let values = json!({ "job": action.word(), "what": what, "at": now });
            accounts::tell_operators(db, "alert", &fact, &values, now).await?;
        }
    }
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
