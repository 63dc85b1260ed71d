//! Namespaces: what each has from the start, and how one ends with all that is in it. Custom
//! kinds end the same way.

use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::Work;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::controllers::hands::set_condition;
use crate::sandbox::object::Key;
use crate::sandbox::write::DeleteOptions;
use crate::sandbox::write::Target;

impl Controllers {
    pub(super) fn namespace(&mut self, key: &Key) {
        let kind = self.known.namespaces.clone();
        let Some(namespace) = self.get(&kind, key) else {
            return;
        };
        if !namespace.deleting {
            return self.furnish(key);
        }
        let now = tokio::time::Instant::now();
        let pause = self.cluster.pace().namespace_gone_after;
        let due = *self.due.entry(namespace.uid.clone()).or_insert(now + pause);
        if now < due {
            return self.enqueue_after(due - now, Work::Namespace(key.clone()));
        }
        let left = self.empty(&key.name);
        if left.is_empty() {
            self.due.remove(&namespace.uid);
            self.alter(&kind, key, CONTROLLER, "", |body| body["spec"] = json!({}));
            return;
        }
        // Each object that goes brings us back here.
        self.set_status(&kind, key, CONTROLLER, |status| {
            status["phase"] = "Terminating".into();
            let message = format!("Some resources are remaining: {}", left.join(", "));
            set_condition(
                status,
                "NamespaceContentRemaining",
                true,
                "SomeResourcesRemain",
                &message,
            );
        });
    }

    fn furnish(&self, key: &Key) {
        let namespace = &*key.name;
        if self.get(&self.known.service_accounts, &Key::new(namespace, "default")).is_none() {
            // Refused only when the namespace ends meanwhile.
            _ = self.create(
                &self.known.service_accounts,
                json!({"metadata": {"name": "default", "namespace": namespace}}),
            );
        }
        if self.get(&self.known.config_maps, &Key::new(namespace, "kube-root-ca.crt")).is_none() {
            _ = self.create(
                &self.known.config_maps,
                json!({"metadata": {"name": "kube-root-ca.crt", "namespace": namespace}, "data": {"ca.crt": ""}}),
            );
        }
    }

    /// Deletes everything in a namespace and tells what stays for now.
    fn empty(&self, namespace: &str) -> Vec<String> {
        let mut left = Vec::new();
        for kind in self.cluster.kinds.all().into_iter().filter(|kind| kind.namespaced) {
            let options = DeleteOptions {
                propagation: Some("Background".to_owned()),
                grace_seconds: Some(0),
                ..DeleteOptions::default()
            };
            let objects = self.list(&kind, namespace);
            for object in objects.iter().filter(|object| !object.deleting) {
                let target = Target {
                    kind: kind.clone(),
                    api_version: kind.api_version(),
                    key: object.key.clone(),
                };
                // What is gone meanwhile is as good as deleted.
                _ = self.cluster.delete(&target, &options);
            }
            let count = self.list(&kind, namespace).len();
            if count > 0 {
                left.push(format!("{}. has {count} resource instances", kind.qualified_plural()));
            }
        }
        left
    }

    /// A custom kind that is no longer defined goes with all its objects.
    pub(super) fn definition(&mut self, key: &Key) {
        if self.get(&self.known.definitions, key).is_some() {
            return;
        }
        let Some((plural, group)) = key.name.split_once('.') else {
            return;
        };
        let Some(kind) = self.cluster.kinds.named(group, plural).filter(|kind| kind.custom) else {
            return;
        };
        for object in self.list(&kind, "") {
            self.remove(&kind, &object.key, &object.uid);
        }
        self.cluster.kinds.stop_serving(group, plural);
    }
}
