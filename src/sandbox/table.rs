//! What `kubectl get` prints: the columns of each kind, and an object's cells.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::kinds::Kind;
use crate::sandbox::object::has_condition;
use crate::sandbox::select::LabelSelector;

/// The columns of each kind. `#` marks a number, `?` a boolean, `@` a date, and what `+` marks is
/// printed by `-o wide` alone.
const COLUMNS: &str = "
Pod: Ready|Status|#Restarts|Age|+IP|+Node|+Nominated Node|+Readiness Gates
Deployment: Ready|#Up-to-date|#Available|Age|+Containers|+Images|+Selector
StatefulSet: Ready|Age|+Containers|+Images
ReplicaSet: #Desired|#Current|#Ready|Age|+Containers|+Images|+Selector
DaemonSet: #Desired|#Current|#Ready|#Up-to-date|#Available|Node Selector|Age
Job: Status|Completions|Duration|Age|+Containers|+Images|+Selector
CronJob: Schedule|Timezone|?Suspend|#Active|Last Schedule|Age|+Containers|+Images
Service: Type|Cluster-IP|External-IP|Port(s)|Age|+Selector
Ingress: Class|Hosts|Address|Ports|Age
NetworkPolicy: Pod-Selector|Age
IngressClass: Controller|Parameters|Age
ConfigMap: #Data|Age
Secret: Type|#Data|Age
ServiceAccount: #Secrets|Age
Namespace: Status|Age
Node: Status|Roles|Age|Version|+Internal-IP
PersistentVolumeClaim: Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|+VolumeMode
PersistentVolume: Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|VolumeAttributesClass|Reason|Age
ResourceQuota: Request|Limit|Age
LimitRange: @Created At
PodDisruptionBudget: Min Available|Max Unavailable|#Allowed Disruptions|Age
StorageClass: Provisioner|ReclaimPolicy|VolumeBindingMode|?AllowVolumeExpansion|Age
RoleBinding: Role|Age
ClusterRoleBinding: Role|Age
Role: @Created At
ClusterRole: @Created At
CustomResourceDefinition: @Created At
Lease: Holder|Age
HorizontalPodAutoscaler: Reference|Targets|MinPods|MaxPods|#Replicas|Age
";
const EVENT: &str =
    "Last Seen|Type|Reason|Object|+Subobject|+Source|Message|+First Seen|#+Count|+Name";

struct Column {
    name: &'static str,
    of: &'static str,
    priority: i64,
}

fn columns(kind: &Kind) -> Vec<Column> {
    if kind.kind == "Event" && !kind.custom {
        return EVENT.split('|').map(column).collect();
    }
    let line = COLUMNS
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(name, _)| *name == kind.kind));
    let line = line.filter(|_| !kind.custom).map_or("Age", |(_, line)| line);
    std::iter::once("Name").chain(line.split('|')).map(column).collect()
}

fn column(marked: &'static str) -> Column {
    let name = marked.trim_start_matches(['#', '?', '@', '+']);
    let marks = &marked[..marked.len() - name.len()];
    let of = match marks.chars().next() {
        Some('#') => "integer",
        Some('?') => "boolean",
        Some('@') => "date",
        _ => "string",
    };
    Column { name, of, priority: i64::from(marks.contains('+')) }
}

pub(crate) fn empty(kind: &Kind, with_columns: bool) -> Value {
    let definition = |name: &str, of: &str, priority: i64| {
        let format = if name == "Name" { "name" } else { "" };
        json!({"name": name, "type": of, "format": format, "description": "", "priority": priority})
    };
    let mut definitions: Vec<Value> = Vec::new();
    if with_columns {
        let all = columns(kind);
        definitions =
            all.iter().map(|column| definition(column.name, column.of, column.priority)).collect();
        if !kind.printed_columns.is_empty() {
            definitions = vec![definition("Name", "string", 0)];
            let more = kind.printed_columns.iter();
            definitions
                .extend(more.map(|column| definition(&column.name, &column.kind, column.priority)));
        }
    }
    let definitions = if with_columns { json!(definitions) } else { Value::Null };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": definitions, "rows": []})
}

pub(crate) fn cells(kind: &Kind, body: &Value) -> Vec<Value> {
    let name = body["metadata"]["name"].clone();
    if !kind.printed_columns.is_empty() {
        let more = kind.printed_columns.iter().map(|column| match column.kind.as_str() {
            "date" => age(at(body, &column.path)).into(),
            _ => at(body, &column.path).clone(),
        });
        return std::iter::once(name).chain(more).collect();
    }
    let all = columns(kind);
    if all[0].name == "Last Seen" {
        return event_cells(body);
    }
    let mut cells = vec![name];
    cells.extend(all[1..].iter().map(|column| cell(kind, body, column.name)));
    cells
}

