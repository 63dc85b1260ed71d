//! Disruption budgets: how many pods may be missing at the moment.

use serde_json::Value;
use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::controllers::hands::whole;
use crate::sandbox::controllers::replica_sets::is_active;
use crate::sandbox::controllers::replica_sets::is_ready;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;
use crate::sandbox::select::LabelSelector;

impl Controllers {
    pub(super) fn disruption_budgets(&mut self, namespace: &str) {
        let kind = self.known.budgets.clone();
        let budgets = self.list(&kind, namespace);
        if budgets.is_empty() {
            return;
        }
        let pods = self.list(&self.known.pods, namespace);
        for budget in budgets {
            let body = budget.body();
            let selector = LabelSelector::of(&body["spec"]["selector"]);
            let covered: Vec<_> =
                pods.iter().filter(|pod| is_active(pod) && selector.matches_object(pod)).collect();
            let expected = covered.len();
            let healthy = covered.iter().filter(|pod| is_ready(pod)).count();
            let desired = match (&body["spec"]["minAvailable"], &body["spec"]["maxUnavailable"]) {
                (Value::Null, Value::Null) => 0,
                (Value::Null, most) => expected.saturating_sub(part(most, expected)),
                (least, _) => part(least, expected),
            };
            let allowed = if expected == 0 { 0 } else { healthy.saturating_sub(desired) };
            let modern = self.cluster.kinds.version.minor >= 21;
            let generation = body["metadata"]["generation"].clone();
            self.set_status(&kind, &budget.key, CONTROLLER, |status| {
                status["observedGeneration"] = generation.clone();
                status["expectedPods"] = expected.into();
                status["currentHealthy"] = healthy.into();
                status["desiredHealthy"] = desired.into();
                status["disruptionsAllowed"] = allowed.into();
                if modern {
                    let (value, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
                    let known = status["conditions"][0].clone();
                    let since = if known["status"] == value {
                        known["lastTransitionTime"].clone()
                    } else {
                        written_time(now()).into()
                    };
                    status["conditions"] = json!([{"type": "DisruptionAllowed", "status": value, "reason": reason,
                        "message": "", "lastTransitionTime": since, "observedGeneration": generation}]);
                }
            });
        }
    }
}

/// A number of pods, or a share of them rounded up.
fn part(value: &Value, of: usize) -> usize {
    match value.as_str() {
        Some(text) => (of * text.trim_end_matches('%').parse::<usize>().unwrap_or(0)).div_ceil(100),
        None => whole(value, 0),
    }
}
