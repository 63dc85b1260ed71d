//! The wallet: what is in it, what moved it, and how it is filled.

use axum::Extension;
use axum::Json;
use axum::extract::OriginalUri;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::catalog::Money;
use super::payment::Payment;
use super::payment::Provider;
use super::payment::Sum;
use super::payments::begin;
use super::payments::platform;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::body::Parameters;
use crate::api::extract::Context;
use crate::api::extract::Customer;
use crate::api::extract::Viewer;
use crate::api::idempotency::Once;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem::Problem;
use crate::billing::Cursor;
use crate::billing::ledger;
use crate::model::Name;
use crate::model::money::Currency;
use crate::payments::NewPayment;
use crate::payments::PaymentError;
use crate::payments::Subject;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(top_up)).routes(routes!(list))
}

/// What is there in one currency.
#[derive(Serialize, ToSchema)]
struct Balance {
    /// What may be spent.
    available: Money,
    /// What is set aside for orders and refunds under way.
    held: Money,
}

/// Who takes money of which currency.
#[derive(Serialize, ToSchema)]
struct Way {
    provider: Provider,
    currencies: Vec<&'static str>,
}

/// A wallet.
#[derive(Serialize, ToSchema)]
struct Wallet {
    tenant: String,
    balances: Vec<Balance>,
    /// How it can be filled.
    ways: Vec<Way>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// For operators: whose.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
}

/// Whose wallet it is; an operator has to say.
fn whose(viewer: &Viewer, asked: Option<Name>) -> Result<Name, Problem> {
    viewer.narrowed(asked)?.ok_or_else(|| {
        Problem::field("tenant", "an operator has no wallet", "say whose, as in `?tenant=acme`")
    })
}

/// What is in one's own wallet, by currency.
#[utoipa::path(get, path = "/wallet", tag = "wallet", operation_id = "get_wallet",
    security(("token" = [])), params(Whose),
    responses((status = 200, description = "The wallet", body = Wallet)))]
async fn get(
    State(api): State<Api>,
    viewer: Viewer,
    Parameters(asked): Parameters<Whose>,
) -> Result<Json<Wallet>, Problem> {
    let tenant = whose(&viewer, asked.tenant)?;
    let view = api.catalog().view()?;
    let offers = &platform(&view)?.payments;
    let mut db = api.accounts().pool()?.acquire().await.map_err(PaymentError::from)?;
    let wallets = ledger::wallets(&mut db, &super::money::customer(&tenant)).await?;
    let balances = wallets
        .into_iter()
        .map(|wallet| Balance { available: wallet.available.into(), held: wallet.held.into() });
    let taken = |provider, currency| api.payments().takers(offers, currency).contains(&provider);
    let ways = offers.offers.iter().filter_map(|offer| {
        let currencies = offer.currencies.iter().filter(|at| taken(offer.provider, **at));
        let currencies: Vec<&'static str> = currencies.map(|currency| currency.code()).collect();
        (!currencies.is_empty()).then(|| Way { provider: offer.provider.into(), currencies })
    });
    let (tenant, balances, ways) = (tenant.to_string(), balances.collect(), ways.collect());
    Ok(Json(Wallet { tenant, balances, ways }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TopUp {
    amount: Sum,
    /// One of the `ways` of the wallet; the first that takes the currency where absent.
    provider: Option<Provider>,
    /// Where the browser comes back to after paying: `https://…`. That it came back proves nothing.
    #[schema(max_length = 500)]
    return_url: Option<String>,
}

/// Fill one's own wallet: the answer says where to pay.
#[utoipa::path(post, path = "/wallet/topups", tag = "wallet", operation_id = "top_up_wallet",
    security(("token" = [])), request_body = TopUp,
    params(("Idempotency-Key" = String, Header, description = "A fresh one for each payment, and the same when it is sent again")),
    responses((status = 201, description = "Pay at `redirect_url`", body = Payment, headers(("Location" = String, description = "The payment"))),
        (status = 409, description = "The provider refuses it", body = crate::api::problem::Document, content_type = "application/problem+json")))]
async fn top_up(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Extension(Once(id)): Extension<Once>,
    Body(body): Body<TopUp>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let amount = body.amount.read()?;
    let (provider, return_url) =
        super::payments::way(&api, &view, amount.currency, body.provider, body.return_url)?;
    let wish = NewPayment {
        id,
        subject: Subject::TopUp,
        customer: customer.tenant().clone(),
        amount,
        provider,
        return_url,
        now: context.now,
    };
    begin(&api, &context, customer.principal(), &wish, "wallet.topup", json!({})).await
}

/// What moved a wallet.
#[derive(Serialize, ToSchema)]
struct Transaction {
    id: Uuid,
    /// Such as `top_up`, `hold`, `charge` or `reversal`.
    #[schema(value_type = String)]
    reason: ledger::Reason,
    /// What it did to what is available; below zero where it took from it.
    amount: Money,
    booked_at: Timestamp,
    /// The transaction that this one takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    reverses: Option<Uuid>,
    /// The order, invoice or payment it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// For operators: whose.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// ISO 4217; the platform's where absent.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What moved one's own wallet in a currency, the newest first.
#[utoipa::path(get, path = "/transactions", tag = "wallet", operation_id = "list_transactions",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of transactions, the newest first", body = Page<Transaction>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let tenant = whose(&viewer, asked.tenant)?;
    let currency = if let Some(currency) = asked.currency {
        currency
    } else {
        let view = api.catalog().view()?;
        platform(&view)?.currency
    };
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("transactions {tenant} {currency}");
    let read = |position: &str| position.parse::<Cursor>().ok();
    let after = pages::after(&keys, &list, asked.cursor.as_deref(), read)?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(PaymentError::from)?;
    let most = u16::try_from(limit).unwrap_or(u16::MAX);
    let (entries, next) =
        ledger::entries(&mut db, &super::money::customer(&tenant), currency, after, most).await?;
    let items = entries.into_iter().map(|entry| Transaction {
        id: entry.id,
        reason: entry.reason,
        amount: entry.amount.into(),
        booked_at: entry.booked_at,
        reverses: entry.reverses,
        subject: entry.subject,
        note: entry.note,
    });
    let next_cursor = next.map(|next| pages::cursor(&keys, &list, &next.to_string()));
    Ok(Page { items: items.collect(), next_cursor }.answer(&uri))
}
