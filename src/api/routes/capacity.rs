//! What clusters can still take, for operators: what their nodes have, as they were last seen, and
//! what may still be promised by the rules of their documents.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workers::NodeAmounts;
use crate::api::Api;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::problem::Problem;
use crate::model;
use crate::model::Cluster;
use crate::model::Document;
use crate::model::Name;
use crate::model::node;
use crate::model::node::Node;
use crate::validate::capacity::Amounts;
use crate::validate::capacity::Demands;
use crate::validate::capacity::Load;
use crate::validate::capacity::Loads;
use crate::validate::capacity::UNLIMITED;
use crate::workers::store;
use crate::workers::store::Seen;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get))
}

/// What is promised, or may be.
#[derive(Serialize, ToSchema)]
struct Promises {
    /// Requests for CPU, in thousandths of a core.
    requested_cpu: i64,
    /// Requests for memory, in MiB.
    requested_memory: i64,
    /// Limits of CPU, in thousandths of a core.
    limited_cpu: i64,
    /// Limits of memory, in MiB.
    limited_memory: i64,
    /// Volumes, in MiB; absent where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<i64>,
}

impl From<Amounts> for Promises {
    fn from(amounts: Amounts) -> Self {
        // Whole ones, so that nobody is promised what is only begun.
        let mebibytes = |milli: i128| small(milli.div_euclid(1000 << 20));
        Self {
            requested_cpu: small(amounts.requested_cpu),
            requested_memory: mebibytes(amounts.requested_memory),
            limited_cpu: small(amounts.limited_cpu),
            limited_memory: mebibytes(amounts.limited_memory),
            storage: (amounts.storage != UNLIMITED).then(|| mebibytes(amounts.storage)),
        }
    }
}

fn small(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// The rules of the cluster's document.
#[derive(Serialize, ToSchema)]
struct Rules {
    /// In thousandths of a core.
    cpu: i64,
    /// In MiB.
    memory: i64,
    /// In MiB; absent where it has no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<i64>,
    /// Percent kept free for the loss of a node.
    reserve: u8,
    /// What limits may add up to, in percent of what is there.
    oversubscription: u16,
}

impl From<&model::cluster::Capacity> for Rules {
    fn from(capacity: &model::cluster::Capacity) -> Self {
        let mebibytes = |quantity: &model::quantity::Quantity| small(quantity.units() >> 20);
        Self {
            cpu: small(capacity.cpu.milli()),
            memory: mebibytes(&capacity.memory),
            storage: capacity.storage.as_ref().map(mebibytes),
            reserve: capacity.reserve,
            oversubscription: capacity.oversubscription,
        }
    }
}

/// How many more of a package fit.
#[derive(Serialize, ToSchema)]
struct Fits {
    #[schema(value_type = String)]
    package: Name,
    /// Absent where there is no end to it: the package asks for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    fits: Option<u64>,
}

/// The nodes of a cluster together, as they were last seen.
#[derive(Serialize, ToSchema)]
struct Nodes {
    many: usize,
    /// How many of them take new pods.
    taking_pods: usize,
    /// What may be asked of those that take pods.
    allocatable: NodeAmounts,
    /// What is asked of all of them.
    requested: NodeAmounts,
    seen_at: Timestamp,
}

impl Nodes {
    fn of(nodes: &[Node], seen_at: Timestamp) -> Self {
        let taking: Vec<&Node> = nodes.iter().filter(|node| node.takes_pods()).collect();
        let sum = |all: &mut dyn Iterator<Item = node::Capacity>| {
            all.fold(node::Capacity::default(), node::Capacity::plus)
        };
        Self {
            many: nodes.len(),
            taking_pods: taking.len(),
            allocatable: sum(&mut taking.iter().map(|node| node.allocatable)).into(),
            requested: sum(&mut nodes.iter().map(|node| node.requested)).into(),
            seen_at,
        }
    }
}

/// What a cluster can still take.
#[derive(Serialize, ToSchema)]
struct ClusterCapacity {
    #[schema(value_type = String)]
    cluster: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// What its nodes have; absent while they were never seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Nodes>,
    /// Whether the nodes may be otherwise by now: they were seen long ago, or never.
    stale: bool,
    /// Why they could not be looked at the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// Absent where the document does not say what the cluster has.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Rules>,
    /// How many subscriptions run there.
    subscriptions: u32,
    /// What may be promised by the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<Promises>,
    /// What is promised to subscriptions, suspended ones included.
    promised: Promises,
    /// What may still be promised; below zero where it is too much already.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Promises>,
    /// How many more of each package fit by the rules, each by itself; none where nobody can say.
    packages: Vec<Fits>,
}

/// What the clusters of a region can still take together.
#[derive(Serialize, ToSchema)]
struct RegionCapacity {
    region: String,
    #[schema(value_type = Vec<String>)]
    clusters: Vec<Name>,
    subscriptions: u32,
    packages: Vec<Fits>,
}

/// What can still be sold.
#[derive(Serialize, ToSchema)]
struct Capacity {
    clusters: Vec<ClusterCapacity>,
    /// Clusters that name no region are in none.
    regions: Vec<RegionCapacity>,
}

/// What clusters and regions can still take, by what their documents say and their nodes have.
#[utoipa::path(get, path = "/capacity", tag = "workers", operation_id = "get_capacity",
    security(("token" = [])),
    responses((status = 200, description = "Every cluster and every region", body = Capacity)))]
