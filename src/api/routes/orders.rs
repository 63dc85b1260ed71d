//! Orders: what somebody buys, paid from the wallet or by a payment that fills it.

use axum::Extension;
use axum::Json;
use axum::extract::OriginalUri;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
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
use super::operations::follow;
use super::operations::position;
use super::operations::read_position;
use super::quotes::Quote;
use super::wishes::Chosen;
use super::wishes::buyer;
use super::wishes::check_region;
use super::wishes::new_tenant;
use crate::accounts::Principal;
use crate::accounts::audit::Act;
use crate::accounts::audit::Actor;
use crate::api::Api;
use crate::api::ROOT;
use crate::api::body::Body;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog;
use crate::api::catalog::View;
use crate::api::desk::asker;
use crate::api::extract::Context;
use crate::api::extract::Customer;
use crate::api::extract::Viewer;
use crate::api::idempotency::Once;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model;
use crate::model::Name;
use crate::operations;
use crate::operations::Change;
use crate::operations::Intent;
use crate::operations::OperationError;
use crate::operations::order;
use crate::operations::order::NewOrder;
use crate::operations::order::OrderState;
use crate::operations::pricing::Sale;
use crate::operations::pricing::Shop;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get))
        .routes(routes!(pay))
        .routes(routes!(cancel))
}

/// Where an order stands.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderStatus)]
enum Status {
    AwaitingPayment,
    /// The money is set aside, and the operation under way.
    Paid,
    Fulfilled,
    /// The money is in the wallet again.
    Failed,
    Cancelled,
    Expired,
}

impl From<OrderState> for Status {
    fn from(state: OrderState) -> Self {
        match state {
            OrderState::AwaitingPayment => Self::AwaitingPayment,
            OrderState::Paid => Self::Paid,
            OrderState::Fulfilled => Self::Fulfilled,
            OrderState::Failed => Self::Failed,
            OrderState::Cancelled => Self::Cancelled,
            OrderState::Expired => Self::Expired,
        }
    }
}

/// An order.
#[derive(Serialize, ToSchema)]
pub(super) struct Order {
    id: Uuid,
    #[schema(value_type = String)]
    tenant: Name,
    /// What it is for: `tenant.subscription`.
    subscription: String,
    #[schema(value_type = String)]
    package: Name,
    status: Status,
    total: Money,
    quote: Quote,
    /// What carries it out, once it is paid: `GET /operations/{operation}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice: Option<Uuid>,
    created_at: Timestamp,
    /// Until then it can be paid.
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    /// Why it ended otherwise than fulfilled.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<&operations::Order> for Order {
    fn from(order: &operations::Order) -> Self {
        Self {
            id: order.id,
            tenant: order.customer.clone(),
            subscription: catalog::written(&order.subscription_id()),
            package: order.sale.package.clone(),
            status: order.state.into(),
            total: order.total.into(),
            quote: (&order.sale.quote).into(),
            operation: order.paid_at.map(|_| order.id),
            invoice: order.invoice,
            created_at: order.created_at,
            expires_at: order.expires_at,
            paid_at: order.paid_at,
            ended_at: order.ended_at,
            why: order.why.clone(),
        }
    }
}

/// `202` where its operation is under way, `201` where it waits for its payment.
pub(super) fn answer(order: &operations::Order) -> Response {
    let paid = order.paid_at.is_some();
    let status = if paid { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    let mut response = (status, Json(Order::from(order))).into_response();
    if paid {
        follow(&mut response, order.id);
    } else if let Ok(at) = HeaderValue::from_str(&format!("{ROOT}/orders/{}", order.id)) {
        response.headers_mut().insert(header::LOCATION, at);
    }
    response
}

/// What is ordered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSubscription {
    choice: Chosen,
    /// The subscription's own name; that of the package's product where absent.
    #[schema(value_type = Option<String>)]
    name: Option<Name>,
    /// The customer's part of the address; the tenant's name where absent.
    #[schema(max_length = 63)]
    subdomain: Option<String>,
    /// Addresses of the customer's own.
    #[serde(default)]
    #[schema(max_items = 20)]
    domains: Vec<String>,
    /// Where the first of what one has is to run, as `region` of a cluster; where there is most
    /// room where absent. What comes later runs beside it.
    #[schema(max_length = 63)]
    region: Option<String>,
}

