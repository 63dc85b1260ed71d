//! Daemon sets: a pod on every node.

use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::Work;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::controllers::replica_sets::is_active;
use crate::sandbox::controllers::replica_sets::is_ready;
use crate::sandbox::object::Key;

impl Controllers {
    pub(super) fn daemon_set(&mut self, key: &Key) {
        let kind = self.known.daemon_sets.clone();
        let work = Work::DaemonSet(key.clone());
        let Some(set) = self.get(&kind, key) else {
            self.failures.remove(&work);
            return;
        };
        let body = set.body();
        let nodes = self.list(&self.known.nodes, "");
        let generation = body["metadata"]["generation"].clone();
        let template_generation = generation.to_string();
        let mut pods = self.owned(&self.known.pods, &set.uid);
        pods.retain(|pod| is_active(pod));
        let mut refusal = None;
        if !set.deleting {
            for pod in pods
                .iter()
                .filter(|pod| pod.label("pod-template-generation") != Some(&template_generation))
            {
                self.delete(&self.known.pods, &pod.key);
            }
            pods.retain(|pod| pod.label("pod-template-generation") == Some(&template_generation));
            for node in nodes.iter().skip(pods.len()) {
                let mut on_node = body.clone();
                on_node["spec"]["template"]["spec"]["nodeName"] = json!(&*node.key.name);
                let labels = &mut on_node["spec"]["template"]["metadata"]["labels"];
                labels["pod-template-generation"] = template_generation.clone().into();
                match self.add_pod(&set, &on_node, "DaemonSet") {
                    Ok(pod) => pods.push(pod),
                    Err(refused) => refusal = Some(refused),
                }
            }
        }
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        let (wanted, count) = (nodes.len(), pods.len());
        self.set_status(&kind, key, CONTROLLER, |status| {
            status["observedGeneration"] = generation.clone();
            status["currentNumberScheduled"] = count.into();
            status["desiredNumberScheduled"] = wanted.into();
            status["numberMisscheduled"] = 0.into();
            status["numberReady"] = ready.into();
            status["numberAvailable"] = ready.into();
            status["numberUnavailable"] = (wanted - ready.min(wanted)).into();
            status["updatedNumberScheduled"] = count.into();
        });
        match refusal {
            Some(refused) => self.refused(&work, &kind, &set, &refused),
            None => drop(self.failures.remove(&work)),
        }
    }
}
