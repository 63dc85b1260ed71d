//! Claims and volumes: bound at once or with the first pod, grown, and protected while in use.

use serde_json::Value;
use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::events::Source;
use crate::sandbox::controllers::garbage::drop_finalizer;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::controllers::replica_sets::is_active;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;

const SOURCE: Source = Source::Controller("persistentvolume-controller");

impl Controllers {
    pub(super) fn claim(&mut self, key: &Key) {
        let kind = self.known.claims.clone();
        let Some(claim) = self.get(&kind, key) else {
            return self.release(key);
        };
        let body = claim.body();
        if claim.deleting {
            if !self.is_used(key) {
                self.alter(&kind, key, CONTROLLER, "", |body| {
                    drop_finalizer(body, "kubernetes.io/pvc-protection");
                });
            }
            return;
        }
        if body["status"]["phase"] == "Bound" {
            return self.grow(key, &body);
        }
        let class = body["spec"]["storageClassName"].as_str().unwrap_or_default();
        if class.is_empty() {
            return;
        }
        let Some(found) = self.get(&self.known.storage_classes, &Key::new("", class)) else {
            let message = format!("storageclass.storage.k8s.io \"{class}\" not found");
            return self.warning(SOURCE, &kind, &claim, "ProvisioningFailed", &message);
        };
        if found.body()["volumeBindingMode"] == "WaitForFirstConsumer" {
            let message = "waiting for first consumer to be created before binding";
            return self.normal(SOURCE, &kind, &claim, "WaitForFirstConsumer", message);
        }
        self.bind(&claim);
    }

    /// Makes a volume for a claim; `false` when its class does not exist.
    pub(super) fn bind(&mut self, claim: &Object) -> bool {
        let body = claim.body();
        let spec = &body["spec"];
        let class = spec["storageClassName"].as_str().unwrap_or_default();
        let Some(found) = self.get(&self.known.storage_classes, &Key::new("", class)) else {
            return false;
        };
        let name = format!("pvc-{}", claim.uid);
        let capacity = json!({"storage": spec["resources"]["requests"]["storage"]});
        let volume = json!({
            "metadata": {"name": name},
            "spec": {
                "capacity": capacity,
                "accessModes": spec["accessModes"],
                "volumeMode": spec["volumeMode"],
                "storageClassName": class,
                "persistentVolumeReclaimPolicy": found.body()["reclaimPolicy"],
                "hostPath": {"path": format!("/sandbox/{name}"), "type": ""},
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": &*claim.key.name,
                    "namespace": &*claim.key.namespace, "uid": &*claim.uid},
            },
        });
        let volumes = self.known.volumes.clone();
        // A volume of that name can only be the one made before for this same claim.
        _ = self.create(&volumes, volume);
        self.set_status(&volumes, &Key::new("", &name), CONTROLLER, |status| {
            status["phase"] = "Bound".into();
        });
        let kind = self.known.claims.clone();
        self.alter(&kind, &claim.key, CONTROLLER, "", |body| {
            body["spec"]["volumeName"] = name.clone().into();
            body["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = "yes".into();
        });
        self.set_status(&kind, &claim.key, CONTROLLER, |status| {
            *status =
                json!({"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity});
        });
        self.normal(
            SOURCE,
            &kind,
            claim,
            "ProvisioningSucceeded",
            &format!("Successfully provisioned volume {name}"),
        );
        true
    }

    fn grow(&self, key: &Key, body: &Value) {
        let wanted = &body["spec"]["resources"]["requests"]["storage"];
        if *wanted == body["status"]["capacity"]["storage"] {
            return;
        }
        self.set_status(&self.known.claims, key, CONTROLLER, |status| {
            status["capacity"]["storage"] = wanted.clone();
        });
        let volume = Key::new("", body["spec"]["volumeName"].as_str().unwrap_or_default());
        self.alter(&self.known.volumes, &volume, CONTROLLER, "", |body| {
            body["spec"]["capacity"]["storage"] = wanted.clone();
        });
    }

    fn is_used(&self, key: &Key) -> bool {
        let uses = |pod: &Object| {
            let body = pod.body();
            let mut volumes = body["spec"]["volumes"].as_array().into_iter().flatten();
            volumes.any(|volume| volume["persistentVolumeClaim"]["claimName"] == *key.name)
        };
        self.list(&self.known.pods, &key.namespace)
            .iter()
            .any(|pod| (is_active(pod) || pod.deleting) && uses(pod))
    }

    /// The claim is gone: what becomes of its volume.
    fn release(&mut self, key: &Key) {
        let released = |body: &Value| {
            let claim = &body["spec"]["claimRef"];
            claim["name"] == *key.name && claim["namespace"] == *key.namespace
        };
        let Some(volume) = self.volume_of.remove(key) else {
            return;
        };
        let Some(found) =
            self.get(&self.known.volumes, &volume).filter(|volume| released(&volume.body()))
        else {
            return;
        };
        if found.body()["spec"]["persistentVolumeReclaimPolicy"] == "Delete" {
            self.delete(&self.known.volumes, &volume);
        } else {
            self.set_status(&self.known.volumes, &volume, CONTROLLER, |status| {
                status["phase"] = "Released".into();
                status["lastPhaseTransitionTime"] = written_time(now()).into();
            });
        }
    }

    pub(super) fn volume(&mut self, key: &Key) {
        let kind = self.known.volumes.clone();
        let Some(volume) = self.get(&kind, key) else {
            return;
        };
        let body = volume.body();
        let claim = &body["spec"]["claimRef"];
        if let (Some(namespace), Some(name)) = (claim["namespace"].as_str(), claim["name"].as_str())
        {
            self.volume_of.insert(Key::new(namespace, name), key.clone());
        }
        if volume.deleting {
            self.alter(&kind, key, CONTROLLER, "", |body| {
                drop_finalizer(body, "kubernetes.io/pv-protection");
            });
        } else if body["status"]["phase"] == "Pending" && claim.is_null() {
            self.set_status(&kind, key, CONTROLLER, |status| {
                status["phase"] = "Available".into();
            });
        }
    }
}
