//! Writing: server-side apply, deletion, and letting go.
//!
//! One request per object. An object is read before only where what is sent depends on what is
//! there: Secrets with generated values, and fields that others may own. Then the write names the
//! version that was read, and begins again when somebody was faster.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::apply::error::ApplyError;
use crate::apply::error::Status;
use crate::model::Resource;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::marks;
use crate::plan::Done;
use crate::plan::Outcome;

use super::Cluster;
use super::connection::APPLY_PATCH;
use super::connection::Call;
use super::connection::JSON;
use super::connection::MERGE_PATCH;
use super::connection::Reply;
use super::fields;
use super::generate;
use super::generate::LiveSecret;
use super::generate::Wanted;
use super::inventory;
use super::kinds::Served;
use super::observe::Seen;
use super::rules::Rules;

/// How often a write begins again because somebody else was faster.
const ATTEMPTS: u32 = 12;

/// What is there before a write that depends on it.
pub(super) struct There {
    pub(super) json: Vec<u8>,
    pub(super) seen: Seen,
}

/// A write to be made, or to be foreseen.
pub(super) struct Write<'a> {
    pub(super) served: &'a Served,
    pub(super) id: &'a ResourceId,
    pub(super) rules: &'a Rules,
    /// What is added to the query.
    pub(super) more: &'a str,
    /// What a refusal begins with.
    pub(super) what: &'a str,
}

impl Cluster {
    /// Puts an object into the state that is asked for, and takes labels off that are not ours.
    pub async fn apply(
        &self,
        unit: &UnitName,
        resource: &Resource,
        foreign_labels: &[Box<str>],
    ) -> Result<Done, ApplyError> {
        let id = &resource.id;
        let api_version = resource.body["apiVersion"].as_str().unwrap_or_default();
        let served = self.kinds().written(self.connection(), id, api_version).await?;
        let what = format!("{id} was refused");
        let applied = self.apply_until_settled(unit, resource, &served, &what).await;
        let (mut seen, mut outcome) = applied.map_err(|error| hidden(id, error))?;
        if !foreign_labels.is_empty() {
            seen = self.take_labels_off(&served, id, foreign_labels, &what).await?;
            outcome = if outcome == Outcome::Created { outcome } else { Outcome::Changed };
        }
        let live = seen.live(&served.kind);
        self.store().wrote(unit, id, live.clone(), seen.version());
        Ok(Done { id: id.clone(), outcome, live: Some(live) })
    }

    async fn apply_until_settled(
        &self,
        unit: &UnitName,
        resource: &Resource,
        served: &Served,
        what: &str,
    ) -> Result<(Seen, Outcome), ApplyError> {
        let rules = Rules::of(&resource.body);
        let wanted = Wanted::of(&resource.body, &resource.id.to_string())?;
        let mut made = false;
        for attempt in 1..=ATTEMPTS {
            let there = if wanted.is_some() || rules.need_live() {
                self.there(served, &resource.id).await?
            } else {
                None
            };
            if let (Some(_), None) = (&wanted, &there) {
                made |= self.make_shell(served, resource, what).await?;
                continue;
            }
            let body = self.body(unit, resource, &rules, wanted.as_ref(), there.as_ref())?;
            let before = there.as_ref().map_or_else(
                || self.store().version(&resource.id).map(|(_, version)| version),
                |there| Some(there.seen.version()),
            );
            let write = Write { served, id: &resource.id, rules: &rules, more: "", what };
            match self.patch(&write, body).await {
                Err(error) if error.is_conflict() && there.is_some() && attempt < ATTEMPTS => {
                    tokio::time::sleep(jitter(attempt)).await;
                }
                reply => {
                    let reply = reply?;
                    let seen: Seen = self.connection().parse(&reply.body)?;
                    let outcome = if made || reply.code == 201 {
                        Outcome::Created
                    } else if before.is_some_and(|before| before == seen.version()) {
                        // The version tells that the write did nothing.
                        Outcome::Unchanged
                    } else {
                        Outcome::Changed
                    };
                    return Ok((seen, outcome));
                }
            }
        }
        Err(ApplyError::Contended { what: resource.id.to_string() })
    }

    /// Reads what is there.
    pub(super) async fn there(
        &self,
        served: &Served,
        id: &ResourceId,
    ) -> Result<Option<There>, ApplyError> {
        let what = format!("reading {id}");
        match self.connection().send(&what, &Call::get(served.object(id))).await {
            Err(error) if error.is_not_found() => Ok(None),
            reply => {
                let json = reply?.body;
                let seen = self.connection().parse(&json)?;
                Ok(Some(There { json, seen }))
            }
        }
    }

