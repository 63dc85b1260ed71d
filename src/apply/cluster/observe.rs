//! What is remembered of a live object: a few words instead of the object.
//!
//! The heart of it is [`Live::owned`], a digest of the *names* of our fields, not of their values.
//! That is enough, because the API server keeps for every manager the set of fields that it set
//! last, and whoever changes the value of a field of ours, or removes it, becomes its owner: it
//! leaves our set, and the digest changes. A change that leaves our set alone changed nothing of
//! ours. There is one hole, and it is closed here: before 1.22 the scale subresource changed
//! `spec.replicas` without taking it, so that value counts, too, as do our marks.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::model::Digest;
use crate::model::digest::Hasher;
use crate::model::marks;
use crate::plan::Live;

use super::fields;
use super::health::health;
use super::kinds::Kind;

/// The part of an object that is looked at. What is heavy or secret is not even read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    pub(super) metadata: Metadata,
    pub(super) spec: Value,
    pub(super) status: Value,
}

/// What tells one version of an object from all others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Glance {
    pub(super) metadata: Named,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Named {
    pub(super) name: Box<str>,
    pub(super) namespace: Box<str>,
    pub(super) uid: Box<str>,
    resource_version: Box<str>,
}

impl Glance {
    pub(super) fn version(&self) -> u64 {
        version(&self.metadata.resource_version)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: Box<str>,
    pub(super) namespace: Box<str>,
    pub(super) uid: Box<str>,
    pub(super) resource_version: Box<str>,
    pub(super) generation: i64,
    pub(super) deletion_timestamp: Option<Box<str>>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) managed_fields: Vec<Managed>,
}

/// What one manager set last.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Managed {
    pub(super) manager: Box<str>,
    pub(super) operation: Box<str>,
    pub(super) subresource: Box<str>,
    time: Option<Box<str>>,
    #[serde(rename = "fieldsV1")]
    pub(super) fields: Value,
}

impl Managed {
    /// Whether this is what we applied. The version of the API that we did it with may be any.
    pub(super) fn is_ours(&self) -> bool {
        &*self.manager == marks::TENANTRY && &*self.operation == "Apply"
    }

    fn is_us(&self) -> bool {
        &*self.manager == marks::TENANTRY
    }

    /// Whether it is a part of Kubernetes itself, which writes what it has to.
    fn is_kubernetes(&self) -> bool {
        const CONTROLLERS: [&str; 9] = [
            "kube-controller-manager",
            "kube-scheduler",
            "kube-apiserver",
            "kubelet",
            "kube-proxy",
            "cloud-controller-manager",
            "k3s",
            "k3s-agent",
            "rke2",
        ];
        CONTROLLERS.contains(&&*self.manager)
    }

    /// Whether it wrote nothing but the status.
    fn only_status(&self) -> bool {
        &*self.subresource == "status"
            || self
                .fields
                .as_object()
                .is_some_and(|fields| fields.keys().all(|field| field == "f:status"))
    }
}

impl Seen {
    fn label(&self, label: &str) -> &str {
        self.metadata.labels.get(label).map_or("", |value| value)
    }

    pub(super) fn annotation(&self, annotation: &str) -> &str {
        self.metadata.annotations.get(annotation).map_or("", |value| value)
    }

    /// The unit that it says it belongs to.
    pub(super) fn unit(&self) -> &str {
        self.label(marks::UNIT)
    }

    pub(super) fn part_of(&self) -> &str {
        self.label(marks::PART_OF)
    }

    /// Its version as a number, which all of them are where etcd or kine stands behind the API.
    pub(super) fn version(&self) -> u64 {
        version(&self.metadata.resource_version)
    }

    /// Whether anybody but us set anything at or below the path.
    pub(super) fn others_own(&self, path: &str) -> bool {
        let mut others = self.metadata.managed_fields.iter().filter(|managed| !managed.is_us());
        others.any(|managed| fields::owns(&managed.fields, path))
    }

    pub(super) fn live(&self, kind: &Kind) -> Live {
        let ignored = fields::paths(self.annotation(marks::IGNORE));
        Live {
            uid: self.metadata.uid.clone(),
            owned: self.owned(&ignored),
            rendered: self.annotation(marks::RENDERED).parse().ok(),
            foreign_labels: self.foreign_labels(&ignored),
            changed_by: self.changed_by(),
            deleting: self.metadata.deletion_timestamp.is_some(),
            health: health(kind, self),
            aside: None,
        }
    }

    fn owned(&self, ignored: &[&str]) -> Digest {
        let mut hasher = Hasher::default();
        let mut replicas_are_ours = false;
        for managed in self.metadata.managed_fields.iter().filter(|managed| managed.is_ours()) {
            let mut set = Cow::Borrowed(&managed.fields);
            for path in ignored {
                fields::disown(set.to_mut(), path);
            }
            replicas_are_ours |= fields::owns(&set, "spec.replicas");
            hasher.add_field(managed.subresource.as_bytes());
            add_in_order(&mut hasher, &set);
        }
        if replicas_are_ours {
            hasher.add_field(self.spec["replicas"].to_string().as_bytes());
        }
        for label in [marks::MANAGED_BY, marks::UNIT, marks::PART_OF] {
            hasher.add_field(self.label(label).as_bytes());
        }
        hasher.add_field(self.annotation(marks::RENDERED).as_bytes());
        hasher.finish()
    }

