//! Pods: found a node, started, ready, ended; or misbehaving on demand, as their real
//! counterparts would look.
//!
//! An image whose name contains `fail-crash`, `fail-pull`, `fail-never-ready` or `fail-job`, or the
//! annotation `sandbox.tenantry.dev/behaviour: crash|pull-error|never-ready|fail-job`, asks for it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::Work;
use crate::sandbox::controllers::events::Source;
use crate::sandbox::controllers::hands::KUBELET;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Good,
    Crash,
    PullError,
    NeverReady,
    FailJob,
}

/// After so many restarts a crashing pod only waits.
const RESTARTS: i64 = 5;
const CRASH_MESSAGE: &str = "fatal: this container fails because its image or annotation says so";

fn behaviour_of(body: &Value) -> Behaviour {
    let asked = body["metadata"]["annotations"]["sandbox.tenantry.dev/behaviour"]
        .as_str()
        .unwrap_or_default();
    let containers = body["spec"]["containers"].as_array().into_iter().flatten();
    let images: Vec<&str> =
        containers.filter_map(|container| container["image"].as_str()).collect();
    let says = |annotation: &str, image: &str| {
        asked == annotation || images.iter().any(|name| name.contains(image))
    };
    if says("crash", "fail-crash") {
        Behaviour::Crash
    } else if says("pull-error", "fail-pull") {
        Behaviour::PullError
    } else if says("never-ready", "fail-never-ready") {
        Behaviour::NeverReady
    } else if says("fail-job", "fail-job") {
        Behaviour::FailJob
    } else {
        Behaviour::Good
    }
}

impl Controllers {
    pub(super) fn pod(&mut self, key: &Key) {
        let kind = self.known.pods.clone();
        let Some(pod) = self.get(&kind, key) else {
            return;
        };
        let body = pod.body();
        if pod.deleting {
            return self.end_pod(&kind, &pod, &body);
        }
        let phase = body["status"]["phase"].as_str().unwrap_or_default();
        if phase == "Succeeded" || phase == "Failed" {
            return;
        }
        if body["status"]["startTime"].is_null() {
            return self.schedule(&kind, &pod, &body);
        }
        let moment = Instant::now();
        match self.due.get(&pod.uid).copied() {
            Some(due) if due > moment => {}
            Some(_) => self.next_state(&kind, &pod, &body),
            None => {}
        }
    }

