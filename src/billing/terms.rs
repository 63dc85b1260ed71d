//! Terms: the days of a subscription that were bought or given, with what follows when they are not
//! followed by others. They are the truth about what is paid; `paidThrough` in Git is its echo.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::calendar::CalendarError;
use super::calendar::Deadlines;
use super::calendar::Period;
use super::invoice;
use super::invoice::InvoiceError;
use super::keys::OperationKey;
use crate::model::SubscriptionId;
use crate::model::platform::Lifecycle;
use crate::postgres::stamp;

/// Days that were bought, or given as a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoughtTerm {
    pub id: Uuid,
    pub subscription: SubscriptionId,
    pub period: Period,
    /// The day that all periods are counted from.
    pub anchor: Date,
    pub invoice: Option<Uuid>,
    pub paid_by: Option<Uuid>,
    pub deadlines: Deadlines,
}

/// Why days were not sold.
#[derive(Debug, thiserror::Error)]
pub enum TermError {
    #[error("the days of {subscription} from {start} on are sold already: sell those after them")]
    Overlap { subscription: SubscriptionId, start: Date },
    #[error(
        "the periods of {subscription} are counted from another day than {anchor}: keep its anchor"
    )]
    Anchor { subscription: SubscriptionId, anchor: Date },
    #[error("the operation {key} sold other days: use a key of its own for these")]
    KeyReused { key: OperationKey },
    #[error(
        "the invoice {0} names no subscription and days: only those of renewals can be sold by it"
    )]
    NoDays(Uuid),
    #[error("the terms hold `{text}` where {expected} belongs: was it written by another version?")]
    Unreadable { text: String, expected: &'static str },
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    #[error("the terms cannot be used: {0}")]
    Database(#[from] sqlx::Error),
}

/// Days to record.
#[derive(Clone, Copy, Debug)]
pub struct NewTerm<'a> {
    pub key: &'a OperationKey,
    pub subscription: &'a SubscriptionId,
    pub period: Period,
    pub anchor: Date,
    pub invoice: Option<Uuid>,
    /// What paid for them; none for a trial.
    pub paid_by: Option<Uuid>,
}

/// By which rules deadlines are reckoned.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub lifecycle: &'a Lifecycle,
    pub zone: &'a TimeZone,
}

/// Records days once; the same again returns what is recorded.
pub async fn record(
    db: &mut PgConnection,
    term: NewTerm<'_>,
    rules: Rules<'_>,
    at: Timestamp,
) -> Result<BoughtTerm, TermError> {
    let NewTerm { key, subscription, period, anchor, invoice, paid_by } = term;
    if let Some(recorded) = by_key(db, key).await? {
        let same = recorded.subscription == *subscription && recorded.period == period;
        return if same { Ok(recorded) } else { Err(TermError::KeyReused { key: key.clone() }) };
    }
    let deadlines = Deadlines::of(period.end, rules.lifecycle, rules.zone)?;
    sqlx::query(
        "insert into subscription_term (id, op_key, subscription, starts, ends, anchor, invoice_id, paid_by,
            expires_at, grace_until, purge_after, bought_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (op_key) do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(key.as_str())
    .bind(subscription.to_string())
    .bind(period.start.to_sqlx())
    .bind(period.end.to_sqlx())
    .bind(anchor.to_sqlx())
    .bind(invoice)
    .bind(paid_by)
    .bind(stamp(deadlines.expires_at))
    .bind(stamp(deadlines.grace_until))
    .bind(stamp(deadlines.purge_after))
    .bind(stamp(at))
    .execute(&mut *db)
    .await
    .map_err(|error| refusal(error, &term))?;
    by_key(db, key).await?.ok_or(TermError::Database(sqlx::Error::RowNotFound))
}

/// Pays the invoice of a renewal from the wallet and records what it sold: both or neither.
///
/// The key is that of the days, so that one who is asked twice pays once.
pub async fn renew(
    db: &mut PgConnection,
    invoice: Uuid,
    anchor: Date,
    rules: Rules<'_>,
    at: Timestamp,
    actor: &str,
) -> Result<BoughtTerm, TermError> {
    let sold = invoice::find(db, invoice).await?;
    let (Some(subscription), Some(period)) = (&sold.subscription, sold.period) else {
        return Err(TermError::NoDays(invoice));
    };
    let key = OperationKey::renewal(subscription, period.start);
    let posted = invoice::pay(db, invoice, &key, at, actor).await?;
    let term = NewTerm {
        key: &key,
        subscription,
        period,
        anchor,
        invoice: Some(invoice),
        paid_by: posted.map(|posted| posted.transaction),
    };
    record(db, term, rules, at).await
}

/// The last days of a subscription that were sold.
pub async fn last(
    db: &mut PgConnection,
    subscription: &SubscriptionId,
) -> Result<Option<BoughtTerm>, TermError> {
    let row = sqlx::query_as(
        "select id, subscription, starts, ends, anchor, invoice_id, paid_by, expires_at, grace_until, purge_after
         from subscription_term where subscription = $1 order by starts desc limit 1",
    );
    read(row.bind(subscription.to_string()).fetch_optional(db).await?)
}

/// The terms of a subscription in which there are days from this one on, in their order.
pub async fn from(
    db: &mut PgConnection,
    subscription: &SubscriptionId,
    day: Date,
) -> Result<Vec<BoughtTerm>, TermError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, subscription, starts, ends, anchor, invoice_id, paid_by, expires_at, grace_until, purge_after
         from subscription_term where subscription = $1 and ends > $2 order by starts",
    )
    .bind(subscription.to_string())
    .bind(day.to_sqlx())
    .fetch_all(db)
    .await?;
    rows.into_iter().filter_map(|row| read(Some(row)).transpose()).collect()
}