    /// Makes an empty Secret. Server-side apply cannot say "only if it is not there"; but once
    /// there is one, of all who want to fill it the first wins, because each names its version.
    /// A crash in between leaves an empty Secret, which the next run fills.
    async fn make_shell(
        &self,
        served: &Served,
        resource: &Resource,
        what: &str,
    ) -> Result<bool, ApplyError> {
        let id = &resource.id;
        let body = json!({
            "apiVersion": "v1", "kind": "Secret", "type": resource.body["type"],
            "metadata": {"name": &*id.name, "namespace": &*id.namespace},
        });
        let body = body.to_string().into_bytes();
        let path = format!("{}?fieldManager={}", served.collection(&id.namespace), marks::TENANTRY);
        match self.connection().send(what, &Call::with(Method::POST, path, JSON, &body)).await {
            Ok(_) => Ok(true),
            Err(ApplyError::Refused { status, .. }) if status.reason == "AlreadyExists" => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// What is sent: what is asked for, our marks, and what depends on what is there.
    fn body(
        &self,
        unit: &UnitName,
        resource: &Resource,
        rules: &Rules,
        wanted: Option<&Wanted>,
        there: Option<&There>,
    ) -> Result<Value, ApplyError> {
        let mut body = marked(unit, resource);
        let is_secret = is_secret(&resource.id);
        let mut generated = BTreeMap::new();
        if let Some(There { json, seen }) = there {
            if rules.need_live() {
                rules.bend(&mut body, &self.connection().parse(json)?, seen);
            }
            if let Some(wanted) = wanted {
                let live: LiveSecret = self.connection().parse(json)?;
                generated = wanted.values(&live);
            }
            body["metadata"]["resourceVersion"] = json!(seen.metadata.resource_version);
        }
        if is_secret {
            generate::fill_in(&mut body, &generated);
        }
        Ok(body)
    }

    /// Sends the body. Where others may take any field, it is first sent without force, and then
    /// again without the fields that others have.
    pub(super) async fn patch(
        &self,
        write: &Write<'_>,
        mut body: Value,
    ) -> Result<Reply, ApplyError> {
        let path = |force: bool| {
            let (object, more) = (write.served.object(write.id), write.more);
            let manager = marks::TENANTRY;
            format!("{object}?fieldManager={manager}&force={force}&fieldValidation=Strict{more}")
        };
        let mut force = !write.rules.yields_all;
        loop {
            let bytes = body.to_string().into_bytes();
            let call = Call::with(Method::PATCH, path(force), APPLY_PATCH, &bytes);
            match self.connection().send(write.what, &call).await {
                Err(ApplyError::Refused { status, .. }) if !force && is_about_owners(&status) => {
                    for field in taken(&status) {
                        fields::remove(&mut body, field);
                    }
                    // What is left is ours, or cannot be left out.
                    force = true;
                }
                reply => return reply,
            }
        }
    }

    async fn take_labels_off(
        &self,
        served: &Served,
        id: &ResourceId,
        labels: &[Box<str>],
        what: &str,
    ) -> Result<Seen, ApplyError> {
        let labels: Map<String, Value> =
            labels.iter().map(|label| (label.to_string(), Value::Null)).collect();
        let body = json!({"metadata": {"labels": labels}}).to_string().into_bytes();
        let path = format!("{}?fieldManager={}", served.object(id), marks::TENANTRY);
        self.connection().read(what, &Call::with(Method::PATCH, path, MERGE_PATCH, &body)).await
    }

    /// Deletes what has this identity and nothing else.
    pub async fn delete(
        &self,
        id: &ResourceId,
        api_version: &str,
        uid: &str,
    ) -> Result<Done, ApplyError> {
        let served = self.kinds().written(self.connection(), id, api_version).await?;
        let body = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        });
        let body = body.to_string().into_bytes();
        let what = format!("{id} was not deleted");
        let call = Call::with(Method::DELETE, served.object(id), JSON, &body);
        match self.connection().send(&what, &call).await {
            Err(error) if error.is_not_found() => self.store().forget(id),
            reply => {
                reply?;
                self.store().deleting(id, uid);
            }
        }
        Ok(Done { id: id.clone(), outcome: Outcome::Deleted, live: None })
    }

    /// Takes our marks off, and gives up our fields.
    pub async fn orphan(&self, id: &ResourceId, api_version: &str) -> Result<Done, ApplyError> {
        let served = self.kinds().written(self.connection(), id, api_version).await?;
        let done = Done { id: id.clone(), outcome: Outcome::Orphaned, live: None };
        let what = format!("{id} was not let go");
        for attempt in 1..=ATTEMPTS {
            let Some(there) = self.there(&served, id).await? else { break };
            let object: Value = self.connection().parse(&there.json)?;
            let body = release(&object).to_string().into_bytes();
            let path = format!("{}?fieldManager={}", served.object(id), marks::TENANTRY);
            let call = Call::with(Method::PATCH, path, MERGE_PATCH, &body);
            match self.connection().send(&what, &call).await {
                Err(error) if error.is_not_found() => break,
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => {
                    tokio::time::sleep(jitter(attempt)).await;
                }
                reply => {
                    reply.map_err(|error| hidden(id, error))?;
                    break;
                }
            }
        }
        self.store().forget(id);
        Ok(done)
    }
}

pub(super) fn is_secret(id: &ResourceId) -> bool {
    id.group.is_empty() && &*id.kind == "Secret"
}

