//! What a customer changes of what they have: each is a change of one file, accepted by whoever has
//! seen it as it is, and answered with an operation to follow.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::FromRequestParts;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::instances::backs_up;
use super::operations::Operation;
use super::operations::accepted;
use super::orders::Order;
use super::orders::Sold;
use super::orders::answer;
use super::orders::find;
use super::orders::place;
use super::quotes::own;
use super::wishes::Chosen;
use super::wishes::buyer;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog::View;
use crate::api::desk::Ask;
use crate::api::desk::require_seen;
use crate::api::desk::require_settled;
use crate::api::desk::take;
use crate::api::extract::Context;
use crate::api::extract::Customer;
use crate::api::idempotency::Once;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::billing::calendar::start_of_day;
use crate::billing::lifecycle::Timing;
use crate::model::Subscription;
use crate::model::SubscriptionId;
use crate::model::task::Action;
use crate::operations::Change;
use crate::operations::OperationError;
use crate::operations::operation;
use crate::operations::operation::State as Reached;
use crate::operations::pricing::Priced;
use crate::operations::pricing::Shop;
use crate::operations::pricing::Wish;
use crate::outbox;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(scale))
        .routes(routes!(renew))
        .routes(routes!(domains))
        .routes(routes!(patch, remove))
}

/// The subscription of the path, and what whoever asks has seen of it.
struct Target {
    id: String,
    headers: HeaderMap,
}

impl FromRequestParts<Api> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Segment(id) = Segment::from_request_parts(parts, api).await?;
        Ok(Self { id, headers: parts.headers.clone() })
    }
}

