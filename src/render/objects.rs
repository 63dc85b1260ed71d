//! From a rendered document to a resource: its name, its stage, what becomes of it, and our marks.

use serde_json::Map;
use serde_json::Value;

use super::names::LONGEST_NAME;
use super::names::shortened;
use super::ownership::Fence;
use super::versions;
use super::versions::Known;
use super::versions::Scope;
use crate::model::Digest;
use crate::model::Document;
use crate::model::Name;
use crate::model::Resource;
use crate::model::ResourceId;
use crate::model::Task;
use crate::model::marks;
use crate::model::read::API_VERSION;
use crate::model::resource::DATABASE;
use crate::model::resource::DatabaseSpec;
use crate::model::resource::OUR_GROUP;
use crate::model::resource::OnDelete;
use crate::model::resource::Once;
use crate::model::resource::Stage;

/// Where a document was rendered: what it is part of and may do.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) fence: &'a Fence<'a>,
    /// The namespace it stands in where it does not say.
    pub(super) namespace: &'a str,
    /// The subscription it serves; none where several share it.
    pub(super) subscription: Option<&'a Name>,
    /// The product it is a part of.
    pub(super) part_of: &'a str,
    /// The task that it carries out, where it does.
    pub(super) task: Option<&'a Document<Task>>,
}

/// Why a document is no resource, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) message: String,
    pub(super) help: String,
}

impl Unfit {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// Makes a document a resource.
pub(super) fn resource(document: Value, origin: &Origin<'_>) -> Result<Resource, Unfit> {
    let Value::Object(mut body) = document else {
        return Err(Unfit::new("an object is a map", "begin with `apiVersion`"));
    };
    let api_version = text_of(&body, "apiVersion")?;
    let kind = text_of(&body, "kind")?;
    let mut marks = Marks::take(&mut body, &kind)?;
    if origin.task.is_some() && kind != "Job" {
        return Err(Unfit::new(
            format!("a task is carried out by a Job alone, and this is a {kind}"),
            "move it to `subscription/`, where what stays is made",
        ));
    }
    let is_database = api_version == API_VERSION;
    if is_database && kind != DATABASE {
        return Err(Unfit::new(
            format!("templates make no `{kind}`"),
            format!("of {API_VERSION}, only `{DATABASE}` can be made"),
        ));
    }
    let scope = if is_database { Scope::Namespaced } else { scope(origin, &api_version, &kind)? };
    if marks.once {
        name_by_what_it_runs(&mut body)?;
    }
    let metadata = metadata(&mut body)?;
    let name = match metadata.get("name") {
        Some(Value::String(name)) => name.clone(),
        _ => return Err(Unfit::new(format!("this {kind} has no name"), "add `metadata.name`")),
    };
    let namespace = match (scope, metadata.get("namespace")) {
        (Scope::Cluster, None) => String::new(),
        (Scope::Namespaced, None) => {
            metadata.insert("namespace".into(), origin.namespace.into());
            origin.namespace.to_owned()
        }
        (Scope::Namespaced, Some(Value::String(namespace))) => namespace.clone(),
        (_, Some(_)) => {
            return Err(Unfit::new(
                format!("`metadata.namespace` does not fit a {kind}"),
                "leave it out",
            ));
        }
    };
    let group = if is_database { OUR_GROUP } else { versions::group_of(&api_version) };
    let id = ResourceId::new(group, &kind, &namespace, &name);
    if is_database {
        let spec = body.remove("spec").unwrap_or_default();
        let spec: DatabaseSpec = serde_json::from_value(spec).map_err(|error| {
            Unfit::new(format!("this is not a database: {error}"), "see `DatabaseSpec`")
        })?;
        origin.fence.check_database(&id, &spec)?;
        let body = serde_json::to_value(spec).unwrap_or_default();
        let subscription = origin.subscription.cloned();
        return Ok(Resource::new(id, subscription, marks.stage, marks.on_delete, body));
    }
    label(metadata, origin)?;
    let body = Value::Object(body);
    origin.fence.check(&id, &body)?;
    let subscription = origin.subscription.cloned();
    let Some(task) = origin.task else {
        return Ok(Resource::new(id, subscription, marks.stage, marks.on_delete, body));
    };
    let once = Once {
        task: task.name.clone(),
        begins_before: task.spec.begins_before(),
        result: marks.result.take(),
    };
    Ok(Resource::new(id, subscription, Stage::Task, OnDelete::Delete, body).once(once))
}

fn text_of(body: &Map<String, Value>, field: &str) -> Result<String, Unfit> {
    match body.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(Unfit::new(format!("this object has no `{field}`"), format!("add `{field}`"))),
    }
}

