//! What a request about a resource does: one function per verb, and the parts of objects.

use std::sync::Arc;

use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header::ACCEPT;
use http::header::CONTENT_TYPE;
use http::header::USER_AGENT;
use http::header::WARNING;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::kinds::Kind;
use crate::sandbox::kinds::Kinds;
use crate::sandbox::kinds::join_group;
use crate::sandbox::list;
use crate::sandbox::metrics;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::ownership::Writer;
use crate::sandbox::parts;
use crate::sandbox::patch;
use crate::sandbox::protobuf;
use crate::sandbox::refusal::Cause;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::refusal::success;
use crate::sandbox::render::Shape;
use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;
use crate::sandbox::select::Selector;
use crate::sandbox::server::Incoming;
use crate::sandbox::server::Serving;
use crate::sandbox::server::json_answer;
use crate::sandbox::server::plain;
use crate::sandbox::watching;
use crate::sandbox::watching::Watched;
use crate::sandbox::write::DeleteOptions;
use crate::sandbox::write::Deleted;
use crate::sandbox::write::Manner;
use crate::sandbox::write::Target;
use crate::sandbox::write::Unknown;
use crate::sandbox::write::Written;

pub(crate) fn perform(
    serving: &Arc<Serving>,
    verb: &str,
    incoming: &Incoming,
) -> Result<Response, Refusal> {
    let route = &incoming.route;
    if route.group == "authorization.k8s.io" && route.resource == "selfsubjectaccessreviews" {
        return allow_everything(serving, incoming);
    }
    if route.group == metrics::GROUP {
        return metrics::perform(serving, verb, incoming);
    }
    let kind = serving.cluster.kinds.find(&route.group, &route.version, &route.resource);
    let kind = kind.ok_or_else(Refusal::no_such_path)?;
    if !kind.namespaced && !route.namespace.is_empty() {
        return Err(Refusal::no_such_path());
    }
    let target = Target {
        api_version: join_group(&route.group, &route.version),
        key: Key::new(&route.namespace, &route.name),
        kind,
    };
    let whole =
        route.subresource.is_empty() || route.subresource == "status" && target.kind.has_status;
    if !whole {
        return parts::perform(serving, verb, incoming, &target);
    }
    if target.kind.namespaced && route.namespace.is_empty() && !["list", "watch"].contains(&verb) {
        return Err(Refusal::not_allowed());
    }
    let shape = Shape::wanted(incoming.header(&ACCEPT), &incoming.parameters);
    match verb {
        "get" => Ok(shaped(&target, shape, StatusCode::OK, &*serving.cluster.find(&target)?)),
        "list" => list_objects(serving, incoming, &target, shape),
        "watch" => watch_objects(serving, incoming, target, shape),
        "create" => {
            let body = read_body(&serving.cluster.kinds, incoming)?;
            let manner = manner(incoming, &target)?;
            let written = serving.cluster.create(&target, body, &manner)?;
            Ok(told(&target, shape, &written))
        }
        "update" => {
            let body = read_body(&serving.cluster.kinds, incoming)?;
            let manner = manner(incoming, &target)?;
            check_version_given(serving, &target, &body)?;
            let written = serving.cluster.change(&target, &manner, &|_| Ok(body.clone()))?;
            Ok(told(&target, shape, &written))
        }
        "patch" => {
            let how = patch_of(incoming, &target.kind)?;
            let patch = read_body(&serving.cluster.kinds, incoming)?;
            let manner = manner(incoming, &target)?;
            let written = serving.cluster.change(&target, &manner, &|current| {
                let mut body = current.to_value(&target.api_version, &target.kind.kind);
                how(&target.kind, &mut body, &patch)?;
                Ok(body)
            })?;
            Ok(told(&target, shape, &written))
        }
        "apply" => {
            if !incoming.parameters.has("fieldManager") {
                let problem = "fieldManager: Required value: is required for apply patch";
                return Err(Refusal::new(
                    422,
                    "Invalid",
                    format!("PatchOptions.meta.k8s.io \"\" is invalid: {problem}"),
                ));
            }
            let config = read_body(&serving.cluster.kinds, incoming)?;
            let written = serving.cluster.apply(&target, config, &manner(incoming, &target)?)?;
            Ok(told(&target, shape, &written))
        }
        "delete" => {
            let deleted = serving.cluster.delete(&target, &delete_options(serving, incoming)?)?;
            Ok(match deleted {
                Deleted::Gone(object) => json_answer(
                    StatusCode::OK,
                    &success(&target.kind, &object.key.name, &object.uid),
                ),
                Deleted::Waiting(object) => shaped(&target, shape, StatusCode::OK, &object),
            })
        }
        "deletecollection" => delete_all(serving, incoming, &target, shape),
        _ => Err(Refusal::not_allowed()),
    }
}

