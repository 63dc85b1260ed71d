//! The nodes of a cluster, with what the pods that run there ask for, whoever they belong to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::apply::error::ApplyError;
use crate::model::node::Capacity;
use crate::model::node::Condition;
use crate::model::node::Node;
use crate::model::quantity::Quantity;

use super::Cluster;

const NODES: &str = "/api/v1/nodes";
const PODS: &str = "/api/v1/pods";

#[derive(Deserialize)]
struct SeenNode {
    metadata: Metadata,
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    creation_timestamp: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
struct NodeSpec {
    #[serde(default)]
    unschedulable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeStatus {
    allocatable: Amounts,
    conditions: Option<Vec<SeenCondition>>,
    node_info: Info,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Info {
    kubelet_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SeenCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: Option<Timestamp>,
}

#[derive(Clone, Default, Deserialize)]
struct Amounts {
    cpu: Option<Quantity>,
    memory: Option<Quantity>,
    pods: Option<Quantity>,
}

#[derive(Deserialize)]
struct SeenPod {
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    node_name: Option<String>,
    containers: Vec<Container>,
    /// Some write `null` where there are none.
    init_containers: Option<Vec<Container>>,
    overhead: Amounts,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    resources: Resources,
    restart_policy: Option<String>,
}

#[derive(Default, Deserialize)]
struct Resources {
    #[serde(default)]
    requests: Amounts,
}

#[derive(Default, Deserialize)]
struct PodStatus {
    #[serde(default)]
    phase: String,
}

/// Thousandths of cores, and bytes.
type Asked = [i128; 2];

impl Amounts {
    fn asked(&self) -> Asked {
        let milli = self.cpu.as_ref().map_or(0, Quantity::milli);
        [milli, self.memory.as_ref().map_or(0, Quantity::units)]
    }
}

fn plus(one: Asked, other: Asked) -> Asked {
    std::array::from_fn(|at| one[at].saturating_add(other[at]))
}

fn most(one: Asked, other: Asked) -> Asked {
    std::array::from_fn(|at| one[at].max(other[at]))
}

impl PodSpec {
    /// What the scheduler reckons with: all containers together, or what is asked for at one time
    /// while they are prepared, where that is more. A preparing container that always restarts
    /// stays beside those after it.
    fn asked(&self) -> Asked {
        let (mut beside, mut preparing) = (Asked::default(), Asked::default());
        for container in self.init_containers.iter().flatten() {
            let asked = container.resources.requests.asked();
            if container.restart_policy.as_deref() == Some("Always") {
                beside = plus(beside, asked);
                preparing = most(preparing, beside);
            } else {
                preparing = most(preparing, plus(beside, asked));
            }
        }
        let containers = self.containers.iter().map(|one| one.resources.requests.asked());
        let running = containers.fold(beside, plus);
        plus(most(running, preparing), self.overhead.asked())
    }
}

impl Cluster {
    /// The nodes by name, with what is asked of each now.
    pub async fn nodes(&self) -> Result<Vec<Node>, ApplyError> {
        let mut asked: BTreeMap<String, (Asked, i64)> = BTreeMap::new();
        let mut pages = self.pages(PODS, "");
        while let Some(page) = pages.next().await? {
            for item in &page.items {
                let pod: SeenPod = self.connection().parse(item.get().as_bytes())?;
                let over = ["Succeeded", "Failed"].contains(&pod.status.phase.as_str());
                let Some(node) = pod.spec.node_name.clone().filter(|_| !over) else { continue };
                let (sum, pods) = asked.entry(node).or_default();
                *sum = plus(*sum, pod.spec.asked());
                *pods += 1;
            }
        }
        let mut nodes = Vec::new();
        let mut pages = self.pages(NODES, "");
        while let Some(page) = pages.next().await? {
            for item in &page.items {
                let node: SeenNode = self.connection().parse(item.get().as_bytes())?;
                let asked = asked.get(&node.metadata.name).copied().unwrap_or_default();
                nodes.push(seen(node, asked));
            }
        }
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(nodes)
    }
}

fn seen(node: SeenNode, (asked, pods): (Asked, i64)) -> Node {
    let SeenNode { metadata, spec, status } = node;
    let conditions = status.conditions.into_iter().flatten().map(|one| Condition {
        kind: one.kind,
        status: one.status,
        reason: one.reason,
        message: one.message,
        since: one.last_transition_time,
    });
    let most_pods = status.allocatable.pods.as_ref().map_or(0, Quantity::units);
    Node {
        name: metadata.name,
        created_at: metadata.creation_timestamp,
        version: status.node_info.kubelet_version,
        cordoned: spec.unschedulable,
        // What there is counts where it is whole, what is asked for where it is begun.
        allocatable: capacity(status.allocatable.asked(), small(most_pods), 0),
        requested: capacity(asked, pods, (1 << 20) - 1),
        conditions: conditions.collect(),
    }
}

fn capacity([cpu, memory]: Asked, pods: i64, begun: i128) -> Capacity {
    Capacity { cpu: small(cpu), memory: small(memory.saturating_add(begun) >> 20), pods }
}

fn small(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_asks_for_what_its_containers_ask_for_or_for_its_preparation() {
        let pod = |containers: &[&str], preparing: &[(&str, bool)], overhead: &str| {
            let one = |cpu: &str, always: bool| {
                let policy = if always { Some("Always") } else { None };
                serde_json::json!({ "resources": { "requests": { "cpu": cpu, "memory": "1Mi" } }, "restartPolicy": policy })
            };
            let spec = serde_json::json!({
                "containers": containers.iter().map(|cpu| one(cpu, false)).collect::<Vec<_>>(),
                "initContainers": preparing.iter().map(|(cpu, always)| one(cpu, *always)).collect::<Vec<_>>(),
                "overhead": { "cpu": overhead },
            });
            serde_json::from_value::<PodSpec>(spec).unwrap().asked()[0]
        };
        assert_eq!(pod(&["500m", "1"], &[], "0"), 1500);
        assert_eq!(pod(&["500m"], &[("2", false)], "100m"), 2100);
        // One that stays is beside the containers, and beside those that prepare after it.
        assert_eq!(pod(&["500m"], &[("250m", true), ("300m", false)], "0"), 750);
        assert_eq!(pod(&["500m"], &[("250m", true), ("2", false)], "0"), 2250);
        let nothing = serde_json::json!({ "containers": [{}], "initContainers": null });
        assert_eq!(serde_json::from_value::<PodSpec>(nothing).unwrap().asked(), [0, 0]);
    }
}
