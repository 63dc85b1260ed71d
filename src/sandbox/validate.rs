//! What the API server refuses as invalid: missing fields, ill-formed names, and changes of what
//! cannot change. A selection: what templates and people really get wrong.

use serde_json::Value;

use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Draft;
use crate::sandbox::quantity::Quantity;
use crate::sandbox::refusal::Cause;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;
use crate::sandbox::select::LabelSelector;

/// Fields that the published types call required and the server accepts without.
const NOT_REALLY_REQUIRED: [&str; 4] = ["podSelector", "serviceName", "conditions", "metadata"];

pub(crate) fn check_new(kind: &Kind, draft: &Draft) -> Result<(), Refusal> {
    let mut causes = Vec::new();
    check_name(kind, draft.name(), &mut causes);
    check_labels(&draft.body["metadata"], "metadata", &mut causes);
    check_shape(kind, &draft.body, &mut causes);
    refuse(kind, draft.name(), &causes)
}

pub(crate) fn check_change(kind: &Kind, old: &Value, draft: &Draft) -> Result<(), Refusal> {
    let mut causes = Vec::new();
    check_labels(&draft.body["metadata"], "metadata", &mut causes);
    check_shape(kind, &draft.body, &mut causes);
    check_immutable(kind, old, &draft.body, &mut causes);
    refuse(kind, draft.name(), &causes)
}

fn refuse(kind: &Kind, name: &str, causes: &[Cause]) -> Result<(), Refusal> {
    if causes.is_empty() { Ok(()) } else { Err(Refusal::unprocessable(kind, name, causes)) }
}

fn check_name(kind: &Kind, name: &str, causes: &mut Vec<Cause>) {
    if name.is_empty() {
        return causes.push(Cause::required("metadata.name", "name or generateName is required"));
    }
    let lenient =
        ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"].contains(&kind.kind.as_str());
    if lenient && !kind.custom {
        if name == "." || name == ".." || name.contains(['/', '%']) {
            causes.push(Cause::invalid(
                "metadata.name",
                &name.into(),
                "may not contain '/' or '%'",
            ));
        }
        return;
    }
    let label = ["Namespace", "Service"].contains(&kind.kind.as_str()) && !kind.custom;
    if label && !is_dns_label(name) {
        causes.push(Cause::invalid(
            "metadata.name",
            &name.into(),
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
             end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ));
    } else if name.len() > 253 || !name.split('.').all(is_dns_characters) {
        causes.push(Cause::invalid(
            "metadata.name",
            &name.into(),
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ));
    }
}

fn is_dns_characters(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_dns_characters(text)
}

fn check_labels(metadata: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (name, value) in metadata["labels"].as_object().into_iter().flatten() {
        let field = format!("{path}.labels");
        let (prefix, local) = name.rsplit_once('/').unwrap_or(("", name));
        let inner = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
        let ends = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        };
        let good = |text: &str| text.len() <= 63 && text.chars().all(inner) && ends(text);
        if !good(local) || !prefix.is_empty() && !prefix.split('.').all(is_dns_characters) {
            let why = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                       alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation \
                       is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
            causes.push(Cause::invalid(&field, &name.as_str().into(), why));
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            causes.push(Cause::invalid(&field, value, "must be no more than 63 characters"));
        } else if !text.is_empty() && !good(text) {
            let why = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
                       must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', \
                       regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
            causes.push(Cause::invalid(&field, value, why));
        }
    }
}

fn check_shape(kind: &Kind, body: &Value, causes: &mut Vec<Cause>) {
    for (name, value) in body.as_object().into_iter().flatten() {
        if !["metadata", "status"].contains(&name.as_str())
            && let Some(of) = kind.schema.field(&kind.root, name)
        {
            check_required(&kind.schema, of, value, name, causes);
        }
    }
    let spec = &body["spec"];
    match kind.kind.as_str() {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet" if !kind.custom => {
            check_selector(spec, causes);
            check_pod_spec(&spec["template"]["spec"], "spec.template.spec", causes);
            let policy = &spec["template"]["spec"]["restartPolicy"];
            if !policy.is_null() && policy != "Always" {
                causes.push(Cause::unsupported(
                    "spec.template.spec.restartPolicy",
                    policy,
                    &["Always"],
                ));
            }
        }
        "Job" if !kind.custom => {
            check_job_template(&spec["template"]["spec"], "spec.template.spec", causes);
        }
        "CronJob" if !kind.custom => {
            let template = &spec["jobTemplate"]["spec"]["template"]["spec"];
            check_job_template(template, "spec.jobTemplate.spec.template.spec", causes);
        }
        "Pod" if !kind.custom => check_pod_spec(spec, "spec", causes),
        "Service" if !kind.custom => check_service(spec, causes),
        "PersistentVolumeClaim" => check_claim(spec, causes),
        "PodDisruptionBudget"
            if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() =>
        {
            causes.push(Cause::invalid(
                "spec",
                spec,
                "minAvailable and maxUnavailable cannot be both set",
            ));
        }
        _ => {}
    }
}

