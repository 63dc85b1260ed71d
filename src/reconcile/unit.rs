//! What the junction knows of one unit on one cluster, and the judgement of where it stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;

use crate::model::Name;
use crate::model::UnitName;
use crate::model::resource::Outline;
use crate::model::resource::Stage;
use crate::plan::Deletions;
use crate::plan::Observed;
use crate::plan::Plan;
use crate::plan::Progress;
use crate::plan::StageState;
use crate::plan::departing;
use crate::plan::limits::Departure;
use crate::plan::once::Standing;
use crate::plan::once::standing;
use crate::plan::plan;
use crate::plan::preview::day;
use crate::plan::progress::progress;

use super::desired::DesiredUnit;
use super::note::State;
use super::note::UnitStatus;
use super::run::Known;
use super::run::Lane;

/// How long a stage may take before the unit counts as degraded.
pub(super) const STAGE_DEADLINE: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// How long a stage may take before the cluster is asked what it is waiting for.
pub(super) const EXPLAIN_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_secs(15);

/// A unit on a cluster: a tenant that moves is two of these for a while.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) cluster: Name,
    pub(super) unit: UnitName,
}

#[derive(Default)]
pub(super) struct Unit {
    /// What it should be; none where nothing is asked for here.
    pub(super) desired: Option<Arc<DesiredUnit>>,
    /// Whether the clock, and no commit, made it what it should be.
    pub(super) by_clock: bool,
    /// Why its documents are broken, where they are.
    pub(super) held: Option<String>,
    /// None until the cluster was seen as a whole.
    pub(super) known: Option<Known>,
    pub(super) running: Option<Arc<AtomicBool>>,
    /// Somebody else wrote its inventory while it ran.
    pub(super) stale: bool,
    /// Something happened while it ran.
    pub(super) look_again: bool,
    /// In which lane it waits for a worker.
    pub(super) queued: Option<Lane>,
    pub(super) failures: u32,
    pub(super) failure: Option<String>,
    /// Who undoes our work again and again, and where.
    pub(super) fight: Option<String>,
    pub(super) not_before: Option<Instant>,
    /// When it is looked at again by itself.
    pub(super) timer: Option<Instant>,
    pub(super) status: Option<UnitStatus>,
    pub(super) stages: BTreeMap<(Option<Name>, Stage), (StageState, Timestamp)>,
    /// The things to do once as they were told last.
    pub(super) tasks: BTreeMap<Name, Standing>,
    /// What a person should know about a thing that does not become ready.
    pub(super) explained: Option<(String, String)>,
}

/// What one look at a unit comes to.
pub(super) struct Look {
    pub(super) plan: Plan,
    pub(super) progress: Vec<Progress>,
    /// The things to do once that have begun, and how each stands.
    pub(super) tasks: Vec<(Outline, Standing)>,
    /// When what is gone and remembered may be forgotten.
    pub(super) next_forgotten: Option<Timestamp>,
    pub(super) departure: Option<Departure>,
    /// The inventory in the cluster says something else than it should.
    pub(super) unsettled_inventory: bool,
}

impl Look {
    /// When something that is set aside has to go, or something that is gone may be forgotten.
    pub(super) fn next_drop(&self, now: Timestamp) -> Option<Instant> {
        let aside = self.plan.aside.iter().map(|(_, until)| *until);
        let next = aside.chain(self.next_forgotten).filter(|until| *until > now).min()?;
        Instant::now().checked_add(Duration::try_from(next.duration_since(now)).ok()?)
    }
}

impl Unit {
    pub(super) fn outlines(&self) -> &[Outline] {
        self.desired.as_ref().map_or(&[], |desired| &desired.outlines)
    }

    /// Compares what is asked for with what is there; pure, and cheap enough for every event.
    pub(super) fn look(
        &self,
        key: &Key,
        known: &Known,
        observed: Observed,
        deletions: &Deletions,
        now: Timestamp,
    ) -> Look {
        let observed = known.complete(observed, self.desired.as_deref(), now);
        let outlines = self.outlines();
        let ids = departing(outlines, &observed);
        let departure = (!ids.is_empty()).then(|| Departure {
            unit: key.unit.clone(),
            inventory: known.inventory.uid.clone().unwrap_or_default(),
            whole_unit: self.desired.is_none(),
            ids,
        });
        let settled = crate::plan::inventory::after(outlines, &observed);
        let tasks = outlines
            .iter()
            .filter(|outline| outline.task.is_some())
            .map(|outline| (outline.clone(), standing(outline, &observed)))
            .filter(|(_, standing)| !matches!(standing, Standing::Waits | Standing::Late))
            .collect();
        Look {
            tasks,
            next_forgotten: crate::plan::inventory::next_forgotten(&observed),
            plan: plan(outlines, &observed, deletions),
            progress: progress(outlines, &observed),
            departure,
            unsettled_inventory: settled.entries != known.written.entries,
        }
    }

