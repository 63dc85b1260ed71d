//! The pods of subscriptions, as one watch tells of them, from when somebody first asks. Of each a
//! few words are kept, and which have changed since somebody last asked.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::watch;
use uuid::Uuid;

use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::marks;
use crate::model::pod::Container;
use crate::model::pod::ContainerState;
use crate::model::pod::Pod;
use crate::model::pod::PodPhase;
use crate::model::pod::PodStatus;
use crate::plan::masking;

use super::Cluster;
use super::explain::is_ready;
use super::explain::trouble;
use super::observe::version;

/// Where all pods are.
pub(super) const COLLECTION: &str = "/api/v1/pods";
/// Those that serve a subscription carry its name.
pub(super) const SELECTOR: &str = marks::SUBSCRIPTION;
/// The label that says what a pod runs.
const COMPONENT: &str = "app.kubernetes.io/name";

/// What the watch of pods knows.
#[derive(Default)]
pub(super) struct Pods {
    state: Mutex<State>,
    news: Notify,
    /// Whether anybody wants to know: pods that nobody asks for are not watched.
    wanted: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    known: HashMap<Uuid, Known>,
    /// Those that appeared, changed or went since they were last taken.
    changed: HashSet<Uuid>,
    /// Whether all have been read once, and whether somebody was told so.
    listed: Option<Told>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Not,
    Once,
}

struct Known {
    pod: Pod,
    version: u64,
    /// The listing that saw it last.
    round: u32,
}

/// What happened to pods since somebody last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodNews {
    /// Each as it is now; none where it is gone.
    pub changed: HashMap<Uuid, Option<Pod>>,
    /// Told once, when everything has been read: every pod there is. What is not among them is gone.
    pub all: Option<Vec<Uuid>>,
}

impl Pods {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics holding this lock")
    }

    /// Waits until somebody wants to know of pods.
    pub(super) async fn are_wanted(&self) {
        // The sender is here.
        let _ = self.wanted.subscribe().wait_for(|wanted| *wanted).await;
    }

    fn want(&self) {
        self.wanted.send_replace(true);
    }

    /// Takes a pod as it was seen. Returns its version.
    pub(super) fn saw(&self, seen: &Value, round: u32) -> u64 {
        let (pod, at) = (read(seen), version_of(seen));
        let Some(pod) = pod else { return at };
        let mut state = self.state();
        let known = state.known.get_mut(&pod.id);
        if let Some(known) = known {
            known.round = round;
            if known.version > at {
                return at;
            }
            known.version = at;
            if known.pod == pod {
                return at;
            }
        }
        let id = pod.id;
        state.known.insert(id, Known { pod, version: at, round });
        state.changed.insert(id);
        self.news.notify_one();
        at
    }

    /// Takes that a pod is gone. Returns the version of that.
    pub(super) fn lost(&self, seen: &Value) -> u64 {
        if let Some(id) = id_of(seen) {
            self.forget(&mut self.state(), &[id]);
        }
        version_of(seen)
    }

    fn forget(&self, state: &mut State, ids: &[Uuid]) {
        for id in ids {
            if state.known.remove(id).is_some() {
                state.changed.insert(*id);
                self.news.notify_one();
            }
        }
    }

    /// Takes away what a complete listing at `version` did not see.
    pub(super) fn sweep(&self, round: u32, version: u64) {
        let mut state = self.state();
        let unseen = |(id, known): (&Uuid, &Known)| {
            (known.round != round && known.version <= version).then_some(*id)
        };
        let unseen: Vec<Uuid> = state.known.iter().filter_map(unseen).collect();
        self.forget(&mut state, &unseen);
    }

    pub(super) fn begin_anew(&self) {
        self.state().known.values_mut().for_each(|known| known.version = 0);
    }

    /// Takes that all have been read once.
    pub(super) fn listed(&self) {
        self.state().listed.get_or_insert(Told::Not);
        self.news.notify_one();
    }

    fn get(&self, id: Uuid) -> Option<Pod> {
        self.state().known.get(&id).map(|known| known.pod.clone())
    }
}

impl Cluster {
    /// Waits until something happened to pods. Whoever first asks has them watched.
    pub async fn pods_change(&self) {
        self.pods().want();
        self.pods().news.notified().await;
    }

    /// What happened to pods since this was last asked. A pod in a namespace of somebody else is
    /// nobody's, whatever its labels say.
    pub fn pod_news(&self) -> PodNews {
        self.pods().want();
        let (changed, all) = {
            let mut state = self.pods().state();
            let changed: Vec<(Uuid, Option<Pod>)> = std::mem::take(&mut state.changed)
                .into_iter()
                .map(|id| (id, state.known.get(&id).map(|known| known.pod.clone())))
                .collect();
            let all =
                (state.listed == Some(Told::Not)).then(|| state.known.keys().copied().collect());
            state.listed = state.listed.map(|_| Told::Once);
            (changed, all)
        };
        let at_home = |pod: &Pod| self.is_home(&pod.of.tenant, &pod.namespace);
        let changed = changed.into_iter().map(|(id, pod)| (id, pod.filter(at_home))).collect();
        PodNews { changed, all }
    }

    /// A pod of this tenant, as the watch knows it.
    pub fn pod(&self, tenant: &Name, id: Uuid) -> Option<Pod> {
        let pod = self.pods().get(id).filter(|pod| pod.of.tenant == *tenant)?;
        self.is_home(tenant, &pod.namespace).then_some(pod)
    }
}

