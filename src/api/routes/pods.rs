//! The pods of subscriptions: how they stand, what they write, and starting them again.

use axum::Json;
use axum::extract::OriginalUri;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::operations::Operation;
use super::operations::accepted;
use super::quotes::own;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog;
use crate::api::desk::Ask;
use crate::api::desk::take;
use crate::api::extract::Context;
use crate::api::extract::Customer;
use crate::api::extract::Viewer;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::pod;
use crate::model::pod::PodPhase;
use crate::operations::Change;
use crate::pods;
use crate::pods::Place;
use crate::pods::Row;
use crate::pods::Wish;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(status))
        .routes(routes!(logs))
        .routes(routes!(restart))
}

/// How many lines of a log are sent where nobody says.
const USUAL_LINES: u32 = 200;
const MOST_LINES: u32 = 5_000;
/// How many bytes of a log are sent where nobody says.
const USUAL_BYTES: u32 = 256 << 10;
const MOST_BYTES: u32 = 1 << 20;

/// How far a pod has come.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Phase {
    /// Something of it has not started yet.
    Pending,
    Running,
    /// All of it has ended well.
    Succeeded,
    /// All of it has ended, and not all well.
    Failed,
    /// Nobody knows: its node does not answer.
    Unknown,
}

impl From<PodPhase> for Phase {
    fn from(phase: PodPhase) -> Self {
        match phase {
            PodPhase::Pending => Self::Pending,
            PodPhase::Running => Self::Running,
            PodPhase::Succeeded => Self::Succeeded,
            PodPhase::Failed => Self::Failed,
            PodPhase::Unknown => Self::Unknown,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ContainerState {
    Waiting,
    Running,
    Ended,
}

/// One program of a pod.
#[derive(Serialize, ToSchema)]
#[schema(as = PodContainer)]
struct Container {
    name: String,
    state: ContainerState,
    ready: bool,
    /// How often it was started again.
    restarts: u32,
    /// Why it waits or has ended, in the cluster's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<&pod::Container> for Container {
    fn from(container: &pod::Container) -> Self {
        Self {
            name: container.name.to_string(),
            state: match container.state {
                pod::ContainerState::Waiting => ContainerState::Waiting,
                pod::ContainerState::Running => ContainerState::Running,
                pod::ContainerState::Ended => ContainerState::Ended,
            },
            ready: container.ready,
            restarts: container.restarts,
            reason: container.reason.as_deref().map(str::to_owned),
        }
    }
}

/// How a pod stands.
#[derive(Serialize, ToSchema)]
struct PodStatus {
    phase: Phase,
    /// Whether it can be used.
    ready: bool,
    /// Why it is not ready, as far as it says so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether it is about to end.
    ending: bool,
    /// How often its programs were started again, together.
    restarts: u32,
    containers: Vec<Container>,
    /// When any of this last changed.
    changed_at: Timestamp,
}

impl From<&Row> for PodStatus {
    fn from(row: &Row) -> Self {
        let status = &row.status;
        let restarts = status.containers.iter().map(|container| container.restarts);
        Self {
            phase: status.phase.into(),
            ready: status.ready,
            reason: status.reason.clone(),
            ending: status.ending,
            restarts: restarts.fold(0, u32::saturating_add),
            containers: status.containers.iter().map(Container::from).collect(),
            changed_at: row.changed_at,
        }
    }
}

/// Something of a subscription that runs, or should.
#[derive(Serialize, ToSchema)]
struct Pod {
    id: Uuid,
    /// `tenant.subscription`.
    subscription: String,
    name: String,
    /// The component that it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    status: PodStatus,
}

impl From<&Row> for Pod {
    fn from(row: &Row) -> Self {
        Self {
            id: row.id,
            subscription: catalog::written(&row.of),
            name: row.name.clone(),
            component: row.status.component.as_deref().map(str::to_owned),
            started_at: row.status.started_at,
            status: row.into(),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only those of this subscription: `tenant.subscription`.
    subscription: Option<String>,
    /// For operators: only those of this tenant.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The pods of one's own tenant, by subscription and name; of all tenants for operators.
#[utoipa::path(get, path = "/pods", tag = "pods", operation_id = "list_pods",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of pods", body = Page<Pod>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let mut tenant = viewer.narrowed(asked.tenant)?;
    let mut subscription = None;
    if let Some(text) = &asked.subscription {
        let of =
            catalog::named(text).filter(|of| tenant.as_ref().is_none_or(|own| *own == of.tenant));
        let of = of.ok_or(problem::NOT_FOUND)?;
        (tenant, subscription) = (Some(of.tenant), Some(of.name));
    }
    let keys = api.accounts().keys(context.now).await?;
    let named = |name: &Option<Name>| name.as_ref().map(Name::to_string);
    let list = format!("pods {:?}", (named(&tenant), named(&subscription)));
    let after = pages::after(&keys, &list, asked.cursor.as_deref(), read_place)?;
    let asked = pods::Asked { tenant, subscription, after };
    let rows = api.pods()?.list(&asked, limit + 1).await?;
    let next = |last: &Row| pages::cursor(&keys, &list, &written_place(&last.place()));
    let page = Page::of(rows, limit, next);
    let items = page.items.iter().map(Pod::from).collect();
    Ok(Page::<Pod> { items, next_cursor: page.next_cursor }.answer(&uri))
}

fn written_place(place: &Place) -> String {
    format!("{} {} {}", catalog::written(&place.of), place.name, place.id)
}

fn read_place(text: &str) -> Option<Place> {
    let mut words = text.split(' ');
    let (of, name) = (catalog::named(words.next()?)?, words.next()?.to_owned());
    Some(Place { of, name, id: words.next()?.parse().ok()? })
}

/// The pod of a path, if whoever asks may see it. An id of another's is as good as none.
async fn find(api: &Api, viewer: &Viewer, id: &str) -> Result<Row, Problem> {
    let id: Uuid = id.parse().map_err(|_| Problem::from(problem::NOT_FOUND))?;
    let tenant = viewer.narrowed(None)?;
    let found = api.pods()?.find(id, tenant.as_ref()).await?;
    Ok(found.ok_or(problem::NOT_FOUND)?)
}

/// One pod.
#[utoipa::path(get, path = "/pods/{id}", tag = "pods", operation_id = "get_pod",
    security(("token" = [])), params(("id" = String, Path, description = "The id of the pod")),
    responses((status = 200, description = "The pod", body = Pod)))]
async fn get(
    State(api): State<Api>,
    viewer: Viewer,
    Segment(id): Segment<String>,
) -> Result<Json<Pod>, Problem> {
    Ok(Json((&find(&api, &viewer, &id).await?).into()))
}

/// How a pod stands.
#[utoipa::path(get, path = "/pods/{id}/status", tag = "pods", operation_id = "get_pod_status",
    security(("token" = [])), params(("id" = String, Path, description = "The id of the pod")),
    responses((status = 200, description = "How it stands", body = PodStatus)))]
async fn status(
    State(api): State<Api>,
    viewer: Viewer,
    Segment(id): Segment<String>,
) -> Result<Json<PodStatus>, Problem> {
    Ok(Json((&find(&api, &viewer, &id).await?).into()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogAsked {
    /// Of this container; of the pod's first where absent.
    container: Option<String>,
    /// Of the container as it was before it was last started again.
    previous: Option<bool>,
    /// At most so many lines, the newest; 200 where absent.
    #[param(minimum = 1, maximum = 5000)]
    tail: Option<u32>,
    /// Only what was written since then, to the second.
    since: Option<Timestamp>,
    /// At most so many bytes; 262144 where absent.
    #[param(minimum = 1, maximum = 1_048_576)]
    limit_bytes: Option<u32>,
}

/// What a container wrote.
#[derive(Serialize, ToSchema)]
struct Log {
    pod: Uuid,
    container: String,
    previous: bool,
    /// The oldest first.
    lines: Vec<String>,
    /// Whether the limit of bytes cut it: the last line may be a part of one, and newer are absent.
    truncated: bool,
}

/// What a container of a pod wrote last.
#[utoipa::path(get, path = "/pods/{id}/logs", tag = "pods", operation_id = "get_pod_logs",
    security(("token" = [])), params(("id" = String, Path, description = "The id of the pod"), LogAsked),
    responses(
        (status = 200, description = "What it wrote", body = Log),
        (status = 409, description = "There is no such log, because the container has not run", body = problem::Document, content_type = "application/problem+json"),
        (status = 503, description = "The cluster cannot be asked now", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn logs(
    State(api): State<Api>,
    viewer: Viewer,
    Segment(id): Segment<String>,
    Parameters(asked): Parameters<LogAsked>,
) -> Result<Json<Log>, Problem> {
    let row = find(&api, &viewer, &id).await?;
    let wish = Wish {
        cluster: row.cluster.clone(),
        tenant: row.of.tenant.clone(),
        pod: row.id,
        container: container(&row, asked.container)?,
        previous: asked.previous.unwrap_or(false),
        tail: within("tail", asked.tail, USUAL_LINES, MOST_LINES)?,
        since: asked.since,
        most: within("limit_bytes", asked.limit_bytes, USUAL_BYTES, MOST_BYTES)?,
    };
    let (container, previous) = (wish.container.clone(), wish.previous);
    let read = api.logs()?.read(wish).await?;
    let lines = read.text.lines().map(str::to_owned).collect();
    Ok(Json(Log { pod: row.id, container, previous, lines, truncated: read.truncated }))
}

/// The container that is asked for, if the pod has it.
fn container(row: &Row, asked: Option<String>) -> Result<String, Problem> {
    let mut names = row.status.containers.iter().map(|container| &*container.name);
    let Some(asked) = asked else {
        let first = names.next().map(str::to_owned);
        return first.ok_or_else(|| Problem::new(problem::CONFLICT, "it has no container yet"));
    };
    if names.clone().any(|name| name == asked) {
        return Ok(asked);
    }
    let known: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let help = format!("write one of {}", known.join(", "));
    Err(Problem::field("container", "the pod has no container of this name", help))
}

fn within(field: &str, asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    match asked.unwrap_or(usual) {
        fine if (1..=most).contains(&fine) => Ok(fine),
        _ => {
            let message = format!("it is 1 to {most}");
            Err(Problem::field(field, message, "write a number within that"))
        }
    }
}

/// Restart the pods of a subscription: all of them, by a commit, once for each request.
#[utoipa::path(post, path = "/pods/{id}/restart", tag = "pods", operation_id = "restart_pods",
    security(("token" = [])),
    params(("id" = String, Path, description = "The id of a pod, or `tenant.subscription`")),
    responses((status = 202, description = "It is accepted", body = Operation)))]
async fn restart(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    Segment(id): Segment<String>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let of = match id.parse::<Uuid>() {
        Ok(pod) => {
            let found = api.pods()?.find(pod, Some(customer.tenant())).await?;
            catalog::written(&found.ok_or(problem::NOT_FOUND)?.of)
        }
        Err(_) => id,
    };
    let (SubscriptionId { name, .. }, _) = own(&view, &customer, &of)?;
    let ask = Ask::now(customer.principal(), customer.tenant(), Change::Restart { name });
    Ok(accepted(&take(&api, &context, &view, &HeaderMap::new(), ask).await?))
}