fn check_required(schema: &Schema, of: &Type, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    match (of, value) {
        (Type::Struct(id), Value::Object(object)) => {
            let known = schema.of(*id);
            let mut missing: Vec<&String> = known
                .fields
                .iter()
                .filter(|(name, field)| {
                    field.required
                        && !NOT_REALLY_REQUIRED.contains(&name.as_str())
                        && is_nothing(object.get(*name))
                })
                .map(|(name, _)| name)
                .collect();
            missing.sort();
            for name in missing {
                causes.push(Cause::required(&format!("{path}.{name}"), ""));
            }
            for (name, value) in object {
                if let Some(field) = known.fields.get(name) {
                    check_required(schema, &field.of, value, &format!("{path}.{name}"), causes);
                }
            }
        }
        (Type::List(item, _), Value::Array(list)) => {
            for (place, value) in list.iter().enumerate() {
                check_required(schema, item, value, &format!("{path}[{place}]"), causes);
            }
        }
        (Type::Map(item, _), Value::Object(object)) => {
            for (name, value) in object {
                check_required(schema, item, value, &format!("{path}[{name}]"), causes);
            }
        }
        _ => {}
    }
}

fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

fn check_selector(spec: &Value, causes: &mut Vec<Cause>) {
    let selector = LabelSelector::of(&spec["selector"]);
    if spec["selector"].is_object() && selector.is_everything() {
        causes.push(Cause::invalid(
            "spec.selector",
            &spec["selector"],
            "empty selector is invalid for deployment",
        ));
        return;
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if spec["selector"].is_object() && !selector.matches(|name| labels[name].as_str()) {
        let labels =
            if labels.is_null() { Value::Object(serde_json::Map::new()) } else { labels.clone() };
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &labels, why));
    }
}

fn check_job_template(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    check_pod_spec(spec, path, causes);
    let policy = &spec["restartPolicy"];
    if policy != "Never" && policy != "OnFailure" {
        let path = format!("{path}.restartPolicy");
        if policy.is_null() || policy == "Always" {
            causes.push(Cause::unsupported(&path, policy, &["OnFailure", "Never"]));
        }
    }
}

fn check_pod_spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    if spec["containers"].as_array().is_some_and(Vec::is_empty) {
        causes.push(Cause::required(&format!("{path}.containers"), ""));
    }
    let volumes: Vec<&str> = spec["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|volume| volume["name"].as_str())
        .collect();
    for list in ["initContainers", "containers"] {
        let mut names = Vec::new();
        for (place, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let path = format!("{path}.{list}[{place}]");
            let name = &container["name"];
            if let Some(text) = name.as_str() {
                if !is_dns_label(text) {
                    let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
                               must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex \
                               used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
                    causes.push(Cause::invalid(&format!("{path}.name"), name, why));
                }
                if names.contains(&text) {
                    causes.push(Cause {
                        reason: "FieldValueDuplicate",
                        message: format!("Duplicate value: {name}"),
                        field: format!("{path}.name"),
                    });
                }
                names.push(text);
            }
            if is_nothing(container.get("image")) {
                causes.push(Cause::required(&format!("{path}.image"), ""));
            }
            for (place, mount) in
                container["volumeMounts"].as_array().into_iter().flatten().enumerate()
            {
                let volume = mount["name"].as_str().unwrap_or_default();
                // A stateful set's claims become volumes of the same name.
                if !volumes.contains(&volume) && path.starts_with("spec.containers") {
                    causes.push(Cause {
                        reason: "FieldValueNotFound",
                        message: format!("Not found: {volume:?}"),
                        field: format!("{path}.volumeMounts[{place}].name"),
                    });
                }
            }
            check_resources(&container["resources"], &format!("{path}.resources"), causes);
        }
    }
}

fn check_resources(resources: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let limit = Quantity::of(&resources["limits"][name]);
        if let (Some(asked), Some(limit)) = (Quantity::of(request), limit)
            && asked > limit
        {
            let why = format!("must be less than or equal to {name} limit of {limit}");
            causes.push(Cause::invalid(&format!("{path}.requests"), request, &why));
        }
    }
}

