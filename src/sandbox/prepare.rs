//! What the server itself decides about an object before it is stored: identity, generations,
//! addresses, and which half of an object a request may touch.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Draft;
use crate::sandbox::object::metadata_mut;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;

const SYSTEM_FIELDS: [&str; 8] = [
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "managedFields",
    "selfLink",
];

pub(crate) fn forget_system_fields(draft: &mut Draft) {
    draft.metadata_mut().retain(|name, _| !SYSTEM_FIELDS.contains(&name.as_str()));
}

/// Identity and life dates are the old object's, whatever the client sent.
pub(crate) fn keep_system_fields(draft: &mut Draft, old: &Value) {
    let metadata = metadata_mut(&mut draft.body);
    let mut ordered = Map::new();
    for name in ["name", "namespace"] {
        if let Some(value) = old["metadata"].get(name) {
            ordered.insert(name.to_owned(), value.clone());
        }
    }
    for name in &SYSTEM_FIELDS[..5] {
        if let Some(value) = old["metadata"].get(*name) {
            ordered.insert((*name).to_owned(), value.clone());
        }
    }
    for (name, value) in std::mem::take(metadata) {
        if !SYSTEM_FIELDS.contains(&name.as_str()) {
            ordered.entry(name).or_insert(value);
        }
    }
    *metadata = ordered;
}

pub(crate) fn forget_status(kind: &Kind, body: &mut Value) {
    if kind.has_status
        && let Some(body) = body.as_object_mut()
    {
        body.shift_remove("status");
    }
}

/// The main resource does not change the status, and the status subresource nothing else.
pub(crate) fn keep_the_other_half(kind: &Kind, subresource: &str, body: &mut Value, old: &Value) {
    if !kind.has_status {
        return;
    }
    if subresource == "status" {
        let status = body["status"].take();
        let annotations = body["metadata"].get("annotations").cloned();
        *body = old.clone();
        body["status"] = status;
        if kind.custom
            && let Some(annotations) = annotations
        {
            body["metadata"]["annotations"] = annotations;
        }
    } else {
        match old.get("status") {
            Some(status) => body["status"] = status.clone(),
            None => forget_status(kind, body),
        }
    }
    if body["status"].is_null()
        && let Some(body) = body.as_object_mut()
    {
        body.shift_remove("status");
    }
}

/// Addresses once given stay when a client leaves them out.
pub(crate) fn keep_allocated(kind: &Kind, body: &mut Value, old: &Value) {
    if kind.custom {
        return;
    }
    match kind.kind.as_str() {
        "Service" if body["spec"]["type"] != "ExternalName" => {
            for field in
                ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"]
            {
                if body["spec"][field].is_null() && !old["spec"][field].is_null() {
                    body["spec"][field] = old["spec"][field].clone();
                }
                remove_null(&mut body["spec"], field);
            }
            keep_node_ports(body, old);
        }
        "PersistentVolumeClaim" => {
            for field in ["volumeName", "storageClassName"] {
                if body["spec"][field].is_null() && !old["spec"][field].is_null() {
                    body["spec"][field] = old["spec"][field].clone();
                }
                remove_null(&mut body["spec"], field);
            }
        }
        "Job" => {
            if body["spec"]["selector"].is_null() {
                body["spec"]["selector"] = old["spec"]["selector"].clone();
            }
            let labels =
                old["spec"]["template"]["metadata"]["labels"].as_object().into_iter().flatten();
            for (name, value) in labels
                .filter(|(name, _)| name.contains("controller-uid") || name.contains("job-name"))
            {
                if body["spec"]["template"]["metadata"]["labels"][name].is_null() {
                    body["spec"]["template"]["metadata"]["labels"][name] = value.clone();
                }
            }
        }
        "Pod" => {
            if body["spec"]["nodeName"].is_null() && !old["spec"]["nodeName"].is_null() {
                body["spec"]["nodeName"] = old["spec"]["nodeName"].clone();
            }
            remove_null(&mut body["spec"], "nodeName");
            for field in ["serviceAccountName", "serviceAccount"] {
                if body["spec"][field].is_null() {
                    body["spec"][field] = old["spec"][field].clone();
                }
                remove_null(&mut body["spec"], field);
            }
        }
        "Namespace" => {
            body["spec"]["finalizers"] = old["spec"]["finalizers"].clone();
        }
        _ => {}
    }
}

fn remove_null(object: &mut Value, field: &str) {
    if object[field].is_null()
        && let Some(object) = object.as_object_mut()
    {
        object.shift_remove(field);
    }
}

fn keep_node_ports(body: &mut Value, old: &Value) {
    if body["spec"]["type"] != "NodePort" && body["spec"]["type"] != "LoadBalancer" {
        return;
    }
    for port in body["spec"]["ports"].as_array_mut().into_iter().flatten() {
        let same =
            |known: &&Value| known["port"] == port["port"] && known["protocol"] == port["protocol"];
        let known = old["spec"]["ports"].as_array().into_iter().flatten().find(same);
        let given = known.map(|known| known["nodePort"].clone()).filter(|given| !given.is_null());
        if port["nodePort"].is_null() {
            port["nodePort"] = given.unwrap_or_else(|| next_node_port().into());
        }
    }
}

