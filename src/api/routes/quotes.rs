//! Prices of what somebody thinks of ordering or changing, before they do.

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::Deserialize;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::catalog::Money;
use super::wishes::Chosen;
use super::wishes::buyer;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::catalog;
use crate::api::catalog::View;
use crate::api::extract::Context;
use crate::api::extract::Customer;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::billing::ledger;
use crate::billing::lifecycle::Timing;
use crate::billing::price::Item;
use crate::billing::quote;
use crate::billing::tax;
use crate::model::Document;
use crate::model::Subscription;
use crate::model::SubscriptionId;
use crate::operations::OperationError;
use crate::operations::order::customer as wallet_of;
use crate::operations::pricing::Priced;
use crate::operations::pricing::Shop;
use crate::operations::pricing::Wish;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(ask))
}

/// What a quote is for.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Purpose {
    Order,
    Renewal,
    /// The rest of the period: what is not used comes back, and the new price is charged.
    ChangeNow,
    /// In force when what is paid for ends; nothing is paid before.
    ChangeAtEnd,
}

impl From<quote::Purpose> for Purpose {
    fn from(purpose: quote::Purpose) -> Self {
        match purpose {
            quote::Purpose::Order => Self::Order,
            quote::Purpose::Renewal => Self::Renewal,
            quote::Purpose::ChangeNow => Self::ChangeNow,
            quote::Purpose::ChangeAtEnd => Self::ChangeAtEnd,
        }
    }
}

/// What a line is for.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum LineKind {
    Package,
    AddOn,
    /// A quota or limit above the package's.
    Raise,
}

/// A line that explains itself.
#[derive(Serialize, ToSchema)]
pub(super) struct Line {
    kind: LineKind,
    name: String,
    text: String,
    quantity: i64,
    /// The price of one for a whole period; below zero where it is given back.
    unit: Money,
    /// How many days of the period are reckoned; absent where all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<i64>,
    /// Of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_days: Option<i64>,
    /// Of a change: the first of these days. What is paid ahead has lines for each period.
    #[schema(value_type = Option<String>, format = Date)]
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Date>,
    amount: Money,
}

impl From<&quote::QuoteLine> for Line {
    fn from(line: &quote::QuoteLine) -> Self {
        let (kind, name) = match &line.item {
            Item::Package(name) => (LineKind::Package, name.to_string()),
            Item::AddOn(name) => (LineKind::AddOn, name.to_string()),
            Item::Raise(name) => (LineKind::Raise, name.clone()),
        };
        Self {
            kind,
            name,
            text: line.text.clone(),
            quantity: line.quantity,
            unit: line.unit.into(),
            days: line.share.map(|share| share.days),
            of_days: line.share.map(|share| share.of),
            from: line.days.map(|days| days.start),
            amount: line.amount.into(),
        }
    }
}

/// What one tax comes to.
#[derive(Serialize, ToSchema)]
pub(super) struct Tax {
    name: String,
    /// Such as `8.25%`.
    rate: String,
    net: Money,
    amount: Money,
}

impl From<&tax::Tax> for Tax {
    fn from(tax: &tax::Tax) -> Self {
        Self {
            name: tax.name.clone(),
            rate: tax.rate.to_string(),
            net: tax.net.into(),
            amount: tax.amount.into(),
        }
    }
}

/// What something costs, line by line.
#[derive(Serialize, ToSchema)]
pub(super) struct Quote {
    purpose: Purpose,
    /// The day it takes effect.
    #[schema(value_type = String, format = Date)]
    effective: Date,
    /// The first day that is sold.
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// The last day that is sold.
    #[schema(value_type = String, format = Date)]
    through: Date,
    lines: Vec<Line>,
    taxes: Vec<Tax>,
    net: Money,
    tax: Money,
    /// Below zero it becomes credit.
    total: Money,
    /// What a whole period costs without taxes.
    price: Money,
}