/// A plain JSON path such as `.spec.replicas`.
fn at<'a>(body: &'a Value, path: &str) -> &'a Value {
    path.split('.').filter(|step| !step.is_empty()).fold(body, |value, step| &value[step])
}

fn cell(kind: &Kind, body: &Value, column: &str) -> Value {
    let (spec, status) = (&body["spec"], &body["status"]);
    let count = |value: &Value| Value::from(value.as_i64().unwrap_or(0));
    match column {
        "Age" => age(&body["metadata"]["creationTimestamp"]).into(),
        "Created At" => body["metadata"]["creationTimestamp"].clone(),
        "Containers" => containers(kind, spec, "name").into(),
        "Images" => containers(kind, spec, "image").into(),
        "Selector" if kind.kind == "Service" => {
            selector(&LabelSelector::of_map(&spec["selector"])).into()
        }
        "Selector" => selector(&LabelSelector::of(&spec["selector"])).into(),
        "Data" => (entries(&body["data"]) + entries(&body["binaryData"])).into(),
        "Desired" if kind.kind == "DaemonSet" => count(&status["desiredNumberScheduled"]),
        "Current" if kind.kind == "DaemonSet" => count(&status["currentNumberScheduled"]),
        "Up-to-date" if kind.kind == "DaemonSet" => count(&status["updatedNumberScheduled"]),
        "Available" if kind.kind == "DaemonSet" => count(&status["numberAvailable"]),
        "Ready" if kind.kind == "DaemonSet" => count(&status["numberReady"]),
        "Desired" => count(&spec["replicas"]),
        "Current" => count(&status["replicas"]),
        "Up-to-date" => count(&status["updatedReplicas"]),
        "Available" => count(&status["availableReplicas"]),
        "Ready" if kind.kind == "ReplicaSet" => count(&status["readyReplicas"]),
        "Ready" if kind.kind == "Pod" => pod_ready(body).into(),
        "Ready" => {
            let wanted = spec["replicas"].as_i64().unwrap_or(1);
            format!("{}/{wanted}", status["readyReplicas"].as_i64().unwrap_or(0)).into()
        }
        "Status" => status_of(kind, body).into(),
        "Restarts" => {
            let statuses = status["containerStatuses"].as_array().into_iter().flatten();
            statuses.map(|status| status["restartCount"].as_i64().unwrap_or(0)).sum::<i64>().into()
        }
        "IP" => or_none(&status["podIP"]),
        "Node" => or_none(&spec["nodeName"]),
        "Completions" => {
            let wanted = spec["completions"].as_i64().unwrap_or(1);
            format!("{}/{wanted}", status["succeeded"].as_i64().unwrap_or(0)).into()
        }
        "Duration" => duration(&status["startTime"], &status["completionTime"]).into(),
        "Schedule" => spec["schedule"].clone(),
        "Timezone" => or_none(&spec["timeZone"]),
        "Suspend" => spec["suspend"].as_bool().unwrap_or(false).into(),
        "Active" => status["active"].as_array().map_or(0, Vec::len).into(),
        "Last Schedule" if status["lastScheduleTime"].is_null() => "<none>".into(),
        "Last Schedule" => age(&status["lastScheduleTime"]).into(),
        "Type" if kind.kind == "Service" => spec["type"].clone(),
        "Type" => body["type"].clone(),
        "Cluster-IP" => or_none(&spec["clusterIP"]),
        "External-IP" => external_address(spec, status).into(),
        "Port(s)" => ports(spec).into(),
        _ => more_cell(kind, body, column),
    }
}

