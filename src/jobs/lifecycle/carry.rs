//! Carrying out what is due: each effect in one transaction with its key, and so once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::done;
use super::facts;
use super::facts::Known;
use super::facts::Subject;
use crate::accounts;
use crate::billing::calendar::Stretch;
use crate::billing::calendar::start_of_day;
use crate::billing::invoice;
use crate::billing::invoice::Draft;
use crate::billing::keys::OperationKey;
use crate::billing::lifecycle::Due;
use crate::billing::lifecycle::Effect;
use crate::billing::lifecycle::Template;
use crate::billing::terms;
use crate::billing::terms::Rules;
use crate::jobs::Ground;
use crate::jobs::JobError;
use crate::jobs::own;
use crate::model::SubscriptionId;
use crate::model::subscription::HoldReason;
use crate::model::task::Action;
use crate::operations::Change;
use crate::operations::OperationError;
use crate::operations::order::customer;
use crate::postgres::stamp;

/// What became of something that was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// Somebody else did it, or it is not due any more.
    Nothing,
    /// It cannot be done, and somebody should know why.
    Cannot(String),
}

/// Carries out one effect.
pub(super) async fn out(
    ground: &Ground,
    subject: &Subject,
    due: &Due,
) -> Result<Outcome, JobError> {
    let (id, now) = (&subject.id, ground.now);
    let asks = matches!(due.effect, Effect::AskGateway { .. });
    if asks {
        // Outside of any transaction: a gateway may take its time.
        ground.payments.asked_and_in_flight(&id.tenant, now).await?;
    }
    let mut transaction = ground.accounts.begin().await?;
    let Some(attempt) = done::claim(&mut transaction, id, due, now).await? else {
        return Ok(Outcome::Nothing);
    };
    let known = facts::gather(&mut transaction, subject, now).await?;
    // What was paid or changed since it was decided counts. (A question, once asked, is not due.)
    if !asks && !known.due(now)?.contains(due) {
        return Ok(Outcome::Nothing);
    }
    let outcome = match due.effect {
        Effect::MakeInvoice { stretch } => {
            make_invoice(&mut transaction, &known, &due.key, &stretch, now).await?;
            Outcome::Done
        }
        Effect::Renew { invoice } => {
            renew(&mut transaction, &known, invoice, now).await?;
            Outcome::Done
        }
        Effect::RenewFromToday { stretch, .. } => {
            let invoice = from_today(&mut transaction, &known, &stretch, now).await?;
            renew(&mut transaction, &known, invoice, now).await?;
            Outcome::Done
        }
        Effect::AskGateway { .. } => Outcome::Done,
        Effect::Mail { template, .. } => mail(&mut transaction, &known, due, template, now).await?,
        Effect::WritePaidThrough { .. }
        | Effect::WriteCourtesy { .. }
        | Effect::Suspend { .. }
        | Effect::LiftOverdue
        | Effect::TakeFinalBackup
        | Effect::Remove { .. } => {
            let operation = operation_of(due, attempt);
            let change = change(&known, &due.effect, operation, now);
            let what = (&id.tenant, change);
            let by = (operation, due.key.as_str());
            own::accept(&mut transaction, &subject.configuration, what, by, now).await?;
            done::became(&mut transaction, &due.key, attempt, operation, now).await?;
            Outcome::Done
        }
        Effect::ApplyChange { .. } | Effect::Purge => Outcome::Nothing,
    };
    if outcome == Outcome::Done {
        transaction.commit().await?;
    }
    Ok(outcome)
}

/// The operation that an effect becomes. It follows from the key, so that there is one of it.
fn operation_of(due: &Due, attempt: i32) -> Uuid {
    own::id_of(&[due.key.as_str(), &attempt.to_string()])
}

async fn make_invoice(
    db: &mut PgConnection,
    known: &Known<'_>,
    key: &OperationKey,
    stretch: &Stretch,
    now: Timestamp,
) -> Result<Uuid, JobError> {
    let (sale, id) = (known.sale(stretch)?, &known.subject.id);
    let Some(seller) = &sale.seller else {
        let why = format!("{id} cannot be invoiced: the platform does not say who sells");
        return Err(OperationError::Conflict(why).into());
    };
    let draft = Draft {
        key,
        issuer: seller.series.as_str(),
        customer: &customer(&id.tenant),
        subscription: Some(id),
        seller: &seller.party,
        buyer: &sale.buyer,
        quote: &sale.quote,
    };
    let draft = invoice::draft(db, draft, now).await?;
    let due_at = start_of_day(stretch.sold.start, known.shop.zone())?.max(now);
    Ok(invoice::finalise(db, draft.id, now, due_at).await?.id)
}

async fn renew(
    db: &mut PgConnection,
    known: &Known<'_>,
    invoice: Uuid,
    now: Timestamp,
) -> Result<(), JobError> {
    let rules = Rules { lifecycle: &known.subject.lifecycle, zone: known.shop.zone() };
    terms::renew(db, invoice, known.anchor.first(), rules, now, "system").await?;
    Ok(())
}

/// The invoice of days from today on: the one that is open, where it is of just these days; or a
/// new one in its place.
async fn from_today(
    db: &mut PgConnection,
    known: &Known<'_>,
    stretch: &Stretch,
    now: Timestamp,
) -> Result<Uuid, JobError> {
    if let Some(open) = &known.invoice {
        if open.period == Some(stretch.sold) {
            return Ok(open.id);
        }
        invoice::undo(db, open.id, now).await?;
    }
    let key = OperationKey::on_day("invoice-late", &known.subject.id, stretch.sold.start);
    make_invoice(db, known, &key, stretch, now).await
}