async fn get(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
) -> Result<Json<Capacity>, Problem> {
    let view = api.catalog().view()?;
    let mut seen = store::nodes(api.accounts().pool()?).await?;
    let configuration = &view.configuration;
    let (loads, demands) = (Loads::of(configuration), Demands::of(configuration).packages());
    let mut clusters = Vec::new();
    let mut regions: BTreeMap<&str, Vec<(&Name, &Load)>> = BTreeMap::new();
    for (name, document) in &configuration.clusters {
        let Some(load) = loads.get(name) else { continue };
        let seen = seen.remove(name).unwrap_or_default();
        clusters.push(of_cluster(document, load, &seen, &demands, context.now));
        if let Some(region) = &load.region {
            regions.entry(region).or_default().push((name, load));
        }
    }
    let regions = regions.into_iter().map(|(region, loads)| of_region(region, &loads, &demands));
    Ok(Json(Capacity { clusters, regions: regions.collect() }))
}

fn of_cluster(
    document: &Document<Cluster>,
    load: &Load,
    seen: &Seen<Node>,
    demands: &BTreeMap<&Name, Amounts>,
    now: Timestamp,
) -> ClusterCapacity {
    ClusterCapacity {
        cluster: document.name.clone(),
        region: load.region.clone(),
        nodes: seen.seen_at.map(|seen_at| Nodes::of(&seen.all, seen_at)),
        stale: seen.is_stale(now),
        trouble: seen.trouble.clone(),
        rules: document.spec.capacity.as_ref().map(Rules::from),
        subscriptions: load.subscriptions,
        room: load.room.map(Promises::from),
        promised: load.promised.into(),
        left: load.left().map(Promises::from),
        packages: fits(&[load], demands),
    }
}

fn of_region(
    region: &str,
    loads: &[(&Name, &Load)],
    demands: &BTreeMap<&Name, Amounts>,
) -> RegionCapacity {
    let only: Vec<&Load> = loads.iter().map(|(_, load)| *load).collect();
    RegionCapacity {
        region: region.to_owned(),
        clusters: loads.iter().map(|(name, _)| (*name).clone()).collect(),
        subscriptions: only.iter().map(|load| load.subscriptions).sum(),
        packages: fits(&only, demands),
    }
}

/// How many more of each package fit into clusters together; those that do not say what they have
/// count for none.
fn fits(loads: &[&Load], demands: &BTreeMap<&Name, Amounts>) -> Vec<Fits> {
    if loads.iter().all(|load| load.room.is_none()) {
        return Vec::new();
    }
    let fits = |(package, asked): (&&Name, &Amounts)| {
        let many = loads.iter().filter_map(|load| load.holds(*asked)).fold(0, u64::saturating_add);
        Fits { package: (*package).clone(), fits: Some(many).filter(|many| *many != u64::MAX) }
    };
    demands.iter().map(fits).collect()
}
