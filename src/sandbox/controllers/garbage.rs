//! What goes with its owners: in the background, before them, or not at all.

use serde_json::Value;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::object::Key;

impl Controllers {
    /// Deletes what only the owner that is gone kept alive.
    pub(super) fn owner_gone(&mut self, uid: &str) {
        let dependents = self.cluster.store.lock().dependents(uid);
        for place in dependents {
            self.orphan(place.kind, &place.key);
        }
    }

    /// Deletes an object none of whose owners exists; forgets single owners that do not.
    pub(super) fn orphan(&mut self, kind: usize, key: &Key) {
        let Some(kind) = self.cluster.kinds.by_id(kind) else {
            return;
        };
        let Some(object) = self.get(&kind, key) else {
            return;
        };
        if object.owners.is_empty() || object.deleting {
            return;
        }
        let body = object.body();
        let alive: Vec<&Value> = body["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|owner| self.is_alive(&object.key.namespace, owner))
            .collect();
        if alive.is_empty() {
            self.delete(&kind, key);
        } else if alive.len() < object.owners.len() {
            self.alter(&kind, key, CONTROLLER, "", |body| {
                body["metadata"]["ownerReferences"] =
                    alive.iter().map(|owner| (*owner).clone()).collect();
            });
        }
    }

    fn is_alive(&self, namespace: &str, owner: &Value) -> bool {
        let group = owner["apiVersion"]
            .as_str()
            .unwrap_or_default()
            .split_once('/')
            .map_or("", |(group, _)| group);
        let name = owner["name"].as_str().unwrap_or_default();
        let Some(kind) =
            self.cluster.kinds.by_kind(group, owner["kind"].as_str().unwrap_or_default())
        else {
            // A kind that is not served cannot be looked up: nothing is deleted on that account.
            return true;
        };
        let namespace = if kind.namespaced { namespace } else { "" };
        let found = self.get(&kind, &Key::new(namespace, name));
        found.is_some_and(|found| owner["uid"] == *found.uid)
    }

    /// An owner that is being deleted may wait for its dependents to go first, or to be let go.
    pub(super) fn owner_waits(&mut self, kind: usize, key: &Key) {
        let Some(kind) = self.cluster.kinds.by_id(kind) else {
            return;
        };
        let Some(owner) = self.get(&kind, key).filter(|owner| owner.deleting) else {
            return;
        };
        let draft = owner.draft();
        let waits_for = |finalizer: &str| draft.finalizers().any(|known| known == finalizer);
        let dependents = self.cluster.store.lock().dependents(&owner.uid);
        if waits_for("orphan") {
            for place in &dependents {
                let Some(kind) = self.cluster.kinds.by_id(place.kind) else {
                    continue;
                };
                self.alter(&kind, &place.key, CONTROLLER, "", |body| {
                    forget_owner(body, &owner.uid);
                });
            }
            self.alter(&kind, key, CONTROLLER, "", |body| {
                drop_finalizer(body, "orphan");
            });
        } else if waits_for("foregroundDeletion") {
            let mut blocking = false;
            for place in &dependents {
                let Some(kind) = self.cluster.kinds.by_id(place.kind) else {
                    continue;
                };
                let Some(dependent) = self.get(&kind, &place.key) else {
                    continue;
                };
                let body = dependent.body();
                let mut owners =
                    body["metadata"]["ownerReferences"].as_array().into_iter().flatten();
                blocking |= owners
                    .any(|known| known["uid"] == *owner.uid && known["blockOwnerDeletion"] == true);
                if !dependent.deleting {
                    self.delete(&kind, &place.key);
                }
            }
            let remaining = self.cluster.store.lock().dependents(&owner.uid);
            if remaining.is_empty() || !blocking {
                self.alter(&kind, key, CONTROLLER, "", |body| {
                    drop_finalizer(body, "foregroundDeletion");
                });
            }
        }
    }
}

fn forget_owner(body: &mut Value, uid: &str) {
    let Some(metadata) = body["metadata"].as_object_mut() else {
        return;
    };
    if let Some(owners) = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut) {
        owners.retain(|owner| owner["uid"] != uid);
        if owners.is_empty() {
            metadata.shift_remove("ownerReferences");
        }
    }
}

pub(super) fn drop_finalizer(body: &mut Value, finalizer: &str) {
    let Some(metadata) = body["metadata"].as_object_mut() else {
        return;
    };
    if let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        finalizers.retain(|known| known != finalizer);
        if finalizers.is_empty() {
            metadata.shift_remove("finalizers");
        }
    }
}