/// Gives a new object its identity and what only the server can know.
pub(crate) fn for_creation(cluster: &Cluster, kind: &Kind, draft: &mut Draft) {
    let uid = uuid::Uuid::now_v7().to_string();
    let metadata = draft.metadata_mut();
    metadata.insert("uid".to_owned(), uid.clone().into());
    metadata.insert("creationTimestamp".to_owned(), written_time(now()).into());
    if kind.counts_generations {
        metadata.insert("generation".to_owned(), 1.into());
    }
    if kind.custom {
        return;
    }
    let body = &mut draft.body;
    match kind.kind.as_str() {
        "Namespace" => {
            body["spec"]["finalizers"] = json!(["kubernetes"]);
            body["status"] = json!({"phase": "Active"});
            if cluster.kinds.version.minor >= 21 {
                let name = body["metadata"]["name"].clone();
                body["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            }
        }
        "Service" => give_addresses(cluster, body),
        "PersistentVolumeClaim" => {
            if body["spec"]["storageClassName"].is_null()
                && let Some(class) = cluster.default_storage_class()
            {
                body["spec"]["storageClassName"] = class.into();
            }
            body["status"] = json!({"phase": "Pending"});
            draft.add_finalizer("kubernetes.io/pvc-protection");
        }
        "PersistentVolume" => {
            body["status"] = json!({"phase": "Pending"});
            draft.add_finalizer("kubernetes.io/pv-protection");
        }
        "Pod" => {
            if body["spec"]["serviceAccountName"].is_null() {
                body["spec"]["serviceAccountName"] = "default".into();
                body["spec"]["serviceAccount"] = "default".into();
            }
            body["status"] = json!({"phase": "Pending"});
        }
        "Job" => give_job_its_selector(cluster, body, &uid),
        "CustomResourceDefinition" => {
            let names = body["spec"]["names"].clone();
            let stored: Vec<Value> = body["spec"]["versions"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|version| version["storage"] == true)
                .map(|version| version["name"].clone())
                .collect();
            let condition = |name: &str, reason: &str| json!({"type": name, "status": "True", "reason": reason, "message": "", "lastTransitionTime": written_time(now())});
            body["status"] = json!({
                "acceptedNames": names,
                "storedVersions": stored,
                "conditions": [condition("NamesAccepted", "NoConflicts"), condition("Established", "InitialNamesAccepted")],
            });
        }
        _ => {}
    }
}

fn give_addresses(cluster: &Cluster, body: &mut Value) {
    let spec = &mut body["spec"];
    if spec["type"] == "ExternalName" {
        return;
    }
    if spec["clusterIP"].is_null() {
        let first = spec["clusterIPs"][0].clone();
        spec["clusterIP"] = if first.is_null() { next_cluster_ip().into() } else { first };
    }
    if cluster.kinds.version.minor >= 20 {
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }
    if cluster.kinds.version.minor >= 23 {
        if spec["ipFamilies"].is_null() {
            spec["ipFamilies"] = json!(["IPv4"]);
        }
        if spec["ipFamilyPolicy"].is_null() {
            spec["ipFamilyPolicy"] = "SingleStack".into();
        }
    }
    keep_node_ports(body, &Value::Null);
    body["status"] = json!({"loadBalancer": {}});
}

/// Addresses in 10.96.0.0/12, never given twice.
fn next_cluster_ip() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(10);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % (1 << 20);
    format!("10.{}.{}.{}", 96 + (number >> 16), (number >> 8) & 255, number & 255)
}

fn next_node_port() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    30000 + NEXT.fetch_add(1, Ordering::Relaxed) % 2768
}

fn give_job_its_selector(cluster: &Cluster, body: &mut Value, uid: &str) {
    let name = body["metadata"]["name"].clone();
    let spec = &mut body["spec"];
    if spec["manualSelector"] == true {
        return;
    }
    let modern = cluster.kinds.version.minor >= 27;
    let own = if modern { "batch.kubernetes.io/controller-uid" } else { "controller-uid" };
    spec["selector"] = json!({"matchLabels": {own: uid}});
    let labels = &mut spec["template"]["metadata"]["labels"];
    if modern {
        labels["batch.kubernetes.io/controller-uid"] = uid.into();
        labels["batch.kubernetes.io/job-name"] = name.clone();
    }
    labels["controller-uid"] = uid.into();
    labels["job-name"] = name;
}

pub(crate) fn quality_of_service(spec: &Value) -> &'static str {
    let containers = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| spec[list].as_array())
        .flatten();
    let mut any = false;
    let mut guaranteed = true;
    for container in containers {
        let resources = &container["resources"];
        let asks =
            |what: &str| resources[what].as_object().is_some_and(|amounts| !amounts.is_empty());
        any |= asks("requests") || asks("limits");
        let equal = |name: &str| {
            let limit = &resources["limits"][name];
            !limit.is_null()
                && (resources["requests"][name].is_null() || resources["requests"][name] == *limit)
        };
        guaranteed &= equal("cpu") && equal("memory");
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Counts the generation up when what is wanted changed.
pub(crate) fn for_change(kind: &Kind, body: &mut Value, old: &Value) {
    if !kind.counts_generations {
        return;
    }
    let differs = if kind.custom {
        let wanted = |body: &Value| {
            let fields = body.as_object().into_iter().flatten();
            fields
                .filter(|(name, _)| *name != "metadata" && *name != "status")
                .map(|(_, v)| v.clone())
                .collect::<Vec<_>>()
        };
        wanted(body) != wanted(old)
    } else {
        body["spec"] != old["spec"]
    };
    if differs {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(1);
        body["metadata"]["generation"] = (generation + 1).into();
    }
}

/// Five letters of those that make no words, as the API server chooses them.
pub(crate) fn random_suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let random = uuid::Uuid::now_v7().into_bytes();
    random[11..]
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect()
}
