//! Making invoices, and what happens to them. All of it is repeatable: the same once more changes
//! nothing and returns what there is.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Invoice;
use super::InvoiceError;
use super::InvoiceLine;
use super::Kind;
use super::Party;
use super::find;
use crate::billing::calendar::Period;
use crate::billing::keys::OperationKey;
use crate::billing::ledger;
use crate::billing::ledger::Booking;
use crate::billing::ledger::Customer;
use crate::billing::ledger::Posted;
use crate::billing::ledger::Sale;
use crate::billing::quote::Quote;
use crate::billing::tax::Rounding;
use crate::billing::tax::Tax;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::postgres::stamp;

/// What becomes an invoice.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    pub key: &'a OperationKey,
    /// The series of numbers, such as `KC`: 1 to 12 of A-Z and 0-9.
    pub issuer: &'a str,
    pub customer: &'a Customer,
    pub subscription: Option<&'a SubscriptionId>,
    pub seller: &'a Party,
    pub buyer: &'a Party,
    pub quote: &'a Quote,
}

/// Everything that an invoice is written from.
struct Text<'a> {
    key: &'a OperationKey,
    issuer: &'a str,
    kind: &'a str,
    corrects: Option<Uuid>,
    customer: &'a Customer,
    subscription: Option<&'a SubscriptionId>,
    seller: &'a Party,
    buyer: &'a Party,
    rounding: Rounding,
    period: Option<Period>,
    lines: Vec<InvoiceLine>,
    taxes: Vec<Tax>,
    net: Money,
    tax: Money,
    total: Money,
}

/// Makes a draft of a quote, or finds the one that its key made before.
pub async fn draft(
    db: &mut PgConnection,
    draft: Draft<'_>,
    at: Timestamp,
) -> Result<Invoice, InvoiceError> {
    let Draft { key, issuer, customer, subscription, seller, buyer, quote } = draft;
    let letters = issuer.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !letters || !(1..=12).contains(&issuer.len()) {
        return Err(InvoiceError::Issuer(issuer.to_owned()));
    }
    if quote.total.minor < 0 {
        return Err(InvoiceError::Negative(quote.total));
    }
    let lines = quote.lines.iter().map(|line| InvoiceLine {
        text: line.text.clone(),
        quantity: line.quantity,
        unit: line.unit,
        share: line.share,
        amount: line.amount,
    });
    let text = Text {
        key,
        issuer,
        kind: "invoice",
        corrects: None,
        customer,
        subscription,
        seller,
        buyer,
        rounding: quote.rounding,
        period: Some(quote.period),
        lines: lines.collect(),
        taxes: quote.taxes.clone(),
        net: quote.net,
        tax: quote.tax,
        total: quote.total,
    };
    let invoice = insert(db, &text, at).await?;
    let same = invoice.total == quote.total
        && invoice.customer == *customer
        && invoice.period == Some(quote.period);
    if same { Ok(invoice) } else { Err(InvoiceError::KeyReused { key: key.clone() }) }
}

