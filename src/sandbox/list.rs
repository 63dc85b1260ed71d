//! Lists: selected, in pages that all show the state of the first one.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::route::Parameters;
use crate::sandbox::select::Selector;

/// One page.
pub(crate) struct Page {
    pub(crate) version: u64,
    pub(crate) objects: Vec<Arc<Object>>,
    pub(crate) next: Option<String>,
    pub(crate) remaining: Option<usize>,
}

const TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a \
     new list without the continue parameter, or use the continue token in this response to retrieve the remainder of \
     the results. Continuing with the provided token results in an inconsistent list - objects that were created, \
     modified, or deleted between the time the first chunk was returned and now may show up in the list.";

pub(crate) fn page(
    cluster: &Cluster,
    kind: &Kind,
    namespace: &str,
    selector: &Selector,
    parameters: &Parameters,
) -> Result<Page, Refusal> {
    let tx = cluster.store.lock();
    let newest = tx.state.version;
    let token = parameters.text("continue");
    let (after, version) = if token.is_empty() {
        (None, asked_version(parameters, newest)?)
    } else {
        let (key, version) = read_token(token)?;
        (Some(key), version.unwrap_or(newest))
    };
    let objects =
        tx.list_at(kind.id, namespace, after.as_ref(), version).map_err(|_| match &after {
            Some(_) => Refusal::expired(TOO_OLD),
            None => Refusal::expired(format!(
                "The resourceVersion for the provided list is too old: {version}"
            )),
        })?;
    drop(tx);

    let mut objects: Vec<Arc<Object>> =
        objects.into_iter().filter(|object| selector.matches(object)).collect();
    let limit = parameters
        .number("limit")
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    let mut page = Page { version, objects: Vec::new(), next: None, remaining: None };
    if let Some(limit) = limit.filter(|limit| *limit < objects.len()) {
        page.remaining = selector.is_everything().then(|| objects.len() - limit);
        objects.truncate(limit);
        page.next = objects.last().map(|last| write_token(&last.key, version));
    }
    page.objects = objects;
    Ok(page)
}

/// Only an exact match asks for the past; otherwise the newest is always fresh enough.
fn asked_version(parameters: &Parameters, newest: u64) -> Result<u64, Refusal> {
    let Some(asked) = parameters.number("resourceVersion") else {
        return Ok(newest);
    };
    if asked > newest {
        let message = format!("Timeout: Too large resource version: {asked}, current: {newest}");
        return Err(Refusal::failing(504, Some(1), &message));
    }
    let exact = parameters.text("resourceVersionMatch") == "Exact";
    Ok(if exact && asked > 0 { asked } else { newest })
}

fn write_token(key: &Key, version: u64) -> String {
    let start = format!("{}/{}", key.namespace, key.name);
    BASE64.encode(json!({"v": "meta.k8s.io/v1", "rv": version, "start": start}).to_string())
}

fn read_token(token: &str) -> Result<(Key, Option<u64>), Refusal> {
    let decoded = BASE64.decode(token.trim_end_matches('=')).ok();
    let token: Option<Value> = decoded.and_then(|text| serde_json::from_slice(&text).ok());
    let start = token.as_ref().and_then(|token| token["start"].as_str()?.split_once('/'));
    let (namespace, name) = start.ok_or_else(|| {
        Refusal::bad_request("continue key is not valid: it was not made by this server")
    })?;
    Ok((Key::new(namespace, name), token.as_ref().and_then(|token| token["rv"].as_u64())))
}

impl Page {
    /// The list as clients see it.
    pub(crate) fn to_json(&self, api_version: &str, list_kind: &str) -> Vec<u8> {
        let mut out = format!(
            r#"{{"kind":"{list_kind}","apiVersion":"{api_version}","metadata":{},"items":["#,
            self.metadata()
        )
        .into_bytes();
        for (place, object) in self.objects.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            object.write(None, &mut out);
        }
        out.extend_from_slice(b"]}\n");
        out
    }

    pub(crate) fn metadata(&self) -> Value {
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if let Some(next) = &self.next {
            metadata["continue"] = next.clone().into();
        }
        if let Some(remaining) = self.remaining {
            metadata["remainingItemCount"] = remaining.into();
        }
        metadata
    }
}