    fn end_pod(&mut self, kind: &Kind, pod: &Object, body: &Value) {
        if body["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty()) {
            return;
        }
        // The pod's own due time now means its end.
        let uid: Arc<str> = format!("end of {}", pod.uid).into();
        let moment = Instant::now();
        let grace = body["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(0);
        let pause = self.cluster.pace().pod_gone_after.min(Duration::from_secs(grace));
        let due = *self.due.entry(uid.clone()).or_insert(moment + pause);
        if moment < due {
            return self.enqueue_after(due - moment, Work::Pod(pod.key.clone()));
        }
        self.due.remove(&uid);
        self.remove(kind, &pod.key, &pod.uid);
    }

    fn schedule(&mut self, kind: &Arc<Kind>, pod: &Arc<Object>, body: &Value) {
        if let Some(problem) = self.unbound_claim(&pod.key, body) {
            let message =
                format!("0/{} nodes are available: {problem}", self.cluster.options.nodes);
            self.wait_for_more(&pod.key);
            self.warning(Source::Scheduler, kind, pod, "FailedScheduling", &message);
            return self.set_status(kind, &pod.key, "kube-scheduler", |status| {
                set_pod_condition(status, "PodScheduled", false, "Unschedulable", &message);
            });
        }
        let given = body["spec"]["nodeName"].as_str().map(str::to_owned);
        let Some(node) = given.or_else(|| self.choose_node()) else {
            return;
        };
        let pause = self.cluster.pace().ready_after;
        self.due.insert(pod.uid.clone(), Instant::now() + pause);
        let address = self.give_address();
        self.alter(kind, &pod.key, KUBELET, "status", |body| {
            body["spec"]["nodeName"] = node.clone().into();
            let names = names_of(&body["spec"]);
            let status = &mut body["status"];
            status["startTime"] = written_time(now()).into();
            status["hostIP"] = "192.0.2.2".into();
            status["podIP"] = address.clone().into();
            status["podIPs"] = json!([{"ip": address}]);
            set_pod_condition(status, "PodScheduled", true, "", "");
            set_pod_condition(status, "Initialized", true, "", "");
            let unready = format!("containers with unready status: [{}]", names.join(" "));
            set_pod_condition(status, "ContainersReady", false, "ContainersNotReady", &unready);
            set_pod_condition(status, "Ready", false, "ContainersNotReady", &unready);
        });
        let message =
            format!("Successfully assigned {}/{} to {node}", pod.key.namespace, pod.key.name);
        self.normal(Source::Scheduler, kind, pod, "Scheduled", &message);
        if pause.is_zero() {
            if let Some(pod) = self.get(kind, &pod.key) {
                let body = pod.body();
                self.next_state(kind, &pod, &body);
            }
        } else {
            self.enqueue_after(pause, Work::Pod(pod.key.clone()));
        }
    }

    fn choose_node(&mut self) -> Option<String> {
        let nodes = self.list(&self.known.nodes, "");
        self.next_node += 1;
        nodes.get(self.next_node % nodes.len().max(1)).map(|node| node.key.name.to_string())
    }

    fn give_address(&mut self) -> String {
        self.next_address += 1;
        let [_, high, middle, low] = self.next_address.to_be_bytes();
        format!("10.{}.{middle}.{low}", 128 + high % 64)
    }

    fn wait_for_more(&mut self, key: &Key) {
        self.waiting_pods.entry(key.namespace.clone()).or_default().insert(key.clone());
    }

    fn next_state(&mut self, kind: &Arc<Kind>, pod: &Arc<Object>, body: &Value) {
        self.due.remove(&pod.uid);
        if let Some(missing) = self.missing_source(&pod.key, body) {
            self.wait_for_more(&pod.key);
            self.due.insert(pod.uid.clone(), Instant::now());
            return self.lacks_source(kind, pod, &missing);
        }
        let for_ever = body["spec"]["restartPolicy"] == "Always";
        let running = body["status"]["phase"] == "Running";
        match behaviour_of(body) {
            Behaviour::PullError => self.cannot_pull(kind, pod, body),
            Behaviour::Crash if for_ever => self.crash(kind, pod, body),
            Behaviour::Crash | Behaviour::FailJob if !for_ever => self.finish(kind, pod, false),
            Behaviour::NeverReady => self.start(kind, pod, false),
            _ if for_ever => self.start(kind, pod, true),
            _ if running => self.finish(kind, pod, true),
            _ => {
                self.start(kind, pod, true);
                self.next_state_after(self.cluster.pace().job_takes, pod);
            }
        }
    }

    fn next_state_after(&mut self, pause: Duration, pod: &Object) {
        self.due.insert(pod.uid.clone(), Instant::now() + pause);
        self.enqueue_after(pause, Work::Pod(pod.key.clone()));
    }

    fn start(&mut self, kind: &Arc<Kind>, pod: &Arc<Object>, ready: bool) {
        self.alter(kind, &pod.key, KUBELET, "status", |body| {
            let containers = body["spec"]["containers"].clone();
            let first = body["spec"]["initContainers"].clone();
            let status = &mut body["status"];
            let time = written_time(now());
            status["phase"] = "Running".into();
            let running = json!({"running": {"startedAt": time}});
            status["containerStatuses"] = statuses(&containers, &running, ready, 0, &json!({}));
            let done = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": time, "finishedAt": time}});
            if first.is_array() {
                status["initContainerStatuses"] = statuses(&first, &done, true, 0, &json!({}));
            }
            set_readiness(status, &containers, ready);
        });
        self.normal(Source::Kubelet, kind, pod, "Started", "Started containers");
        if !ready {
            let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
            self.warning(Source::Kubelet, kind, pod, "Unhealthy", message);
        }
    }

    fn finish(&mut self, kind: &Arc<Kind>, pod: &Arc<Object>, well: bool) {
        self.alter(kind, &pod.key, KUBELET, "status", |body| {
            let containers = body["spec"]["containers"].clone();
            let status = &mut body["status"];
            let time = written_time(now());
            let mut ended = json!({"exitCode": 0, "reason": "Completed", "startedAt": time, "finishedAt": time});
            if !well {
                ended["exitCode"] = 1.into();
                ended["reason"] = "Error".into();
                ended["message"] = CRASH_MESSAGE.into();
            }
            status["phase"] = if well { "Succeeded" } else { "Failed" }.into();
            status["containerStatuses"] = statuses(&containers, &json!({"terminated": ended}), false, 0, &json!({}));
            let reason = if well { "PodCompleted" } else { "PodFailed" };
            set_pod_condition(status, "Ready", false, reason, "");
            set_pod_condition(status, "ContainersReady", false, reason, "");
        });
    }

    fn crash(&mut self, kind: &Arc<Kind>, pod: &Arc<Object>, body: &Value) {
        let restarts = body["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap_or(0);
        let restarts = if body["status"]["containerStatuses"].is_null() { 0 } else { restarts + 1 };
        self.alter(kind, &pod.key, KUBELET, "status", |body| {
            let containers = body["spec"]["containers"].clone();
            let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let status = &mut body["status"];
            let time = written_time(now());
            let message = format!("back-off 10s restarting failed container in pod {name}");
            let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
            let last = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": CRASH_MESSAGE,
                "startedAt": time, "finishedAt": time}});
            status["phase"] = "Running".into();
            status["containerStatuses"] = statuses(&containers, &waiting, false, restarts, &last);
            set_readiness(status, &containers, false);
        });
        self.warning(Source::Kubelet, kind, pod, "BackOff", "Back-off restarting failed container");
        if restarts < RESTARTS {
            let pause = self.cluster.pace().ready_after.max(Duration::from_millis(10));
            self.next_state_after(pause * 2_u32.pow(u32::try_from(restarts).unwrap_or(0)), pod);
        }
    }

    fn cannot_pull(&mut self, kind: &Arc<Kind>, pod: &Arc<Object>, body: &Value) {
        let again =
            body["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImagePull";
        let image = body["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned();
        let problem = format!("failed to pull and unpack image \"{image}\": {image}: not found");
        let (reason, message) = if again {
            (
                "ImagePullBackOff",
                format!("Back-off pulling image \"{image}\": ErrImagePull: {problem}"),
            )
        } else {
            ("ErrImagePull", problem)
        };
        self.alter(kind, &pod.key, KUBELET, "status", |body| {
            let containers = body["spec"]["containers"].clone();
            let waiting = json!({"waiting": {"reason": reason, "message": message}});
            let status = &mut body["status"];
            status["containerStatuses"] = statuses(&containers, &waiting, false, 0, &json!({}));
            set_readiness(status, &containers, false);
        });
        self.warning(Source::Kubelet, kind, pod, "Failed", &message);
        if !again {
            let pause = self.cluster.pace().ready_after.max(Duration::from_millis(10));
            self.next_state_after(pause, pod);
        }
    }

    fn lacks_source(&mut self, kind: &Arc<Kind>, pod: &Arc<Object>, missing: &Missing) {
        let Missing { message, mounted } = missing;
        let reason = if *mounted { "ContainerCreating" } else { "CreateContainerConfigError" };
        self.alter(kind, &pod.key, KUBELET, "status", |body| {
            let containers = body["spec"]["containers"].clone();
            let mut waiting = json!({"waiting": {"reason": reason}});
            if !mounted {
                waiting["waiting"]["message"] = message.clone().into();
            }
            let status = &mut body["status"];
            status["containerStatuses"] = statuses(&containers, &waiting, false, 0, &json!({}));
            set_readiness(status, &containers, false);
        });
        let (event, said) = if *mounted {
            ("FailedMount", format!("MountVolume.SetUp failed for volume: {message}"))
        } else {
            ("Failed", format!("Error: {message}"))
        };
        self.warning(Source::Kubelet, kind, pod, event, &said);
    }

    /// A claim that the pod needs and cannot have yet. Those that wait for a pod are bound now.
    fn unbound_claim(&mut self, key: &Key, body: &Value) -> Option<String> {
        for volume in body["spec"]["volumes"].as_array().into_iter().flatten() {
            let Some(name) = volume["persistentVolumeClaim"]["claimName"].as_str() else {
                continue;
            };
            let claim_key = Key::new(&key.namespace, name);
            let Some(claim) = self.get(&self.known.claims, &claim_key) else {
                return Some(format!("persistentvolumeclaim \"{name}\" not found."));
            };
            if claim.deleting {
                return Some(format!("persistentvolumeclaim \"{name}\" is being deleted."));
            }
            if claim.facts.as_deref().is_none_or(|facts| &*facts.phase != "Bound")
                && !self.bind(&claim)
            {
                return Some("pod has unbound immediate PersistentVolumeClaims.".to_owned());
            }
        }
        None
    }

    /// A config map or secret that a container cannot start without.
    fn missing_source(&self, key: &Key, body: &Value) -> Option<Missing> {
        let spec = &body["spec"];
        let absent = |kind: &Kind, name: &Value| {
            let name = name.as_str()?;
            self.get(kind, &Key::new(&key.namespace, name)).is_none().then(|| name.to_owned())
        };
        let (config_maps, secrets) = (&*self.known.config_maps, &*self.known.secrets);
        for volume in spec["volumes"].as_array().into_iter().flatten() {
            for (kind, source, field) in
                [(config_maps, "configMap", "name"), (secrets, "secret", "secretName")]
            {
                if volume[source]["optional"] != true
                    && let Some(name) = absent(kind, &volume[source][field])
                {
                    return Some(Missing {
                        message: format!("{} \"{name}\" not found", kind.singular),
                        mounted: true,
                    });
                }
            }
        }
        let lists = [&spec["initContainers"], &spec["containers"]];
        for container in lists.into_iter().filter_map(Value::as_array).flatten() {
            for source in container["envFrom"].as_array().into_iter().flatten() {
                for (kind, field) in [(config_maps, "configMapRef"), (secrets, "secretRef")] {
                    if source[field]["optional"] != true
                        && let Some(name) = absent(kind, &source[field]["name"])
                    {
                        let message = format!("{} \"{name}\" not found", kind.singular);
                        return Some(Missing { message, mounted: false });
                    }
                }
            }
            for variable in container["env"].as_array().into_iter().flatten() {
                for (kind, field) in [(config_maps, "configMapKeyRef"), (secrets, "secretKeyRef")] {
                    let reference = &variable["valueFrom"][field];
                    if reference.is_null() || reference["optional"] == true {
                        continue;
                    }
                    if let Some(name) = absent(kind, &reference["name"]) {
                        let message = format!("{} \"{name}\" not found", kind.singular);
                        return Some(Missing { message, mounted: false });
                    }
                    let name = reference["name"].as_str().unwrap_or_default();
                    let wanted = reference["key"].as_str().unwrap_or_default();
                    let found =
                        self.get(kind, &Key::new(&key.namespace, name)).map(|object| object.body());
                    let has = |body: &Value| {
                        !body["data"][wanted].is_null() || !body["binaryData"][wanted].is_null()
                    };
                    if found.is_some_and(|body| !has(&body)) {
                        let message = format!(
                            "couldn't find key {wanted} in {} {}/{name}",
                            kind.kind, key.namespace
                        );
                        return Some(Missing { message, mounted: false });
                    }
                }
            }
        }
        None
    }
}

struct Missing {
    message: String,
    mounted: bool,
}

fn names_of(spec: &Value) -> Vec<String> {
    let containers = spec["containers"].as_array().into_iter().flatten();
    containers.filter_map(|container| container["name"].as_str()).map(str::to_owned).collect()
}

fn statuses(containers: &Value, state: &Value, ready: bool, restarts: i64, last: &Value) -> Value {
    let one = |container: &Value| {
        json!({
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": ready,
            "started": state["running"].is_object(),
            "restartCount": restarts,
            "state": state,
            "lastState": last,
        })
    };
    containers.as_array().into_iter().flatten().map(one).collect()
}

fn set_readiness(status: &mut Value, containers: &Value, ready: bool) {
    let containers = containers.as_array().into_iter().flatten();
    let names: Vec<&str> = containers.filter_map(|container| container["name"].as_str()).collect();
    let unready = format!("containers with unready status: [{}]", names.join(" "));
    for name in ["ContainersReady", "Ready"] {
        if ready {
            set_pod_condition(status, name, true, "", "");
        } else {
            set_pod_condition(status, name, false, "ContainersNotReady", &unready);
        }
    }
}

/// Conditions of pods have no update time, and nothing empty.
fn set_pod_condition(status: &mut Value, name: &str, value: bool, reason: &str, message: &str) {
    let value = if value { "True" } else { "False" };
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else {
        return;
    };
    let mut fresh = json!({"type": name, "status": value, "lastProbeTime": null, "lastTransitionTime": written_time(now())});
    if let Some(fresh) = fresh.as_object_mut() {
        fresh.retain(|_, value| !value.is_null());
    }
    if !reason.is_empty() {
        fresh["reason"] = reason.into();
        fresh["message"] = message.into();
    }
    match conditions.iter_mut().find(|condition| condition["type"] == name) {
        Some(known) => {
            if known["status"] == value {
                fresh["lastTransitionTime"] = known["lastTransitionTime"].clone();
            }
            *known = fresh;
        }
        None => conditions.push(fresh),
    }
}