fn scope(origin: &Origin<'_>, api_version: &str, kind: &str) -> Result<Scope, Unfit> {
    let minor = origin.fence.minor;
    match versions::look_up(minor, api_version, kind) {
        Known::Served(scope) => Ok(scope),
        Known::Foreign => Ok(Scope::Namespaced),
        Known::NoSuchKind => Err(Unfit::new(
            format!("`{api_version}` has no kind `{kind}`"),
            format!("write `apiVersion: {{{{ cluster.api.{kind} }}}}`, or correct the kind"),
        )),
        Known::NotServed { instead } => Err(Unfit::new(
            format!("Kubernetes 1.{minor} does not serve {kind} as `{api_version}`"),
            match instead {
                Some(_) => format!("write `apiVersion: {{{{ cluster.api.{kind} }}}}`"),
                None => "leave it out for this release".into(),
            },
        )),
    }
}

fn metadata(body: &mut Map<String, Value>) -> Result<&mut Map<String, Value>, Unfit> {
    match body.get_mut("metadata") {
        Some(Value::Object(metadata)) => Ok(metadata),
        _ => Err(Unfit::new("this object has no `metadata`", "add `metadata` with a name")),
    }
}

/// What a template says to us in annotations, not to Kubernetes.
struct Marks {
    stage: Stage,
    on_delete: OnDelete,
    once: bool,
    result: Option<Box<str>>,
}

impl Marks {
    fn take(body: &mut Map<String, Value>, kind: &str) -> Result<Self, Unfit> {
        let mut marks =
            Self { stage: stage_of(kind), on_delete: OnDelete::Delete, once: false, result: None };
        let metadata = metadata(body)?;
        let Some(Value::Object(annotations)) = metadata.get_mut("annotations") else {
            return Ok(marks);
        };
        if let Some(stage) = annotations.shift_remove(marks::STAGE) {
            let stage = serde_json::from_value(stage).ok();
            marks.stage = stage.filter(|stage| Stage::ALL.contains(stage)).ok_or_else(|| {
                let known = Stage::ALL.map(|stage| format!("`{stage}`")).join(", ");
                Unfit::new(
                    format!("`{}` is not a stage", marks::STAGE),
                    format!("write one of {known}"),
                )
            })?;
        }
        if let Some(policy) = annotations.get(marks::ON_DELETE) {
            marks.on_delete = serde_json::from_value(policy.clone()).map_err(|_| {
                let help = "write `keep`, `orphan` or `delete`";
                Unfit::new(format!("`{}` is not known here", marks::ON_DELETE), help)
            })?;
        }
        marks.once = annotations.shift_remove(marks::ONCE).is_some();
        if let Some(Value::String(result)) = annotations.shift_remove(marks::RESULT) {
            marks.result = Some(result.into());
        }
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
        Ok(marks)
    }
}

/// The stage that makes objects of a kind, where the template does not say.
fn stage_of(kind: &str) -> Stage {
    match kind {
        "PersistentVolumeClaim" | DATABASE => Stage::Database,
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Pod"
        | "PodDisruptionBudget"
        | "HorizontalPodAutoscaler"
        | "Service" => Stage::Services,
        "Ingress" | "HTTPRoute" | "Certificate" => Stage::Network,
        "Job" | "CronJob" => Stage::Data,
        _ => Stage::Namespace,
    }
}

/// A job that runs once for what it runs: another pod is another job.
fn name_by_what_it_runs(body: &mut Map<String, Value>) -> Result<(), Unfit> {
    let template = body.get("spec").and_then(|spec| spec.get("template"));
    let Some(template) = template else {
        return Err(Unfit::new(
            format!("`{}` needs a `spec.template`", marks::ONCE),
            "mark only jobs so",
        ));
    };
    let digest = Digest::of_json(template).to_string();
    if let Some(Value::String(name)) = metadata(body)?.get_mut("name") {
        *name = format!("{}-{}", shortened(name, LONGEST_NAME), &digest[..8]);
    }
    Ok(())
}

/// Puts our labels on an object.
fn label(metadata: &mut Map<String, Value>, origin: &Origin<'_>) -> Result<(), Unfit> {
    let labels = metadata.entry("labels").or_insert_with(|| Map::new().into());
    let Value::Object(labels) = labels else {
        return Err(Unfit::new("`metadata.labels` is not a map", "write names and values"));
    };
    labels.insert(marks::MANAGED_BY.into(), marks::TENANTRY.into());
    labels.insert("app.kubernetes.io/part-of".into(), origin.part_of.into());
    labels.insert(marks::TENANT.into(), origin.fence.tenant.as_str().into());
    match origin.subscription {
        Some(subscription) => {
            labels.insert(marks::SUBSCRIPTION.into(), subscription.as_str().into());
        }
        None => {
            labels.shift_remove(marks::SUBSCRIPTION);
        }
    }
    Ok(())
}
