//! Deployments: a replica set per template, rolled over within the bounds of the strategy.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::Work;
use crate::sandbox::controllers::events::Source;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::controllers::hands::drop_condition;
use crate::sandbox::controllers::hands::owner_reference;
use crate::sandbox::controllers::hands::set_condition;
use crate::sandbox::controllers::hands::set_count;
use crate::sandbox::controllers::hands::whole;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
const SOURCE: Source = Source::Controller("deployment-controller");

/// A replica set, as far as a rollout cares.
struct Set {
    object: Arc<Object>,
    body: Value,
}

impl Set {
    fn wanted(&self) -> usize {
        whole(&self.body["spec"]["replicas"], 0)
    }

    fn count(&self, field: &str) -> usize {
        whole(&self.body["status"][field], 0)
    }

    fn revision(&self) -> i64 {
        let revision = self.body["metadata"]["annotations"][REVISION].as_str();
        revision.and_then(|revision| revision.parse().ok()).unwrap_or(0)
    }
}

/// How far the number of pods may stray while rolling.
struct Bounds {
    surge: usize,
    unavailable: usize,
}

impl Controllers {
    pub(super) fn deployment(&mut self, key: &Key) {
        let kind = self.known.deployments.clone();
        let Some(deployment) = self.get(&kind, key).filter(|deployment| !deployment.deleting)
        else {
            return;
        };
        let body = deployment.body();
        let (mut newest, mut old) = self.sets_of(&deployment, &body);
        let paused = body["spec"]["paused"] == true;
        if newest.is_none() && !paused {
            newest = self.add_set(&deployment, &body, &old);
        }
        let Some(current) = newest else {
            return self.tell_deployment(key, &body, None, &old);
        };
        self.keep_revision(key, &body, &current);
        self.roll(&deployment, &body, &current, &old, paused);
        let reread = |set: &Set| {
            self.get(&self.known.replica_sets, &set.object.key).map(|object| read_set(&object))
        };
        let current = reread(&current).unwrap_or(current);
        old = old.iter().filter_map(reread).collect();
        self.forget_old_sets(&body, &old);
        self.tell_deployment(key, &body, Some(&current), &old);
    }

    /// The replica set of the present template, if there is one, and all others.
    fn sets_of(&self, deployment: &Object, body: &Value) -> (Option<Set>, Vec<Set>) {
        let owned = self.owned(&self.known.replica_sets, &deployment.uid);
        let mut sets: Vec<Set> = owned.iter().map(read_set).collect();
        sets.sort_by_key(Set::revision);
        let place = sets.iter().position(|set| {
            same_template(&set.body["spec"]["template"], &body["spec"]["template"])
        });
        let newest = place.map(|place| sets.remove(place));
        (newest, sets)
    }

    fn add_set(&mut self, deployment: &Object, body: &Value, old: &[Set]) -> Option<Set> {
        let spec = &body["spec"];
        let hash = hash_of(&spec["template"]);
        let mut template = spec["template"].clone();
        template["metadata"]["labels"][HASH] = hash.clone().into();
        let mut selector = spec["selector"].clone();
        selector["matchLabels"][HASH] = hash.clone().into();
        let revision = old.iter().map(Set::revision).max().unwrap_or(0) + 1;
        let name = format!("{}-{hash}", deployment.key.name);
        let set = json!({
            "metadata": {
                "name": name,
                "namespace": &*deployment.key.namespace,
                "labels": template["metadata"]["labels"],
                "annotations": {REVISION: revision.to_string(),
                    "deployment.kubernetes.io/desired-replicas": spec["replicas"].to_string()},
                "ownerReferences": [owner_reference("apps/v1", "Deployment", deployment)],
            },
            "spec": {"replicas": 0, "selector": selector, "template": template},
        });
        match self.create(&self.known.replica_sets, set) {
            Ok(object) => Some(read_set(&object)),
            Err(refusal) => {
                self.warning(
                    SOURCE,
                    &self.known.deployments.clone(),
                    deployment,
                    "ReplicaSetCreateError",
                    &refusal.message,
                );
                self.retry(Work::Deployment(deployment.key.clone()));
                None
            }
        }
    }

    /// The newest set, and the deployment with it, carry the highest revision.
    fn keep_revision(&self, key: &Key, body: &Value, current: &Set) {
        let sets = self.known.replica_sets.clone();
        let owned = self.list(&sets, &key.namespace);
        let uid = &body["metadata"]["uid"];
        let highest = owned
            .iter()
            .filter(|set| {
                set.owners.iter().any(|owner| *uid == **owner) && set.uid != current.object.uid
            })
            .map(|set| read_set(set).revision())
            .max()
            .unwrap_or(0);
        let mut revision = current.revision();
        if revision <= highest {
            revision = highest + 1;
            self.alter(&sets, &current.object.key, CONTROLLER, "", |body| {
                body["metadata"]["annotations"][REVISION] = revision.to_string().into();
            });
        }
        self.alter(&self.known.deployments, key, CONTROLLER, "", |body| {
            body["metadata"]["annotations"][REVISION] = revision.to_string().into();
        });
    }

