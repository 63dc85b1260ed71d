//! Worker nodes, for operators: how each was last seen, and how old that is. The portal asks no
//! cluster; whoever watches clusters looks every few minutes.

use std::collections::BTreeMap;

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

use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Name;
use crate::model::node;
use crate::model::node::Node;
use crate::workers::store;
use crate::workers::store::Seen;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// How well a node is.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Health {
    Ready,
    /// It runs, and something runs short there.
    Strained,
    /// Nothing new is placed there.
    Cordoned,
    NotReady,
}

impl From<node::Health> for Health {
    fn from(health: node::Health) -> Self {
        match health {
            node::Health::Ready => Self::Ready,
            node::Health::Strained => Self::Strained,
            node::Health::Cordoned => Self::Cordoned,
            node::Health::NotReady => Self::NotReady,
        }
    }
}

/// What a node can give, or what is asked of it.
#[derive(Serialize, ToSchema)]
pub(super) struct NodeAmounts {
    /// In thousandths of a core.
    cpu: i64,
    /// In MiB.
    memory: i64,
    pods: i64,
}

impl From<node::Capacity> for NodeAmounts {
    fn from(capacity: node::Capacity) -> Self {
        let node::Capacity { cpu, memory, pods } = capacity;
        Self { cpu, memory, pods }
    }
}

/// One thing that a node says of itself.
#[derive(Serialize, ToSchema)]
struct NodeCondition {
    /// Such as `Ready` or `DiskPressure`.
    r#type: String,
    /// `True`, `False` or `Unknown`.
    status: String,
    reason: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

impl From<&node::Condition> for NodeCondition {
    fn from(condition: &node::Condition) -> Self {
        Self {
            r#type: condition.kind.clone(),
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            since: condition.since,
        }
    }
}

/// A worker node, as it was last seen.
#[derive(Serialize, ToSchema)]
struct Worker {
    /// `cluster.node`: the first point ends the cluster's name.
    name: String,
    #[schema(value_type = String)]
    cluster: Name,
    node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    health: Health,
    /// The kubelet's version.
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    /// How old it was when this was answered, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<i64>,
    /// What its pods may ask for together.
    allocatable: NodeAmounts,
    /// What its pods ask for, and how many there are.
    requested: NodeAmounts,
    conditions: Vec<NodeCondition>,
    /// When it was seen like this.
    seen_at: Timestamp,
    /// Whether that is so long ago that it may be otherwise by now.
    stale: bool,
    /// Why its cluster could not be looked at since.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

fn workers(
    seen: &BTreeMap<Name, Seen<Node>>,
    regions: impl Fn(&Name) -> Option<String>,
    now: Timestamp,
) -> Vec<Worker> {
    let mut workers = Vec::new();
    for (cluster, seen) in seen {
        let Some(seen_at) = seen.seen_at else { continue };
        let worker = |node: &Node| Worker {
            name: format!("{cluster}.{}", node.name),
            cluster: cluster.clone(),
            node: node.name.clone(),
            region: regions(cluster),
            health: node.health().into(),
            version: node.version.clone(),
            created_at: node.created_at,
            age_seconds: node.created_at.map(|created| now.duration_since(created).as_secs()),
            allocatable: node.allocatable.into(),
            requested: node.requested.into(),
            conditions: node.conditions.iter().map(NodeCondition::from).collect(),
            seen_at,
            stale: seen.is_stale(now),
            trouble: seen.trouble.clone(),
        };
        workers.extend(seen.all.iter().map(worker));
    }
    workers.sort_by(|one, other| one.name.cmp(&other.name));
    workers
}

/// Every node that was ever seen of the clusters there are.
async fn all(api: &Api, now: Timestamp) -> Result<Vec<Worker>, Problem> {
    let view = api.catalog().view()?;
    let clusters = &view.configuration.clusters;
    let mut seen = store::nodes(api.accounts().pool()?).await?;
    seen.retain(|cluster, _| clusters.contains_key(cluster));
    Ok(workers(&seen, |cluster| clusters.get(cluster)?.spec.region.clone(), now))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only those of this cluster.
    #[param(value_type = Option<String>)]
    cluster: Option<Name>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The nodes of all clusters by name, as they were last seen.
#[utoipa::path(get, path = "/workers", tag = "workers", operation_id = "list_workers",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of nodes", body = Page<Worker>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("workers {:?}", asked.cluster.as_ref().map(Name::as_str));
    let position = |position: &str| Some(position.to_owned());
    let after = pages::after(&keys, &list, asked.cursor.as_deref(), position)?;
    let found = all(&api, context.now).await?.into_iter().filter(|worker| {
        after.as_ref().is_none_or(|after| worker.name > *after)
            && asked.cluster.as_ref().is_none_or(|cluster| worker.cluster == *cluster)
    });
    let next = |last: &Worker| pages::cursor(&keys, &list, &last.name);
    Ok(Page::of(found.take(limit + 1).collect(), limit, next).answer(&uri))
}

/// One node, as it was last seen.
#[utoipa::path(get, path = "/workers/{name}", tag = "workers", operation_id = "get_worker",
    security(("token" = [])),
    params(("name" = String, Path, description = "`cluster.node`")),
    responses((status = 200, description = "The node", body = Worker)))]
async fn get(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    Segment(name): Segment<String>,
) -> Result<Json<Worker>, Problem> {
    let found = all(&api, context.now).await?.into_iter().find(|worker| worker.name == name);
    Ok(Json(found.ok_or(problem::NOT_FOUND)?))
}
