//! How full disks are, as the kubelet of a node tells it (`/stats/summary`): the node's own, and
//! those of the volume claims that its pods have. Nothing else in Kubernetes knows.

use serde::Deserialize;

use crate::apply::error::ApplyError;
use crate::model::upkeep::Disk;
use crate::model::upkeep::DiskOf;

use super::Cluster;
use super::connection::Call;
use super::connection::escaped;

#[derive(Deserialize)]
struct Summary {
    node: SummaryNode,
    #[serde(default)]
    pods: Vec<SummaryPod>,
}

#[derive(Deserialize)]
struct SummaryNode {
    fs: Option<Bytes>,
}

#[derive(Deserialize)]
struct SummaryPod {
    #[serde(default)]
    volume: Vec<Volume>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    /// Only of those that are claimed.
    pvc_ref: Option<Claim>,
    #[serde(flatten)]
    bytes: Bytes,
}

#[derive(Deserialize)]
struct Claim {
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bytes {
    capacity_bytes: Option<u64>,
    available_bytes: Option<u64>,
}

impl Bytes {
    /// Some volumes tell nothing. What is kept for root cannot be written to, and counts as used.
    fn disk(&self, of: DiskOf) -> Option<Disk> {
        let (size, available) = (self.capacity_bytes?, self.available_bytes?);
        let mebibytes = |bytes: u64| i64::try_from(bytes >> 20).unwrap_or(i64::MAX);
        Some(Disk { of, used: mebibytes(size.saturating_sub(available)), size: mebibytes(size) })
    }
}

impl Cluster {
    /// How full the disk of a node is, and those of the volume claims that are used there.
    pub async fn disks(&self, node: &str) -> Result<Vec<Disk>, ApplyError> {
        let path = format!("/api/v1/nodes/{}/proxy/stats/summary", escaped(node));
        let what = format!("asking node `{node}` for its disks was refused");
        let summary: Summary = self.connection().read(&what, &Call::get(path)).await?;
        Ok(read(summary, node))
    }
}

fn read(summary: Summary, node: &str) -> Vec<Disk> {
    let own = summary.node.fs.and_then(|bytes| bytes.disk(DiskOf::Node(node.to_owned())));
    let volumes = summary.pods.into_iter().flat_map(|pod| pod.volume);
    let claimed = volumes.filter_map(|volume| {
        let Claim { namespace, name } = volume.pvc_ref?;
        volume.bytes.disk(DiskOf::Claim { namespace, name })
    });
    own.into_iter().chain(claimed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_tells_of_its_disk_and_of_what_is_claimed_there() {
        let summary = serde_json::json!({
            "node": {"nodeName": "node-1", "fs": {"time": "2026-11-24T12:00:00Z",
                "availableBytes": 20u64 << 30, "capacityBytes": 100u64 << 30, "usedBytes": 75u64 << 30}},
            "pods": [
                {"podRef": {"name": "db-0"}, "volume": [
                    {"name": "data", "pvcRef": {"namespace": "acme", "name": "data-db-0"},
                        "availableBytes": 1u64 << 30, "capacityBytes": 10u64 << 30, "usedBytes": 9u64 << 30},
                    {"name": "token", "availableBytes": 1, "capacityBytes": 2},
                    {"name": "silent", "pvcRef": {"namespace": "acme", "name": "silent"}},
                ]},
                {"podRef": {"name": "none"}},
            ],
        });
        let disks = read(serde_json::from_value(summary).unwrap(), "node-1");
        let claim = DiskOf::Claim { namespace: "acme".to_owned(), name: "data-db-0".to_owned() };
        let expected = [
            Disk { of: DiskOf::Node("node-1".to_owned()), used: 80 << 10, size: 100 << 10 },
            Disk { of: claim, used: 9 << 10, size: 10 << 10 },
        ];
        assert_eq!(disks, expected);
    }
}