/// Order a subscription. Where there is enough in the wallet it is paid at once (202, with an
/// operation to follow); otherwise the order waits for its payment (201).
#[utoipa::path(post, path = "/orders", tag = "orders", operation_id = "create_order",
    security(("token" = [])), request_body = NewSubscription,
    params(("Idempotency-Key" = String, Header, description = "A fresh one for each order, and the same when it is sent again")),
    responses(
        (status = 201, description = "It waits for its payment", body = Order),
        (status = 202, description = "It is paid, and under way", body = Order, headers(("Location" = String, description = "The operation"))),
        (status = 409, description = "It cannot be ordered as things stand", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn create(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Extension(Once(id)): Extension<Once>,
    Body(body): Body<NewSubscription>,
) -> Result<Response, Problem> {
    if body.domains.len() > 20 {
        return Err(Problem::field("domains", "there are more than 20", "leave some out"));
    }
    let view = api.catalog().view()?;
    let (principal, tenant) = (customer.principal(), customer.tenant());
    if let Some(region) = &body.region {
        check_region(&view, tenant, region)?;
    }
    let person = api.accounts().person(principal.account).await?;
    let shop = Shop::open(&view.configuration, context.now)?;
    let wish = body.choice.wish(None)?;
    let package = shop.package(&wish.package)?;
    let priced = shop.order(&wish, buyer(&view, tenant, &person))?;
    let name = body.name.unwrap_or_else(|| package.product.clone());
    let known = view.configuration.tenants.contains_key(tenant);
    let subscription = model::Subscription {
        tenant: tenant.clone(),
        package: wish.package,
        subdomain: body.subdomain,
        domains: body.domains,
        starts: shop.today(),
        paid_through: Some(priced.sale.through()),
        cancel_at_period_end: false,
        holds: Vec::new(),
        overrides: wish.overrides,
        add_ons: wish.add_ons,
        restarts: 0,
        rotations: 0,
    };
    let change = Change::Open {
        name: name.clone(),
        tenant: (!known).then(|| Box::new(new_tenant(&person))),
        subscription: Box::new(subscription),
        region: body.region,
    };
    let sold = Sold { id, change, undo: Some(Change::Close { name }), sale: &priced.sale };
    let order = place(&api, &context, &view, principal, tenant, sold).await?;
    Ok(answer(&order))
}

/// What costs money: what it is, how it is taken back, and for how much.
pub(super) struct Sold<'a> {
    pub(super) id: Uuid,
    pub(super) change: Change,
    pub(super) undo: Option<Change>,
    pub(super) sale: &'a Sale,
}

/// Checks an order as its commit would be, places it, and has it committed where it is paid.
pub(super) async fn place(
    api: &Api,
    context: &Context,
    view: &View,
    principal: &Principal,
    tenant: &Name,
    sold: Sold<'_>,
) -> Result<operations::Order, Problem> {
    let desk = api.desk()?;
    let Sold { id, change, undo, sale } = sold;
    // Whoever comes again for want of an answer finds it placed, and maybe committed.
    if let Some(placed) = find(api, id, tenant).await? {
        return Ok(placed);
    }
    desk.check(tenant, &change).await?;
    let asker = asker(api, context, principal).await?;
    let intent = Intent { tenant: tenant.clone(), change, undo, follow_up: None, asker };
    let mut transaction = api.accounts().begin().await?;
    let new = NewOrder { id, account: principal.account, intent: &intent, sale };
    let order = order::place(&mut transaction, new, &view.configuration, context.now).await?;
    let detail = json!({
        "kind": intent.change.kind().word(),
        "subscription": order.subscription_id(),
        "total": order.total.to_string(),
        "state": order.state,
    });
    let act = Act::done("order.place", format!("order {id}")).with(detail);
    let actor = Actor::Principal(principal);
    api.accounts().conclude(transaction, &actor, &act, &context.origin, context.now).await?;
    desk.tell();
    Ok(order)
}

/// An order of a tenant's own, if there is one of this id.
pub(super) async fn find(
    api: &Api,
    id: Uuid,
    tenant: &Name,
) -> Result<Option<operations::Order>, Problem> {
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    match order::find(&mut db, id).await {
        Ok(order) => Ok(Some(order).filter(|order| order.customer == *tenant)),
        Err(OperationError::Missing) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// For operators: only those of this tenant.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The orders of one's own tenant, the newest first; of all tenants for operators.
#[utoipa::path(get, path = "/orders", tag = "orders", operation_id = "list_orders",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of orders, the newest first", body = Page<Order>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let tenant = viewer.narrowed(asked.tenant)?;
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("orders {:?}", tenant.as_ref().map(Name::as_str));
    let before = pages::after(&keys, &list, asked.cursor.as_deref(), read_position)?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let found = order::list(&mut db, tenant.as_ref(), before, most).await?;
    let found = found.iter().map(Order::from).collect();
    let next = |last: &Order| pages::cursor(&keys, &list, &position(last.created_at, last.id));
    Ok(Page::of(found, limit, next).answer(&uri))
}

/// One order.
#[utoipa::path(get, path = "/orders/{id}", tag = "orders", operation_id = "get_order",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The order's id")),
    responses((status = 200, description = "The order", body = Order)))]