impl From<&quote::Quote> for Quote {
    fn from(quote: &quote::Quote) -> Self {
        Self {
            purpose: quote.purpose.into(),
            effective: quote.effective,
            from: quote.period.start,
            through: quote.period.last_day(),
            lines: quote.lines.iter().map(Line::from).collect(),
            taxes: quote.taxes.iter().map(Tax::from).collect(),
            net: quote.net.into(),
            tax: quote.tax.into(),
            total: quote.total.into(),
            price: quote.price.into(),
        }
    }
}

/// A quote beside what is in the wallet.
#[derive(Serialize, ToSchema)]
struct Offer {
    #[serde(flatten)]
    quote: Quote,
    /// What is to be paid now.
    due: Money,
    /// What may be spent of the wallet.
    wallet: Money,
    /// What would be left of it; below zero is what is missing.
    wallet_after: Money,
}

/// What is thought of: a new subscription, a change of one, or its renewal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Thought {
    /// The subscription that would change or be renewed: `tenant.subscription`.
    subscription: Option<String>,
    /// What it would be; of a renewal, what it is.
    choice: Option<Chosen>,
}

/// A subscription of the customer's own.
pub(super) fn own<'v>(
    view: &'v View,
    customer: &Customer,
    id: &str,
) -> Result<(SubscriptionId, &'v Document<Subscription>), Problem> {
    let id = catalog::named(id).filter(|id| id.tenant == *customer.tenant());
    let id = id.ok_or(problem::NOT_FOUND)?;
    let document = view.subscription(&id).ok_or(problem::NOT_FOUND)?;
    Ok((id, document))
}

/// What an order, a change or a renewal would cost: lines, taxes, total, and the wallet afterwards.
#[utoipa::path(post, path = "/quotes", tag = "orders", operation_id = "create_quote",
    security(("token" = [])), request_body = Thought,
    responses(
        (status = 200, description = "What it would cost", body = Offer),
        (status = 404, description = "There is no such subscription, or it is not yours", body = problem::Document, content_type = "application/problem+json"),
        (status = 409, description = "It is not sold as things stand", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn ask(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Body(thought): Body<Thought>,
) -> Result<Json<Offer>, Problem> {
    let view = api.catalog().view()?;
    let person = api.accounts().person(customer.principal().account).await?;
    let shop = Shop::open(&view.configuration, context.now)?;
    let buyer = buyer(&view, customer.tenant(), &person);
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let priced: Priced = match (thought.subscription, thought.choice) {
        (None, None) => {
            let help = "name what is to be ordered, or the `subscription` that is to be renewed";
            return Err(Problem::field("choice", "nothing is asked for", help));
        }
        (None, Some(choice)) => shop.order(&choice.wish(None)?, buyer)?,
        (Some(id), None) => {
            let (id, document) = own(&view, &customer, &id)?;
            let wish = Wish::of(&document.spec);
            shop.renewal(&mut db, &id, &document.spec, &wish, buyer).await?
        }
        (Some(id), Some(choice)) => {
            let (id, document) = own(&view, &customer, &id)?;
            let wish = choice.wish(Some(&document.spec.overrides))?;
            shop.change(&mut db, &id, &document.spec, &wish, buyer).await?
        }
    };
    Ok(Json(offer(&mut db, &customer, &priced).await?))
}

async fn offer(
    db: &mut PgConnection,
    customer: &Customer,
    priced: &Priced,
) -> Result<Offer, Problem> {
    let quote = &priced.sale.quote;
    let currency = quote.total.currency;
    let wallet = ledger::wallet(db, &wallet_of(customer.tenant()), currency).await;
    let available = wallet.map_err(OperationError::from)?.available;
    let (due, back) = match priced.timing {
        Timing::Now => (quote.due(), quote.credit()),
        Timing::AtEnd => {
            (crate::model::money::Money::zero(currency), crate::model::money::Money::zero(currency))
        }
    };
    let after = available.checked_sub(due).and_then(|left| left.checked_add(back));
    Ok(Offer {
        quote: quote.into(),
        due: due.into(),
        wallet: available.into(),
        wallet_after: after.map_err(OperationError::from)?.into(),
    })
}
