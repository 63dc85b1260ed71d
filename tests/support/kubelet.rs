//! Stands in for the nodes that the real API server does not have: pods start, jobs' pods end
//! well and claims are bound, each as soon as it is seen.

use futures_util::TryStreamExt as _;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use serde_json::json;

/// Runs until it is dropped.
pub(crate) struct Kubelet(Vec<tokio::task::JoinHandle<()>>);

impl Kubelet {
    /// Starts pods and binds claims in every namespace whose name the condition takes.
    pub(crate) fn start(
        client: &Client,
        minds: impl Fn(&str) -> bool + Clone + Send + Sync + 'static,
    ) -> Self {
        let pods = tokio::spawn(start_pods(client.clone(), minds.clone()));
        let claims = tokio::spawn(bind_claims(client.clone(), minds));
        Self(vec![pods, claims])
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn start_pods(client: Client, minds: impl Fn(&str) -> bool) {
    let events = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let mut pods = std::pin::pin!(events.default_backoff().applied_objects());
    while let Ok(Some(pod)) = pods.try_next().await {
        let namespace = pod.namespace().unwrap_or_default();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let never_ready = |image: &str| image.contains("fail-never-ready");
        let spoiled = pod.annotations().contains_key("test.tenantry.dev/never-ready")
            || images(&pod).any(never_ready);
        if !minds(&namespace) || phase != Some("Pending") || spoiled {
            continue;
        }
        let status = if pod.owner_references().iter().any(|owner| owner.kind == "Job") {
            json!({ "phase": "Succeeded", "containerStatuses": containers(&pod, &ended()) })
        } else {
            json!({
                "phase": "Running",
                "conditions": [
                    { "type": "Initialized", "status": "True" },
                    { "type": "Ready", "status": "True" },
                    { "type": "ContainersReady", "status": "True" },
                    { "type": "PodScheduled", "status": "True" },
                ],
                "podIP": "10.0.0.1",
                "containerStatuses": containers(&pod, &json!({ "running": { "startedAt": NOW } })),
            })
        };
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        patch_status(&pods, &pod.name_any(), status).await;
    }
}

const NOW: &str = "2026-11-21T00:00:00Z";

fn ended() -> serde_json::Value {
    json!({ "terminated": { "exitCode": 0, "reason": "Completed", "startedAt": NOW, "finishedAt": NOW } })
}

fn images(pod: &Pod) -> impl Iterator<Item = &str> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers.filter_map(|container| container.image.as_deref())
}

fn containers(pod: &Pod, state: &serde_json::Value) -> Vec<serde_json::Value> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers
        .map(|container| {
            json!({
                "name": container.name,
                "image": container.image,
                "imageID": "",
                "ready": state.get("running").is_some(),
                "restartCount": 0,
                "state": state,
            })
        })
        .collect()
}

async fn bind_claims(client: Client, minds: impl Fn(&str) -> bool) {
    let events =
        watcher(Api::<PersistentVolumeClaim>::all(client.clone()), watcher::Config::default());
    let mut claims = std::pin::pin!(events.default_backoff().applied_objects());
    while let Ok(Some(claim)) = claims.try_next().await {
        let namespace = claim.namespace().unwrap_or_default();
        let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
        if minds(&namespace) && phase != Some("Bound") {
            let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
            patch_status(&claims, &claim.name_any(), json!({ "phase": "Bound" })).await;
        }
    }
}

/// What is gone meanwhile needs no status.
async fn patch_status<K>(api: &Api<K>, name: &str, status: serde_json::Value)
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let patch = Patch::Merge(json!({ "status": status }));
    let _ = api.patch_status(name, &PatchParams::default(), &patch).await;
}