/// The last days that were sold of every subscription, by its name.
pub async fn last_of_all(
    db: &mut PgConnection,
) -> Result<BTreeMap<SubscriptionId, BoughtTerm>, TermError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select distinct on (subscription)
             id, subscription, starts, ends, anchor, invoice_id, paid_by, expires_at, grace_until, purge_after
         from subscription_term order by subscription, starts desc",
    )
    .fetch_all(db)
    .await?;
    let mut all = BTreeMap::new();
    for row in rows {
        if let Some(term) = read(Some(row))? {
            all.insert(term.subscription.clone(), term);
        }
    }
    Ok(all)
}

async fn by_key(
    db: &mut PgConnection,
    key: &OperationKey,
) -> Result<Option<BoughtTerm>, TermError> {
    let row = sqlx::query_as(
        "select id, subscription, starts, ends, anchor, invoice_id, paid_by, expires_at, grace_until, purge_after
         from subscription_term where op_key = $1",
    );
    read(row.bind(key.as_str()).fetch_optional(db).await?)
}

type Row = (
    Uuid,
    String,
    jiff_sqlx::Date,
    jiff_sqlx::Date,
    jiff_sqlx::Date,
    Option<Uuid>,
    Option<Uuid>,
    jiff_sqlx::Timestamp,
    jiff_sqlx::Timestamp,
    jiff_sqlx::Timestamp,
);

fn read(row: Option<Row>) -> Result<Option<BoughtTerm>, TermError> {
    let Some(row) = row else { return Ok(None) };
    let (id, subscription, starts, ends, anchor, invoice, paid_by, expires, grace, purge) = row;
    let subscription = subscription
        .parse()
        .map_err(|_| TermError::Unreadable { text: subscription, expected: "a subscription" })?;
    Ok(Some(BoughtTerm {
        id,
        subscription,
        period: Period { start: starts.to_jiff(), end: ends.to_jiff() },
        anchor: anchor.to_jiff(),
        invoice,
        paid_by,
        deadlines: Deadlines {
            expires_at: expires.to_jiff(),
            grace_until: grace.to_jiff(),
            purge_after: purge.to_jiff(),
        },
    }))
}

fn refusal(error: sqlx::Error, term: &NewTerm<'_>) -> TermError {
    let constraint = error.as_database_error().and_then(|refusal| refusal.constraint());
    let subscription = term.subscription.clone();
    match constraint {
        Some("term_overlap" | "subscription_term_subscription_starts_key") => {
            TermError::Overlap { subscription, start: term.period.start }
        }
        Some("term_anchor") => TermError::Anchor { subscription, anchor: term.anchor },
        _ => TermError::Database(error),
    }
}