fn check_service(spec: &Value, causes: &mut Vec<Cause>) {
    let ports = spec["ports"].as_array().map_or(&[][..], Vec::as_slice);
    let headless = spec["clusterIP"] == "None";
    if ports.is_empty() && spec["type"] != "ExternalName" && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (place, port) in ports.iter().enumerate() {
        if ports.len() > 1 && is_nothing(port.get("name")) {
            causes.push(Cause::required(&format!("spec.ports[{place}].name"), ""));
        }
        if let Some(number) = port["port"].as_i64()
            && !(1..=65535).contains(&number)
        {
            let why = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(&format!("spec.ports[{place}].port"), &port["port"], why));
        }
    }
}

fn check_claim(spec: &Value, causes: &mut Vec<Cause>) {
    if spec["accessModes"].as_array().is_none_or(Vec::is_empty) {
        causes.push(Cause::required("spec.accessModes", "at least 1 access mode is required"));
    }
    if is_nothing(spec["resources"]["requests"].get("storage")) {
        causes.push(Cause::required("spec.resources[storage]", ""));
    }
}

fn check_immutable(kind: &Kind, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    if kind.custom {
        return;
    }
    let mut fixed = |path: &str, why: &str| {
        let at =
            |body: &Value| path.split('.').fold(body.clone(), |mut value, step| value[step].take());
        if at(old) != at(new) {
            causes.push(Cause::invalid(path, &at(new), why));
        }
    };
    match kind.kind.as_str() {
        "Deployment" | "ReplicaSet" | "DaemonSet" => fixed("spec.selector", "field is immutable"),
        "Job" => {
            fixed("spec.selector", "field is immutable");
            if old["spec"]["suspend"] != true {
                fixed("spec.template", "field is immutable");
            }
            fixed("spec.completions", "field is immutable");
            fixed("spec.completionMode", "field is immutable");
        }
        "RoleBinding" | "ClusterRoleBinding" => fixed("roleRef", "cannot change roleRef"),
        "Secret" => {
            fixed("type", "field is immutable");
            check_frozen(old, new, causes);
        }
        "ConfigMap" => check_frozen(old, new, causes),
        "Service" => {
            let at = |body: &Value| body["spec"]["clusterIP"].clone();
            if at(old) != at(new) && !at(old).is_null() && new["spec"]["type"] != "ExternalName" {
                let why = "may not change once set";
                causes.push(Cause::invalid(
                    "spec.clusterIPs[0]",
                    &serde_json::json!([at(new)]),
                    why,
                ));
            }
        }
        "StatefulSet" => check_stateful_set(old, new, causes),
        "PersistentVolumeClaim" => check_claim_change(old, new, causes),
        "Pod" => check_pod_change(old, new, causes),
        "StorageClass" => {
            for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
                if old[field] != new[field] {
                    causes.push(Cause::forbidden(
                        field,
                        &format!("updates to {field} are forbidden."),
                    ));
                }
            }
        }
        "CustomResourceDefinition" => {
            fixed("spec.scope", "field is immutable");
            fixed("spec.names.kind", "field is immutable");
            fixed("spec.names.plural", "field is immutable");
        }
        _ => {}
    }
}

fn check_frozen(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    if old["immutable"] != true {
        return;
    }
    if new["immutable"] != true {
        causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    for field in ["data", "binaryData"] {
        if old[field] != new[field] {
            causes.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
        }
    }
}

fn check_stateful_set(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    const CHANGEABLE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
        "revisionHistoryLimit",
    ];
    let fixed = |body: &Value| {
        let mut spec = body["spec"].clone();
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|name, _| !CHANGEABLE.contains(&name.as_str()));
        }
        spec
    };
    if fixed(old) != fixed(new) {
        causes.push(Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

fn check_claim_change(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let fixed = |body: &Value| {
        let mut spec = body["spec"].clone();
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|name, _| {
                !["resources", "volumeName", "volumeAttributesClassName"].contains(&name.as_str())
            });
        }
        spec
    };
    let bound = old["status"]["phase"] == "Bound";
    let volume = |body: &Value| body["spec"]["volumeName"].clone();
    let moved = !volume(old).is_null() && volume(old) != volume(new);
    let size = |body: &Value| Quantity::of(&body["spec"]["resources"]["requests"]["storage"]);
    if fixed(old) != fixed(new) || moved || !bound && size(old) != size(new) {
        causes.push(Cause::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        ));
    } else if size(new) < size(old) {
        let field = "spec.resources.requests.storage";
        causes.push(Cause::forbidden(field, "field can not be less than status.capacity"));
    }
}

fn check_pod_change(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let fixed = |body: &Value| {
        let mut spec = body["spec"].clone();
        for list in ["containers", "initContainers"] {
            for container in spec[list].as_array_mut().into_iter().flatten() {
                container["image"].take();
            }
        }
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|name, value| {
                !["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"]
                    .contains(&name.as_str())
                    && !value.is_null()
            });
        }
        spec
    };
    if fixed(old) != fixed(new) {
        causes.push(Cause::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,\
             `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
             tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ));
    }
}