    fn roll(
        &mut self,
        deployment: &Object,
        body: &Value,
        current: &Set,
        old: &[Set],
        paused: bool,
    ) {
        let wanted = whole(&body["spec"]["replicas"], 1);
        let running: usize = old.iter().map(Set::wanted).sum::<usize>();
        if paused {
            return self.resize(deployment, current, current.wanted().min(wanted));
        }
        if body["spec"]["strategy"]["type"] == "Recreate" {
            for set in old {
                self.resize(deployment, set, 0);
            }
            let still_there =
                old.iter().any(|set| !self.owned(&self.known.pods, &set.object.uid).is_empty());
            if !still_there {
                self.resize(deployment, current, wanted);
            }
            return;
        }
        let bounds = bounds_of(&body["spec"]["strategy"]["rollingUpdate"], wanted);
        let room = (wanted + bounds.surge).saturating_sub(running);
        let next = if running == 0 { wanted } else { room.max(current.wanted()).min(wanted) };
        self.resize(deployment, current, next);

        let least = wanted.saturating_sub(bounds.unavailable);
        let available: usize =
            old.iter().chain([current]).map(|set| set.count("availableReplicas")).sum();
        let mut spare = available.saturating_sub(least);
        for set in old.iter().filter(|set| set.wanted() > 0) {
            // What never became available costs nothing to take away.
            let unhealthy = set.wanted().saturating_sub(set.count("availableReplicas"));
            let fewer = unhealthy + spare.min(set.wanted() - unhealthy);
            spare -= fewer - unhealthy;
            self.resize(deployment, set, set.wanted() - fewer);
        }
    }

    fn resize(&mut self, deployment: &Object, set: &Set, replicas: usize) {
        let before = set.wanted();
        if before == replicas {
            return;
        }
        let sets = self.known.replica_sets.clone();
        self.alter(&sets, &set.object.key, CONTROLLER, "", |body| {
            body["spec"]["replicas"] = replicas.into();
        });
        let direction = if replicas > before { "up" } else { "down" };
        let message = format!(
            "Scaled {direction} replica set {} from {before} to {replicas}",
            set.object.key.name
        );
        let kind = self.known.deployments.clone();
        self.normal(SOURCE, &kind, deployment, "ScalingReplicaSet", &message);
    }

    fn forget_old_sets(&self, body: &Value, old: &[Set]) {
        let keep = whole(&body["spec"]["revisionHistoryLimit"], 10);
        let idle: Vec<&Set> =
            old.iter().filter(|set| set.wanted() == 0 && set.count("replicas") == 0).collect();
        for set in idle.iter().take(idle.len().saturating_sub(keep)) {
            self.delete(&self.known.replica_sets, &set.object.key);
        }
    }

    fn tell_deployment(&mut self, key: &Key, body: &Value, current: Option<&Set>, old: &[Set]) {
        let kind = self.known.deployments.clone();
        let wanted = whole(&body["spec"]["replicas"], 1);
        let all = || old.iter().chain(current);
        let total = |field: &str| all().map(|set| set.count(field)).sum::<usize>();
        let (replicas, ready, available) =
            (total("replicas"), total("readyReplicas"), total("availableReplicas"));
        let updated = current.map_or(0, |set| set.count("replicas"));
        let least = wanted.saturating_sub(
            bounds_of(&body["spec"]["strategy"]["rollingUpdate"], wanted).unavailable,
        );
        let least = if body["spec"]["strategy"]["type"] == "Recreate" { wanted } else { least };
        let refusal = all().find_map(|set| {
            let mut conditions = set.body["status"]["conditions"].as_array().into_iter().flatten();
            conditions.find(|condition| condition["type"] == "ReplicaFailure").cloned()
        });
        let complete = updated == wanted && replicas == wanted && available >= wanted;
        let name = current.map_or("", |set| &*set.object.key.name).to_owned();
        let deadline = body["spec"]["progressDeadlineSeconds"].as_i64().unwrap_or(600);
        let generation = body["metadata"]["generation"].clone();
        self.set_status(&kind, key, CONTROLLER, |status| {
            let counts = |status: &Value| {
                ["updatedReplicas", "availableReplicas", "replicas"]
                    .map(|name| status[name].clone())
            };
            let before = counts(status);
            status["observedGeneration"] = generation.clone();
            set_count(status, "replicas", replicas);
            set_count(status, "updatedReplicas", updated);
            set_count(status, "readyReplicas", ready);
            set_count(status, "availableReplicas", available);
            set_count(
                status,
                "unavailableReplicas",
                wanted.max(replicas).saturating_sub(available),
            );
            if available >= least {
                let message = "Deployment has minimum availability.";
                set_condition(status, "Available", true, "MinimumReplicasAvailable", message);
            } else {
                let message = "Deployment does not have minimum availability.";
                set_condition(status, "Available", false, "MinimumReplicasUnavailable", message);
            }
            match &refusal {
                Some(refusal) => {
                    let message = refusal["message"].as_str().unwrap_or_default();
                    set_condition(status, "ReplicaFailure", true, "FailedCreate", message);
                }
                None => drop_condition(status, "ReplicaFailure"),
            }
            if current.is_some() {
                let moved = before != counts(status);
                tell_progress(status, &name, complete, moved, deadline);
            }
        });
        if !complete && current.is_some() {
            let pause =
                Duration::from_secs(u64::try_from(deadline.clamp(1, 86_400)).unwrap_or(600) + 1);
            self.look_again_after(pause, key);
        }
    }

