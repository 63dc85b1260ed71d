//! Trouble on demand: slowness, refusals, broken watches and outages, set from Rust or over HTTP.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;

use crate::sandbox::refusal::Refusal;

/// The verb of faults that are about what watches tell.
const EVENT: &str = "event";

/// Something that goes wrong with the requests that it matches. What is not said matches all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Fault {
    /// `get`, `list`, `watch`, `create`, `update`, `patch` (an apply, too), `apply`, `delete` or
    /// `deletecollection`; or `event`, for what watches should tell and do not.
    pub verb: Option<String>,
    /// The plural, such as `deployments`.
    pub resource: Option<String>,
    pub namespace: Option<String>,
    pub name: Option<String>,
    /// Waits before anything else.
    pub latency_ms: u64,
    /// Answers with this status instead of doing anything.
    pub status: Option<u16>,
    pub retry_after_seconds: Option<u64>,
    pub message: Option<String>,
    /// Out of a hundred matching requests, how many are hit. Evenly spread, not by chance.
    pub percent: Option<u32>,
    /// How many requests it hits before it is over.
    pub times: Option<u32>,
    #[serde(skip)]
    seen: u32,
}

impl Fault {
    /// Every request takes so much longer.
    pub fn latency(duration: Duration) -> Self {
        Self {
            latency_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            ..Self::default()
        }
    }

    /// Every request is answered with `status`.
    pub fn answers(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Deletes are refused, as by a denying webhook.
    pub fn refuses_delete(resource: &str) -> Self {
        let message = "admission webhook \"sandbox.tenantry.dev\" denied the request: this must not be deleted";
        Self {
            message: Some(message.to_owned()),
            ..Self::answers(403).on_verb("delete").on_resource(resource)
        }
    }

    /// Changes of these things are told by no watch.
    pub fn loses_events(resource: &str) -> Self {
        Self::default().on_verb(EVENT).on_resource(resource)
    }

    #[must_use]
    pub fn on_verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    #[must_use]
    pub fn on_resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    #[must_use]
    pub fn percent(mut self, percent: u32) -> Self {
        self.percent = Some(percent);
        self
    }

    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn matches(&self, request: &Request<'_>) -> bool {
        let verb = self
            .verb
            .as_deref()
            .is_none_or(|verb| verb == request.verb || verb == "patch" && request.verb == "apply");
        let same = |wanted: &Option<String>, given: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == given)
        };
        verb && same(&self.resource, request.resource)
            && same(&self.namespace, request.namespace)
            && same(&self.name, request.name)
    }

    /// Counts a matching request and tells whether this is one of those hit.
    fn hits(&mut self) -> bool {
        let percent = u64::from(self.percent.unwrap_or(100).min(100));
        let due = |seen: u32| u64::from(seen) * percent / 100;
        let hit = due(self.seen + 1) > due(self.seen);
        self.seen += 1;
        hit
    }
}

/// What a fault is matched against.
pub(crate) struct Request<'a> {
    pub(crate) verb: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// Whether the server can be reached at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    #[default]
    Flowing,
    /// Connections are refused, open ones are cut.
    Refused,
    /// Connections are accepted and then nothing happens.
    Hanging,
}

/// The faults of one sandbox.
#[derive(Debug)]
pub struct Faults {
    rules: Mutex<Vec<Fault>>,
    traffic: watch::Sender<Traffic>,
    /// Counts how often all watches were dropped.
    watches: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            rules: Mutex::default(),
            traffic: watch::Sender::new(Traffic::Flowing),
            watches: watch::Sender::new(0),
        }
    }
}

impl Faults {
    pub fn add(&self, fault: Fault) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    pub fn all(&self) -> Vec<Fault> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends every fault and outage.
    pub fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.set_traffic(Traffic::Flowing);
    }

    /// Stops or resumes serving, until told otherwise.
    pub fn set_traffic(&self, traffic: Traffic) {
        self.traffic.send_replace(traffic);
    }

    /// Cuts every watch that is open now.
    pub fn drop_watches(&self) {
        self.watches.send_modify(|count| *count += 1);
    }

    pub(crate) fn traffic(&self) -> watch::Receiver<Traffic> {
        self.traffic.subscribe()
    }

    pub(crate) fn dropped_watches(&self) -> watch::Receiver<u64> {
        self.watches.subscribe()
    }

    /// Lets a request through, late or never.
    pub(crate) async fn pass(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let (latency, refusal) = self.judge(request);
        if latency > 0 {
            tokio::time::sleep(Duration::from_millis(latency)).await;
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Whether a change is not told to a watch.
    pub(crate) fn lose(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let event = Request { verb: EVENT, resource, namespace, name };
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lost = false;
        let named = |rule: &&mut Fault| rule.verb.as_deref() == Some(EVENT) && rule.matches(&event);
        for rule in rules.iter_mut().filter(named) {
            if rule.hits() {
                lost = true;
                if let Some(times) = &mut rule.times {
                    *times = times.saturating_sub(1);
                }
            }
        }
        rules.retain(|rule| rule.times != Some(0));
        lost
    }

    fn judge(&self, request: &Request<'_>) -> (u64, Option<Refusal>) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut latency, mut refusal) = (0, None);
        for rule in rules.iter_mut().filter(|rule| rule.matches(request)) {
            if !rule.hits() {
                continue;
            }
            latency += rule.latency_ms;
            if let Some(status) = rule.status
                && refusal.is_none()
            {
                let message =
                    rule.message.as_deref().unwrap_or("this is a fault that was asked for");
                refusal = Some(Refusal::failing(status, rule.retry_after_seconds, message));
            }
            if let Some(times) = &mut rule.times {
                *times = times.saturating_sub(1);
            }
        }
        rules.retain(|rule| rule.times != Some(0));
        (latency, refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request<'_> =
        Request { verb: "apply", resource: "secrets", namespace: "acme", name: "key" };

    #[test]
    fn a_fault_hits_what_it_names_as_often_as_it_says() {
        let faults = Faults::default();
        faults.add(Fault::answers(503).on_verb("patch").on_resource("secrets").times(2));
        let other = Request { resource: "pods", ..REQUEST };
        assert!(faults.judge(&other).1.is_none());
        assert_eq!(faults.judge(&REQUEST).1.unwrap().code, 503);
        assert_eq!(faults.judge(&REQUEST).1.unwrap().code, 503);
        assert!(faults.judge(&REQUEST).1.is_none());
    }

    #[test]
    fn a_percentage_is_spread_evenly() {
        let faults = Faults::default();
        faults.add(Fault::answers(500).percent(25));
        let hits = (0..100).filter(|_| faults.judge(&REQUEST).1.is_some()).count();
        assert_eq!(hits, 25);
    }
}
