//! Who may have which field: what the annotations `tenantry.dev/ignore`, `…/yield` and
//! `…/conflicts` say about an object, and what that does to what is sent.
//!
//! By default our fields win. An ignored field is sent when the object is made; afterwards it is
//! as others have it. If another manager set it, it is not sent. If it is ours alone, the value
//! that is there is sent, so that giving a field up never changes it for a moment.

use serde_json::Value;

use crate::model::marks;

use super::fields;
use super::observe::Seen;

/// What an object says about its fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    ignored: Vec<String>,
    yielded: Vec<String>,
    /// Whether others may take any field.
    pub(super) yields_all: bool,
}

impl Rules {
    pub(super) fn of(body: &Value) -> Self {
        let annotation =
            |name: &str| body["metadata"]["annotations"][name].as_str().unwrap_or_default();
        let paths = |name: &str| {
            fields::paths(annotation(name)).iter().map(|path| (*path).to_owned()).collect()
        };
        Self {
            ignored: paths(marks::IGNORE),
            yielded: paths(marks::YIELD),
            yields_all: annotation(marks::CONFLICTS) == "yield",
        }
    }

    /// Whether what is sent depends on what is there.
    pub(super) fn need_live(&self) -> bool {
        !self.ignored.is_empty() || !self.yielded.is_empty()
    }

    /// Makes of what is wanted what is sent, given the object that is there, whole and in part.
    pub(super) fn bend(&self, body: &mut Value, live: &Value, seen: &Seen) {
        for path in &self.ignored {
            if seen.others_own(path) {
                fields::remove(body, path);
            } else if let Some(there) = fields::get(live, path)
                && let Some(wanted) = fields::get_mut(body, path)
            {
                *wanted = there.clone();
            }
        }
        for path in self.yielded.iter().filter(|path| seen.others_own(path)) {
            fields::remove(body, path);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(annotation: &str) -> Value {
        json!({"metadata": {"annotations": {annotation: "spec.replicas"}}, "spec": {"replicas": 1}})
    }

    /// What is sent where an autoscaler or nobody else owns the replicas.
    fn sent(annotation: &str, others: bool) -> Value {
        let mut body = wanted(annotation);
        let manager = if others { "kube-controller-manager" } else { "tenantry" };
        let live = json!({
            "metadata": {"managedFields": [{"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
            "spec": {"replicas": 7},
        });
        let seen: Seen = serde_json::from_value(live.clone()).unwrap();
        Rules::of(&body).bend(&mut body, &live, &seen);
        body["spec"]["replicas"].clone()
    }

    #[test]
    fn an_ignored_field_of_another_is_not_sent_and_one_of_ours_keeps_its_value() {
        assert_eq!(sent(marks::IGNORE, true), Value::Null);
        assert_eq!(sent(marks::IGNORE, false), json!(7));
    }

    #[test]
    fn a_yielded_field_of_another_is_not_sent_and_one_of_ours_is_as_wanted() {
        assert_eq!(sent(marks::YIELD, true), Value::Null);
        assert_eq!(sent(marks::YIELD, false), json!(1));
    }

    #[test]
    fn without_a_rule_nothing_has_to_be_read() {
        assert!(!Rules::of(&json!({"metadata": {}})).need_live());
        assert!(Rules::of(&wanted(marks::IGNORE)).need_live());
        let all = json!({"metadata": {"annotations": {"tenantry.dev/conflicts": "yield"}}});
        assert!(Rules::of(&all).yields_all);
    }
}