    /// One timer per deployment is enough to notice that it does not get on.
    fn look_again_after(&mut self, pause: Duration, key: &Key) {
        if self.deadlines.insert(key.clone()) {
            self.enqueue_after(pause, Work::Deployment(key.clone()));
        }
    }
}

fn tell_progress(status: &mut Value, name: &str, complete: bool, moved: bool, deadline: i64) {
    let find = |status: &Value| {
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        conditions.find(|condition| condition["type"] == "Progressing").cloned()
    };
    let known = find(status);
    if complete {
        let message = format!("ReplicaSet {name:?} has successfully progressed.");
        return set_condition(status, "Progressing", true, "NewReplicaSetAvailable", &message);
    }
    let Some(known) = known else {
        let message = format!("Created new replica set {name:?}");
        return set_condition(status, "Progressing", true, "NewReplicaSetCreated", &message);
    };
    let since = known["lastUpdateTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let late = since.is_some_and(|since| now() - since.as_second() > deadline);
    let other_set = !known["message"].as_str().unwrap_or_default().contains(name);
    if moved || other_set && known["reason"] == "NewReplicaSetAvailable" {
        let message = format!("ReplicaSet {name:?} is progressing.");
        set_condition(status, "Progressing", true, "ReplicaSetUpdated", &message);
        let conditions = status["conditions"].as_array_mut().into_iter().flatten();
        for condition in conditions.filter(|condition| condition["type"] == "Progressing") {
            condition["lastUpdateTime"] = written_time(now()).into();
        }
    } else if late && known["reason"] != "NewReplicaSetAvailable" {
        let message = format!("ReplicaSet {name:?} has timed out progressing.");
        set_condition(status, "Progressing", false, "ProgressDeadlineExceeded", &message);
    }
}

fn read_set(object: &Arc<Object>) -> Set {
    Set { body: object.body(), object: object.clone() }
}

/// `25%` of the pods, or a number of them. Surge is rounded up, unavailability down.
fn bounds_of(rolling: &Value, wanted: usize) -> Bounds {
    let part = |value: &Value, up: bool| match value {
        Value::String(text) => {
            let percent: usize = text.trim_end_matches('%').parse().unwrap_or(25);
            (wanted * percent + if up { 99 } else { 0 }) / 100
        }
        other => whole(other, 1),
    };
    let surge = part(&rolling["maxSurge"], true);
    let unavailable = part(&rolling["maxUnavailable"], false);
    Bounds { surge, unavailable: if surge == 0 && unavailable == 0 { 1 } else { unavailable } }
}

fn same_template(of_set: &Value, wanted: &Value) -> bool {
    let mut template = of_set.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.shift_remove(HASH);
    }
    let labels = |template: &Value| {
        template["metadata"]["labels"].as_object().is_none_or(serde_json::Map::is_empty)
    };
    template["spec"] == wanted["spec"]
        && template["metadata"]["annotations"] == wanted["metadata"]["annotations"]
        && (template["metadata"]["labels"] == wanted["metadata"]["labels"]
            || labels(&template) && labels(wanted))
}

/// FNV-1a over the template, in the letters that Kubernetes uses for such names.
pub(super) fn hash_of(template: &Value) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let text = template.to_string();
    let hash = text
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let letter = |digit: u8| char::from(LETTERS[usize::from(digit) % LETTERS.len()]);
    hash.to_string().bytes().map(letter).collect()
}