/// Some kinds are replaced only by those who know which version they replace.
fn check_version_given(serving: &Serving, target: &Target, body: &Value) -> Result<(), Refusal> {
    let kind = &target.kind;
    let strict =
        ["PodDisruptionBudget", "Lease", "CustomResourceDefinition"].contains(&kind.kind.as_str());
    let strict = strict || kind.kind == "Service" && serving.cluster.kinds.version.minor <= 20;
    let given = !body["metadata"]["resourceVersion"].as_str().unwrap_or_default().is_empty();
    if given || !(kind.custom || strict) {
        return Ok(());
    }
    serving.cluster.find(target)?;
    let why = "must be specified for an update";
    let cause = Cause::invalid("metadata.resourceVersion", &0.into(), why);
    Err(Refusal::unprocessable(kind, &target.key.name, &[cause]))
}

fn selector(incoming: &Incoming, target: &Target) -> Result<Selector, Refusal> {
    let parameters = &incoming.parameters;
    let selector = Selector::parse(
        &target.kind,
        parameters.text("labelSelector"),
        parameters.text("fieldSelector"),
    )?;
    Ok(if target.key.name.is_empty() { selector } else { selector.only(&target.key.name) })
}

fn list_objects(
    serving: &Serving,
    incoming: &Incoming,
    target: &Target,
    shape: Shape,
) -> Result<Response, Refusal> {
    let selector = selector(incoming, target)?;
    let page = list::page(
        &serving.cluster,
        &target.kind,
        &target.key.namespace,
        &selector,
        &incoming.parameters,
    )?;
    let body = shape.page(&target.kind, &target.api_version, &page);
    Ok(plain(StatusCode::OK, "application/json", body))
}

fn watch_objects(
    serving: &Serving,
    incoming: &Incoming,
    target: Target,
    shape: Shape,
) -> Result<Response, Refusal> {
    let selector = selector(incoming, &target)?;
    let namespace = target.key.namespace.to_string();
    let watched =
        Watched { kind: target.kind, api_version: target.api_version, namespace, selector, shape };
    let faults = serving.faults.clone();
    let body = watching::start(serving.cluster.clone(), watched, &incoming.parameters, faults)?;
    Ok(plain(StatusCode::OK, "application/json", body))
}

fn delete_all(
    serving: &Serving,
    incoming: &Incoming,
    target: &Target,
    shape: Shape,
) -> Result<Response, Refusal> {
    let selector = selector(incoming, target)?;
    let options = delete_options(serving, incoming)?;
    let page = list::page(
        &serving.cluster,
        &target.kind,
        &target.key.namespace,
        &selector,
        &incoming.parameters,
    )?;
    for object in &page.objects {
        let one = Target { key: object.key.clone(), ..target.clone() };
        match serving.cluster.delete(&one, &options) {
            Err(refusal) if refusal.code != 404 => return Err(refusal),
            _ => {}
        }
    }
    let body = shape.page(&target.kind, &target.api_version, &page);
    Ok(plain(StatusCode::OK, "application/json", body))
}

pub(crate) fn shaped(
    target: &Target,
    shape: Shape,
    status: StatusCode,
    object: &Object,
) -> Response {
    let mut body = Vec::with_capacity(2048);
    shape.write(&target.kind, &target.api_version, object, true, &mut body);
    body.push(b'\n');
    plain(status, "application/json", body)
}

pub(crate) fn told(target: &Target, shape: Shape, written: &Written) -> Response {
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = shaped(target, shape, status, &written.object);
    for warning in &written.warnings {
        let text = format!("299 - {}", Value::from(warning.as_str()));
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().append(WARNING, value);
        }
    }
    response
}

fn type_of(kinds: &Kinds, api_version: &str, kind: &str) -> Option<(Arc<Schema>, Type)> {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if let Some(known) = kinds.by_kind(group, kind) {
        return Some((known.schema.clone(), known.root.clone()));
    }
    let schema = Schema::built_in();
    let name = match kind {
        "DeleteOptions" => "meta.v1.DeleteOptions",
        "Eviction" => "policy.v1.Eviction",
        "Scale" => "autoscaling.v1.Scale",
        "Binding" => "core.v1.Binding",
        _ => return None,
    };
    let of = schema.find(name)?;
    Some((schema, of))
}

