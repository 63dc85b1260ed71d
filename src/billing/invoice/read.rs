//! Reading invoices.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::InvoiceError;
use super::Kind;
use super::Party;
use crate::billing::Cursor;
use crate::billing::calendar::Period;
use crate::billing::ledger::Customer;
use crate::billing::quote::Share;
use crate::billing::tax::Percent;
use crate::billing::tax::Rounding;
use crate::billing::tax::Tax;
use crate::billing::wire;
use crate::model::SubscriptionId;
use crate::model::money::Currency;
use crate::model::money::Money;
use crate::postgres::stamp;

/// An invoice or a credit note, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoice {
    pub id: Uuid,
    /// Such as `KC-000123`; none while it is a draft.
    pub number: Option<String>,
    pub issuer: String,
    pub kind: Kind,
    /// The invoice that this credit note undoes.
    pub corrects: Option<Uuid>,
    /// The credit note that undoes this invoice.
    pub corrected_by: Option<Uuid>,
    pub customer: Customer,
    pub subscription: Option<SubscriptionId>,
    pub seller: Party,
    pub buyer: Party,
    pub rounding: Rounding,
    pub period: Option<Period>,
    pub lines: Vec<InvoiceLine>,
    pub taxes: Vec<Tax>,
    #[serde(with = "wire::object")]
    pub net: Money,
    #[serde(with = "wire::object")]
    pub tax: Money,
    #[serde(with = "wire::object")]
    pub total: Money,
    pub created_at: Timestamp,
    pub issued_at: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub paid_at: Option<Timestamp>,
    /// The transaction that paid it.
    pub paid_by: Option<Uuid>,
}

impl Invoice {
    /// Whether it has its number and cannot change any more.
    pub fn is_final(&self) -> bool {
        self.number.is_some()
    }

    /// Whether it is final, stands, and waits for its payment.
    pub fn is_open(&self) -> bool {
        self.is_final()
            && self.kind == Kind::Invoice
            && self.corrected_by.is_none()
            && self.paid_at.is_none()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvoiceLine {
    pub text: String,
    pub quantity: i64,
    #[serde(with = "wire::object")]
    pub unit: Money,
    /// The part of a period that is charged.
    pub share: Option<Share>,
    #[serde(with = "wire::object")]
    pub amount: Money,
}

/// An invoice by its id.
pub async fn find(db: &mut PgConnection, id: Uuid) -> Result<Invoice, InvoiceError> {
    let found = read(db, &[id]).await?;
    found.into_iter().next().ok_or(InvoiceError::Unknown(id))
}

/// The invoice that stands for what a subscription is sold from a day on, if there is one.
pub async fn of_period(
    db: &mut PgConnection,
    subscription: &SubscriptionId,
    start: Date,
) -> Result<Option<Invoice>, InvoiceError> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select id from invoice
         where subscription = $1 and period_start = $2 and kind = 'invoice'
            and not exists (select from invoice as note where note.corrects = invoice.id and note.number is not null)
         order by created_at desc limit 1",
    )
    .bind(subscription.to_string())
    .bind(jiff_sqlx::ToSqlx::to_sqlx(start))
    .fetch_optional(&mut *db)
    .await?;
    match id {
        Some(id) => find(db, id).await.map(Some),
        None => Ok(None),
    }
}

/// A customer's final invoices and credit notes, the latest first; a page and where the next begins.
pub async fn page(
    db: &mut PgConnection,
    customer: &Customer,
    after: Option<Cursor>,
    at_most: u16,
) -> Result<(Vec<Invoice>, Option<Cursor>), InvoiceError> {
    let at_most = usize::from(at_most.clamp(1, 500));
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select id from invoice
         where customer = $1 and number is not null
            and ($2::timestamptz is null or (created_at, id) < ($2, $3))
         order by created_at desc, id desc limit $4",
    )
    .bind(customer.as_str())
    .bind(after.map(|after| stamp(after.created_at)))
    .bind(after.map(|after| after.id))
    .bind(i64::try_from(at_most + 1).unwrap_or(i64::MAX))
    .fetch_all(&mut *db)
    .await?;
    let invoices = read(db, &ids[..ids.len().min(at_most)]).await?;
    let last = invoices.last().filter(|_| ids.len() > at_most);
    let next = last.map(|last| Cursor { created_at: last.created_at, id: last.id });
    Ok((invoices, next))
}

