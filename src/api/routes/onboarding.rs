//! How far a new customer has come.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::body::Segment;
use crate::api::extract::Customer;
use crate::api::extract::Operator;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::history::record::UnitState;
use crate::model::Name;
use crate::model::UnitName;
use crate::operations::OperationError;
use crate::operations::onboarding;
use crate::operations::onboarding::Facts;
use crate::operations::onboarding::Stands;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(onboarding_of)).routes(routes!(own_onboarding))
}

/// A step of a new customer.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Task {
    MailVerified,
    LoggedIn,
    Ordered,
    Paid,
    /// Everything that was ordered runs.
    InstanceReady,
    BrandingSet,
    /// There is an address of the customer's own.
    DomainSet,
}

impl From<onboarding::Step> for Task {
    fn from(step: onboarding::Step) -> Self {
        match step {
            onboarding::Step::MailVerified => Self::MailVerified,
            onboarding::Step::LoggedIn => Self::LoggedIn,
            onboarding::Step::Ordered => Self::Ordered,
            onboarding::Step::Paid => Self::Paid,
            onboarding::Step::InstanceReady => Self::InstanceReady,
            onboarding::Step::BrandingSet => Self::BrandingSet,
            onboarding::Step::DomainSet => Self::DomainSet,
        }
    }
}

/// Where a step stands.
#[derive(Serialize, ToSchema)]
struct ListedTask {
    task: Task,
    done: bool,
    /// When it was done first, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// Whether one may well do without it.
    optional: bool,
}

impl From<Stands> for ListedTask {
    fn from(Stands { step, done, at }: Stands) -> Self {
        Self { task: step.into(), done, at, optional: step.is_optional() }
    }
}

/// How far a new customer has come.
#[derive(Serialize, ToSchema)]
struct Onboarding {
    #[schema(value_type = String)]
    tenant: Name,
    /// Whether all is done that is not optional.
    complete: bool,
    tasks: Vec<ListedTask>,
}

/// What a tenant has done, and what is still to do.
#[utoipa::path(get, path = "/admin/tenants/{name}/onboarding", tag = "admin", operation_id = "get_tenant_onboarding",
    security(("token" = [])),
    params(("name" = String, Path, description = "The tenant's name")),
    responses((status = 200, description = "The checklist", body = Onboarding)))]
async fn onboarding_of(
    State(api): State<Api>,
    _operator: Operator,
    Segment(name): Segment<Name>,
) -> Result<Json<Onboarding>, Problem> {
    let onboarding = onboarding(&api, name).await?;
    // Of a tenant that nobody belongs to and that has no document, nothing is known.
    let known = api.catalog().view()?.configuration.tenants.contains_key(&onboarding.tenant);
    let known = known || onboarding.tasks.iter().any(|task| task.done);
    Ok(Json(Some(onboarding).filter(|_| known).ok_or(problem::NOT_FOUND)?))
}

/// What one has done, and what is still to do.
#[utoipa::path(get, path = "/onboarding", tag = "settings", operation_id = "get_onboarding",
    security(("token" = [])),
    responses((status = 200, description = "The checklist", body = Onboarding)))]
async fn own_onboarding(
    State(api): State<Api>,
    customer: Customer,
) -> Result<Json<Onboarding>, Problem> {
    Ok(Json(onboarding(&api, customer.tenant().clone()).await?))
}

async fn onboarding(api: &Api, tenant: Name) -> Result<Onboarding, Problem> {
    let view = api.catalog().view()?;
    let people = api.accounts().first_steps(&tenant).await?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let first = onboarding::first(&mut db, &tenant).await?;
    let units = [UnitName::Tenant(tenant.clone())];
    let statuses = api.history()?.statuses(Some(&units), None, 1).await?;
    let converged = statuses.iter().any(|status| status.state == UnitState::Converged);
    let documented = onboarding::documented(&view.configuration, &tenant);
    let stands = onboarding::checklist(&Facts { people, first, converged, documented });
    let complete = stands.iter().all(|one| one.done || one.step.is_optional());
    let tasks = stands.into_iter().map(ListedTask::from).collect();
    Ok(Onboarding { tenant, complete, tasks })
}
