//! What is told of a host that is kept: where it stands, and what each pass did, in the words in
//! which tenants are told of.

use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::apply::host::HostError;
use crate::apply::host::StepOutcome;
use crate::model::Commit;
use crate::model::Finding;
use crate::model::Name;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::host::MaintenanceWindow;
use crate::plan::Cause;
use crate::plan::Done;
use crate::plan::Outcome;
use crate::plan::Retry;
use crate::plan::host::HostChange;
use crate::plan::host::HostPlan;
use crate::plan::host::HostStep;
use crate::plan::host::events::Event;
use crate::plan::host::show;
use crate::plan::host::step::HostCause;
use crate::reconcile::note::Note;
use crate::reconcile::note::RunNote;
use crate::reconcile::note::State;
use crate::reconcile::note::UnitStatus;
use crate::reconcile::run::Deed;
use crate::reconcile::world::Clock;

use super::Converged;

/// Whoever tells of one host.
pub(super) struct Telling {
    unit: UnitName,
    clock: Clock,
    notes: mpsc::UnboundedSender<Note>,
    told: Option<UnitStatus>,
}

/// A pass under way.
pub(super) struct Run {
    commit: Commit,
    started: Timestamp,
    begun: Instant,
    retry: bool,
    /// By the step: when it began, and how long it took.
    steps: Vec<(Instant, Duration)>,
}

impl Run {
    /// Takes the time of each step.
    pub(super) fn hear(&mut self, plan: &HostPlan, event: &Event) {
        let now = Instant::now();
        self.steps.resize(plan.steps.len(), (now, Duration::ZERO));
        match event {
            Event::Begun { step } => self.steps[*step].0 = now,
            Event::Ended { step, .. } => {
                self.steps[*step].1 = now.saturating_duration_since(self.steps[*step].0);
            }
            _ => {}
        }
    }
}

impl Telling {
    pub(super) fn new(host: Name, clock: Clock, notes: mpsc::UnboundedSender<Note>) -> Self {
        Self { unit: UnitName::Host(host), clock, notes, told: None }
    }

    /// Its document or its catalog is broken: it stays as it is.
    pub(super) fn held(&mut self, commit: &Commit, findings: &[Finding]) {
        let first =
            findings.first().map(|finding| format!("{}: {}", finding.place, finding.message));
        self.status(Some(commit), State::Held, first);
    }

    /// No document speaks of it any more. Nothing is done to it.
    pub(super) fn gone(&mut self) {
        self.status(None, State::Retired, None);
    }

    pub(super) fn failed(&mut self, commit: &Commit, why: &str) -> State {
        self.status(Some(commit), State::Failing, Some(why.to_owned()));
        State::Failing
    }

    pub(super) fn begin(&mut self, commit: &Commit, retry: bool) -> Run {
        if self.told.is_none() {
            self.status(Some(commit), State::Applying, None);
        }
        let (started, begun) = (self.clock.now(), Instant::now());
        Run { commit: commit.clone(), started, begun, retry, steps: Vec::new() }
    }

    /// Tells what became of a pass, and where the host stands after it.
    pub(super) fn end(
        &mut self,
        run: Run,
        pass: &Result<Converged, HostError>,
        window: Option<&MaintenanceWindow>,
    ) -> State {
        let (state, reason, deeds) = match pass {
            Err(error) => (State::Failing, Some(error.to_string()), Vec::new()),
            Ok(converged) => {
                let (state, reason) = standing(converged, window);
                (state, reason, deeds(converged, &run.steps))
            }
        };
        let failed = matches!(state, State::Failing | State::Degraded);
        let commit = run.commit.clone();
        // A pass that found nothing to do is no news.
        if !deeds.is_empty() || pass.is_err() {
            let _ = self.notes.send(Note::Run(Box::new(RunNote {
                unit: self.unit.clone(),
                cluster: self.unit.name().clone(),
                commit: Some(run.commit),
                started: run.started,
                finished: self.clock.now(),
                took: run.begun.elapsed(),
                deeds,
                failure: reason.clone().filter(|_| failed),
                superseded: false,
                retry: run.retry,
                by_clock: false,
            })));
        }
        self.status(Some(&commit), state, reason);
        state
    }