/// Invoices by their ids, the latest first; unknown ones are left out.
async fn read(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Invoice>, InvoiceError> {
    let rows = sqlx::query(
        "select invoice.*, note.id as corrected_by
         from invoice left join invoice as note on note.corrects = invoice.id and note.number is not null
         where invoice.id = any($1) order by invoice.created_at desc, invoice.id desc",
    )
    .bind(ids)
    .fetch_all(&mut *db)
    .await?;
    let lines = sqlx::query(
        "select * from invoice_line where invoice_id = any($1) order by invoice_id, position",
    )
    .bind(ids)
    .fetch_all(&mut *db)
    .await?;
    let taxes = sqlx::query(
        "select * from invoice_tax where invoice_id = any($1) order by invoice_id, position",
    )
    .bind(ids)
    .fetch_all(db)
    .await?;
    rows.iter()
        .map(|row| {
            let mut invoice = head(row)?;
            let currency = invoice.net.currency;
            for line in &lines {
                if line.try_get::<Uuid, _>("invoice_id")? == invoice.id {
                    invoice.lines.push(line_of(line, currency)?);
                }
            }
            for tax in &taxes {
                if tax.try_get::<Uuid, _>("invoice_id")? == invoice.id {
                    invoice.taxes.push(tax_of(tax, currency)?);
                }
            }
            Ok(invoice)
        })
        .collect()
}

fn parsed<T: FromStr>(text: &str, expected: &'static str) -> Result<T, InvoiceError> {
    text.parse().map_err(|_| InvoiceError::Unreadable { text: text.to_owned(), expected })
}

fn worded<T: serde::de::DeserializeOwned>(
    value: serde_json::Value,
    expected: &'static str,
) -> Result<T, InvoiceError> {
    let text = value.to_string();
    serde_json::from_value(value).map_err(|_| InvoiceError::Unreadable { text, expected })
}

fn time(row: &PgRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    let time: Option<jiff_sqlx::Timestamp> = row.try_get(column)?;
    Ok(time.map(jiff_sqlx::Timestamp::to_jiff))
}

fn head(row: &PgRow) -> Result<Invoice, InvoiceError> {
    let currency: Currency = parsed(row.try_get("currency")?, "a currency")?;
    let issuer: String = row.try_get("issuer")?;
    let number: Option<i64> = row.try_get("number")?;
    let subscription: Option<String> = row.try_get("subscription")?;
    let start: Option<jiff_sqlx::Date> = row.try_get("period_start")?;
    let end: Option<jiff_sqlx::Date> = row.try_get("period_end")?;
    let money = |column| Ok::<_, sqlx::Error>(Money::new(row.try_get(column)?, currency));
    let created_at: jiff_sqlx::Timestamp = row.try_get("created_at")?;
    Ok(Invoice {
        id: row.try_get("id")?,
        number: number.map(|number| format!("{issuer}-{number:06}")),
        kind: worded(row.try_get::<String, _>("kind")?.into(), "a kind of invoice")?,
        corrects: row.try_get("corrects")?,
        corrected_by: row.try_get("corrected_by")?,
        customer: parsed(row.try_get("customer")?, "a customer")?,
        subscription: match subscription {
            Some(text) => Some(parsed(&text, "a subscription")?),
            None => None,
        },
        seller: worded(row.try_get("seller")?, "a party")?,
        buyer: worded(row.try_get("buyer")?, "a party")?,
        rounding: worded(row.try_get::<String, _>("rounding")?.into(), "a rounding")?,
        period: start
            .zip(end)
            .map(|(start, end)| Period { start: start.to_jiff(), end: end.to_jiff() }),
        lines: Vec::new(),
        taxes: Vec::new(),
        net: money("net")?,
        tax: money("tax")?,
        total: money("total")?,
        created_at: created_at.to_jiff(),
        issued_at: time(row, "issued_at")?,
        due_at: time(row, "due_at")?,
        delivered_at: time(row, "delivered_at")?,
        paid_at: time(row, "paid_at")?,
        paid_by: row.try_get("paid_by")?,
        issuer,
    })
}

fn line_of(row: &PgRow, currency: Currency) -> Result<InvoiceLine, InvoiceError> {
    let days: Option<i32> = row.try_get("days")?;
    let whole: Option<i32> = row.try_get("days_whole")?;
    let share = days.zip(whole).map(|(days, of)| Share { days: days.into(), of: of.into() });
    Ok(InvoiceLine {
        text: row.try_get("text")?,
        quantity: row.try_get("quantity")?,
        unit: Money::new(row.try_get("unit")?, currency),
        share,
        amount: Money::new(row.try_get("amount")?, currency),
    })
}

fn tax_of(row: &PgRow, currency: Currency) -> Result<Tax, InvoiceError> {
    let rate: i32 = row.try_get("rate")?;
    let percent = u32::try_from(rate).ok().and_then(Percent::from_millionths);
    Ok(Tax {
        name: row.try_get("name")?,
        rate: percent.ok_or_else(|| InvoiceError::Unreadable {
            text: rate.to_string(),
            expected: "a rate in millionths",
        })?,
        net: Money::new(row.try_get("net")?, currency),
        amount: Money::new(row.try_get("amount")?, currency),
    })
}
