//! Payments: by whom they are taken, where they stand, and where to pay.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::payment::Payment;
use super::payment::Provider;
use crate::accounts::Principal;
use crate::accounts::audit::Act;
use crate::accounts::audit::Actor;
use crate::api::Api;
use crate::api::ROOT;
use crate::api::body::Body;
use crate::api::body::Segment;
use crate::api::catalog::View;
use crate::api::extract::Context;
use crate::api::extract::Customer;
use crate::api::extract::Viewer;
use crate::api::idempotency::Once;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Platform;
use crate::model::money::Currency;
use crate::model::platform::PaymentProvider;
use crate::operations::OperationError;
use crate::operations::order;
use crate::operations::order::OrderState;
use crate::payments::NewPayment;
use crate::payments::PaymentError;
use crate::payments::Subject;
use crate::payments::payment;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(confirm)).routes(routes!(pay_order))
}

/// What holds for everybody.
pub(super) fn platform(view: &View) -> Result<&Platform, Problem> {
    let platform = view.configuration.platform.as_ref();
    platform
        .map(|platform| &platform.spec)
        .ok_or_else(|| Problem::away("the repository has no `Platform` document"))
}

/// Who takes a payment, and where the customer comes back to.
pub(super) fn way(
    api: &Api,
    view: &View,
    currency: Currency,
    chosen: Option<Provider>,
    return_url: Option<String>,
) -> Result<(PaymentProvider, Option<String>), Problem> {
    let takers = api.payments().takers(&platform(view)?.payments, currency);
    let chosen = chosen.map(PaymentProvider::from);
    let taker = takers.iter().find(|taker| chosen.is_none_or(|chosen| chosen == **taker));
    let taker = taker.copied().ok_or_else(|| {
        let message = format!("nobody takes {currency} in this way");
        Problem::field("provider", message, "choose one of the `ways` of `GET /api/v1/wallet`")
    })?;
    let wrong = || {
        let help = "write `https://`, a host, and a path, in 500 characters at most";
        Problem::field("return_url", "this is no address to come back to", help)
    };
    let return_url = match return_url {
        Some(url) if is_way_back(&url) => Some(url),
        Some(_) => return Err(wrong()),
        None => api.payments().portal_url().map(ToString::to_string),
    };
    Ok((taker, return_url))
}

/// A page that a browser can be sent to: with TLS, or on the machine of whoever tries it out.
fn is_way_back(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let here = ["localhost", "127.0.0.1", "[::1]"].contains(&uri.host().unwrap_or_default());
    let scheme = uri.scheme_str();
    let safe = scheme == Some("https") || (scheme == Some("http") && here);
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    safe && plain && url.len() <= 500
}

/// Writes a payment with its line of audit, and has it begun at its provider afterwards: no
/// transaction is open while somebody else is waited for.
pub(super) async fn begin(
    api: &Api,
    context: &Context,
    principal: &Principal,
    wish: &NewPayment,
    action: &'static str,
    more: Value,
) -> Result<Response, Problem> {
    let mut transaction = api.accounts().begin().await?;
    let made = api.payments().create(&mut transaction, wish).await?;
    let mut detail = json!({ "amount": made.amount.to_string(), "provider": made.provider });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    let act = Act::done(action, format!("payment {}", made.id)).with(detail);
    let actor = Actor::Principal(principal);
    api.accounts().conclude(transaction, &actor, &act, &context.origin, context.now).await?;
    let begun = api.payments().begin(made.id).await?;
    let location = format!("{ROOT}/payments/{}", begun.id);
    let mut response = (StatusCode::CREATED, Json(Payment::from(begun))).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// A payment of one's own.
#[utoipa::path(get, path = "/payments/{id}", tag = "wallet", operation_id = "get_payment",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The payment's id")),
    responses((status = 200, description = "The payment", body = Payment)))]