async fn get(
    State(api): State<Api>,
    viewer: Viewer,
    Segment(id): Segment<Uuid>,
) -> Result<Json<Order>, Problem> {
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let found = order::find(&mut db, id).await?;
    if !viewer.sees(&found.customer) {
        return Err(problem::NOT_FOUND.into());
    }
    Ok(Json(Order::from(&found)))
}

/// Pay an order from the wallet.
#[utoipa::path(post, path = "/orders/{id}/pay", tag = "orders", operation_id = "pay_order",
    security(("token" = [])),
    params(("id" = Uuid, Path, description = "The order's id"),
        ("Idempotency-Key" = String, Header, description = "A fresh one for each attempt, and the same when it is sent again")),
    responses(
        (status = 202, description = "It is paid, and under way", body = Order, headers(("Location" = String, description = "The operation"))),
        (status = 402, description = "There is not enough in the wallet", body = problem::Document, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be paid any more", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn pay(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Segment(id): Segment<Uuid>,
) -> Result<Response, Problem> {
    let (desk, view) = (api.desk()?, api.catalog().view()?);
    let found = find(&api, id, customer.tenant()).await?.ok_or(problem::NOT_FOUND)?;
    if found.state == OrderState::AwaitingPayment {
        // What was free when it was ordered may be taken by now.
        desk.check(customer.tenant(), &found.intent.change).await?;
    }
    let mut transaction = api.accounts().begin().await?;
    let order = order::pay(&mut transaction, id, &view.configuration, context.now).await?;
    let act = Act::done("order.pay", format!("order {id}"));
    let actor = Actor::Principal(customer.principal());
    api.accounts().conclude(transaction, &actor, &act, &context.origin, context.now).await?;
    desk.tell();
    Ok(answer(&order))
}

/// Cancel an order that is not carried out yet.
#[utoipa::path(post, path = "/orders/{id}/cancel", tag = "orders", operation_id = "cancel_order",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The order's id")),
    responses(
        (status = 200, description = "It is cancelled, and its money is in the wallet", body = Order),
        (status = 409, description = "It is carried out already", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn cancel(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Segment(id): Segment<Uuid>,
) -> Result<Json<Order>, Problem> {
    let found = find(&api, id, customer.tenant()).await?.ok_or(problem::NOT_FOUND)?;
    let mut transaction = api.accounts().begin().await?;
    let actor = found.intent.asker.actor();
    let order = order::cancel(&mut transaction, id, &actor, context.now).await?;
    let act = Act::done("order.cancel", format!("order {id}"));
    let actor = Actor::Principal(customer.principal());
    api.accounts().conclude(transaction, &actor, &act, &context.origin, context.now).await?;
    Ok(Json(Order::from(&order)))
}
