//! What quotas say of themselves: their bounds, and how much of them is used.

use serde_json::Map;
use serde_json::Value;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::quota;

impl Controllers {
    pub(super) fn quotas(&mut self, namespace: &str) {
        let kind = self.known.quotas.clone();
        for limit in self.list(&kind, namespace) {
            let hard = limit.body()["spec"]["hard"].clone();
            let mut used = Map::new();
            {
                let tx = self.cluster.store.lock();
                for (name, _) in hard.as_object().into_iter().flatten() {
                    let amount = quota::used_in(&tx, &self.cluster.kinds, namespace, name);
                    used.insert(name.clone(), amount.to_string().into());
                }
            }
            let used = Value::Object(used);
            self.set_status(&kind, &limit.key, CONTROLLER, |status| {
                status["hard"] = hard.clone();
                status["used"] = used.clone();
            });
        }
    }
}