/// JSON, protobuf, or YAML as applies may be written.
pub(crate) fn read_body(kinds: &Kinds, incoming: &Incoming) -> Result<Value, Refusal> {
    let content_type = incoming.header(&CONTENT_TYPE);
    if content_type.contains("cbor") {
        let message = "the body of the request was in an unknown format - accepted media types include: \
                       application/json, application/yaml, application/vnd.kubernetes.protobuf";
        return Err(Refusal::new(415, "UnsupportedMediaType", message));
    }
    let unreadable = |why: &dyn std::fmt::Display| {
        Refusal::bad_request(format!("error decoding the body: {why}"))
    };
    if content_type.contains("protobuf") {
        let object =
            protobuf::read(&incoming.body, |api_version, kind| type_of(kinds, api_version, kind));
        return object.ok_or_else(|| unreadable(&"this is no protobuf of a known kind"));
    }
    if content_type.contains("yaml") && incoming.body.first() != Some(&b'{') {
        let text = std::str::from_utf8(&incoming.body).map_err(|error| unreadable(&error))?;
        return serde_yaml::from_str(text).map_err(|error| unreadable(&error));
    }
    serde_json::from_slice(&incoming.body).map_err(|error| unreadable(&error))
}

pub(crate) fn manner(incoming: &Incoming, target: &Target) -> Result<Manner, Refusal> {
    let parameters = &incoming.parameters;
    let dry_run = match parameters.text("dryRun") {
        "" => false,
        "All" => true,
        other => {
            let problem =
                format!("dryRun: Unsupported value: {other:?}: supported values: \"All\"");
            return Err(Refusal::new(
                422,
                "Invalid",
                format!("PatchOptions.meta.k8s.io \"\" is invalid: {problem}"),
            ));
        }
    };
    let manager = match parameters.text("fieldManager") {
        "" => {
            let agent = incoming.header(&USER_AGENT).split('/').next().unwrap_or_default();
            if agent.is_empty() { "unknown" } else { agent }
        }
        manager => manager,
    };
    Ok(Manner {
        writer: Writer {
            manager: manager.to_owned(),
            api_version: target.api_version.clone(),
            subresource: match incoming.route.subresource.as_str() {
                "status" => "status",
                "scale" => "scale",
                _ => "",
            },
            force: parameters.is_true("force"),
        },
        dry_run,
        unknown: match parameters.text("fieldValidation") {
            "Strict" => Unknown::Refuse,
            "Ignore" => Unknown::Ignore,
            _ => Unknown::Warn,
        },
    })
}

pub(crate) type Patch = fn(&Kind, &mut Value, &Value) -> Result<(), Refusal>;

pub(crate) fn patch_of(incoming: &Incoming, kind: &Kind) -> Result<Patch, Refusal> {
    let content_type = incoming.header(&CONTENT_TYPE).split(';').next().unwrap_or_default();
    match content_type {
        "application/merge-patch+json" => Ok(|_, body, patch| {
            patch::merge(body, patch);
            Ok(())
        }),
        "application/json-patch+json" => Ok(|_, body, patch| patch::json(body, patch)),
        "application/strategic-merge-patch+json" if !kind.custom => Ok(|kind, body, patch| {
            patch::strategic(kind, body, patch);
            Ok(())
        }),
        _ => {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
            Err(Refusal::new(415, "UnsupportedMediaType", message))
        }
    }
}

fn delete_options(serving: &Serving, incoming: &Incoming) -> Result<DeleteOptions, Refusal> {
    let body = if incoming.body.is_empty() {
        json!({})
    } else {
        read_body(&serving.cluster.kinds, incoming)?
    };
    let parameters = &incoming.parameters;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    // A body, even an empty one, outweighs the whole query.
    let asked = |name: &str| {
        let asked = if incoming.body.is_empty() { parameters.text(name) } else { "" };
        Some(asked).filter(|text| !text.is_empty())
    };
    let propagation = text(&body["propagationPolicy"])
        .or_else(|| asked("propagationPolicy").map(str::to_owned))
        .or_else(|| (body["orphanDependents"] == true).then(|| "Orphan".to_owned()));
    if let Some(policy) = &propagation
        && !["Orphan", "Background", "Foreground"].contains(&policy.as_str())
    {
        let problem = format!(
            "propagationPolicy: Unsupported value: {policy:?}: supported values: \"Foreground\", \"Background\", \"Orphan\""
        );
        return Err(Refusal::new(
            422,
            "Invalid",
            format!("DeleteOptions.meta.k8s.io \"\" is invalid: {problem}"),
        ));
    }
    Ok(DeleteOptions {
        uid: text(&body["preconditions"]["uid"]),
        version: text(&body["preconditions"]["resourceVersion"]),
        propagation,
        grace_seconds: body["gracePeriodSeconds"]
            .as_i64()
            .or_else(|| asked("gracePeriodSeconds").and_then(|seconds| seconds.parse().ok())),
        dry_run: asked("dryRun") == Some("All") || body["dryRun"][0] == "All",
    })
}

/// `kubectl auth can-i`: yes.
fn allow_everything(serving: &Serving, incoming: &Incoming) -> Result<Response, Refusal> {
    let mut review = read_body(&serving.cluster.kinds, incoming)?;
    review["status"] =
        json!({"allowed": true, "reason": "everybody may do everything in the sandbox"});
    Ok(json_answer(StatusCode::CREATED, &review))
}
