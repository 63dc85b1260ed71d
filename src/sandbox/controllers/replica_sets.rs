//! Replica sets: as many pods as wanted, and a status that says so.

use std::sync::Arc;

use serde_json::Value;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::Work;
use crate::sandbox::controllers::events::Source;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::controllers::hands::drop_condition;
use crate::sandbox::controllers::hands::owner_reference;
use crate::sandbox::controllers::hands::pod_of;
use crate::sandbox::controllers::hands::set_condition;
use crate::sandbox::controllers::hands::set_count;
use crate::sandbox::controllers::hands::whole;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::refusal::Refusal;

/// A pod that counts: it neither ended nor is about to.
pub(super) fn is_active(pod: &Object) -> bool {
    let phase = pod.facts.as_deref().map_or("", |facts| &*facts.phase);
    !pod.deleting && phase != "Succeeded" && phase != "Failed"
}

pub(super) fn is_ready(pod: &Object) -> bool {
    pod.facts.as_deref().is_some_and(|facts| facts.ready)
}

const SOURCE: Source = Source::Controller("replicaset-controller");

impl Controllers {
    pub(super) fn replica_set(&mut self, key: &Key) {
        let kind = self.known.replica_sets.clone();
        let work = Work::ReplicaSet(key.clone());
        let Some(set) = self.get(&kind, key) else {
            self.failures.remove(&work);
            return;
        };
        let body = set.body();
        let wanted = whole(&body["spec"]["replicas"], 1);
        let pods = self.known.pods.clone();
        let mut active: Vec<Arc<Object>> =
            self.owned(&pods, &set.uid).into_iter().filter(|pod| is_active(pod)).collect();
        let mut refusal = None;
        if !set.deleting {
            while active.len() < wanted && refusal.is_none() {
                match self.add_pod(&set, &body, "ReplicaSet") {
                    Ok(pod) => active.push(pod),
                    Err(refused) => refusal = Some(refused),
                }
            }
            // Those that are not ready go first, and of those the youngest.
            active.sort_by_key(|pod| (is_ready(pod), std::cmp::Reverse(pod.version)));
            while active.len() > wanted {
                let pod = active.remove(0);
                self.delete(&pods, &pod.key);
                let message = format!("Deleted pod: {}", pod.key.name);
                self.normal(SOURCE, &kind, &set, "SuccessfulDelete", &message);
            }
        }
        let ready = active.iter().filter(|pod| is_ready(pod)).count();
        let generation = body["metadata"]["generation"].clone();
        let count = active.len();
        self.set_status(&kind, key, CONTROLLER, |status| {
            status["replicas"] = count.into();
            set_count(status, "fullyLabeledReplicas", count);
            set_count(status, "readyReplicas", ready);
            set_count(status, "availableReplicas", ready);
            status["observedGeneration"] = generation.clone();
            match &refusal {
                Some(refused) => {
                    set_condition(status, "ReplicaFailure", true, "FailedCreate", &refused.message);
                }
                None => drop_condition(status, "ReplicaFailure"),
            }
            if status["conditions"].as_array().is_some_and(Vec::is_empty)
                && let Some(status) = status.as_object_mut()
            {
                status.shift_remove("conditions");
            }
        });
        match refusal {
            Some(refused) => self.refused(&work, &kind, &set, &refused),
            None => drop(self.failures.remove(&work)),
        }
    }

    /// Says why a pod could not be made and tries again later.
    pub(super) fn refused(
        &mut self,
        work: &Work,
        kind: &crate::sandbox::kinds::Kind,
        owner: &Object,
        refusal: &Refusal,
    ) {
        let message = format!("Error creating: {}", refusal.message);
        let source = match work {
            Work::ReplicaSet(_) => SOURCE,
            Work::StatefulSet(_) => Source::Controller("statefulset-controller"),
            Work::DaemonSet(_) => Source::Controller("daemonset-controller"),
            _ => Source::Controller("job-controller"),
        };
        self.warning(source, kind, owner, "FailedCreate", &message);
        self.retry(work.clone());
    }

    /// Makes one more pod of a set's template, with a random end to its name.
    pub(super) fn add_pod(
        &mut self,
        owner: &Object,
        body: &Value,
        owner_kind: &str,
    ) -> Result<Arc<Object>, Refusal> {
        let (api_version, kind) = match owner_kind {
            "Job" => ("batch/v1", self.known.jobs.clone()),
            "DaemonSet" => ("apps/v1", self.known.daemon_sets.clone()),
            _ => ("apps/v1", self.known.replica_sets.clone()),
        };
        let reference = owner_reference(api_version, owner_kind, owner);
        let mut pod = pod_of(&body["spec"]["template"], &reference, &owner.key.namespace);
        pod["metadata"]["generateName"] = format!("{}-", owner.key.name).into();
        let pod = self.create(&self.known.pods, pod)?;
        let source = match owner_kind {
            "Job" => Source::Controller("job-controller"),
            "DaemonSet" => Source::Controller("daemonset-controller"),
            _ => SOURCE,
        };
        self.normal(
            source,
            &kind,
            owner,
            "SuccessfulCreate",
            &format!("Created pod: {}", pod.key.name),
        );
        Ok(pod)
    }
}
