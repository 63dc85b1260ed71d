//! What is paid for from a day on, period by period, and what is in force in each: by the last
//! change that was paid for it, or otherwise by what its days were sold for.

use jiff::civil::Date;
use sqlx::PgConnection;

use super::OperationError;
use super::order;
use super::pricing::Sale;
use crate::billing::calendar::Anchor;
use crate::billing::calendar::Part;
use crate::billing::calendar::Period;
use crate::billing::invoice;
use crate::billing::proration::Line;
use crate::billing::proration::paid_for;
use crate::billing::quote::PaidDays;
use crate::billing::quote::Purpose;
use crate::billing::terms;
use crate::billing::terms::BoughtTerm;
use crate::model::SubscriptionId;
use crate::model::money::Money;

/// The days that are paid for from today on, in their order. `list` is what a whole period costs
/// today, for days of which it is not known what they were sold for. What was never paid here gives
/// nothing back.
pub(super) async fn days(
    db: &mut PgConnection,
    id: &SubscriptionId,
    anchor: &Anchor,
    list: Money,
    today: Date,
) -> Result<Vec<PaidDays>, OperationError> {
    let terms = terms::from(db, id, today).await?;
    let sales = order::sales_of(db, id, today).await?;
    let mut paid = Vec::new();
    for term in &terms {
        let parts = anchor.parts(term.period)?;
        let sold = sold(db, term, &sales, &parts, list).await?;
        for (part, sold) in parts.iter().zip(sold).filter(|(part, _)| part.sold.end > today) {
            let days = Period { start: part.sold.start.max(today), end: part.sold.end };
            let line = match sales.iter().find_map(|sale| changed(sale, part)) {
                Some(line) => line?,
                None => sold,
            };
            paid.push(PaidDays { days, whole: part.whole, line });
        }
    }
    Ok(paid)
}

/// What a change made of a part, where it was one that was paid for that part.
fn changed(sale: &Sale, part: &Part) -> Option<Result<Line, OperationError>> {
    let quote = &sale.quote;
    if quote.purpose != Purpose::ChangeNow {
        return None;
    }
    // Lines once did not say their days: such a change was of one period.
    let is_of = |days: Option<Period>| match days {
        Some(days) => part.sold.covers(days),
        None => part.sold.contains(quote.period.start),
    };
    let charged: Vec<Money> = quote
        .lines
        .iter()
        .filter(|line| line.amount.minor >= 0 && is_of(line.days))
        .map(|line| line.amount)
        .collect();
    if charged.is_empty() {
        return None;
    }
    let paid = Money::sum(quote.price.currency, charged).map_err(OperationError::from);
    Some(paid.map(|paid| Line { price: quote.price, paid }))
}

/// What each part of a term was sold for.
async fn sold(
    db: &mut PgConnection,
    term: &BoughtTerm,
    sales: &[Sale],
    parts: &[Part],
    list: Money,
) -> Result<Vec<Line>, OperationError> {
    let by_order = sales.iter().find(|sale| sale.sells_days() && sale.quote.period == term.period);
    let price = by_order.map_or(list, |sale| sale.quote.price);
    let paid = match (term.invoice, by_order) {
        (Some(invoice), _) => invoice::find(db, invoice).await?.net,
        (None, Some(sale)) => sale.quote.net,
        (None, None) => Money::zero(price.currency),
    };
    let paid = paid_for(price, paid, parts)?;
    Ok(paid.into_iter().map(|paid| Line { price, paid }).collect())
}