fn id_of(seen: &Value) -> Option<Uuid> {
    seen["metadata"]["uid"].as_str()?.parse().ok()
}

fn version_of(seen: &Value) -> u64 {
    version(seen["metadata"]["resourceVersion"].as_str().unwrap_or_default())
}

/// Reads a pod; none where it serves no subscription.
fn read(seen: &Value) -> Option<Pod> {
    let metadata = &seen["metadata"];
    let label = |label: &str| metadata["labels"][label].as_str();
    let of = SubscriptionId {
        tenant: label(marks::TENANT)?.parse().ok()?,
        name: label(marks::SUBSCRIPTION)?.parse().ok()?,
    };
    let (spec, status) = (&seen["spec"], &seen["status"]);
    let ready = is_ready(seen);
    let reason = trouble(seen).filter(|_| !ready);
    let containers = spec["containers"].as_array().into_iter().flatten();
    Some(Pod {
        id: id_of(seen)?,
        of,
        namespace: metadata["namespace"].as_str()?.into(),
        name: metadata["name"].as_str()?.into(),
        status: PodStatus {
            component: label(COMPONENT).map(Into::into),
            phase: phase(status["phase"].as_str().unwrap_or_default()),
            ready,
            reason: reason.map(|trouble| masking::mask_text(&trouble.sentence)),
            ending: !metadata["deletionTimestamp"].is_null(),
            started_at: status["startTime"].as_str().and_then(|time| time.parse().ok()),
            containers: containers
                .filter_map(|container| Some(read_container(container["name"].as_str()?, status)))
                .collect(),
        },
    })
}

fn phase(word: &str) -> PodPhase {
    match word {
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        "Unknown" => PodPhase::Unknown,
        _ => PodPhase::Pending,
    }
}

/// A container that nothing is told of yet waits.
fn read_container(name: &str, status: &Value) -> Container {
    let told = status["containerStatuses"].as_array().into_iter().flatten();
    let told = told.into_iter().find(|told| told["name"] == name).unwrap_or(&Value::Null);
    let (state, why) = match &told["state"] {
        state if state["running"].is_object() => (ContainerState::Running, &Value::Null),
        state if state["terminated"].is_object() => {
            (ContainerState::Ended, &state["terminated"]["reason"])
        }
        state => (ContainerState::Waiting, &state["waiting"]["reason"]),
    };
    let restarts = told["restartCount"].as_u64().unwrap_or(0);
    Container {
        name: name.into(),
        state,
        ready: told["ready"] == true,
        restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
        reason: why.as_str().map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "6f1c4d0e-8d6b-4f2a-9a53-0e7c3b5a9d11";

    fn seen(version: u64, phase: &str) -> Value {
        json!({
            "metadata": {"uid": ID, "name": "web-1", "namespace": "acme", "resourceVersion": version.to_string(),
                "labels": {"tenantry.dev/tenant": "acme", "tenantry.dev/subscription": "school", COMPONENT: "web"}},
            "spec": {"containers": [{"name": "web"}, {"name": "side"}]},
            "status": {"phase": phase, "containerStatuses": [{"name": "web", "ready": false, "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "password=hunter2 is wrong"}}}]},
        })
    }

    fn changes(pods: &Pods) -> Vec<Option<PodPhase>> {
        let mut state = pods.state();
        let changed = std::mem::take(&mut state.changed);
        let phase = |id: &Uuid| state.known.get(id).map(|known| known.pod.status.phase);
        changed.iter().map(phase).collect()
    }

    #[test]
    fn a_pod_is_read_as_a_customer_needs_it() {
        let pod = read(&seen(1, "Running")).unwrap();
        assert_eq!((pod.of.to_string().as_str(), &*pod.name), ("acme/school", "web-1"));
        let reason = pod.status.reason.unwrap();
        assert!(
            reason.contains("ended again and again") && !reason.contains("hunter2"),
            "{reason}"
        );
        let [web, side] = &pod.status.containers[..] else { panic!("two containers") };
        assert_eq!((web.state, web.restarts), (ContainerState::Waiting, 3));
        assert_eq!(web.reason.as_deref(), Some("CrashLoopBackOff"));
        assert_eq!((side.state, side.restarts, side.ready), (ContainerState::Waiting, 0, false));
        let mut foreign = seen(1, "Running");
        foreign["metadata"]["labels"] = json!({"tenantry.dev/subscription": "school"});
        assert_eq!(read(&foreign), None);
    }

    #[test]
    fn only_what_changes_is_news_and_nothing_goes_back_in_time() {
        let pods = Pods::default();
        assert_eq!(pods.saw(&seen(5, "Pending"), 1), 5);
        assert_eq!(changes(&pods), [Some(PodPhase::Pending)]);
        pods.saw(&seen(6, "Pending"), 1);
        assert_eq!(changes(&pods), []);
        pods.saw(&seen(7, "Running"), 1);
        pods.saw(&seen(6, "Pending"), 1);
        assert_eq!(changes(&pods), [Some(PodPhase::Running)]);
        pods.lost(&seen(8, "Running"));
        assert_eq!(changes(&pods), [None]);
    }

    #[test]
    fn a_listing_sweeps_what_it_did_not_see() {
        let pods = Pods::default();
        pods.saw(&seen(5, "Running"), 1);
        pods.sweep(1, 9);
        assert_eq!(changes(&pods), [Some(PodPhase::Running)]);
        pods.sweep(2, 4);
        assert_eq!(changes(&pods), [], "it is newer than the listing");
        pods.sweep(2, 9);
        assert_eq!(changes(&pods), [None]);
    }
}
