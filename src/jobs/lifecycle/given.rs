//! Days that nobody pays for here: those that people wrote into a document, and those of what costs
//! nothing. They are recorded as terms, so that it is known up to which day it may run, whatever is
//! written into the document later out of courtesy.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::PgConnection;

use super::facts;
use super::facts::Known;
use super::facts::Subject;
use crate::billing::calendar::Period;
use crate::billing::calendar::days_between;
use crate::billing::keys::OperationKey;
use crate::billing::terms;
use crate::billing::terms::BoughtTerm;
use crate::billing::terms::NewTerm;
use crate::billing::terms::Rules;
use crate::billing::terms::TermError;
use crate::jobs::JobError;
use crate::operations::pricing::Shop;

/// Records the days that a document gives beyond those that were sold, if a person wrote them.
pub(super) async fn by_people(
    db: &mut PgConnection,
    subject: &Subject,
    last: Option<&BoughtTerm>,
    now: Timestamp,
) -> Result<(), JobError> {
    let Subject { id, spec, lifecycle, configuration } = subject;
    let Some(written) = spec.paid_through else { return Ok(()) };
    let start = last.map_or(spec.starts, |last| last.period.end);
    let Ok(end) = written.tomorrow() else { return Ok(()) };
    if end <= start || facts::is_ours(db, &id.tenant, &id.name, written, now).await? {
        return Ok(());
    }
    let shop = Shop::open(configuration, now)?;
    let anchor = last.map_or(spec.starts, |last| last.anchor);
    let rules = Rules { lifecycle, zone: shop.zone() };
    let period = Period { start, end };
    record(db, subject, period, anchor, rules, now).await
}

/// Records the next days of what costs nothing, once the last ones are about to end.
pub(super) async fn for_nothing(
    db: &mut PgConnection,
    known: &Known<'_>,
    now: Timestamp,
) -> Result<bool, JobError> {
    let Subject { spec, lifecycle, .. } = known.subject;
    let Some(paid_until) = known.paid_until else { return Ok(false) };
    let warned = paid_until.checked_sub(lifecycle.expiring.span()).unwrap_or(paid_until);
    if days_between(warned, known.shop.today()) < 0 || spec.cancel_at_period_end {
        return Ok(false);
    }
    let stretch = known.anchor.stretch_from(paid_until.max(known.shop.today()), 0)?;
    // What has no price at all is agreed with each customer, and left to people.
    match known.sale(&stretch) {
        Ok(sale) if sale.quote.total.is_zero() => {}
        _ => return Ok(false),
    }
    let rules = Rules { lifecycle, zone: known.shop.zone() };
    record(db, known.subject, stretch.sold, known.anchor.first(), rules, now).await?;
    Ok(true)
}

async fn record(
    db: &mut PgConnection,
    subject: &Subject,
    period: Period,
    anchor: Date,
    rules: Rules<'_>,
    now: Timestamp,
) -> Result<(), JobError> {
    let key = OperationKey::on_day("given", &subject.id, period.start);
    let term = NewTerm {
        key: &key,
        subscription: &subject.id,
        period,
        anchor,
        invoice: None,
        paid_by: None,
    };
    match terms::record(db, term, rules, now).await {
        // Somebody else was quicker. The transaction is over with that, and nothing else is in it.
        Ok(_) | Err(TermError::Overlap { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