/// Networking, storage and policy.
fn more_cell(kind: &Kind, body: &Value, column: &str) -> Value {
    let (spec, status) = (&body["spec"], &body["status"]);
    let count = |value: &Value| Value::from(value.as_i64().unwrap_or(0));
    match column {
        "Class" => or_none(&spec["ingressClassName"]),
        "Hosts" => ingress_hosts(spec).into(),
        "Address" => load_balancers(status).into(),
        "Ports" if spec["tls"].as_array().is_some_and(|tls| !tls.is_empty()) => "80, 443".into(),
        "Ports" => "80".into(),
        "Pod-Selector" => selector(&LabelSelector::of(&spec["podSelector"])).into(),
        "Secrets" => body["secrets"].as_array().map_or(0, Vec::len).into(),
        "Version" => status["nodeInfo"]["kubeletVersion"].clone(),
        "Internal-IP" => status["addresses"][0]["address"].clone(),
        "Volume" => spec["volumeName"].as_str().unwrap_or_default().into(),
        "Capacity" if kind.kind == "PersistentVolume" => spec["capacity"]["storage"].clone(),
        "Capacity" => status["capacity"]["storage"].as_str().unwrap_or_default().into(),
        "Access Modes" => {
            access_modes(if spec["accessModes"].is_null() { status } else { spec }).into()
        }
        "StorageClass" => spec["storageClassName"].as_str().unwrap_or_default().into(),
        "VolumeAttributesClass" => "<unset>".into(),
        "VolumeMode" => spec["volumeMode"].clone(),
        "Reclaim Policy" => spec["persistentVolumeReclaimPolicy"].clone(),
        "Claim" => match spec["claimRef"]["name"].as_str() {
            Some(name) => {
                format!("{}/{name}", spec["claimRef"]["namespace"].as_str().unwrap_or_default())
                    .into()
            }
            None => "".into(),
        },
        "Request" => quota(status, |name| !name.starts_with("limits.")).into(),
        "Limit" => quota(status, |name| name.starts_with("limits.")).into(),
        "Min Available" => scalar(&spec["minAvailable"], "N/A").into(),
        "Max Unavailable" => scalar(&spec["maxUnavailable"], "N/A").into(),
        "Allowed Disruptions" => count(&status["disruptionsAllowed"]),
        "Provisioner" => body["provisioner"].clone(),
        "ReclaimPolicy" => body["reclaimPolicy"].clone(),
        "VolumeBindingMode" => body["volumeBindingMode"].clone(),
        "AllowVolumeExpansion" => body["allowVolumeExpansion"].as_bool().unwrap_or(false).into(),
        "Role" => {
            let kind = body["roleRef"]["kind"].as_str().unwrap_or_default();
            format!("{kind}/{}", body["roleRef"]["name"].as_str().unwrap_or_default()).into()
        }
        "Holder" => spec["holderIdentity"].as_str().unwrap_or_default().into(),
        "Controller" => spec["controller"].clone(),
        "Reference" => {
            let target = &spec["scaleTargetRef"];
            let kind = target["kind"].as_str().unwrap_or_default();
            format!("{kind}/{}", target["name"].as_str().unwrap_or_default()).into()
        }
        "Targets" => "<unknown>".into(),
        "MinPods" => scalar(&spec["minReplicas"], "<unset>").into(),
        "MaxPods" => scalar(&spec["maxReplicas"], "").into(),
        "Replicas" => count(&status["currentReplicas"]),
        _ => "<none>".into(),
    }
}

fn or_none(value: &Value) -> Value {
    match value.as_str() {
        Some(text) if !text.is_empty() => text.into(),
        _ => "<none>".into(),
    }
}

fn event_cells(body: &Value) -> Vec<Value> {
    let involved = &body["involvedObject"];
    let kind = involved["kind"].as_str().unwrap_or_default().to_lowercase();
    let last =
        if body["lastTimestamp"].is_null() { &body["eventTime"] } else { &body["lastTimestamp"] };
    vec![
        age(last).into(),
        body["type"].clone(),
        body["reason"].clone(),
        format!("{kind}/{}", involved["name"].as_str().unwrap_or_default()).into(),
        involved["fieldPath"].as_str().unwrap_or_default().into(),
        body["source"]["component"].as_str().unwrap_or_default().into(),
        body["message"].clone(),
        age(&body["firstTimestamp"]).into(),
        body["count"].as_i64().unwrap_or(1).into(),
        body["metadata"]["name"].clone(),
    ]
}