    fn foreign_labels(&self, ignored: &[&str]) -> Vec<Box<str>> {
        let labels = |managed: &Managed| -> Vec<String> {
            let set = managed.fields["f:metadata"]["f:labels"].as_object();
            let names = set.into_iter().flat_map(serde_json::Map::keys);
            names.filter_map(|name| Some(name.strip_prefix("f:")?.to_owned())).collect()
        };
        let managed = &self.metadata.managed_fields;
        let mut foreign: Vec<String> = managed
            .iter()
            .filter(|managed| !managed.is_us() && !managed.is_kubernetes())
            .flat_map(labels)
            .filter(|label| self.metadata.labels.contains_key(label))
            // The API server gives every namespace its name as a label.
            .filter(|label| label != "kubernetes.io/metadata.name")
            .collect();
        if foreign.is_empty() {
            return Vec::new();
        }
        let ours: Vec<String> =
            managed.iter().filter(|managed| managed.is_ours()).flat_map(labels).collect();
        foreign.retain(|label| {
            let path = format!("metadata.labels.{label}");
            !ours.contains(label) && !ignored.iter().any(|ignored| covers(ignored, &path))
        });
        foreign.sort();
        foreign.dedup();
        foreign.into_iter().map(String::into_boxed_str).collect()
    }

    /// Who wrote last, besides us and Kubernetes.
    fn changed_by(&self) -> Option<Box<str>> {
        self.metadata
            .managed_fields
            .iter()
            .filter(|managed| {
                !managed.is_us() && !managed.is_kubernetes() && !managed.only_status()
            })
            .max_by(|one, other| one.time.cmp(&other.time))
            .map(|managed| managed.manager.clone())
    }
}

/// Whether a rule for one path is also one for what stands below it.
fn covers(rule: &str, path: &str) -> bool {
    let rule = rule.strip_prefix('.').unwrap_or(rule);
    path.strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A version as a number; zero where it is none.
pub(super) fn version(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// Digests a set of fields. The order of its keys is not promised, so it is made.
fn add_in_order(hasher: &mut Hasher, set: &Value) {
    let Value::Object(fields) = set else { return };
    let mut keys: Vec<(&String, &Value)> = fields.iter().collect();
    keys.sort_unstable_by_key(|(key, _)| *key);
    hasher.add(b"{");
    for (key, below) in keys {
        hasher.add_field(key.as_bytes());
        add_in_order(hasher, below);
    }
    hasher.add(b"}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(others: &Value, ours: &Value) -> Seen {
        let mut managed = vec![
            json!({"manager": "tenantry", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": ours}),
        ];
        managed.extend(others.as_array().cloned().unwrap_or_default());
        serde_json::from_value(json!({
            "metadata": {
                "name": "web", "labels": {"app": "web", "team": "a"},
                "annotations": {"tenantry.dev/ignore": "spec.replicas"},
                "managedFields": managed,
            },
            "spec": {"replicas": 3},
        }))
        .unwrap()
    }

    fn live(others: &Value, ours: &Value) -> Live {
        seen(others, ours).live(&Kind::new("", "ConfigMap"))
    }

    #[test]
    fn the_order_of_fields_and_the_time_do_not_count_but_a_field_does() {
        let one = live(&json!([]), &json!({"f:a": {}, "f:b": {}}));
        let other = live(&json!([]), &json!({"f:b": {}, "f:a": {}}));
        assert_eq!(one.owned, other.owned);
        assert_ne!(one.owned, live(&json!([]), &json!({"f:a": {}})).owned);
        assert_ne!(one.owned, live(&json!([]), &json!({"f:a": {"f:b": {}}})).owned);
    }

    #[test]
    fn an_ignored_field_does_not_count() {
        let with = live(&json!([]), &json!({"f:spec": {"f:replicas": {}}, "f:a": {}}));
        assert_eq!(with.owned, live(&json!([]), &json!({"f:a": {}})).owned);
    }

    #[test]
    fn a_label_of_a_person_is_foreign_and_one_of_kubernetes_or_ours_is_not() {
        let label = |manager: &str, label: &str| json!([{"manager": manager, "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {format!("f:{label}"): {}}}}}]);
        let ours = || json!({"f:metadata": {"f:labels": {"f:app": {}}}});
        assert_eq!(live(&label("kubectl-label", "team"), &ours()).foreign_labels, ["team".into()]);
        assert!(live(&label("kube-controller-manager", "team"), &ours()).foreign_labels.is_empty());
        assert!(live(&label("kubectl-label", "app"), &ours()).foreign_labels.is_empty());
        assert!(live(&label("kubectl-label", "gone"), &ours()).foreign_labels.is_empty());
        let mut ignoring = seen(&label("kubectl-label", "team"), &ours());
        ignoring.metadata.annotations.insert(marks::IGNORE.into(), "metadata.labels.team".into());
        assert!(ignoring.live(&Kind::new("", "ConfigMap")).foreign_labels.is_empty());
    }

    #[test]
    fn who_changed_it_last_is_the_latest_person() {
        let managed = |manager: &str, time: &str, fields: Value| json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields});
        let spec = || json!({"f:spec": {"f:x": {}}});
        let others = json!([
            managed("kubectl-edit", "2026-01-03T00:00:00Z", spec()),
            managed("helm", "2026-01-02T00:00:00Z", spec()),
            managed("kube-controller-manager", "2026-01-05T00:00:00Z", spec()),
            managed("traefik", "2026-01-05T00:00:00Z", json!({"f:status": {}})),
        ]);
        assert_eq!(live(&others, &json!({})).changed_by.as_deref(), Some("kubectl-edit"));
    }

    #[test]
    fn a_rule_covers_its_field_and_what_stands_below() {
        assert!(covers("metadata.labels", "metadata.labels.team"));
        assert!(covers(".metadata.labels.team", "metadata.labels.team"));
        assert!(!covers("metadata.labels.te", "metadata.labels.team"));
    }
}
