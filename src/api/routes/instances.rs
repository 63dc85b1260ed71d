//! How what customers have is doing, for operators: what runs for each subscription, and the timeline
//! of its opening. It comes from history; nothing is asked of a cluster.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use axum::Json;
use axum::extract::OriginalUri;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::subscriptions::PhaseWord;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog;
use crate::api::catalog::View;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::history::Asked as HistoryAsked;
use crate::history::record::UnitState;
use crate::history::record::UnitStatus;
use crate::history::told::StageSpan;
use crate::model::Commit;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::UnitName;
use crate::model::package::Runs;
use crate::model::resource::Stage;
use crate::validate::addresses::hosts;

/// How far back a timeline goes at most, in changes.
const MOST_CHANGES: u32 = 500;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(timeline))
}

/// How a tenant stands against what its commit says.
#[derive(Serialize, ToSchema)]
struct Standing {
    /// Such as `converged`, `waiting` or `degraded`.
    #[schema(value_type = String)]
    state: UnitState,
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    commit: Option<Commit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<Timestamp>,
}

impl From<&UnitStatus> for Standing {
    fn from(status: &UnitStatus) -> Self {
        Self {
            state: status.state,
            since: status.since,
            reason: status.reason.clone(),
            commit: status.commit.clone(),
            next_try_at: status.next_try,
        }
    }
}

/// What runs for a subscription.
#[derive(Serialize, ToSchema)]
struct Instance {
    /// The subscription's: `tenant.subscription`.
    id: String,
    #[schema(value_type = String)]
    tenant: Name,
    organisation: String,
    #[schema(value_type = String)]
    package: Name,
    phase: PhaseWord,
    addresses: Vec<String>,
    /// How its tenant stands as a whole; absent while nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<Standing>,
}

impl Instance {
    fn of(
        view: &View,
        id: &SubscriptionId,
        status: Option<&UnitStatus>,
        now: Timestamp,
    ) -> Option<Self> {
        let document = view.subscription(id)?;
        let tenant = view.configuration.tenants.get(&id.tenant);
        Some(Self {
            id: catalog::written(id),
            tenant: id.tenant.clone(),
            organisation: tenant.map(|tenant| tenant.spec.organisation.clone()).unwrap_or_default(),
            package: document.spec.package.clone(),
            phase: view.configuration.phase(&document.spec, now).0.into(),
            addresses: hosts(&view.configuration, &document.spec),
            standing: status.map(Standing::from),
        })
    }
}

/// Whether something runs for a subscription on a cluster of ours.
fn runs_here(view: &View, id: &SubscriptionId) -> bool {
    view.subscription(id)
        .and_then(|document| view.configuration.packages.get(&document.spec.package))
        .is_some_and(|package| package.spec.runs == Runs::Cluster)
}

/// Whether a last backup is taken of a subscription before it is removed: where its package says
/// how its data is saved.
pub(super) fn backs_up(view: &View, id: &SubscriptionId) -> bool {
    view.subscription(id)
        .and_then(|document| view.configuration.packages.get(&document.spec.package))
        .is_some_and(|package| package.spec.is_backed_up())
}

/// The instance that a path names.
pub(super) fn named(view: &View, id: &str) -> Result<SubscriptionId, Problem> {
    let id = catalog::named(id).filter(|id| runs_here(view, id));
    Ok(id.ok_or(problem::NOT_FOUND)?)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only those of this tenant.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What runs on our clusters, by id.
#[utoipa::path(get, path = "/admin/instances", tag = "instances", operation_id = "list_instances",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of instances", body = Page<Instance>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let view = api.catalog().view()?;
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("instances {:?}", asked.tenant.as_ref().map(Name::as_str));
    let after = pages::after(&keys, &list, asked.cursor.as_deref(), catalog::named)?;
    let ids: Vec<SubscriptionId> = view
        .subscriptions(asked.tenant.as_ref(), after.as_ref())
        .map(|(id, _)| id)
        .filter(|id| runs_here(&view, id))
        .take(limit + 1)
        .collect();
    let tenants: BTreeSet<&Name> = ids.iter().map(|id| &id.tenant).collect();
    let statuses = statuses(&api, tenants).await?;
    let found = ids
        .iter()
        .filter_map(|id| Instance::of(&view, id, statuses.get(&id.tenant), context.now))
        .collect();
    let next = |last: &Instance| pages::cursor(&keys, &list, &last.id);
    Ok(Page::of(found, limit, next).answer(&uri))
}

/// How tenants stand, as history knows it.
async fn statuses(
    api: &Api,
    tenants: impl IntoIterator<Item = &Name>,
) -> Result<BTreeMap<Name, UnitStatus>, Problem> {
    let units: Vec<UnitName> =
        tenants.into_iter().map(|tenant| UnitName::Tenant(tenant.clone())).collect();
    let most = u32::try_from(units.len()).unwrap_or(u32::MAX);
    let statuses = api.history()?.statuses(Some(&units), None, most).await?;
    Ok(statuses.into_iter().map(|status| (status.unit.name().clone(), status)).collect())
}

/// What runs for one subscription.
#[utoipa::path(get, path = "/admin/instances/{id}", tag = "instances", operation_id = "get_instance",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`")),
    responses((status = 200, description = "The instance", body = Instance)))]
async fn get(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    Segment(id): Segment<String>,
) -> Result<Json<Instance>, Problem> {
    let view = api.catalog().view()?;
    let id = named(&view, &id)?;
    let statuses = statuses(&api, [&id.tenant]).await?;
    let instance = Instance::of(&view, &id, statuses.get(&id.tenant), context.now);
    Ok(Json(instance.ok_or(problem::NOT_FOUND)?))
}

/// A stage in one state, from its start to its end.
#[derive(Serialize, ToSchema)]
pub(super) struct Span {
    /// Such as `Database`.
    #[schema(value_type = String)]
    stage: Stage,
    /// Such as `ready`.
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    pub(super) started_at: Timestamp,
    /// Absent where it is still so.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
}

impl From<StageSpan> for Span {
    fn from(span: StageSpan) -> Self {
        Self {
            stage: span.stage,
            state: span.state,
            reason: span.reason,
            started_at: span.started_at,
            ended_at: span.ended_at,
        }
    }
}

/// The stages of a subscription and of what its tenant's subscriptions share, newest first.
pub(super) async fn spans(api: &Api, id: &SubscriptionId) -> Result<Vec<StageSpan>, Problem> {
    let unit = UnitName::Tenant(id.tenant.clone());
    let asked = HistoryAsked { unit: Some(unit.clone()), since: None, most: MOST_CHANGES };
    let mut spans = api.history()?.stage_spans(&unit, &asked).await?;
    spans.retain(|span| span.subscription.as_ref().is_none_or(|one| *one == id.name));
    Ok(spans)
}

/// The stages through which an instance was opened and changed, newest first.
#[utoipa::path(get, path = "/admin/instances/{id}/timeline", tag = "instances", operation_id = "get_instance_timeline",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`")),
    responses((status = 200, description = "The stages, newest first", body = Vec<Span>)))]
async fn timeline(
    State(api): State<Api>,
    _operator: Operator,
    Segment(id): Segment<String>,
) -> Result<Json<Vec<Span>>, Problem> {
    let view = api.catalog().view()?;
    let id = named(&view, &id)?;
    Ok(Json(spans(&api, &id).await?.into_iter().map(Span::from).collect()))
}
