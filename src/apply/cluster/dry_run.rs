//! What a write would do, without doing it.

use serde_json::Value;
use serde_json::json;

use crate::apply::error::ApplyError;
use crate::model::Resource;
use crate::model::UnitName;

use super::Cluster;
use super::generate;
use super::generate::LiveSecret;
use super::generate::Wanted;
use super::rules::Rules;
use super::write::Write;
use super::write::hidden;
use super::write::is_secret;
use super::write::marked;

/// An object before and after a write that was not made. What is no decision of anybody is left
/// out, and the values of Secrets are replaced by words that only tell whether they differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// None where it is not there.
    pub before: Option<Value>,
    pub after: Value,
}

impl Cluster {
    /// Asks the API server what would become of an object.
    pub async fn dry_run(
        &self,
        unit: &UnitName,
        resource: &Resource,
    ) -> Result<Preview, ApplyError> {
        let id = &resource.id;
        let api_version = resource.body["apiVersion"].as_str().unwrap_or_default();
        let served = self.kinds().written(self.connection(), id, api_version).await?;
        let there = self.there(&served, id).await?;
        let mut before: Option<Value> = match &there {
            Some(there) => Some(self.connection().parse(&there.json)?),
            None => None,
        };
        let mut body = marked(unit, resource);
        let rules = Rules::of(&resource.body);
        if let (Some(before), Some(there)) = (&before, &there) {
            rules.bend(&mut body, before, &there.seen);
        }
        if is_secret(id) {
            let live: LiveSecret = match &there {
                Some(there) => self.connection().parse(&there.json)?,
                None => LiveSecret::default(),
            };
            let wanted = Wanted::of(&resource.body, &id.to_string())?;
            let generated = wanted.map(|wanted| wanted.foreseen(&live)).unwrap_or_default();
            generate::fill_in(&mut body, &generated);
        }
        let what = format!("{id} would be refused");
        let write = Write { served: &served, id, rules: &rules, more: "&dryRun=All", what: &what };
        let sent = self.patch(&write, body.clone()).await;
        let mut after = match sent.map_err(|error| hidden(id, error)) {
            // Its namespace would be made first.
            Err(error) if error.is_not_found() && before.is_none() => body,
            reply => self.connection().parse(&reply?.body)?,
        };
        if is_secret(id) {
            hide_values(before.as_mut(), &mut after);
        }
        before.as_mut().map(leave_out);
        leave_out(&mut after);
        Ok(Preview { before, after })
    }
}

/// Replaces the values of a Secret by words that are equal where the values are.
fn hide_values(before: Option<&mut Value>, after: &mut Value) {
    let mut nothing = Value::Null;
    let before = before.unwrap_or(&mut nothing);
    let old = before["data"].clone();
    let hide = |object: &mut Value, words: &dyn Fn(&str, &Value) -> &'static str| {
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            // What others applied stands there in the clear.
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        for (key, value) in object["data"].as_object_mut().into_iter().flatten() {
            *value = json!(words(key, value));
        }
    };
    hide(before, &|_, _| HIDDEN);
    hide(after, &|key, value| if old[key] == *value { HIDDEN } else { HIDDEN_OTHER });
}

const HIDDEN: &str = "(hidden)";
const HIDDEN_OTHER: &str = "(hidden, another one)";

/// Leaves out what the API server keeps for itself.
fn leave_out(object: &mut Value) {
    let Value::Object(fields) = object else { return };
    fields.shift_remove("status");
    let Some(Value::Object(metadata)) = fields.get_mut("metadata") else { return };
    for field in
        ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"]
    {
        metadata.shift_remove(field);
    }
}