/// The resource with our marks on it: what is sent, where nothing in it depends on what is there.
pub fn marked(unit: &UnitName, resource: &Resource) -> Value {
    let mut body = resource.body.clone();
    let metadata = &mut body["metadata"];
    let labels = &mut metadata["labels"];
    labels[marks::MANAGED_BY] = json!(marks::TENANTRY);
    labels[marks::UNIT] = json!(inventory::handle(unit));
    labels[marks::PART_OF] = json!(inventory::applyset_id(unit));
    metadata["annotations"][marks::RENDERED] = json!(resource.digest);
    body
}

/// A merge patch that takes our marks and our ownership off an object.
fn release(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let ours = |field: &str| {
        let names = metadata[field].as_object().into_iter().flat_map(Map::keys);
        let ours = names.filter(|name| {
            name.starts_with(marks::OUR_PREFIX)
                || *name == marks::PART_OF
                || (*name == marks::MANAGED_BY && metadata[field][*name] == marks::TENANTRY)
        });
        ours.map(|name| (name.clone(), Value::Null)).collect::<Map<String, Value>>()
    };
    let mut others = metadata["managedFields"].as_array().cloned().unwrap_or_default();
    others.retain(|managed| managed["manager"] != marks::TENANTRY);
    if others.is_empty() {
        // An empty list is taken for "as before"; one empty entry clears it.
        others.push(json!({}));
    }
    json!({"metadata": {
        "labels": ours("labels"),
        "annotations": ours("annotations"),
        "managedFields": others,
        "resourceVersion": metadata["resourceVersion"],
    }})
}

fn is_about_owners(status: &Status) -> bool {
    status.details.causes.iter().any(|cause| cause.reason == "FieldManagerConflict")
}

/// The fields that others have, where that is why a write was refused. Our marks are no fields
/// that anybody may have.
fn taken(status: &Status) -> Vec<&str> {
    let is_mark = |field: &str| {
        [marks::OUR_PREFIX, marks::PART_OF, marks::MANAGED_BY]
            .iter()
            .any(|mark| field.contains(mark))
    };
    let causes = status.details.causes.iter();
    let conflicts = causes.filter(|cause| cause.reason == "FieldManagerConflict");
    conflicts.map(|cause| &*cause.field).filter(|field| !is_mark(field)).collect()
}

/// What the API server says about a Secret may quote it.
pub(super) fn hidden(id: &ResourceId, error: ApplyError) -> ApplyError {
    match error {
        ApplyError::Refused { what, mut status } if is_secret(id) && status.code != 403 => {
            let fields: Vec<&str> =
                status.details.causes.iter().map(|cause| &*cause.field).collect();
            let about = if fields.is_empty() { "it" } else { &fields.join(", ") };
            status.message =
                format!("the API server answered {} {} about {about}", status.code, status.reason);
            status.details.causes.clear();
            ApplyError::Refused { what, status }
        }
        error => error,
    }
}

/// A short pause that grows, not the same for all who pause.
fn jitter(attempt: u32) -> std::time::Duration {
    let mut byte = [0];
    // Without a random number all pause alike, which is slower and still right.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut byte);
    std::time::Duration::from_millis(u64::from(attempt) * (2 + u64::from(byte[0] % 16)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::resource::OnDelete;
    use crate::model::resource::Stage;

    #[test]
    fn every_object_carries_our_marks() {
        let id = ResourceId::new("", "ConfigMap", "acme", "settings");
        let body =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
        let resource = Resource::new(id, None, Stage::Namespace, OnDelete::Delete, body);
        let unit = "acme".parse().unwrap();
        let metadata = marked(&unit, &resource)["metadata"].clone();
        assert_eq!(metadata["labels"][marks::UNIT], "acme");
        assert_eq!(metadata["labels"][marks::MANAGED_BY], "tenantry");
        assert_eq!(metadata["labels"][marks::PART_OF], inventory::applyset_id(&unit));
        assert_eq!(metadata["annotations"][marks::RENDERED], resource.digest.to_string());
    }

    #[test]
    fn letting_go_takes_off_what_is_ours_and_nothing_else() {
        let object = json!({"metadata": {
            "resourceVersion": "7",
            "labels": {"app": "web", "tenantry.dev/unit": "acme", "app.kubernetes.io/managed-by": "helm"},
            "annotations": {"tenantry.dev/rendered": "x", "note": "y"},
            "managedFields": [{"manager": "tenantry"}, {"manager": "kubectl"}],
        }});
        let expected = json!({"metadata": {
            "labels": {"tenantry.dev/unit": null},
            "annotations": {"tenantry.dev/rendered": null},
            "managedFields": [{"manager": "kubectl"}],
            "resourceVersion": "7",
        }});
        assert_eq!(release(&object), expected);
    }

    #[test]
    fn what_a_server_says_about_a_secret_is_not_repeated() {
        let id = ResourceId::new("", "Secret", "acme", "db");
        let status = Status {
            code: 422,
            reason: "Invalid".into(),
            message: "hunter2".into(),
            ..Status::default()
        };
        let error = hidden(&id, ApplyError::Refused { what: "x".into(), status }).to_string();
        assert!(!error.contains("hunter2") && error.contains("422 Invalid"), "{error}");
    }
}
