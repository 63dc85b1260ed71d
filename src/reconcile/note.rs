//! What the junction has to say: history writes it down, metrics count it, people read it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::history::record::TaskState;
use crate::model::Commit;
use crate::model::Digest;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Phase;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::resource::Stage;
use crate::plan::StageState;
use crate::source::CommitFacts;

use super::run::Deed;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Note {
    /// A head of the branch was seen. `refused_from` is the commit it does not come after.
    Seen { facts: Box<CommitFacts>, refused_from: Option<Commit> },
    /// A commit was read and is now what is wanted. The first after a start tells all units.
    Commit {
        commit: Commit,
        roster: Option<Vec<UnitName>>,
        units: usize,
        rendered: usize,
        held: usize,
        findings: Vec<Finding>,
    },
    /// All that a commit asks for was handed on: where units stand was told before this.
    Wanted { commit: Commit },
    /// A cluster was asked what it is: what its document says otherwise, and no more than that.
    Answered { cluster: Name, findings: Vec<Finding> },
    /// All things of a kind in a cluster were listed anew; of so many no watch had told.
    Verified { cluster: Name, what: String, missed: usize },
    /// A unit's state changed.
    Status(UnitStatus),
    /// A run did something, or failed to.
    Run(Box<RunNote>),
    /// A stage of a subscription came into another state.
    Stage {
        unit: UnitName,
        subscription: Option<Name>,
        stage: Stage,
        state: StageState,
        at: Timestamp,
    },
    /// A subscription came into another phase of its life.
    Phases { unit: UnitName, phases: BTreeMap<Name, Phase>, at: Timestamp },
    /// A thing to do once has begun, or has ended.
    Task { unit: UnitName, task: Name, state: TaskState, message: Option<String>, at: Timestamp },
    /// Deletions wait for an approval.
    Parked(ParkedDeletions),
    /// They wait no more: a commit approved them, or they are not wanted any more.
    Unparked { digest: Digest, approved: bool },
    /// The repository, a cluster, its database server or the history's database became reachable
    /// (`None`) or unreachable.
    Reach { what: String, away: Option<String>, at: Timestamp },
}

/// What [`Note::Reach`] calls the repository.
pub const REPOSITORY: &str = "repository";
/// What [`Note::Reach`] calls the database of the history.
pub const HISTORY: &str = "history";

/// What a run did.
#[derive(Clone, Debug)]
pub struct RunNote {
    pub unit: UnitName,
    pub cluster: Name,
    /// The commit that made the unit what it should be; none where nothing is asked for.
    pub commit: Option<Commit>,
    pub started: Timestamp,
    pub finished: Timestamp,
    pub took: Duration,
    pub deeds: Vec<Deed>,
    pub failure: Option<String>,
    pub superseded: bool,
    /// Whether the run before it failed.
    pub retry: bool,
    /// Whether the clock, and no commit, asked for it.
    pub by_clock: bool,
}

/// Where a unit stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitStatus {
    pub unit: UnitName,
    pub cluster: Option<Name>,
    pub state: State,
    /// Why it is not converged, in words for a person.
    pub reason: Option<String>,
    /// The commit that made it what it should be.
    pub commit: Option<Commit>,
    pub since: Timestamp,
    /// When it is tried again, where it failed.
    pub next_try: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All that is asked for is there and well.
    Converged,
    /// Something is being done.
    Applying,
    /// All that can be done is done; something is not ready yet.
    Waiting,
    /// Something does not become ready without help.
    Degraded,
    /// An action failed, and is tried again later.
    Failing,
    /// Deletions wait for an approval.
    Parked,
    /// Its documents are broken; it stays as it was.
    Held,
    /// No document speaks of it, and what its policy keeps is still there.
    Retired,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Applying => "applying",
            Self::Waiting => "waiting",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Parked => "parked",
            Self::Held => "held",
            Self::Retired => "retired",
        }
    }
}

/// Deletions over the limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedDeletions {
    /// What a commit has to name to approve them.
    pub digest: Digest,
    pub reason: String,
    pub ids: Vec<(UnitName, ResourceId)>,
}