    /// Where the unit stands, by a look at it.
    pub(super) fn judge(&self, look: &Look, now: Timestamp) -> (State, Option<String>) {
        if let Some(why) = &self.held {
            return (State::Held, Some(why.clone()));
        }
        if let Some(failure) = &self.failure {
            return (State::Failing, Some(failure.clone()));
        }
        if let Some(fight) = &self.fight
            && look.plan.has_due()
        {
            return (State::Degraded, Some(fight.clone()));
        }
        if self.running.is_some() || look.plan.has_due() {
            return (State::Applying, None);
        }
        if let Some((late, reason)) = self.late_or_failed(look, now) {
            let told = self.explained.as_ref();
            let told = told.filter(|(about, told)| *about == reason && !told.is_empty());
            let reason = told.map_or(reason.clone(), |(_, told)| format!("{reason}: {told}"));
            let state = if late { State::Degraded } else { State::Waiting };
            return (state, Some(reason));
        }
        if !look.plan.parked.is_empty() {
            let count = look.plan.parked.len();
            return (State::Parked, Some(format!("{count} deletions wait for an approval")));
        }
        if let Some((id, why)) = look.plan.blocked.first() {
            return (State::Waiting, Some(format!("{id}: {why}")));
        }
        if self.desired.is_none() {
            let kept = match look.plan.kept.len() {
                0 => None,
                1 => Some("1 object is kept by its policy".to_owned()),
                kept => Some(format!("{kept} objects are kept by their policy")),
            };
            let aside = aside(&look.plan);
            let reason = [aside, kept].into_iter().flatten().collect::<Vec<_>>().join("; ");
            return (State::Retired, (!reason.is_empty()).then_some(reason));
        }
        let unready = look.progress.iter().flat_map(|progress| &progress.stages);
        match unready.filter(|(_, state)| *state != StageState::Ready).map(|(stage, _)| stage).min()
        {
            Some(stage) => (State::Applying, Some(format!("stage {stage} comes next"))),
            None => (State::Converged, aside(&look.plan)),
        }
    }

    /// The first stage that is not ready: whether it is past its deadline or failed, and why.
    fn late_or_failed(&self, look: &Look, now: Timestamp) -> Option<(bool, String)> {
        let mut found: Option<(bool, String)> = None;
        for progress in &look.progress {
            for (stage, state) in &progress.stages {
                let key = (progress.subscription.clone(), *stage);
                let since = self.stages.get(&key).map_or(now, |(_, since)| *since);
                let late = now.duration_since(since) >= STAGE_DEADLINE;
                let this = match state {
                    StageState::Failed(why) => (true, why.clone()),
                    StageState::Progressing(why) => (late, why.clone()),
                    _ => continue,
                };
                if found.as_ref().is_none_or(|(late, _)| this.0 && !late) {
                    found = Some(this);
                }
            }
        }
        found
    }

    /// Notes the stages as they are now, and returns those that changed.
    pub(super) fn note_stages(
        &mut self,
        look: &Look,
        now: Timestamp,
    ) -> Vec<(Option<Name>, Stage, StageState)> {
        let mut changed = Vec::new();
        let mut stages = BTreeMap::new();
        for progress in &look.progress {
            for (stage, state) in &progress.stages {
                let key = (progress.subscription.clone(), *stage);
                match self.stages.get(&key) {
                    Some((old, since)) if old == state => {
                        stages.insert(key, (state.clone(), *since));
                    }
                    old => {
                        // A reason that changes does not start the deadline again.
                        let since = match old {
                            Some((old, since)) if old.word() == state.word() => *since,
                            _ => now,
                        };
                        // What is found ready at the first look was ready before we came.
                        if old.is_some() || *state != StageState::Ready {
                            let subscription = progress.subscription.clone();
                            changed.push((subscription, *stage, state.clone()));
                        }
                        stages.insert(key, (state.clone(), since));
                    }
                }
            }
        }
        self.stages = stages;
        changed
    }

    /// A unit that is broken and was never good has nothing to be brought to.
    pub(super) fn may_be_changed(&self) -> bool {
        self.held.is_none() || self.desired.is_some()
    }

    /// When a stage that is not ready has to be explained, or passes its deadline.
    pub(super) fn deadline(&self, now: Timestamp) -> Option<Instant> {
        let wait = self
            .stages
            .values()
            .filter(|(state, _)| matches!(state, StageState::Progressing(_)))
            .flat_map(|(_, since)| {
                [EXPLAIN_AFTER, STAGE_DEADLINE].map(|after| since.checked_add(after))
            })
            .filter_map(Result::ok)
            .filter(|deadline| *deadline > now)
            .map(|deadline| deadline.duration_since(now))
            .min()?;
        Some(Instant::now() + Duration::try_from(wait).ok()?)
    }

    /// What the cluster should be asked about: something that is late, or failed, for this reason.
    pub(super) fn unexplained(&self, now: Timestamp) -> Option<&str> {
        self.stages
            .values()
            .find_map(|(state, since)| match state {
                StageState::Failed(why) => Some(why),
                StageState::Progressing(why) if now.duration_since(*since) >= EXPLAIN_AFTER => {
                    Some(why)
                }
                _ => None,
            })
            .filter(|why| self.explained.as_ref().is_none_or(|(about, _)| about != *why))
            .map(String::as_str)
    }
}

/// What is set aside, in words.
fn aside(plan: &Plan) -> Option<String> {
    let said: Vec<String> = plan
        .aside
        .iter()
        .map(|(id, until)| format!("{id} is set aside until {}", day(*until)))
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}