async fn insert(
    db: &mut PgConnection,
    text: &Text<'_>,
    at: Timestamp,
) -> Result<Invoice, InvoiceError> {
    sqlx::query("insert into invoice_counter (issuer) values ($1) on conflict do nothing")
        .bind(text.issuer)
        .execute(&mut *db)
        .await?;
    let json = |party| serde_json::to_value(party).unwrap_or_default();
    let inserted: Option<Uuid> = sqlx::query_scalar(
        "insert into invoice (id, op_key, issuer, kind, corrects, customer, subscription, currency, seller, buyer,
            rounding, period_start, period_end, net, tax, total, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         on conflict (op_key) do nothing returning id",
    )
    .bind(Uuid::now_v7())
    .bind(text.key.as_str())
    .bind(text.issuer)
    .bind(text.kind)
    .bind(text.corrects)
    .bind(text.customer.as_str())
    .bind(text.subscription.map(ToString::to_string))
    .bind(text.net.currency.code())
    .bind(json(text.seller))
    .bind(json(text.buyer))
    .bind(match text.rounding {
        Rounding::Line => "line",
        Rounding::Total => "total",
    })
    .bind(text.period.map(|period| period.start.to_sqlx()))
    .bind(text.period.map(|period| period.end.to_sqlx()))
    .bind(text.net.minor)
    .bind(text.tax.minor)
    .bind(text.total.minor)
    .bind(stamp(at))
    .fetch_optional(&mut *db)
    .await?;
    let Some(id) = inserted else {
        let id = sqlx::query_scalar("select id from invoice where op_key = $1")
            .bind(text.key.as_str())
            .fetch_one(&mut *db)
            .await?;
        return find(db, id).await;
    };
    let small = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    for (position, line) in (1_i32..).zip(&text.lines) {
        sqlx::query(
            "insert into invoice_line (invoice_id, position, text, quantity, unit, days, days_whole, amount)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id)
        .bind(position)
        .bind(&line.text)
        .bind(line.quantity)
        .bind(line.unit.minor)
        .bind(line.share.map(|share| small(share.days)))
        .bind(line.share.map(|share| small(share.of)))
        .bind(line.amount.minor)
        .execute(&mut *db)
        .await?;
    }
    for (position, tax) in (1_i32..).zip(&text.taxes) {
        sqlx::query(
            "insert into invoice_tax (invoice_id, position, name, rate, net, amount)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id)
        .bind(position)
        .bind(&tax.name)
        .bind(small(tax.rate.millionths().into()))
        .bind(tax.net.minor)
        .bind(tax.amount.minor)
        .execute(&mut *db)
        .await?;
    }
    find(db, id).await
}

/// An invoice that nobody else changes before this transaction is over.
async fn locked(db: &mut PgConnection, id: Uuid) -> Result<Invoice, InvoiceError> {
    sqlx::query("select from invoice where id = $1 for update").bind(id).execute(&mut *db).await?;
    find(db, id).await
}

/// Gives a draft its number. Keep the transaction short: the issuer's others wait for it.
pub async fn finalise(
    db: &mut PgConnection,
    id: Uuid,
    at: Timestamp,
    due_at: Timestamp,
) -> Result<Invoice, InvoiceError> {
    if locked(db, id).await?.is_final() {
        return find(db, id).await;
    }
    sqlx::query("update invoice set issued_at = $2, due_at = $3 where id = $1")
        .bind(id)
        .bind(stamp(at))
        .bind(stamp(due_at))
        .execute(&mut *db)
        .await?;
    find(db, id).await
}

/// Says that a final invoice reached the customer; the first time counts.
pub async fn mark_delivered(
    db: &mut PgConnection,
    id: Uuid,
    at: Timestamp,
) -> Result<(), InvoiceError> {
    let invoice = locked(db, id).await?;
    if !invoice.is_final() {
        return Err(InvoiceError::NotFinal(id));
    }
    sqlx::query("update invoice set delivered_at = $2 where id = $1 and delivered_at is null")
        .bind(id)
        .bind(stamp(at))
        .execute(db)
        .await?;
    Ok(())
}

/// Refuses what cannot be paid any more, or not yet.
fn payable(invoice: &Invoice) -> Result<(), InvoiceError> {
    if invoice.kind == Kind::CreditNote {
        return Err(InvoiceError::CreditNote(invoice.id));
    }
    if !invoice.is_final() {
        return Err(InvoiceError::NotFinal(invoice.id));
    }
    if invoice.corrected_by.is_some() {
        return Err(InvoiceError::Undone(invoice.id));
    }
    Ok(())
}

/// Says that a transaction of the ledger paid an invoice, such as the capture of a hold.
pub async fn mark_paid(
    db: &mut PgConnection,
    id: Uuid,
    transaction: Uuid,
    at: Timestamp,
) -> Result<(), InvoiceError> {
    let invoice = locked(db, id).await?;
    payable(&invoice)?;
    match invoice.paid_by {
        Some(paid_by) if paid_by == transaction => return Ok(()),
        Some(_) => return Err(InvoiceError::Paid(id)),
        None => {}
    }
    sqlx::query("update invoice set paid_at = $2, paid_by = $3 where id = $1")
        .bind(id)
        .bind(stamp(at))
        .bind(transaction)
        .execute(db)
        .await?;
    Ok(())
}

/// Pays an invoice out of its customer's wallet, under the key of the operation that it is for.
///
/// An invoice over nothing is paid without a transaction of the ledger.
pub async fn pay(
    db: &mut PgConnection,
    id: Uuid,
    key: &OperationKey,
    at: Timestamp,
    actor: &str,
) -> Result<Option<Posted>, InvoiceError> {
    let invoice = locked(db, id).await?;
    payable(&invoice)?;
    let subscription = invoice.subscription.as_ref().ok_or(InvoiceError::NoSubscription(id))?;
    if invoice.total.is_zero() {
        sqlx::query("update invoice set paid_at = $2 where id = $1 and paid_at is null")
            .bind(id)
            .bind(stamp(at))
            .execute(db)
            .await?;
        return Ok(None);
    }
    let subject = invoice.number.as_deref();
    let booking = Booking { actor, subject, ..Booking::by_system(key, at) };
    let sale = Sale { subscription, net: invoice.net, tax: invoice.tax };
    // Paid under another key already: the charge must not come about at all.
    if let Some(transaction) = invoice.paid_by {
        let posted = ledger::booked_by(db, key).await?;
        return match posted {
            Some(same) if same == transaction => Ok(Some(Posted { transaction, repeated: true })),
            _ => Err(InvoiceError::Paid(id)),
        };
    }
    let posted = ledger::charge(db, booking, &invoice.customer, &sale).await?;
    mark_paid(db, id, posted.transaction, at).await?;
    Ok(Some(posted))
}

/// Undoes a final invoice by a credit note with its own number. A payment of it is not touched:
/// reverse that in the same transaction.
pub async fn undo(db: &mut PgConnection, id: Uuid, at: Timestamp) -> Result<Invoice, InvoiceError> {
    let invoice = locked(db, id).await?;
    if invoice.kind == Kind::CreditNote {
        return Err(InvoiceError::CreditNote(id));
    }
    let Some(number) = &invoice.number else { return Err(InvoiceError::NotFinal(id)) };
    let mut lines = Vec::with_capacity(invoice.lines.len());
    for line in &invoice.lines {
        lines.push(InvoiceLine {
            text: format!("{} ({number})", line.text),
            unit: line.unit.checked_neg()?,
            amount: line.amount.checked_neg()?,
            ..line.clone()
        });
    }
    let mut taxes = Vec::with_capacity(invoice.taxes.len());
    for tax in &invoice.taxes {
        let (net, amount) = (tax.net.checked_neg()?, tax.amount.checked_neg()?);
        taxes.push(Tax { net, amount, ..tax.clone() });
    }
    let text = Text {
        key: &OperationKey::follows("credit-note", id),
        issuer: &invoice.issuer,
        kind: "credit_note",
        corrects: Some(id),
        customer: &invoice.customer,
        subscription: invoice.subscription.as_ref(),
        seller: &invoice.seller,
        buyer: &invoice.buyer,
        rounding: invoice.rounding,
        period: invoice.period,
        lines,
        taxes,
        net: invoice.net.checked_neg()?,
        tax: invoice.tax.checked_neg()?,
        total: invoice.total.checked_neg()?,
    };
    let note = insert(db, &text, at).await?;
    finalise(db, note.id, at, at).await
}
