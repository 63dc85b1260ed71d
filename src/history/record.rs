//! The words of history: what is recorded. Plain data; how it is stored is elsewhere.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use crate::model::Commit;
use crate::model::Digest;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Phase;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::resource::Stage;
use crate::plan::Done;
use crate::plan::Outcome;
use crate::plan::StageState;

/// Something that happened, or how something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Commit(CommitSeen),
    /// All that a commit asks for was handed on, and told before this.
    Wanted {
        commit: Commit,
        at: Timestamp,
    },
    Run(Run),
    Stage(StageChange),
    Phase(PhaseChange),
    Task(TaskOutcome),
    Drift(Drift),
    Parked(Parked),
    /// Parked deletions that do not wait any more.
    Unparked {
        digest: Digest,
        ending: Ending,
        at: Timestamp,
    },
    Status(UnitStatus),
    /// A unit that no document asks for and that owns nothing any more.
    Gone {
        unit: UnitName,
        at: Timestamp,
    },
    /// All units there are: what stands in history of others is of the past.
    Roster {
        units: Vec<UnitName>,
        at: Timestamp,
    },
    Reach(Reach),
    /// The findings that stand from now on, of a commit or of a cluster as it answers.
    Findings {
        /// `commit`, or such as `cluster main`.
        origin: String,
        findings: Vec<Finding>,
        at: Timestamp,
    },
}

/// A commit at the head of the branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommitSeen {
    pub id: Commit,
    pub author: String,
    pub email: String,
    pub subject: String,
    pub written_at: Timestamp,
    pub seen_at: Timestamp,
    /// The commit that it does not come after, where it is refused for that.
    pub refused_from: Option<Commit>,
}

/// One attempt to bring a unit to what a commit asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub id: Uuid,
    pub unit: UnitName,
    #[serde(rename = "commit")]
    pub commit: Commit,
    pub cause: RunCause,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub result: RunResult,
    /// Why it is not converged.
    pub message: Option<String>,
    pub actions: Vec<ActionRecord>,
}

/// Why a unit was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunCause {
    Commit,
    Drift,
    Clock,
    Verification,
    Retry,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunResult {
    Converged,
    /// Everything that may go now went; something has to become ready before the rest.
    Waiting,
    Failed,
    /// A newer commit came.
    Superseded,
}

/// What became of one thing that a run had to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActionRecord {
    pub id: ResourceId,
    pub verb: String,
    pub outcome: ActionOutcome,
    pub message: Option<String>,
    pub duration: Duration,
}

/// [`Outcome`] in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionOutcome {
    Created,
    Changed,
    Unchanged,
    Deleted,
    Orphaned,
    Failed,
}

impl ActionRecord {
    pub fn of(verb: &str, done: &Done, duration: Duration) -> Self {
        let (outcome, message) = match &done.outcome {
            Outcome::Created => (ActionOutcome::Created, None),
            Outcome::Changed => (ActionOutcome::Changed, None),
            Outcome::Unchanged => (ActionOutcome::Unchanged, None),
            Outcome::Deleted => (ActionOutcome::Deleted, None),
            Outcome::Orphaned => (ActionOutcome::Orphaned, None),
            Outcome::Failed { message, .. } => (ActionOutcome::Failed, Some(message.clone())),
        };
        Self { id: done.id.clone(), verb: verb.to_owned(), outcome, message, duration }
    }
}

/// A stage of a subscription that came into another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageChange {
    pub id: Uuid,
    pub unit: UnitName,
    /// None for what the subscriptions of a tenant share.
    pub subscription: Option<Name>,
    pub stage: Stage,
    pub state: StageState,
    pub at: Timestamp,
}

/// A subscription that came into another phase of its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseChange {
    pub id: Uuid,
    pub unit: UnitName,
    pub subscription: Name,
    pub phase: Phase,
    pub at: Timestamp,
}

/// What became of a thing to do once. How it ended first is how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskOutcome {
    pub unit: UnitName,
    pub task: Name,
    pub state: TaskState,
    /// Of one that is done, what it left behind; of one that failed, why.
    pub message: Option<String>,
    pub at: Timestamp,
}

/// How a thing to do once stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    Running,
    Done,
    Failed,
}

/// Something of ours that somebody else changed. Recorded once when it is found, and once more
/// under the same id when it is put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub id: Uuid,
    pub unit: UnitName,
    pub resource: ResourceId,
    pub what: String,
    pub by: Option<String>,
    pub found_at: Timestamp,
    pub put_back_at: Option<Timestamp>,
}

/// Deletions over the limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parked {
    pub id: Uuid,
    pub digest: Digest,
    pub units: Vec<UnitName>,
    pub ids: Vec<ResourceId>,
    pub reason: String,
    pub since: Timestamp,
}

/// Why parked deletions do not wait any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// A commit named their digest.
    Approved,
    /// They are not wanted any more.
    Withdrawn,
}

/// How a unit stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnitStatus {
    pub unit: UnitName,
    pub state: UnitState,
    #[serde(rename = "commit")]
    pub commit: Option<Commit>,
    /// Since when, as far as the caller knows; history remembers an earlier time of the same state.
    pub since: Timestamp,
    pub reason: Option<String>,
    pub next_try: Option<Timestamp>,
    pub updated_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitState {
    /// It is as its commit says.
    Converged,
    /// It is being brought there.
    Applying,
    /// What was applied has to become ready.
    Waiting,
    /// It is not as its commit says, and needs time or help.
    Degraded,
    /// Its documents are wrong; it keeps its last good state.
    Held,
    /// Deletions of it wait for an approval.
    Parked,
    /// No document asks for it, and its policy keeps something of it.
    Retired,
}

impl std::fmt::Display for UnitState {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Converged => "converged",
            Self::Applying => "applying",
            Self::Waiting => "waiting",
            Self::Degraded => "degraded",
            Self::Held => "held",
            Self::Parked => "parked",
            Self::Retired => "retired",
        })
    }
}

/// Whether something that the daemon depends on can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// `source`, `cluster/main`, `database/main`.
    pub name: String,
    pub reachable: bool,
    pub since: Timestamp,
    /// Why it cannot be reached.
    pub why: Option<String>,
    pub updated_at: Timestamp,
}

/// An id for something that just happened; ids sort by time.
pub fn fresh_id() -> Uuid {
    Uuid::now_v7()
}

impl Record {
    /// What it is called where facts are counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Commit(_) | Self::Wanted { .. } => "commit",
            Self::Run(_) => "run",
            Self::Stage(_) => "stage",
            Self::Phase(_) => "phase",
            Self::Task(_) => "task",
            Self::Drift(_) => "drift",
            Self::Parked(_) | Self::Unparked { .. } => "parked",
            Self::Status(_) | Self::Gone { .. } | Self::Roster { .. } => "status",
            Self::Reach(_) => "reach",
            Self::Findings { .. } => "finding",
        }
    }
}