/// Change the package, its add-ons, or how much of it there is. More is paid and in force at once;
/// less is in force when what is paid for ends.
#[utoipa::path(put, path = "/subscriptions/{id}/scale", tag = "subscriptions", operation_id = "scale_subscription",
    security(("token" = [])), request_body = Chosen,
    params(("id" = String, Path, description = "`tenant.subscription`"),
        ("If-Match" = String, Header, description = "The `ETag` of the subscription"),
        ("Idempotency-Key" = String, Header, description = "A fresh one for each change, and the same when it is sent again")),
    responses(
        (status = 201, description = "It costs more than there is in the wallet: the order waits for its payment", body = Order),
        (status = 202, description = "It is accepted: an order with its operation, or the operation that waits for its day", body = Operation),
        (status = 409, description = "It cannot be changed as things stand", body = problem::Document, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn scale(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Extension(Once(order)): Extension<Once>,
    Target { id, headers }: Target,
    Body(chosen): Body<Chosen>,
) -> Result<Response, Problem> {
    if let Some(placed) = find(&api, order, customer.tenant()).await? {
        // It was sent before, and nobody heard the answer.
        return Ok(answer(&placed));
    }
    let view = api.catalog().view()?;
    let (id, document) = own(&view, &customer, &id)?;
    let spec = &document.spec;
    let wish = chosen.wish(Some(&spec.overrides))?;
    let person = api.accounts().person(customer.principal().account).await?;
    let shop = Shop::open(&view.configuration, context.now)?;
    let priced = {
        let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
        let buyer = buyer(&view, customer.tenant(), &person);
        shop.change(&mut db, &id, spec, &wish, buyer).await?
    };
    let file = &document.origin.file;
    require_seen(&view, file, &headers)?;
    withdraw_waiting(&api, &context, &id).await?;
    let (change, undo) = (scaling(&id, wish), scaling(&id, Wish::of(spec)));
    if priced.timing == Timing::AtEnd {
        let due = start_of_day(priced.sale.quote.effective, shop.zone());
        let ask = Ask {
            undo: Some(undo),
            due: Some(due.map_err(OperationError::from)?),
            ..Ask::now(customer.principal(), customer.tenant(), change).seen(file)
        };
        return Ok(accepted(&take(&api, &context, &view, &headers, ask).await?));
    }
    let sold = Sold { id: order, change, undo: Some(undo), sale: &priced.sale };
    let seen = Seen { id: &id, file: &document.origin.file, headers: &headers };
    sell(&api, &context, &view, &customer, seen, sold).await
}

fn scaling(id: &SubscriptionId, wish: Wish) -> Change {
    Change::Scale {
        name: id.name.clone(),
        package: wish.package,
        overrides: Box::new(wish.overrides),
        add_ons: wish.add_ons,
    }
}

/// A change that waits for the end of what is paid for gives way to the one that is asked for now.
async fn withdraw_waiting(
    api: &Api,
    context: &Context,
    id: &SubscriptionId,
) -> Result<(), Problem> {
    let mut transaction = api.accounts().begin().await?;
    let waiting = operation::waiting(&mut transaction, &id.tenant, &id.name, context.now).await?;
    let Some(waiting) = waiting else { return Ok(()) };
    let locked = operation::locked(&mut transaction, waiting.id).await?;
    let key = operation::commit_key(locked.id);
    let withdrawn = outbox::withdraw(&mut transaction, &key, context.now).await;
    if withdrawn.map_err(OperationError::from)? {
        let why = Some("another change was asked for");
        operation::enter(&mut transaction, &locked, Reached::Superseded, why, context.now).await?;
    }
    transaction.commit().await.map_err(OperationError::from)?;
    Ok(())
}

/// What whoever asks has seen, and by which condition.
#[derive(Clone, Copy)]
struct Seen<'a> {
    id: &'a SubscriptionId,
    file: &'a str,
    headers: &'a HeaderMap,
}

/// Places an order for a change of a subscription that whoever asks has seen. That one order at a
/// time is under way for it, the database sees to.
async fn sell(
    api: &Api,
    context: &Context,
    view: &View,
    customer: &Customer,
    Seen { id, file, headers }: Seen<'_>,
    sold: Sold<'_>,
) -> Result<Response, Problem> {
    let mut transaction = api.accounts().begin().await?;
    let of = (&id.tenant, Some(&id.name));
    require_settled(&mut transaction, view, file, headers, of, context.now).await?;
    drop(transaction);
    let order = place(api, context, view, customer.principal(), customer.tenant(), sold).await?;
    Ok(answer(&order))
}

/// Renew a subscription for its next period, from the wallet.
#[utoipa::path(put, path = "/subscriptions/{id}/renew", tag = "subscriptions", operation_id = "renew_subscription",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`"),
        ("If-Match" = String, Header, description = "The `ETag` of the subscription"),
        ("Idempotency-Key" = String, Header, description = "A fresh one for each renewal, and the same when it is sent again")),
    responses(
        (status = 201, description = "It costs more than there is in the wallet: the order waits for its payment", body = Order),
        (status = 202, description = "It is paid, and under way", body = Order),
        (status = 409, description = "It cannot be renewed as things stand", body = problem::Document, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn renew(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Extension(Once(order)): Extension<Once>,
    Target { id, headers }: Target,
) -> Result<Response, Problem> {
    if let Some(placed) = find(&api, order, customer.tenant()).await? {
        // It was sent before, and nobody heard the answer.
        return Ok(answer(&placed));
    }
    let view = api.catalog().view()?;
    let (id, document) = own(&view, &customer, &id)?;
    require_seen(&view, &document.origin.file, &headers)?;
    let priced = renewal(&api, &context, &view, &customer, &id, &document.spec).await?;
    let change = Change::PayThrough { name: id.name.clone(), day: priced.sale.through() };
    let sold = Sold { id: order, change, undo: None, sale: &priced.sale };
    let seen = Seen { id: &id, file: &document.origin.file, headers: &headers };
    sell(&api, &context, &view, &customer, seen, sold).await
}

/// What the next period costs, by what the subscription will be by then.
async fn renewal(
    api: &Api,
    context: &Context,
    view: &View,
    customer: &Customer,
    id: &SubscriptionId,
    spec: &Subscription,
) -> Result<Priced, Problem> {
    let person = api.accounts().person(customer.principal().account).await?;
    let shop = Shop::open(&view.configuration, context.now)?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let waiting = operation::waiting(&mut db, &id.tenant, &id.name, context.now).await?;
    let wish = match waiting.map(|waiting| waiting.intent.change) {
        Some(Change::Scale { package, overrides, add_ons, .. }) => {
            Wish { package, add_ons, overrides: *overrides }
        }
        _ => Wish::of(spec),
    };
    let buyer = buyer(view, customer.tenant(), &person);
    Ok(shop.renewal(&mut db, id, spec, &wish, buyer).await?)
}

/// The customer's own addresses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Domains {
    /// All of them: those that are left out lead here no more.
    #[schema(max_items = 20)]
    domains: Vec<String>,
}

/// Change the customer's own addresses.
#[utoipa::path(put, path = "/subscriptions/{id}/domains", tag = "subscriptions", operation_id = "set_domains",
    security(("token" = [])), request_body = Domains,
    params(("id" = String, Path, description = "`tenant.subscription`"),
        ("If-Match" = String, Header, description = "The `ETag` of the subscription")),
    responses(
        (status = 202, description = "It is accepted", body = Operation),
        (status = 409, description = "An address is not free", body = problem::Document, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn domains(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Target { id, headers }: Target,
    Body(Domains { domains }): Body<Domains>,
) -> Result<Response, Problem> {
    if domains.len() > 20 {
        return Err(Problem::field("domains", "there are more than 20", "leave some out"));
    }
    let view = api.catalog().view()?;
    let (id, document) = own(&view, &customer, &id)?;
    let change = Change::Domains { name: id.name, domains };
    let ask = Ask::now(customer.principal(), customer.tenant(), change);
    let ask = ask.seen(&document.origin.file);
    Ok(accepted(&take(&api, &context, &view, &headers, ask).await?))
}

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeSubscription {
    /// Whether it ends with what is paid for.
    cancel_at_period_end: bool,
}

/// Cancel a subscription at the end of what is paid for, or take that back.
#[utoipa::path(patch, path = "/subscriptions/{id}", tag = "subscriptions", operation_id = "change_subscription",
    security(("token" = [])), request_body = ChangeSubscription,
    params(("id" = String, Path, description = "`tenant.subscription`"),
        ("If-Match" = String, Header, description = "The `ETag` of the subscription")),
    responses(
        (status = 202, description = "It is accepted", body = Operation),
        (status = 409, description = "It has no end", body = problem::Document, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn patch(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Target { id, headers }: Target,
    Body(body): Body<ChangeSubscription>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let (id, document) = own(&view, &customer, &id)?;
    let change = Change::EndWithPeriod { name: id.name, ends: body.cancel_at_period_end };
    let ask = Ask::now(customer.principal(), customer.tenant(), change);
    let ask = ask.seen(&document.origin.file);
    Ok(accepted(&take(&api, &context, &view, &headers, ask).await?))
}

/// When a subscription ends.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum When {
    /// As soon as a last backup of it was taken and read back, where its package is backed up.
    Now,
    /// With what is paid for.
    End,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Ending {
    /// With what is paid for where absent.
    #[param(inline)]
    when: Option<When>,
}

/// Cancel a subscription, now or at the end of what is paid for.
#[utoipa::path(delete, path = "/subscriptions/{id}", tag = "subscriptions", operation_id = "cancel_subscription",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`"), Ending,
        ("If-Match" = String, Header, description = "The `ETag` of the subscription")),
    responses(
        (status = 202, description = "It is accepted: of the last backup, which the removal follows, or of the change", body = Operation),
        (status = 409, description = "It cannot be cancelled as things stand", body = problem::Document, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn remove(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Target { id, headers }: Target,
    Parameters(ending): Parameters<Ending>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let (id, document) = own(&view, &customer, &id)?;
    let name = id.name.clone();
    let (change, follow_up) = match ending.when {
        Some(When::Now) if backs_up(&view, &id) => {
            let (unique, with) = (Uuid::now_v7(), BTreeMap::new());
            let last = Change::task(&id, Action::FinalBackup, with, unique, context.now);
            (last, Some(Change::Remove { name }))
        }
        Some(When::Now) => (Change::Remove { name }, None),
        Some(When::End) | None => (Change::EndWithPeriod { name, ends: true }, None),
    };
    let ask = Ask { follow_up, ..Ask::now(customer.principal(), customer.tenant(), change) };
    let ask = ask.seen(&document.origin.file);
    Ok(accepted(&take(&api, &context, &view, &headers, ask).await?))
}
