//! A plan for a host: plain data that tells what is done, why, and what stays as it is.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Digest;
use crate::model::Name;
use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::plan::diff::Line;

use super::facts::Machine;
use super::inventory::Inventory;
use super::script::Call;

/// What has to be done for one host.
#[derive(Clone, Debug)]
pub struct HostPlan {
    pub host: Name,
    /// In order: what is taken off, then what is asked for.
    pub steps: Vec<HostStep>,
    /// What cannot be done, and why.
    pub blocked: Vec<Told>,
    /// What was looked at and is not well.
    pub failing: Vec<Told>,
    /// What is told, and nothing is done about.
    pub notes: Vec<Told>,
    /// What would be taken off, were it not so much.
    pub parked: Vec<HostResourceId>,
    /// Where the inventory has to say something else though nothing is done, such as that
    /// something of ours is gone.
    pub records: bool,
    pub(super) machine: Machine,
    /// What the inventory was when this was planned.
    pub(super) sum: String,
    /// What it says while the steps are carried out, and after them.
    pub(super) before: Inventory,
    pub(super) after: Inventory,
}

/// Something about a resource, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    pub resource: HostResourceId,
    pub why: String,
}

/// One thing to do on a host.
#[derive(Clone, Debug)]
pub struct HostStep {
    pub resource: HostResourceId,
    pub change: HostChange,
    pub cause: HostCause,
    pub differences: Vec<HostDifference>,
    /// The positions of the steps that have to go well before it.
    pub needs: Vec<usize>,
    pub(super) call: Call,
    /// Whether what it prints may not be kept.
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostChange {
    Create,
    Update,
    Remove,
    /// A program is run.
    Run,
}

/// Why a thing is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostCause {
    /// A commit asks for it.
    Asked,
    /// Somebody changed or removed it on the host.
    Drift,
    /// It runs with what it should have read anew.
    Owed,
}

/// A property that is another than it should be. What must not be shown is not in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostDifference {
    pub property: String,
    #[serde(flatten)]
    pub change: PropertyChange,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum PropertyChange {
    Changed { from: Option<String>, to: String },
    Text { lines: Vec<Line> },
    Hidden,
}

impl HostDifference {
    pub(super) fn changed(property: &str, from: Option<&str>, to: &str) -> Self {
        let change = PropertyChange::Changed { from: from.map(str::to_owned), to: to.to_owned() };
        Self { property: property.to_owned(), change }
    }

    pub(super) fn lines(property: &str, lines: Vec<Line>) -> Self {
        Self { property: property.to_owned(), change: PropertyChange::Text { lines } }
    }

    pub(super) fn hidden(property: &str) -> Self {
        Self { property: property.to_owned(), change: PropertyChange::Hidden }
    }
}

impl HostPlan {
    /// Whether the host is as it should be, as far as anything can be done about it.
    pub fn is_settled(&self) -> bool {
        self.steps.is_empty() && !self.records
    }

    /// Whether nothing is left to do, to wait for or to worry about.
    pub fn is_well(&self) -> bool {
        self.is_settled()
            && self.blocked.is_empty()
            && self.failing.is_empty()
            && self.parked.is_empty()
    }

    /// Whether it does something that the host undoes by itself, unless somebody gets in over a new
    /// connection and confirms it.
    pub fn is_undone_unconfirmed(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.resource.kind == Kind::Firewall && step.change != HostChange::Remove)
    }

    /// Names the removals that are parked: whoever approves them approves these and no others.
    pub fn approval(&self) -> Option<Digest> {
        approval(&self.host, &self.parked)
    }

    /// How many are to be created, changed, run and removed.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for step in &self.steps {
            *counts.entry(step.change.word()).or_default() += 1;
        }
        counts
    }
}

pub(super) fn approval(host: &Name, leaving: &[HostResourceId]) -> Option<Digest> {
    (!leaving.is_empty()).then(|| Digest::of_json(&(host, leaving)))
}

impl HostChange {
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "change",
            Self::Remove => "remove",
            Self::Run => "run",
        }
    }
}
