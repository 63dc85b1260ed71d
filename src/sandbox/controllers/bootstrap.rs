//! What every cluster has from the start: its namespaces, nodes and storage classes.

use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;

impl Controllers {
    pub(super) fn bootstrap(&mut self) {
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            // The cluster is empty: nothing can be refused.
            _ = self.create(&self.known.namespaces.clone(), json!({"metadata": {"name": name}}));
        }
        for (name, mode, default) in
            [("local-path", "WaitForFirstConsumer", "false"), ("standard", "Immediate", "true")]
        {
            let class = json!({
                "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}},
                "provisioner": "sandbox.tenantry.dev/played",
                "reclaimPolicy": "Delete",
                "volumeBindingMode": mode,
                "allowVolumeExpansion": true,
            });
            _ = self.create(&self.known.storage_classes.clone(), class);
        }
        for number in 1..=self.cluster.options.nodes {
            self.add_node(number);
        }
    }

    fn add_node(&mut self, number: usize) {
        let name = format!("node-{number}");
        let nodes = self.known.nodes.clone();
        let labels = json!({
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "node.kubernetes.io/instance-type": "sandbox",
        });
        let node = json!({"metadata": {"name": name, "labels": labels}});
        let Ok(node) = self.create(&nodes, node) else {
            return;
        };
        let version = self.cluster.kinds.version;
        let resources =
            json!({"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"});
        let time = written_time(now());
        let condition = |name: &str, status: &str, reason: &str, message: &str| {
            json!({"type": name, "status": status, "reason": reason, "message": message,
                "lastHeartbeatTime": time, "lastTransitionTime": time})
        };
        self.set_status(&nodes, &node.key, "kubelet", |status| {
            *status = json!({
                "capacity": resources,
                "allocatable": resources,
                "addresses": [{"type": "InternalIP", "address": format!("192.0.2.{}", number + 1)},
                    {"type": "Hostname", "address": name}],
                "conditions": [
                    condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                    condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                    condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
                ],
                "nodeInfo": {
                    "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "6.1.0", "osImage": "sandbox",
                    "containerRuntimeVersion": "sandbox://1", "operatingSystem": "linux", "architecture": "amd64",
                    "kubeletVersion": format!("v{}.{}.0+sandbox", version.major, version.minor),
                    "kubeProxyVersion": "",
                },
            });
        });
    }
}