fn entries(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

fn scalar(value: &Value, absent: &str) -> String {
    match value {
        Value::Null => absent.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn selector(selector: &LabelSelector) -> String {
    if selector.is_everything() { "<none>".to_owned() } else { selector.written() }
}

fn containers(kind: &Kind, spec: &Value, field: &str) -> String {
    let template = if kind.kind == "CronJob" {
        &spec["jobTemplate"]["spec"]["template"]
    } else {
        &spec["template"]
    };
    let list = template["spec"]["containers"].as_array().into_iter().flatten();
    list.filter_map(|container| container[field].as_str()).collect::<Vec<_>>().join(",")
}

fn pod_ready(body: &Value) -> String {
    let statuses = body["status"]["containerStatuses"].as_array().into_iter().flatten();
    let ready = statuses.filter(|status| status["ready"] == true).count();
    format!("{ready}/{}", body["spec"]["containers"].as_array().map_or(0, Vec::len))
}

fn status_of(kind: &Kind, body: &Value) -> String {
    let status = &body["status"];
    let phase = status["phase"].as_str().unwrap_or("Unknown");
    let deleting = !body["metadata"]["deletionTimestamp"].is_null();
    match kind.kind.as_str() {
        "Pod" if deleting => "Terminating".to_owned(),
        "Pod" => {
            let reason =
                status["containerStatuses"].as_array().into_iter().flatten().find_map(|status| {
                    let state = &status["state"];
                    let waiting = state["waiting"]["reason"].as_str();
                    waiting.or_else(|| state["terminated"]["reason"].as_str())
                });
            reason.or(status["reason"].as_str()).unwrap_or(phase).to_owned()
        }
        "Node" if has_condition(body, "Ready") => "Ready".to_owned(),
        "Node" => "NotReady".to_owned(),
        "Job" if has_condition(body, "Complete") => "Complete".to_owned(),
        "Job" if has_condition(body, "Failed") => "Failed".to_owned(),
        "Job" if body["spec"]["suspend"] == true => "Suspended".to_owned(),
        "Job" => "Running".to_owned(),
        _ if deleting => "Terminating".to_owned(),
        _ => phase.to_owned(),
    }
}

fn external_address(spec: &Value, status: &Value) -> String {
    match spec["type"].as_str() {
        Some("LoadBalancer") => {
            let found = load_balancers(status);
            if found.is_empty() { "<pending>".to_owned() } else { found }
        }
        Some("ExternalName") => spec["externalName"].as_str().unwrap_or_default().to_owned(),
        _ => "<none>".to_owned(),
    }
}

fn load_balancers(status: &Value) -> String {
    let list = status["loadBalancer"]["ingress"].as_array().into_iter().flatten();
    list.filter_map(|entry| entry["ip"].as_str().or(entry["hostname"].as_str()))
        .collect::<Vec<_>>()
        .join(",")
}

fn ports(spec: &Value) -> String {
    let one = |port: &Value| {
        let number = &port["port"];
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        match port["nodePort"].as_i64() {
            Some(node) => format!("{number}:{node}/{protocol}"),
            None => format!("{number}/{protocol}"),
        }
    };
    let all: Vec<String> = spec["ports"].as_array().into_iter().flatten().map(one).collect();
    if all.is_empty() { "<none>".to_owned() } else { all.join(",") }
}

fn ingress_hosts(spec: &Value) -> String {
    let rules = spec["rules"].as_array().into_iter().flatten();
    let hosts: Vec<&str> = rules.filter_map(|rule| rule["host"].as_str()).collect();
    if hosts.is_empty() { "*".to_owned() } else { hosts.join(",") }
}

fn access_modes(holder: &Value) -> String {
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        Some("ReadWriteOncePod") => "RWOP",
        _ => "",
    };
    holder["accessModes"].as_array().into_iter().flatten().map(short).collect::<Vec<_>>().join(",")
}

fn quota(status: &Value, wanted: impl Fn(&str) -> bool) -> String {
    let hard = status["hard"].as_object().into_iter().flatten().filter(|(name, _)| wanted(name));
    let one = |(name, hard): (&String, &Value)| {
        format!(
            "{name}: {}/{}",
            status["used"][name].as_str().unwrap_or("0"),
            hard.as_str().unwrap_or_default()
        )
    };
    hard.map(one).collect::<Vec<_>>().join(", ")
}

fn age(since: &Value) -> String {
    let Some(since) = since.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
        return "<unknown>".to_owned();
    };
    human(Timestamp::now().as_second() - since.as_second())
}

fn duration(start: &Value, end: &Value) -> String {
    let read = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let Some(start) = read(start) else {
        return String::new();
    };
    human(read(end).unwrap_or_else(Timestamp::now).as_second() - start.as_second())
}

/// As kubectl writes ages: `45s`, `3m20s`, `5h`, `12d`.
fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let pair = |large: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{small_unit}")
        }
    };
    match seconds {
        ..120 => format!("{}s", seconds.max(0)),
        120..600 => pair(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}