async fn get(
    State(api): State<Api>,
    viewer: Viewer,
    Segment(id): Segment<Uuid>,
) -> Result<Json<Payment>, Problem> {
    let payment = api.payments().find(id).await?;
    if !viewer.sees(&payment.customer) {
        return Err(problem::NOT_FOUND.into());
    }
    Ok(Json(payment.into()))
}

/// Say that a payment by nobody is paid: only those of the provider `dummy` are believed.
#[utoipa::path(post, path = "/payments/{id}/confirm", tag = "wallet", operation_id = "confirm_payment",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The payment's id")),
    responses((status = 200, description = "It is in the wallet", body = Payment),
        (status = 409, description = "Its provider says whether it is paid", body = problem::Document, content_type = "application/problem+json")))]
async fn confirm(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Segment(id): Segment<Uuid>,
) -> Result<Json<Payment>, Problem> {
    let mut transaction = api.accounts().begin().await?;
    let payment = payment::find(&mut transaction, id).await?;
    if payment.customer != *customer.tenant() {
        return Err(problem::NOT_FOUND.into());
    }
    let by = customer.principal().account.to_string();
    let paid = api.payments().confirm(&mut transaction, id, &by, context.now).await?;
    let act = Act::done("payment.confirm", format!("payment {id}"));
    let actor = Actor::Principal(customer.principal());
    api.accounts().conclude(transaction, &actor, &act, &context.origin, context.now).await?;
    if let Ok(desk) = api.desk() {
        desk.tell();
    }
    Ok(Json(paid.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrderPayment {
    /// One of the `ways` of the wallet; the first that takes the currency where absent.
    provider: Option<Provider>,
    /// Where the browser comes back to after paying: `https://…`. That it came back proves nothing.
    #[schema(max_length = 500)]
    return_url: Option<String>,
}

/// Pay an order by a provider: the answer says where to pay, and the order goes on when the money
/// is there.
#[utoipa::path(post, path = "/orders/{id}/payments", tag = "orders", operation_id = "pay_order_by_provider",
    security(("token" = [])), request_body = OrderPayment,
    params(("id" = Uuid, Path, description = "The order's id"),
        ("Idempotency-Key" = String, Header, description = "A fresh one for each payment, and the same when it is sent again")),
    responses((status = 201, description = "Pay at `redirect_url`", body = Payment, headers(("Location" = String, description = "The payment"))),
        (status = 409, description = "It does not wait for a payment, or the provider refuses it", body = problem::Document, content_type = "application/problem+json")))]
async fn pay_order(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Segment(id): Segment<Uuid>,
    Extension(Once(payment)): Extension<Once>,
    Body(body): Body<OrderPayment>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(PaymentError::from)?;
    let order = match order::find(&mut db, id).await {
        Ok(order) if order.customer == *customer.tenant() => order,
        Ok(_) | Err(OperationError::Missing) => return Err(problem::NOT_FOUND.into()),
        Err(error) => return Err(error.into()),
    };
    drop(db);
    if order.state != OrderState::AwaitingPayment || order.total.is_zero() {
        return Err(Problem::new(problem::CONFLICT, "the order does not wait for a payment"));
    }
    let currency = order.total.currency;
    let (provider, return_url) = way(&api, &view, currency, body.provider, body.return_url)?;
    let wish = NewPayment {
        id: payment,
        subject: Subject::Order(id),
        customer: customer.tenant().clone(),
        amount: order.total,
        provider,
        return_url,
        now: context.now,
    };
    let detail = json!({ "order": id });
    begin(&api, &context, customer.principal(), &wish, "order.payment", detail).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_back_through_tls() {
        for good in ["https://portal.example/wallet?done=1", "http://localhost:5173/wallet"] {
            assert!(is_way_back(good), "{good}");
        }
        let long = format!("https://portal.example/{}", "a".repeat(500));
        for bad in [
            "http://portal.example/",
            "javascript:alert(1)",
            "//portal.example",
            "/wallet",
            "https://portal.example@evil.example/",
            "",
            &long,
        ] {
            assert!(!is_way_back(bad), "{bad}");
        }
    }
}
