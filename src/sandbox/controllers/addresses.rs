//! Addresses from outside: load balancers for services, and for ingresses.

use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::controllers::hands::CONTROLLER;
use crate::sandbox::object::Key;

/// An address that belongs to documentation, as nothing here can be reached from outside.
const OUTSIDE: &str = "198.51.100.10";

impl Controllers {
    pub(super) fn address(&mut self, key: &Key) {
        let kind = self.known.services.clone();
        let Some(service) = self.get(&kind, key).filter(|service| !service.deleting) else {
            return;
        };
        let body = service.body();
        let wanted = body["spec"]["type"] == "LoadBalancer";
        let has = !body["status"]["loadBalancer"]["ingress"].is_null();
        if wanted != has {
            self.set_status(&kind, key, CONTROLLER, |status| {
                status["loadBalancer"] =
                    if wanted { json!({"ingress": [{"ip": OUTSIDE}]}) } else { json!({}) };
            });
        }
    }

    pub(super) fn ingress(&mut self, key: &Key) {
        let kind = self.known.ingresses.clone();
        let Some(ingress) = self.get(&kind, key).filter(|ingress| !ingress.deleting) else {
            return;
        };
        if ingress.body()["status"]["loadBalancer"]["ingress"].is_null() {
            self.set_status(&kind, key, "ingress-controller", |status| {
                status["loadBalancer"] = json!({"ingress": [{"ip": OUTSIDE}]});
            });
        }
    }
}
