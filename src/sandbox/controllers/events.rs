//! Kubernetes's own Event objects: why something happened, or does not.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::sandbox::controllers::Controllers;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;

/// Who says an event, of what weight.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Controller(&'static str),
    Kubelet,
    Scheduler,
}

impl Source {
    fn component(self) -> &'static str {
        match self {
            Self::Controller(name) => name,
            Self::Kubelet => "kubelet",
            Self::Scheduler => "default-scheduler",
        }
    }
}

/// The events kept, the oldest first, and which of them say the same.
pub(super) struct Events {
    limit: usize,
    kept: VecDeque<(Key, (Arc<str>, String))>,
    by_content: HashMap<(Arc<str>, String), Key>,
}

impl Events {
    pub(super) fn keeping(limit: usize) -> Self {
        Self { limit, kept: VecDeque::new(), by_content: HashMap::new() }
    }
}

impl Controllers {
    /// Says that something went as it should.
    pub(super) fn normal(
        &mut self,
        source: Source,
        kind: &Kind,
        about: &Object,
        reason: &str,
        message: &str,
    ) {
        self.event("Normal", source, kind, about, (reason, message));
    }

    /// Says that something did not.
    pub(super) fn warning(
        &mut self,
        source: Source,
        kind: &Kind,
        about: &Object,
        reason: &str,
        message: &str,
    ) {
        self.event("Warning", source, kind, about, (reason, message));
    }

    fn event(
        &mut self,
        of: &str,
        source: Source,
        kind: &Kind,
        about: &Object,
        (reason, message): (&str, &str),
    ) {
        if self.events.limit == 0 {
            return;
        }
        let events = self.known.events.clone();
        let time = written_time(now());
        let content = (about.uid.clone(), format!("{reason}: {message}"));
        if let Some(key) = self.events.by_content.get(&content) {
            let again = |body: &mut Value| {
                body["count"] = (body["count"].as_i64().unwrap_or(1) + 1).into();
                body["lastTimestamp"] = time.clone().into();
            };
            if self.alter(&events, key, source.component(), "", again).is_some() {
                return;
            }
        }
        let namespace =
            if about.key.namespace.is_empty() { "default" } else { &*about.key.namespace };
        let unique = crate::sandbox::prepare::random_suffix();
        let name = format!("{}.{:x}{unique}", about.key.name, about.version);
        let event = json!({
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "kind": kind.kind,
                "namespace": &*about.key.namespace,
                "name": &*about.key.name,
                "uid": &*about.uid,
                "apiVersion": kind.api_version(),
                "resourceVersion": about.version.to_string(),
            },
            "reason": reason,
            "message": message,
            "source": {"component": source.component()},
            "reportingComponent": source.component(),
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "type": of,
        });
        // In a namespace that ends, nothing is said any more.
        let Ok(event) = self.create(&events, event) else {
            return;
        };
        self.events.by_content.insert(content.clone(), event.key.clone());
        self.events.kept.push_back((event.key.clone(), content));
        while self.events.kept.len() > self.events.limit {
            let Some((key, content)) = self.events.kept.pop_front() else {
                return;
            };
            self.events.by_content.remove(&content);
            self.delete(&events, &key);
        }
    }
}
