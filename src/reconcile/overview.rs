//! Where everybody stands, put together from what the junction says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::Commit;
use crate::model::Finding;
use crate::model::Name;
use crate::model::UnitName;
use crate::plan::Cause;
use crate::plan::Outcome;

use super::note::Note;
use super::note::ParkedDeletions;
use super::note::State;
use super::note::UnitStatus;

/// Where everybody stands.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// The commit that is converged to.
    pub commit: Option<Commit>,
    /// The head of a branch that was rewritten, which waits to be accepted.
    pub refused: Option<Commit>,
    pub findings: Vec<Finding>,
    /// What the documents of clusters say otherwise than the clusters answer.
    pub cluster_findings: BTreeMap<Name, Vec<Finding>>,
    pub units: BTreeMap<UnitName, UnitStatus>,
    pub parked: Option<ParkedDeletions>,
    /// What cannot be reached, why, and since when.
    pub away: BTreeMap<String, (String, Timestamp)>,
    pub counts: Counts,
}

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub commits: u64,
    pub runs: u64,
    pub failed_runs: u64,
    pub created: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub deleted: u64,
    pub failed: u64,
    pub drifts: u64,
    /// Kinds of things that were listed anew to verify what the watches told.
    pub verifications: u64,
    /// What they had not told.
    pub missed_events: u64,
}

impl Overview {
    /// Takes in something that happened.
    pub fn take(&mut self, note: &Note) {
        match note {
            Note::Commit { commit, findings, .. } => {
                self.commit = Some(commit.clone());
                self.findings.clone_from(findings);
                self.counts.commits += 1;
            }
            Note::Answered { cluster, findings } if findings.is_empty() => {
                self.cluster_findings.remove(cluster);
            }
            Note::Answered { cluster, findings } => {
                self.cluster_findings.insert(cluster.clone(), findings.clone());
            }
            Note::Verified { missed, .. } => {
                self.counts.verifications += 1;
                self.counts.missed_events += u64::try_from(*missed).unwrap_or_default();
            }
            Note::Status(status) => {
                self.units.insert(status.unit.clone(), status.clone());
            }
            Note::Run(run) => {
                self.counts.runs += 1;
                self.counts.failed_runs += u64::from(run.failure.is_some());
                for deed in &run.deeds {
                    *self.counter(&deed.done.outcome) += 1;
                    self.counts.drifts +=
                        u64::from(matches!(deed.cause, Some(Cause::Drift { .. })));
                }
            }
            Note::Parked(parked) => self.parked = Some(parked.clone()),
            Note::Unparked { .. } => self.parked = None,
            Note::Reach { what, away: Some(why), at } => {
                self.away.insert(what.clone(), (why.clone(), *at));
            }
            Note::Reach { what, away: None, .. } => {
                self.away.remove(what);
            }
            Note::Seen { facts, refused_from } => {
                self.refused = refused_from.is_some().then(|| facts.id.clone());
            }
            Note::Stage { .. } | Note::Phases { .. } | Note::Task { .. } | Note::Wanted { .. } => {}
        }
    }

    fn counter(&mut self, outcome: &Outcome) -> &mut u64 {
        match outcome {
            Outcome::Created => &mut self.counts.created,
            Outcome::Changed => &mut self.counts.changed,
            Outcome::Unchanged => &mut self.counts.unchanged,
            Outcome::Deleted | Outcome::Orphaned => &mut self.counts.deleted,
            Outcome::Failed { .. } => &mut self.counts.failed,
        }
    }

    /// How many units are in each state.
    pub fn by_state(&self) -> BTreeMap<State, usize> {
        let mut counts = BTreeMap::new();
        for status in self.units.values() {
            *counts.entry(status.state).or_default() += 1;
        }
        counts
    }
}
