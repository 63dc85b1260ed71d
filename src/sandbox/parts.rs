//! The parts of objects that have an address of their own: scale, evictions, tokens. Logs are
//! a chapter of their own.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::actions::manner;
use crate::sandbox::actions::patch_of;
use crate::sandbox::actions::read_body;
use crate::sandbox::actions::shaped;
use crate::sandbox::logs;
use crate::sandbox::object::Object;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::render::Shape;
use crate::sandbox::select::LabelSelector;
use crate::sandbox::server::Incoming;
use crate::sandbox::server::Serving;
use crate::sandbox::server::json_answer;
use crate::sandbox::write::DeleteOptions;
use crate::sandbox::write::Target;

pub(crate) fn perform(
    serving: &Arc<Serving>,
    verb: &str,
    incoming: &Incoming,
    target: &Target,
) -> Result<Response, Refusal> {
    let part = incoming.route.subresource.as_str();
    match (target.kind.plural.as_str(), part, verb) {
        (_, "scale", "get") if target.kind.has_scale => {
            Ok(json_answer(StatusCode::OK, &scale_of(&*serving.cluster.find(target)?)))
        }
        (_, "scale", "update" | "patch") if target.kind.has_scale => {
            scale(serving, verb, incoming, target)
        }
        ("pods", "log", "get") => logs::log(serving, incoming, target),
        ("pods", "eviction", "create") => evict(serving, incoming, target),
        ("pods", "binding", "create") => bind(serving, incoming, target),
        ("pods", "exec" | "attach" | "portforward", _) => Err(Refusal::new(
            501,
            "NotImplemented",
            format!("{part} needs a node with real containers; the sandbox only plays them"),
        )),
        ("namespaces", "finalize", "update") => finalize(serving, incoming, target),
        ("serviceaccounts", "token", "create") => {
            serving.cluster.find(target)?;
            let mut request = read_body(&serving.cluster.kinds, incoming)?;
            request["status"] =
                json!({"token": "sandbox-token", "expirationTimestamp": "2100-01-01T00:00:00Z"});
            Ok(json_answer(StatusCode::CREATED, &request))
        }
        _ => Err(Refusal::no_such_path()),
    }
}

fn scale_of(object: &Object) -> Value {
    let body = object.body();
    let metadata = &body["metadata"];
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "creationTimestamp": metadata["creationTimestamp"],
            "resourceVersion": object.version.to_string(),
        },
        "spec": {"replicas": body["spec"]["replicas"].as_i64().unwrap_or(0)},
        "status": {
            "replicas": body["status"]["replicas"].as_i64().unwrap_or(0),
            "selector": LabelSelector::of(&body["spec"]["selector"]).written(),
        },
    })
}

fn scale(
    serving: &Serving,
    verb: &str,
    incoming: &Incoming,
    target: &Target,
) -> Result<Response, Refusal> {
    let sent = read_body(&serving.cluster.kinds, incoming)?;
    let how = if verb == "patch" { Some(patch_of(incoming, &target.kind)?) } else { None };
    let manner = manner(incoming, target)?;
    let written = serving.cluster.change(target, &manner, &|current| {
        let mut wanted = scale_of(current);
        match how {
            Some(patch) => patch(&target.kind, &mut wanted, &sent)?,
            None => wanted = sent.clone(),
        }
        let asked = wanted["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !asked.is_empty() && asked != current.version.to_string() {
            return Err(Refusal::modified(&target.kind, &target.key.name));
        }
        let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
        let mut body = current.to_value(&target.api_version, &target.kind.kind);
        body["spec"]["replicas"] = replicas.into();
        Ok(body)
    })?;
    Ok(json_answer(StatusCode::OK, &scale_of(&written.object)))
}

/// A delete that asks the disruption budgets first.
fn evict(serving: &Serving, incoming: &Incoming, target: &Target) -> Result<Response, Refusal> {
    let eviction = read_body(&serving.cluster.kinds, incoming)?;
    let pod = serving.cluster.find(target)?;
    if let Some(budgets) = serving.cluster.kinds.named("policy", "poddisruptionbudgets") {
        let budgets = serving.cluster.store.lock().list(budgets.id, &target.key.namespace);
        for budget in budgets {
            let body = budget.body();
            let covers = LabelSelector::of(&body["spec"]["selector"]).matches_object(&pod);
            if covers && body["status"]["disruptionsAllowed"].as_i64().unwrap_or(0) < 1 {
                let message = "Cannot evict pod as it would violate the pod's disruption budget.";
                let cause = format!(
                    "The disruption budget {} does not allow an eviction now",
                    budget.key.name
                );
                let causes = json!([{"reason": "DisruptionBudget", "message": cause}]);
                return Err(Refusal::failing(429, None, message).with_causes(&causes));
            }
        }
    }
    let grace_seconds = eviction["deleteOptions"]["gracePeriodSeconds"].as_i64();
    serving.cluster.delete(target, &DeleteOptions { grace_seconds, ..DeleteOptions::default() })?;
    Ok(json_answer(
        StatusCode::CREATED,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}),
    ))
}

fn bind(serving: &Serving, incoming: &Incoming, target: &Target) -> Result<Response, Refusal> {
    let binding = read_body(&serving.cluster.kinds, incoming)?;
    let manner = manner(incoming, target)?;
    serving.cluster.change(target, &manner, &|current| {
        let mut body = current.to_value(&target.api_version, &target.kind.kind);
        body["spec"]["nodeName"] = binding["target"]["name"].clone();
        Ok(body)
    })?;
    Ok(json_answer(
        StatusCode::CREATED,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}),
    ))
}

/// Takes a namespace's own finalizers away, which is how it goes at last.
fn finalize(serving: &Serving, incoming: &Incoming, target: &Target) -> Result<Response, Refusal> {
    let sent = read_body(&serving.cluster.kinds, incoming)?;
    serving.cluster.find(target)?;
    let object = serving.cluster.set_namespace_finalizers(target, &sent["spec"]["finalizers"])?;
    Ok(match object {
        Some(object) => shaped(target, Shape::Whole, StatusCode::OK, &object),
        None => json_answer(StatusCode::OK, &sent),
    })
}
