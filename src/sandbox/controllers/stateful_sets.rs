//! Stateful sets: numbered pods, one after the other, each with claims of its own.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::Work;
use crate::sandbox::controllers::deployments::hash_of;
use crate::sandbox::controllers::events::Source;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::controllers::hands::owner_reference;
use crate::sandbox::controllers::hands::pod_of;
use crate::sandbox::controllers::hands::set_count;
use crate::sandbox::controllers::hands::whole;
use crate::sandbox::controllers::replica_sets::is_active;
use crate::sandbox::controllers::replica_sets::is_ready;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::refusal::Refusal;

const REVISION: &str = "controller-revision-hash";
const SOURCE: Source = Source::Controller("statefulset-controller");

impl Controllers {
    pub(super) fn stateful_set(&mut self, key: &Key) {
        let kind = self.known.stateful_sets.clone();
        let work = Work::StatefulSet(key.clone());
        let Some(set) = self.get(&kind, key) else {
            self.failures.remove(&work);
            return;
        };
        let body = set.body();
        let revision = format!("{}-{}", key.name, hash_of(&body["spec"]["template"]));
        let pods = self.owned(&self.known.pods, &set.uid);
        let refusal = if set.deleting { Ok(()) } else { self.step(&set, &body, &revision, &pods) };
        self.tell_stateful_set(key, &set, &body, &revision);
        match refusal {
            Err(refused) => self.refused(&work, &kind, &set, &refused),
            Ok(()) => drop(self.failures.remove(&work)),
        }
    }

    /// Takes the next step towards what is wanted, and stops where the pods have to follow first.
    fn step(
        &mut self,
        set: &Object,
        body: &Value,
        revision: &str,
        pods: &[Arc<Object>],
    ) -> Result<(), Refusal> {
        let spec = &body["spec"];
        let wanted = whole(&spec["replicas"], 1);
        let start = whole(&spec["ordinals"]["start"], 0);
        let parallel = spec["podManagementPolicy"] == "Parallel";
        let kind = self.known.pods.clone();
        let named = |number: usize| {
            let name = format!("{}-{}", set.key.name, start + number);
            pods.iter().find(|pod| *pod.key.name == name)
        };
        for number in 0..wanted {
            match named(number) {
                None => self.add_numbered_pod(set, body, revision, start + number)?,
                Some(pod) if !is_active(pod) && !pod.deleting => self.delete(&kind, &pod.key),
                Some(pod) if is_ready(pod) && !pod.deleting => continue,
                Some(_) => {}
            }
            if !parallel {
                return Ok(());
            }
        }
        let ordinal = |pod: &Object| {
            pod.key.name.rsplit('-').next().and_then(|number| number.parse::<usize>().ok())
        };
        let mut surplus: Vec<&Arc<Object>> = pods
            .iter()
            .filter(|pod| ordinal(pod).is_none_or(|number| number >= start + wanted))
            .collect();
        surplus.sort_by_key(|pod| std::cmp::Reverse(ordinal(pod)));
        for pod in surplus {
            if !pod.deleting {
                self.delete(&kind, &pod.key);
            }
            if !parallel {
                return Ok(());
            }
        }
        if spec["updateStrategy"]["type"] == "OnDelete" {
            return Ok(());
        }
        let partition = whole(&spec["updateStrategy"]["rollingUpdate"]["partition"], 0);
        for number in (partition..wanted).rev() {
            let Some(pod) = named(number) else {
                return Ok(());
            };
            if pod.label(REVISION) != Some(revision) {
                if !pod.deleting {
                    self.delete(&kind, &pod.key);
                }
                return Ok(());
            }
            if !is_ready(pod) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn add_numbered_pod(
        &mut self,
        set: &Object,
        body: &Value,
        revision: &str,
        number: usize,
    ) -> Result<(), Refusal> {
        let name = format!("{}-{number}", set.key.name);
        let reference = owner_reference("apps/v1", "StatefulSet", set);
        let mut pod = pod_of(&body["spec"]["template"], &reference, &set.key.namespace);
        pod["metadata"]["name"] = name.clone().into();
        let labels = &mut pod["metadata"]["labels"];
        labels[REVISION] = revision.into();
        labels["statefulset.kubernetes.io/pod-name"] = name.clone().into();
        if self.cluster.kinds.version.minor >= 28 {
            labels["apps.kubernetes.io/pod-index"] = number.to_string().into();
        }
        pod["spec"]["hostname"] = name.clone().into();
        if !body["spec"]["serviceName"].is_null() {
            pod["spec"]["subdomain"] = body["spec"]["serviceName"].clone();
        }
        for template in body["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
            let volume = template["metadata"]["name"].as_str().unwrap_or_default();
            let claim_name = format!("{volume}-{name}");
            self.add_claim(set, template, &claim_name, &body["spec"]["selector"]["matchLabels"])?;
            if !pod["spec"]["volumes"].is_array() {
                pod["spec"]["volumes"] = json!([]);
            }
            if let Some(volumes) = pod["spec"]["volumes"].as_array_mut() {
                volumes.retain(|known| known["name"] != volume);
                volumes.push(
                    json!({"name": volume, "persistentVolumeClaim": {"claimName": claim_name}}),
                );
            }
        }
        self.create(&self.known.pods, pod)?;
        let kind = self.known.stateful_sets.clone();
        let message = format!("create Pod {name} in StatefulSet {} successful", set.key.name);
        self.normal(SOURCE, &kind, set, "SuccessfulCreate", &message);
        Ok(())
    }

    fn add_claim(
        &mut self,
        set: &Object,
        template: &Value,
        name: &str,
        labels: &Value,
    ) -> Result<(), Refusal> {
        if self.get(&self.known.claims, &Key::new(&set.key.namespace, name)).is_some() {
            return Ok(());
        }
        let mut metadata =
            json!({"name": name, "namespace": &*set.key.namespace, "labels": labels});
        for (label, value) in template["metadata"]["labels"].as_object().into_iter().flatten() {
            metadata["labels"][label] = value.clone();
        }
        if !template["metadata"]["annotations"].is_null() {
            metadata["annotations"] = template["metadata"]["annotations"].clone();
        }
        self.create(&self.known.claims, json!({"metadata": metadata, "spec": template["spec"]}))?;
        Ok(())
    }

    fn tell_stateful_set(&mut self, key: &Key, set: &Object, body: &Value, revision: &str) {
        let kind = self.known.stateful_sets.clone();
        let pods: Vec<Arc<Object>> = self
            .owned(&self.known.pods, &set.uid)
            .into_iter()
            .filter(|pod| is_active(pod))
            .collect();
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        let updated = pods.iter().filter(|pod| pod.label(REVISION) == Some(revision)).count();
        let wanted = whole(&body["spec"]["replicas"], 1);
        let count = pods.len();
        let generation = body["metadata"]["generation"].clone();
        self.set_status(&kind, key, CONTROLLER, |status| {
            status["observedGeneration"] = generation.clone();
            status["replicas"] = count.into();
            set_count(status, "readyReplicas", ready);
            status["availableReplicas"] = ready.into();
            set_count(status, "updatedReplicas", updated);
            status["collisionCount"] = 0.into();
            status["updateRevision"] = revision.into();
            let done = updated == wanted && ready == wanted;
            if status["currentRevision"].is_null() || done {
                status["currentRevision"] = revision.into();
            }
            let current =
                if status["currentRevision"] == revision { updated } else { count - updated };
            set_count(status, "currentReplicas", current);
        });
    }
}
