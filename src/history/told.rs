//! History as it is told back: the events of a timeline, and how everything stands.

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::record::CommitSeen;
use super::record::Drift;
use super::record::Ending;
use super::record::Parked;
use super::record::PhaseChange;
use super::record::Reach;
use super::record::Run;
use super::record::RunCause;
use super::record::RunResult;
use super::record::UnitState;
use super::record::UnitStatus;
use crate::model::Commit;
use crate::model::Name;
use crate::model::UnitName;
use crate::model::resource::Stage;

/// Something that happened, and when. Its `Display` is one line without the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum What {
    Commit(CommitSeen),
    Run(RunSummary),
    Stage(StageSpan),
    Phase(PhaseChange),
    Drift(Drift),
    Parked(Parked),
    Unparked { parked: Parked, ending: Ending },
    Gap(Gap),
}

/// A run, with its actions counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    pub id: Uuid,
    pub unit: UnitName,
    #[serde(rename = "commit")]
    pub commit: Commit,
    pub cause: RunCause,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub result: RunResult,
    pub message: Option<String>,
    /// How many actions had each outcome.
    pub outcomes: BTreeMap<String, u64>,
}

/// A stage in one state, from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageSpan {
    pub unit: UnitName,
    pub subscription: Option<Name>,
    pub stage: Stage,
    pub state: String,
    pub reason: Option<String>,
    pub started_at: Timestamp,
    /// None where it is still so.
    pub ended_at: Option<Timestamp>,
}

/// Parked deletions, and how their wait ended, where it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedSeen {
    #[serde(flatten)]
    pub parked: Parked,
    pub ended: Option<(Timestamp, Ending)>,
}

/// A time of which history is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub began_at: Timestamp,
    pub ended_at: Timestamp,
    pub dropped: BTreeMap<String, u64>,
}

/// A daemon that wrote history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DaemonSeen {
    pub id: Uuid,
    pub version: String,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    pub stopped_at: Option<Timestamp>,
}

impl DaemonSeen {
    /// Whether it runs, as far as anybody can tell: it says so every minute.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.stopped_at.is_none()
            && now.duration_since(self.seen_at) < SignedDuration::from_secs(150)
    }
}

/// How everything stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// The last daemons that wrote here, the most recent first.
    pub daemons: Vec<DaemonSeen>,
    /// The last commit that was judged, taken or refused.
    pub head: Option<CommitSeen>,
    pub reach: Vec<Reach>,
    pub counts: BTreeMap<UnitState, u64>,
    /// Units that are not converged.
    pub troubled: Vec<UnitStatus>,
    pub parked: Vec<ParkedSeen>,
    /// Of the commit that is converged to, and of the clusters as they answer.
    pub findings: Vec<FindingSeen>,
    pub gaps: Vec<Gap>,
}

/// A finding that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingSeen {
    /// `commit`, or such as `cluster main`.
    pub origin: String,
    pub rule: String,
    pub severity: String,
    /// Such as `clusters/main.yaml:7:3`.
    pub place: String,
    pub message: String,
    pub help: Option<String>,
    pub seen_at: Timestamp,
}

/// All that is known of one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnitHistory {
    pub unit: UnitName,
    pub status: Option<UnitStatus>,
    pub last_run: Option<Run>,
    /// The phase of each subscription.
    pub phases: Vec<PhaseChange>,
    /// The last known state of each stage, by subscription, in order.
    pub stages: Vec<StageSpan>,
    /// What drifted lately, newest first.
    pub drift: Vec<Drift>,
    pub parked: Vec<ParkedSeen>,
    /// What the daemon cannot reach.
    pub unreachable: Vec<Reach>,
}

impl From<RunSummary> for Event {
    fn from(run: RunSummary) -> Self {
        Self { at: run.started_at, what: What::Run(run) }
    }
}

impl From<Drift> for Event {
    fn from(drift: Drift) -> Self {
        Self { at: drift.found_at, what: What::Drift(drift) }
    }
}

impl From<PhaseChange> for Event {
    fn from(change: PhaseChange) -> Self {
        Self { at: change.at, what: What::Phase(change) }
    }
}

impl From<CommitSeen> for Event {
    fn from(commit: CommitSeen) -> Self {
        Self { at: commit.seen_at, what: What::Commit(commit) }
    }
}

impl From<Gap> for Event {
    fn from(gap: Gap) -> Self {
        Self { at: gap.ended_at, what: What::Gap(gap) }
    }
}

