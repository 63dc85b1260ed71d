//! What a customer has, as the repository says it and the clock has it.

use std::collections::BTreeMap;

use axum::extract::OriginalUri;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::catalog::tagged;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog;
use crate::api::catalog::View;
use crate::api::extract::Context;
use crate::api::extract::Viewer;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model;
use crate::model::Document;
use crate::model::Name;
use crate::model::Phase;
use crate::model::SubscriptionId;
use crate::model::subscription::HoldReason;
use crate::validate::addresses::hosts;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Where a subscription stands in its life.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PhaseWord {
    Active,
    /// It runs, and its end is near.
    Expiring,
    /// It is stopped, and keeps its data.
    Suspended,
    /// It is stopped, and will be removed.
    Ending,
}

impl From<Phase> for PhaseWord {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Active => Self::Active,
            Phase::Expiring => Self::Expiring,
            Phase::Suspended => Self::Suspended,
            Phase::Ending => Self::Ending,
        }
    }
}

/// Why it is held, while it is paid for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Hold {
    Overdue,
    Operator,
    Abuse,
}

impl From<HoldReason> for Hold {
    fn from(reason: HoldReason) -> Self {
        match reason {
            HoldReason::Overdue => Self::Overdue,
            HoldReason::Operator => Self::Operator,
            HoldReason::Abuse => Self::Abuse,
        }
    }
}

/// A tenant's use of a package.
#[derive(Serialize, ToSchema)]
struct Subscription {
    /// `tenant.subscription`.
    id: String,
    #[schema(value_type = String)]
    tenant: Name,
    #[schema(value_type = String)]
    name: Name,
    #[schema(value_type = String)]
    package: Name,
    phase: PhaseWord,
    /// When the clock alone will change the phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_change_at: Option<Timestamp>,
    #[schema(value_type = String, format = Date)]
    starts: Date,
    /// The last day that is paid for; absent where it does not end by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    paid_through: Option<Date>,
    holds: Vec<Hold>,
    subdomain: String,
    /// The public address, then the customer's own.
    addresses: Vec<String>,
    /// The customer's own addresses.
    domains: Vec<String>,
    #[schema(value_type = BTreeMap<String, u16>)]
    add_ons: BTreeMap<Name, u16>,
}

impl Subscription {
    fn of(
        view: &View,
        id: &SubscriptionId,
        document: &Document<model::Subscription>,
        now: Timestamp,
    ) -> Self {
        let spec = &document.spec;
        let (phase, next) = view.configuration.phase(spec, now);
        Self {
            id: catalog::written(id),
            tenant: id.tenant.clone(),
            name: id.name.clone(),
            package: spec.package.clone(),
            phase: phase.into(),
            next_change_at: next,
            starts: spec.starts,
            paid_through: spec.paid_through,
            holds: spec.holds.iter().map(|hold| hold.reason.into()).collect(),
            subdomain: spec.subdomain().to_owned(),
            addresses: hosts(&view.configuration, spec),
            domains: spec.domains.clone(),
            add_ons: spec.add_ons.clone(),
        }
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

/// The subscriptions of one's own tenant; of all tenants for operators.
#[utoipa::path(get, path = "/subscriptions", tag = "subscriptions", operation_id = "list_subscriptions",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of subscriptions, by id", body = Page<Subscription>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let tenant = viewer.narrowed(asked.tenant)?;
    let view = api.catalog().view()?;
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("subscriptions {:?}", tenant.as_ref().map(Name::as_str));
    let after = pages::after(&keys, &list, asked.cursor.as_deref(), catalog::named)?;
    let found: Vec<Subscription> = view
        .subscriptions(tenant.as_ref(), after.as_ref())
        .take(limit + 1)
        .map(|(id, document)| Subscription::of(&view, &id, document, context.now))
        .collect();
    let next = |last: &Subscription| pages::cursor(&keys, &list, &last.id);
    Ok(Page::of(found, limit, next).answer(&uri))
}

/// One subscription.
#[utoipa::path(get, path = "/subscriptions/{id}", tag = "subscriptions", operation_id = "get_subscription",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`")),
    responses(
        (status = 200, description = "The subscription", body = Subscription, headers(("ETag" = String, description = "Changes with the subscription's file; send it in `If-Match` to change it"))),
        (status = 304, description = "Its file is as `If-None-Match` says"),
    ))]
async fn get(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    Segment(id): Segment<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let id = catalog::named(&id).ok_or(problem::NOT_FOUND)?;
    let document = view.subscription(&id).filter(|_| viewer.sees(&id.tenant));
    let document = document.ok_or(problem::NOT_FOUND)?;
    Ok(tagged(&view, &document.origin.file, &headers, || {
        Subscription::of(&view, &id, document, context.now)
    }))
}
