//! What the API server fills in where a client left something out, as far as clients notice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::kinds::Kind;

/// Sets a field that is not there.
fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.entry(field).or_insert_with(|| value.into());
    }
}

/// The object in a field, made when it is not there.
fn within<'a>(object: &'a mut Value, field: &str) -> &'a mut Value {
    set(object, field, Map::new());
    &mut object[field]
}

fn items<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

pub(crate) fn fill_in(kind: &Kind, body: &mut Value, minor: u16) {
    match kind.kind.as_str() {
        "Deployment" => deployment(within(body, "spec")),
        "StatefulSet" => stateful_set(within(body, "spec"), minor),
        "DaemonSet" => daemon_set(within(body, "spec")),
        "ReplicaSet" => {
            let spec = within(body, "spec");
            set(spec, "replicas", 1);
            template(spec);
        }
        "Job" => job(within(body, "spec"), minor),
        "CronJob" => cron_job(within(body, "spec"), minor),
        "Pod" => {
            let spec = within(body, "spec");
            pod_spec(spec);
            requests_from_limits(spec);
        }
        "Service" => service(within(body, "spec"), minor),
        "Secret" => secret(body),
        "PersistentVolumeClaim" => set(within(body, "spec"), "volumeMode", "Filesystem"),
        "PersistentVolume" => {
            let spec = within(body, "spec");
            set(spec, "volumeMode", "Filesystem");
            set(spec, "persistentVolumeReclaimPolicy", "Retain");
        }
        "StorageClass" => {
            set(body, "reclaimPolicy", "Delete");
            set(body, "volumeBindingMode", "Immediate");
        }
        "NetworkPolicy" => network_policy(within(body, "spec")),
        "HorizontalPodAutoscaler" => set(within(body, "spec"), "minReplicas", 1),
        "RoleBinding" | "ClusterRoleBinding" => role_binding(body),
        "LimitRange" => limit_range(within(body, "spec")),
        "CustomResourceDefinition" => custom_resource_definition(within(body, "spec")),
        _ => {}
    }
}

fn template(spec: &mut Value) {
    set(within(spec, "template"), "metadata", Map::new());
    pod_spec(within(&mut spec["template"], "spec"));
}

fn deployment(spec: &mut Value) {
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "progressDeadlineSeconds", 600);
    let strategy = within(spec, "strategy");
    set(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = within(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", "25%");
        set(rolling, "maxSurge", "25%");
    }
    template(spec);
}

fn stateful_set(spec: &mut Value, minor: u16) {
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "podManagementPolicy", "OrderedReady");
    let strategy = within(spec, "updateStrategy");
    set(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        set(within(strategy, "rollingUpdate"), "partition", 0);
    }
    if minor >= 27 {
        let retention = within(spec, "persistentVolumeClaimRetentionPolicy");
        set(retention, "whenDeleted", "Retain");
        set(retention, "whenScaled", "Retain");
    }
    for claim in items(spec, "volumeClaimTemplates") {
        set(claim, "apiVersion", "v1");
        set(claim, "kind", "PersistentVolumeClaim");
        set(within(claim, "spec"), "volumeMode", "Filesystem");
        set(within(claim, "status"), "phase", "Pending");
    }
    template(spec);
}

fn daemon_set(spec: &mut Value) {
    set(spec, "revisionHistoryLimit", 10);
    let strategy = within(spec, "updateStrategy");
    set(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = within(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", 1);
        set(rolling, "maxSurge", 0);
    }
    template(spec);
}

fn job(spec: &mut Value, minor: u16) {
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        set(spec, "completions", 1);
    }
    set(spec, "parallelism", 1);
    set(spec, "backoffLimit", 6);
    if minor >= 24 {
        set(spec, "completionMode", "NonIndexed");
        set(spec, "suspend", false);
    }
    if minor >= 30 {
        set(spec, "podReplacementPolicy", "TerminatingOrFailed");
    }
    template(spec);
}

fn cron_job(spec: &mut Value, minor: u16) {
    set(spec, "concurrencyPolicy", "Allow");
    set(spec, "suspend", false);
    set(spec, "successfulJobsHistoryLimit", 3);
    set(spec, "failedJobsHistoryLimit", 1);
    _ = minor;
    set(within(spec, "jobTemplate"), "metadata", Map::new());
    template(within(&mut spec["jobTemplate"], "spec"));
}

fn pod_spec(spec: &mut Value) {
    set(spec, "restartPolicy", "Always");
    set(spec, "terminationGracePeriodSeconds", 30);
    set(spec, "dnsPolicy", "ClusterFirst");
    set(spec, "securityContext", Map::new());
    set(spec, "schedulerName", "default-scheduler");
    if let Some(account) = spec["serviceAccountName"].as_str().map(str::to_owned) {
        set(spec, "serviceAccount", account);
    } else if let Some(account) = spec["serviceAccount"].as_str().map(str::to_owned) {
        set(spec, "serviceAccountName", account);
    }
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            fill_in_container(container);
        }
    }
    for volume in items(spec, "volumes") {
        for source in ["secret", "configMap", "projected", "downwardAPI"] {
            if volume[source].is_object() {
                set(&mut volume[source], "defaultMode", 420);
            }
        }
        if volume["hostPath"].is_object() {
            set(&mut volume["hostPath"], "type", "");
        }
        for source in items(&mut volume["projected"], "sources") {
            if source["serviceAccountToken"].is_object() {
                set(&mut source["serviceAccountToken"], "expirationSeconds", 3600);
            }
        }
    }
}