fn change(known: &Known<'_>, effect: &Effect, operation: Uuid, now: Timestamp) -> Change {
    let name = known.subject.id.name.clone();
    match *effect {
        Effect::WritePaidThrough { through } | Effect::WriteCourtesy { through } => {
            Change::Extend { name, day: through }
        }
        Effect::Suspend { .. } => {
            let number = known.invoice.as_ref().and_then(|invoice| invoice.number.as_deref());
            let note = number.map(|number| format!("the invoice {number} is not paid"));
            Change::Hold { name, reason: HoldReason::Overdue, note }
        }
        Effect::TakeFinalBackup => {
            let with = BTreeMap::new();
            Change::task(&known.subject.id, Action::FinalBackup, with, operation, now)
        }
        Effect::Remove { .. } => Change::Remove { name },
        _ => Change::Lift { name, reason: HoldReason::Overdue },
    }
}

/// Tells everybody of the tenant. What reaches nobody is not done.
async fn mail(
    db: &mut PgConnection,
    known: &Known<'_>,
    due: &Due,
    template: Template,
    now: Timestamp,
) -> Result<Outcome, JobError> {
    let (id, spec) = (&known.subject.id, &known.subject.spec);
    let lifecycle = &known.subject.lifecycle;
    let grace = known.paid_until.and_then(|end| end.checked_add(lifecycle.grace.span()).ok());
    let invoice = known.invoice.as_ref();
    let values = json!({
        "subscription": id,
        "package": spec.package,
        "paidUntil": known.paid_until,
        "keptUntil": grace,
        "invoice": invoice.map(|invoice| invoice.id),
        "number": invoice.and_then(|invoice| invoice.number.as_deref()),
        "total": invoice.map(|invoice| invoice.total.to_string()),
    });
    // The fact of an invoice is the invoice, whoever tells it.
    let fact = match (template, invoice) {
        (Template::Invoice, Some(invoice)) => invoice.id.to_string(),
        _ => due.key.to_string(),
    };
    let word = template.as_str();
    match accounts::tell_tenant(db, word, &fact, &id.tenant, &values, now).await? {
        0 => {
            let why = format!(
                "{id}: the mail `{word}` reaches nobody: no account of {} has a verified address",
                id.tenant
            );
            Ok(Outcome::Cannot(why))
        }
        _ => Ok(Outcome::Done),
    }
}

/// Tells everybody of a tenant that a subscription is gone, and which backup of it is kept how long.
pub(super) async fn tell_end(
    ground: &Ground,
    id: &SubscriptionId,
    due: &Due,
    kept: Option<(&str, Date)>,
) -> Result<Outcome, JobError> {
    let now = ground.now;
    let mut transaction = ground.accounts.begin().await?;
    if done::claim(&mut transaction, id, due, now).await?.is_none() {
        return Ok(Outcome::Nothing);
    }
    let (word, fact) = (Template::Ended.as_str(), due.key.to_string());
    let mut values = json!({ "subscription": id });
    if let Some((backup, until)) = kept {
        values["backup"] = json!(backup);
        values["retainedUntil"] = json!(until);
    }
    let tenant = &id.tenant;
    accounts::tell_tenant(&mut transaction, word, &fact, tenant, &values, now).await?;
    transaction.commit().await?;
    Ok(Outcome::Done)
}

/// Asks that nothing is kept any longer of a subscription that ended.
pub(super) async fn purge(
    ground: &Ground,
    id: &SubscriptionId,
    due: &Due,
    backup: Option<String>,
) -> Result<Outcome, JobError> {
    let (configuration, now) = (&ground.documents()?.configuration, ground.now);
    if !configuration.tenants.contains_key(&id.tenant) {
        let why = format!(
            "{id}: nothing has to be kept of it any longer, and the document of its tenant, which \
             would say so, is gone: bring that back, or delete by hand what the inventory lists"
        );
        return Ok(Outcome::Cannot(why));
    }
    let mut transaction = ground.accounts.begin().await?;
    let Some(attempt) = done::claim(&mut transaction, id, due, now).await? else {
        return Ok(Outcome::Nothing);
    };
    let operation = operation_of(due, attempt);
    let what = (&id.tenant, Change::Purge { name: id.name.clone(), backup });
    let by = (operation, due.key.as_str());
    own::accept(&mut transaction, configuration, what, by, now).await?;
    done::became(&mut transaction, &due.key, attempt, operation, now).await?;
    transaction.commit().await?;
    Ok(Outcome::Done)
}

/// Says of an invoice that it was delivered, once the mail of it was sent to anybody.
pub(super) async fn note_delivery(
    db: &mut PgConnection,
    known: &Known<'_>,
    now: Timestamp,
) -> Result<bool, JobError> {
    let Some(open) = known.invoice.as_ref().filter(|open| open.delivered_at.is_none()) else {
        return Ok(false);
    };
    let sent: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(
        "select min(done_at) from outbox
         join user_account on key = format('mail:invoice:%s:%s', user_account.id, $1)
         where tenant = $2 and kind = 'mail' and done_at <= $3",
    )
    .bind(open.id.to_string())
    .bind(known.subject.id.tenant.as_str())
    .bind(stamp(now))
    .fetch_one(&mut *db)
    .await?;
    let Some(sent) = sent else { return Ok(false) };
    invoice::mark_delivered(db, open.id, sent.to_jiff()).await?;
    Ok(true)
}