    /// Tells where it stands, where that is news.
    fn status(&mut self, commit: Option<&Commit>, state: State, reason: Option<String>) {
        let before = self.told.as_ref();
        let since = before.filter(|told| told.state == state).map(|told| told.since);
        let status = UnitStatus {
            unit: self.unit.clone(),
            cluster: None,
            state,
            reason,
            commit: commit.cloned(),
            since: since.unwrap_or_else(|| self.clock.now()),
            next_try: None,
        };
        if before != Some(&status) {
            let _ = self.notes.send(Note::Status(status.clone()));
            self.told = Some(status);
        }
    }
}

/// Where a host stands after a pass, and why it is not where it should be.
fn standing(converged: &Converged, window: Option<&MaintenanceWindow>) -> (State, Option<String>) {
    let left = &converged.left;
    let failed = converged.carried.iter().flat_map(|carried| &carried.outcomes);
    let failure = converged.plan.steps.iter().zip(failed).find_map(|(step, outcome)| {
        let StepOutcome::Failed { tail, advice, .. } = outcome else { return None };
        let last = tail.lines().next_back().unwrap_or("it said nothing");
        let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        Some(format!("{} failed: {last}{advice}", step.resource))
    });
    if let (true, Some(window)) = (converged.waits(), window) {
        let summary = show::summary(left);
        return (State::Waiting, Some(format!("{summary}; it waits for its window, {window}")));
    }
    if failure.is_some() {
        return (State::Failing, failure);
    }
    if !left.steps.is_empty() {
        let names: Vec<String> = left.steps.iter().map(|step| step.resource.to_string()).collect();
        let why = format!("it was done, and is not so: {}", names.join(", "));
        return (State::Failing, Some(why));
    }
    if let Some(told) = left.blocked.iter().chain(&left.failing).next() {
        return (State::Degraded, Some(format!("{}: {}", told.resource, told.why)));
    }
    match left.approval() {
        Some(digest) => {
            let count = left.parked.len();
            let why = format!("{count} removals wait for an approval of {digest}");
            (State::Parked, Some(why))
        }
        None => (State::Converged, None),
    }
}

/// What a pass did, step by step.
fn deeds(converged: &Converged, times: &[(Instant, Duration)]) -> Vec<Deed> {
    let outcomes = converged.carried.iter().flat_map(|carried| &carried.outcomes);
    converged
        .plan
        .steps
        .iter()
        .zip(outcomes)
        .enumerate()
        .filter_map(|(position, (step, outcome))| {
            let took = times.get(position).map_or(Duration::ZERO, |(_, took)| *took);
            deed(step, outcome, took)
        })
        .collect()
}

fn deed(step: &HostStep, outcome: &StepOutcome, took: Duration) -> Option<Deed> {
    let outcome = match outcome {
        StepOutcome::Done => match step.change {
            HostChange::Create => Outcome::Created,
            HostChange::Update | HostChange::Run => Outcome::Changed,
            HostChange::Remove => Outcome::Deleted,
        },
        StepOutcome::Failed { tail, .. } => {
            Outcome::Failed { message: tail.clone(), retry: Retry::Later }
        }
        StepOutcome::Skipped { .. } => return None,
    };
    let cause = match step.cause {
        HostCause::Drift => Cause::Drift { what: "changed on the host".to_owned(), by: None },
        HostCause::Asked | HostCause::Owed => Cause::Asked,
    };
    let id = ResourceId::new("", step.resource.kind.word(), "", &step.resource.name);
    let done = Done { id, outcome, live: None };
    Some(Deed { verb: step.change.word(), cause: Some(cause), done, took })
}
