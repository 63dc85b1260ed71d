//! How controllers read and write: past HTTP, but through the same ownership, quotas and limits.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::ownership;
use crate::sandbox::ownership::Writer;
use crate::sandbox::prepare;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::write::DeleteOptions;
use crate::sandbox::write::Manner;
use crate::sandbox::write::Target;
use crate::sandbox::write::Unknown;

pub(super) const CONTROLLER: &str = "kube-controller-manager";
pub(super) const KUBELET: &str = "kubelet";

fn manner(kind: &Kind, manager: &str, subresource: &'static str) -> Manner {
    let writer = Writer {
        manager: manager.to_owned(),
        api_version: kind.api_version(),
        subresource,
        force: false,
    };
    Manner { writer, dry_run: false, unknown: Unknown::Ignore }
}

fn target(kind: &Arc<Kind>, key: &Key) -> Target {
    Target { kind: kind.clone(), api_version: kind.api_version(), key: key.clone() }
}

impl Controllers {
    pub(super) fn get(&self, kind: &Kind, key: &Key) -> Option<Arc<Object>> {
        self.cluster.store.get(kind.id, key)
    }

    pub(super) fn list(&self, kind: &Kind, namespace: &str) -> Vec<Arc<Object>> {
        self.cluster.store.lock().list(kind.id, namespace)
    }

    /// The objects of a kind that `uid` owns, in its namespace.
    pub(super) fn owned(&self, kind: &Kind, uid: &str) -> Vec<Arc<Object>> {
        let tx = self.cluster.store.lock();
        let owned = tx.dependents(uid).into_iter().filter(|place| place.kind == kind.id);
        let mut objects: Vec<Arc<Object>> =
            owned.filter_map(|place| tx.get(kind.id, &place.key)).collect();
        drop(tx);
        objects.sort_by(|left, right| left.key.cmp(&right.key));
        objects
    }

    pub(super) fn create(&self, kind: &Arc<Kind>, body: Value) -> Result<Arc<Object>, Refusal> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &body["metadata"];
        let key = Key::new(&text(&metadata["namespace"]), &text(&metadata["name"]));
        let written =
            self.cluster.create(&target(kind, &key), body, &manner(kind, CONTROLLER, ""))?;
        Ok(written.object)
    }

    /// Changes the status, and only that.
    pub(super) fn set_status(
        &self,
        kind: &Arc<Kind>,
        key: &Key,
        manager: &str,
        change: impl Fn(&mut Value),
    ) {
        self.alter(kind, key, manager, "status", |body| {
            let mut status = body["status"].take();
            if status.is_null() {
                status = json!({});
            }
            change(&mut status);
            body["status"] = status;
        });
    }

    /// Changes an object as its own controller does, without the checks that clients go through.
    pub(super) fn alter(
        &self,
        kind: &Arc<Kind>,
        key: &Key,
        manager: &str,
        subresource: &'static str,
        change: impl Fn(&mut Value),
    ) -> Option<Arc<Object>> {
        loop {
            let current = self.get(kind, key)?;
            let old = current.body();
            let mut draft = current.draft();
            change(&mut draft.body);
            if draft.body == old {
                return Some(current);
            }
            prepare::for_change(kind, &mut draft.body, &old);
            let writer = manner(kind, manager, subresource).writer;
            draft.managed = ownership::update(kind, &old, &draft.body, &draft.managed, &writer);
            let object = Object::of(kind, &draft);
            let mut tx = self.cluster.store.lock();
            match tx.get(kind.id, key) {
                Some(newest) if newest.version == current.version => {}
                Some(_) => continue,
                None => return None,
            }
            let object = tx.put(kind, object);
            let waits =
                draft.finalizers().next().is_some() || !draft.body["spec"]["finalizers"].is_null();
            let runs = kind.id == self.known.pods.id && !draft.body["spec"]["nodeName"].is_null();
            if draft.is_deleting() && !waits && !runs {
                tx.remove(kind.id, key);
            }
            return Some(object);
        }
    }

    pub(super) fn delete(&self, kind: &Arc<Kind>, key: &Key) {
        let options = DeleteOptions {
            propagation: Some("Background".to_owned()),
            ..DeleteOptions::default()
        };
        // What is gone already needs no deleting, and nothing else is refused.
        _ = self.cluster.delete(&target(kind, key), &options);
    }

    /// Removes an object whatever it still waits for.
    pub(super) fn remove(&self, kind: &Kind, key: &Key, uid: &str) {
        let mut tx = self.cluster.store.lock();
        if tx.get(kind.id, key).is_some_and(|object| *object.uid == *uid) {
            tx.remove(kind.id, key);
        }
    }
}

pub(super) fn owner_reference(api_version: &str, kind: &str, owner: &Object) -> Value {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "name": &*owner.key.name,
        "uid": &*owner.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// A pod from a template, owned by its maker.
pub(super) fn pod_of(template: &Value, owner: &Value, namespace: &str) -> Value {
    let mut metadata = json!({"namespace": namespace, "ownerReferences": [owner]});
    for field in ["labels", "annotations", "finalizers"] {
        if !template["metadata"][field].is_null() {
            metadata[field] = template["metadata"][field].clone();
        }
    }
    json!({"metadata": metadata, "spec": template["spec"]})
}

/// Sets a condition; its transition time moves only when its status does.
pub(super) fn set_condition(
    status: &mut Value,
    name: &str,
    value: bool,
    reason: &str,
    message: &str,
) {
    let value = if value { "True" } else { "False" };
    let time = crate::sandbox::object::written_time(crate::sandbox::object::now());
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else {
        return;
    };
    let fresh = json!({
        "type": name,
        "status": value,
        "reason": reason,
        "message": message,
        "lastUpdateTime": time,
        "lastTransitionTime": time,
    });
    match conditions.iter_mut().find(|condition| condition["type"] == name) {
        Some(known) if known["status"] == value && known["reason"] == reason => {
            known["message"] = message.into();
        }
        Some(known) => {
            let since = known["lastTransitionTime"].clone();
            let same_status = known["status"] == value;
            *known = fresh;
            if same_status {
                known["lastTransitionTime"] = since;
            }
        }
        None => conditions.push(fresh),
    }
}

pub(super) fn drop_condition(status: &mut Value, name: &str) {
    if let Some(conditions) = status["conditions"].as_array_mut() {
        conditions.retain(|condition| condition["type"] != name);
    }
}

/// Sets a count, or leaves it out when it is zero, as the API does.
pub(super) fn set_count(status: &mut Value, field: &str, count: usize) {
    if let Some(object) = status.as_object_mut() {
        if count == 0 {
            object.shift_remove(field);
        } else {
            object.insert(field.to_owned(), count.into());
        }
    }
}

pub(super) fn whole(value: &Value, default: usize) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
}
