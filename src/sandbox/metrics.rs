//! The metrics API (`metrics.k8s.io`), as metrics-server would answer it for the played pods and
//! nodes: half of what each container asks for, or what an annotation of its pod says.
//!
//! `sandbox.tenantry.dev/cpu: 1500m` and `sandbox.tenantry.dev/memory: 2Gi` are what every container
//! of a pod uses.

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::kinds::join_group;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;
use crate::sandbox::quantity::Quantity;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::select::Selector;
use crate::sandbox::server::Incoming;
use crate::sandbox::server::Serving;
use crate::sandbox::server::json_answer;

pub(crate) const GROUP: &str = "metrics.k8s.io";
pub(crate) const VERSION: &str = "v1beta1";
/// Resources, their kinds, and whether they are in namespaces.
pub(crate) const RESOURCES: [(&str, &str, bool); 2] =
    [("nodes", "NodeMetrics", false), ("pods", "PodMetrics", true)];

/// What a container uses that asks for nothing.
const IDLE: [(&str, &str); 2] = [("cpu", "5m"), ("memory", "16Mi")];

pub(crate) fn perform(
    serving: &Serving,
    verb: &str,
    incoming: &Incoming,
) -> Result<Response, Refusal> {
    let route = &incoming.route;
    let known = RESOURCES.iter().find(|(plural, ..)| *plural == route.resource);
    let served = serving.cluster.options.metrics && route.version == VERSION;
    let (plural, kind, namespaced) = known
        .filter(|_| served && route.subresource.is_empty())
        .ok_or_else(Refusal::no_such_path)?;
    if !namespaced && !route.namespace.is_empty() {
        return Err(Refusal::no_such_path());
    }
    let of = serving.cluster.kinds.named("", plural).ok_or_else(Refusal::no_such_path)?;
    let api_version = join_group(GROUP, VERSION);
    let usage = |object: &Object| match *plural {
        "pods" => pod(object),
        _ => Some(node(object, &serving.cluster.store.lock().list(pods(serving), ""))),
    };
    match verb {
        "list" => {
            let parameters = &incoming.parameters;
            let labels = parameters.text("labelSelector");
            let selector = Selector::parse(&of, labels, parameters.text("fieldSelector"))?;
            let objects = serving.cluster.store.lock().list(of.id, &route.namespace);
            let chosen = objects.iter().filter(|object| selector.matches(object));
            let items: Vec<Value> = chosen.filter_map(|object| usage(object)).collect();
            let list = json!({"kind": format!("{kind}List"), "apiVersion": api_version, "metadata": {}, "items": items});
            Ok(json_answer(StatusCode::OK, &list))
        }
        "get" => {
            let key = Key::new(&route.namespace, &route.name);
            let object = serving.cluster.store.get(of.id, &key);
            let found = object.and_then(|object| usage(&object));
            let mut found = found.ok_or_else(|| Refusal::not_found(&of, &route.name))?;
            found["kind"] = (*kind).into();
            found["apiVersion"] = api_version.into();
            Ok(json_answer(StatusCode::OK, &found))
        }
        _ => Err(Refusal::not_allowed()),
    }
}

fn pods(serving: &Serving) -> usize {
    serving.cluster.kinds.named("", "pods").map_or(0, |kind| kind.id)
}

fn described(object: &Object) -> Value {
    let time = written_time(now());
    let metadata = &object.body()["metadata"];
    let mut described = json!({"name": metadata["name"], "creationTimestamp": time});
    for field in ["namespace", "labels"] {
        if !metadata[field].is_null() {
            described[field] = metadata[field].clone();
        }
    }
    json!({"metadata": described, "timestamp": time, "window": "15s"})
}

/// None for a pod that does not run.
fn pod(object: &Object) -> Option<Value> {
    let body = object.body();
    if body["status"]["phase"] != "Running" {
        return None;
    }
    let containers = body["spec"]["containers"].as_array()?;
    let used = containers.iter().map(|container| {
        let usage = usage(&body, container);
        json!({"name": container["name"], "usage": {"cpu": usage[0].to_string(), "memory": usage[1].to_string()}})
    });
    let mut described = described(object);
    described["containers"] = used.collect();
    Some(described)
}

fn usage(pod: &Value, container: &Value) -> [Quantity; 2] {
    IDLE.map(|(name, idle)| {
        let annotations = &pod["metadata"]["annotations"];
        let told = Quantity::of(&annotations[format!("sandbox.tenantry.dev/{name}")]);
        let asked = Quantity::of(&container["resources"]["requests"][name]);
        told.or_else(|| asked.map(Quantity::half))
            .or_else(|| Quantity::parse(idle))
            .unwrap_or(Quantity::ZERO)
    })
}

fn node(object: &Object, pods: &[std::sync::Arc<Object>]) -> Value {
    let name = &*object.key.name;
    let mut sums = [Quantity::ZERO; 2];
    for pod in pods.iter().map(|pod| pod.body()) {
        if pod["spec"]["nodeName"] != name || pod["status"]["phase"] != "Running" {
            continue;
        }
        for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
            let [cpu, memory] = usage(&pod, container);
            sums = [sums[0].plus(cpu), sums[1].plus(memory)];
        }
    }
    let mut described = described(object);
    described["usage"] = json!({"cpu": sums[0].to_string(), "memory": sums[1].to_string()});
    described
}