fn fill_in_container(container: &mut Value) {
    set(container, "resources", Map::new());
    set(container, "terminationMessagePath", "/dev/termination-log");
    set(container, "terminationMessagePolicy", "File");
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
    let moving = !image.contains('@') && tag.is_none_or(|tag| tag == "latest");
    set(container, "imagePullPolicy", if moving { "Always" } else { "IfNotPresent" });
    for port in items(container, "ports") {
        set(port, "protocol", "TCP");
    }
    for variable in items(container, "env") {
        if variable["valueFrom"]["fieldRef"].is_object() {
            set(&mut variable["valueFrom"]["fieldRef"], "apiVersion", "v1");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[probe].is_object() {
            let probe = &mut container[probe];
            set(probe, "timeoutSeconds", 1);
            set(probe, "periodSeconds", 10);
            set(probe, "successThreshold", 1);
            set(probe, "failureThreshold", 3);
            if probe["httpGet"].is_object() {
                set(&mut probe["httpGet"], "scheme", "HTTP");
                set(&mut probe["httpGet"], "path", "/");
            }
        }
    }
    for hook in ["postStart", "preStop"] {
        if container["lifecycle"][hook]["httpGet"].is_object() {
            set(&mut container["lifecycle"][hook]["httpGet"], "scheme", "HTTP");
        }
    }
}

/// A pod that says only how much it may use asks for as much.
fn requests_from_limits(spec: &mut Value) {
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            let Some(limits) = container["resources"]["limits"].as_object().cloned() else {
                continue;
            };
            let requests = within(&mut container["resources"], "requests");
            for (name, amount) in limits {
                set(requests, &name, amount);
            }
        }
    }
}

fn service(spec: &mut Value, minor: u16) {
    set(spec, "type", "ClusterIP");
    set(spec, "sessionAffinity", "None");
    let external = spec["type"] == "ExternalName";
    if minor >= 26 && !external {
        set(spec, "internalTrafficPolicy", "Cluster");
    }
    if ["NodePort", "LoadBalancer"].contains(&spec["type"].as_str().unwrap_or_default()) {
        set(spec, "externalTrafficPolicy", "Cluster");
        if minor >= 24 && spec["type"] == "LoadBalancer" {
            set(spec, "allocateLoadBalancerNodePorts", true);
        }
    }
    for port in items(spec, "ports") {
        set(port, "protocol", "TCP");
        let number = port["port"].clone();
        if !number.is_null() {
            set(port, "targetPort", number);
        }
    }
}

fn secret(body: &mut Value) {
    set(body, "type", "Opaque");
    let Some(plain) = body.as_object_mut().and_then(|body| body.shift_remove("stringData")) else {
        return;
    };
    let data = within(body, "data");
    for (name, value) in plain.as_object().into_iter().flatten() {
        data[name] = BASE64.encode(value.as_str().unwrap_or_default()).into();
    }
}

fn network_policy(spec: &mut Value) {
    set(spec, "podSelector", Map::new());
    let types = if spec["egress"].as_array().is_some_and(|rules| !rules.is_empty()) {
        json!(["Ingress", "Egress"])
    } else {
        json!(["Ingress"])
    };
    set(spec, "policyTypes", types);
    for direction in ["ingress", "egress"] {
        for rule in items(spec, direction) {
            for port in items(rule, "ports") {
                set(port, "protocol", "TCP");
            }
        }
    }
}

fn role_binding(body: &mut Value) {
    set(within(body, "roleRef"), "apiGroup", "rbac.authorization.k8s.io");
    for subject in items(body, "subjects") {
        if subject["kind"] == "User" || subject["kind"] == "Group" {
            set(subject, "apiGroup", "rbac.authorization.k8s.io");
        }
    }
}

/// The bounds of a container are its defaults, too.
fn limit_range(spec: &mut Value) {
    for limit in items(spec, "limits").filter(|limit| limit["type"] == "Container") {
        for (source, target) in
            [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")]
        {
            let Some(amounts) = limit[source].as_object().cloned() else {
                continue;
            };
            let defaults = within(limit, target);
            for (name, amount) in amounts {
                set(defaults, &name, amount);
            }
        }
    }
}

fn custom_resource_definition(spec: &mut Value) {
    let kind = spec["names"]["kind"].as_str().unwrap_or_default().to_owned();
    let names = within(spec, "names");
    set(names, "singular", kind.to_lowercase());
    set(names, "listKind", format!("{kind}List"));
    set(within(spec, "conversion"), "strategy", "None");
}
