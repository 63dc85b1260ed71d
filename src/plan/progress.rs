//! How far each subscription has come through its stages, and what may therefore go next.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::model::Name;
use crate::model::resource::Outline;
use crate::model::resource::Stage;

use super::observed::Health;
use super::observed::Observed;
use super::once;
use super::once::Standing;

/// Where a stage of a subscription stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "lowercase")]
pub enum StageState {
    /// A stage before it is not ready.
    Waiting,
    /// Something of it is not applied yet.
    Applying,
    /// All of it is applied, and this is not ready yet.
    Progressing(String),
    /// All of it is applied, and this needs somebody's help.
    Failed(String),
    Ready,
}

impl StageState {
    /// The state in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Applying => "applying",
            Self::Progressing(_) => "progressing",
            Self::Failed(_) => "failed",
            Self::Ready => "ready",
        }
    }
}

/// How far a subscription has come; `subscription` is none where a tenant's things serve no single one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub subscription: Option<Name>,
    /// The stages that have anything in them, in order.
    pub stages: Vec<(Stage, StageState)>,
}

impl Progress {
    pub fn is_ready(&self) -> bool {
        self.stages.iter().all(|(_, state)| *state == StageState::Ready)
    }
}

/// What is true of one resource that is asked for.
fn state_of(outline: &Outline, observed: &Observed) -> StageState {
    if outline.task.is_some() {
        // However it ends, and also if it never begins, it holds up nothing but the next task.
        return match once::standing(outline, observed) {
            Standing::Waits => StageState::Applying,
            Standing::Runs => StageState::Progressing(format!("{}: it is running", outline.id)),
            Standing::Done | Standing::Failed(_) | Standing::Lost | Standing::Late => {
                StageState::Ready
            }
        };
    }
    let entry = observed.inventory.entries.get(&outline.id);
    let applied = entry.is_some_and(|entry| entry.rendered == Some(outline.digest));
    match observed.live.get(&outline.id) {
        // While the server cannot be asked, what was applied counts as being there.
        None if applied && outline.id.is_database() && observed.databases_away.is_some() => {
            StageState::Ready
        }
        None => StageState::Applying,
        Some(live) if live.deleting || live.rendered != Some(outline.digest) => {
            StageState::Applying
        }
        Some(live) => match &live.health {
            Health::Ready => StageState::Ready,
            Health::Progressing(why) => StageState::Progressing(format!("{}: {why}", outline.id)),
            Health::Failed(why) => StageState::Failed(format!("{}: {why}", outline.id)),
        },
    }
}

/// The worse of two states of one stage.
fn worse(one: StageState, other: StageState) -> StageState {
    let rank = |state: &StageState| match state {
        StageState::Failed(_) => 0,
        StageState::Applying => 1,
        StageState::Waiting => 2,
        StageState::Progressing(_) => 3,
        StageState::Ready => 4,
    };
    if rank(&other) < rank(&one) { other } else { one }
}

/// Tells how far every subscription has come.
///
/// What subscriptions share (their namespace, its policies) counts for each of them. Tasks do not:
/// whether a backup went well says nothing about how an instance is.
pub fn progress(desired: &[Outline], observed: &Observed) -> Vec<Progress> {
    let desired = || desired.iter().filter(|outline| outline.task.is_none());
    let mut subscriptions: BTreeSet<&Option<Name>> =
        desired().map(|outline| &outline.subscription).collect();
    if subscriptions.len() > 1 {
        subscriptions.remove(&None);
    }
    subscriptions
        .into_iter()
        .map(|subscription| {
            let mut stages: BTreeMap<Stage, StageState> = BTreeMap::new();
            for outline in desired().filter(|outline| {
                outline.subscription.is_none() || outline.subscription == *subscription
            }) {
                let state = state_of(outline, observed);
                let known = stages.remove(&outline.stage).unwrap_or(StageState::Ready);
                stages.insert(outline.stage, worse(known, state));
            }
            let mut open = true;
            let stages = stages
                .into_iter()
                .map(|(stage, state)| {
                    let shown = match state {
                        StageState::Applying if !open => StageState::Waiting,
                        state => state,
                    };
                    open &= shown == StageState::Ready;
                    (stage, shown)
                })
                .collect();
            Progress { subscription: subscription.clone(), stages }
        })
        .collect()
}

/// Which stages are open: a stage is, when everything before it is ready. The jobs of one stage
/// run one after the other, as they are listed: a seed needs what a migration made.
pub(super) struct Gates {
    /// The first stage that is not ready, by subscription; `None` holds what is shared.
    first_unready: BTreeMap<Option<Name>, Stage>,
    /// The position of the first job of a stage that is not ready.
    first_unready_job: BTreeMap<(Option<Name>, Stage), usize>,
}

impl Gates {
    pub(super) fn of(desired: &[Outline], observed: &Observed) -> Self {
        let mut first_unready: BTreeMap<Option<Name>, Stage> = BTreeMap::new();
        let mut first_unready_job = BTreeMap::new();
        for (position, outline) in desired.iter().enumerate() {
            if state_of(outline, observed) == StageState::Ready {
                continue;
            }
            let subscription = outline.subscription.clone();
            if is_job(outline) {
                first_unready_job.entry((subscription.clone(), outline.stage)).or_insert(position);
            }
            first_unready
                .entry(subscription)
                .and_modify(|stage| *stage = (*stage).min(outline.stage))
                .or_insert(outline.stage);
        }
        Self { first_unready, first_unready_job }
    }

    /// Whether everything that stands before this is ready: of its own subscription, and of what is shared.
    pub(super) fn open(&self, position: usize, outline: &Outline) -> bool {
        let reached = |subscription: &Option<Name>| {
            self.first_unready.get(subscription).is_none_or(|first| outline.stage <= *first)
        };
        let in_turn = || {
            let place = (outline.subscription.clone(), outline.stage);
            self.first_unready_job.get(&place).is_none_or(|first| position <= *first)
        };
        reached(&None)
            && (outline.subscription.is_none() || reached(&outline.subscription))
            && (!is_job(outline) || in_turn())
    }

    /// Whether a task may go: the secrets, volumes and databases that it works with are there. It
    /// does not wait for the services: it may be what repairs them.
    pub(super) fn open_for_task(&self, position: usize, outline: &Outline) -> bool {
        let reached = |subscription: &Option<Name>| {
            self.first_unready.get(subscription).is_none_or(|first| *first > Stage::Database)
        };
        let place = (outline.subscription.clone(), outline.stage);
        let in_turn = self.first_unready_job.get(&place).is_none_or(|first| position <= *first);
        reached(&None) && reached(&outline.subscription) && in_turn
    }
}

fn is_job(outline: &Outline) -> bool {
    &*outline.id.group == "batch" && &*outline.id.kind == "Job"
}
