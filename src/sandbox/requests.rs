//! Counts of the requests that came in, so that a test can say which should not have.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;

/// How many requests came, by verb and resource (with its subresource, as in `pods/status`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestCounts {
    by: BTreeMap<String, u64>,
}

impl RequestCounts {
    pub fn total(&self) -> u64 {
        self.by.values().sum()
    }

    /// `of("apply", "deployments")`; an empty resource means all.
    pub fn of(&self, verb: &str, resource: &str) -> u64 {
        let matches = |key: &str| {
            let (known_verb, known_resource) = key.split_once(' ').unwrap_or((key, ""));
            known_verb == verb && (resource.is_empty() || known_resource == resource)
        };
        self.by.iter().filter(|(key, _)| matches(key)).map(|(_, count)| count).sum()
    }

    /// Everything but opening a watch, and asking what is served.
    pub fn besides_watches(&self) -> u64 {
        let counted = |key: &str| !key.starts_with("watch ") && !key.starts_with("discover ");
        self.by.iter().filter(|(key, _)| counted(key)).map(|(_, count)| count).sum()
    }

    /// Everything that was meant to change something.
    pub fn writes(&self) -> u64 {
        ["create", "update", "patch", "apply", "delete", "deletecollection"]
            .iter()
            .map(|verb| self.of(verb, ""))
            .sum()
    }

    /// What came since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let difference = self
            .by
            .iter()
            .map(|(key, count)| (key.clone(), count - earlier.by.get(key).unwrap_or(&0)));
        Self { by: difference.filter(|(_, count)| *count > 0).collect() }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by.iter().map(|(key, count)| (key.as_str(), *count))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(Mutex<RequestCounts>);

impl Counter {
    pub(crate) fn count(&self, verb: &str, resource: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.by.entry(format!("{verb} {resource}")).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> RequestCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