impl Event {
    /// Being parked is one event, and the end of that another.
    pub(super) fn of_parked(seen: ParkedSeen) -> Vec<Self> {
        let ParkedSeen { parked, ended } = seen;
        let ended = ended.map(|(at, ending)| Self {
            at,
            what: What::Unparked { parked: parked.clone(), ending },
        });
        let began = Self { at: parked.since, what: What::Parked(parked) };
        ended.into_iter().chain([began]).collect()
    }

    /// The unit it is about, where it is about a single one.
    pub fn unit(&self) -> Option<&UnitName> {
        match &self.what {
            What::Run(run) => Some(&run.unit),
            What::Stage(span) => Some(&span.unit),
            What::Phase(change) => Some(&change.unit),
            What::Drift(drift) => Some(&drift.unit),
            What::Commit(_) | What::Parked(_) | What::Unparked { .. } | What::Gap(_) => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Commit(commit) => show_commit(out, commit),
            What::Run(run) => show_run(out, run),
            What::Stage(span) => {
                write!(out, "{}: {} {}", whose(span), span.stage, span.state)?;
                if let Some(ended) = span.ended_at {
                    write!(out, " for {}", lasting(ended.duration_since(span.started_at)))?;
                }
                after(out, span.reason.as_deref())
            }
            What::Phase(change) => write!(out, "{}: {}", change.subscription, change.phase),
            What::Drift(drift) => show_drift(out, drift),
            What::Parked(parked) => {
                write!(out, "deletions parked: {} [{}]", parked.reason, parked.digest)
            }
            What::Unparked { parked, ending } => {
                let how = match ending {
                    Ending::Approved => "approved",
                    Ending::Withdrawn => "not wanted any more",
                };
                write!(out, "parked deletions {how} [{}]", parked.digest)
            }
            What::Gap(gap) => {
                let from = gap.began_at.strftime("%Y-%m-%d %H:%M:%S UTC");
                write!(out, "history is incomplete since {from}: {} missing", counted(&gap.dropped))
            }
        }
    }
}

fn show_commit(out: &mut fmt::Formatter<'_>, commit: &CommitSeen) -> fmt::Result {
    write!(out, "commit {} by {}: {}", commit.id.short(), commit.author, commit.subject)?;
    match &commit.refused_from {
        Some(from) => {
            write!(out, " (refused: it does not come after {})", from.short())
        }
        None => Ok(()),
    }
}

fn show_run(out: &mut fmt::Formatter<'_>, run: &RunSummary) -> fmt::Result {
    let result = match run.result {
        RunResult::Converged => "converged",
        RunResult::Waiting => "waiting",
        RunResult::Failed => "failed",
        RunResult::Superseded => "superseded",
    };
    let took = lasting(run.finished_at.duration_since(run.started_at));
    write!(out, "{result} at {} in {took}", run.commit.short())?;
    if !run.outcomes.is_empty() {
        write!(out, ": {}", counted(&run.outcomes))?;
    }
    after(out, run.message.as_deref())
}

pub(super) fn show_drift(out: &mut impl fmt::Write, drift: &Drift) -> fmt::Result {
    write!(out, "{} drifted: {}", drift.resource, drift.what)?;
    if let Some(by) = &drift.by {
        write!(out, " by {by}")?;
    }
    match drift.put_back_at {
        Some(at) => write!(out, ", put back after {}", lasting(at.duration_since(drift.found_at))),
        None => out.write_str(", not put back yet"),
    }
}

fn after(out: &mut fmt::Formatter<'_>, reason: Option<&str>) -> fmt::Result {
    match reason {
        Some(reason) => write!(out, ": {reason}"),
        None => Ok(()),
    }
}

fn whose(span: &StageSpan) -> String {
    span.subscription.as_ref().map_or_else(|| span.unit.to_string(), ToString::to_string)
}

/// `3 created, 1 failed`.
pub(super) fn counted(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(what, many)| format!("{many} {what}")).collect();
    parts.join(", ")
}

/// A length of time in one or two units, as people say it: `340 ms`, `12 s`, `5 min`, `3 h 20 min`.
pub fn lasting(time: SignedDuration) -> String {
    let time = time.unsigned_abs();
    let (milliseconds, seconds) = (time.as_millis(), time.as_secs());
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..10 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = |milliseconds| lasting(SignedDuration::from_millis(milliseconds));
        assert_eq!(
            [0, 340, 1_250, 59_999, 119_000, 120_000, 12_000_000, 864_000_000].map(said),
            ["0 ms", "340 ms", "1.2 s", "59 s", "119 s", "2 min", "3 h 20 min", "10 days"]
        );
    }
}
