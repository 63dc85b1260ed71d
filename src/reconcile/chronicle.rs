//! Writes what happened into history.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::history::Record;
use crate::history::Recorder;
use crate::history::fresh_id;
use crate::history::record::ActionRecord;
use crate::history::record::CommitSeen;
use crate::history::record::Drift;
use crate::history::record::Ending;
use crate::history::record::Parked;
use crate::history::record::PhaseChange;
use crate::history::record::Reach;
use crate::history::record::Run;
use crate::history::record::RunCause;
use crate::history::record::RunResult;
use crate::history::record::StageChange;
use crate::history::record::TaskOutcome;
use crate::history::record::UnitState;
use crate::history::record::UnitStatus;
use crate::model::Commit;
use crate::model::Finding;
use crate::plan::Cause;
use crate::source::CommitFacts;

use super::note::Note;
use super::note::ParkedDeletions;
use super::note::RunNote;
use super::note::State;
use super::run::Deed;

/// Turns notes into records.
pub struct Chronicle {
    recorder: Recorder,
    /// What the world converges to, for runs of units of which nothing is asked any more.
    commit: Option<Commit>,
}

impl Chronicle {
    pub fn new(recorder: Recorder) -> Self {
        Self { recorder, commit: None }
    }

    /// Writes down what happened.
    pub fn take(&mut self, note: &Note, now: Timestamp) {
        match note {
            Note::Seen { facts, refused_from } => {
                self.recorder.record(Record::Commit(commit_seen(facts, refused_from.clone(), now)));
            }
            Note::Commit { commit, roster, findings, .. } => {
                self.commit = Some(commit.clone());
                self.findings("commit".to_owned(), findings, now);
                if let Some(units) = roster {
                    self.recorder.record(Record::Roster { units: units.clone(), at: now });
                }
            }
            Note::Wanted { commit } => {
                self.recorder.record(Record::Wanted { commit: commit.clone(), at: now });
            }
            // What it brought to light is written down as what it is: drift that is put back.
            Note::Verified { .. } => {}
            Note::Answered { cluster, findings } => {
                self.findings(format!("cluster {cluster}"), findings, now);
            }
            Note::Status(status) => self.recorder.record(match status.state {
                State::Retired if status.reason.is_none() => {
                    Record::Gone { unit: status.unit.clone(), at: status.since }
                }
                _ => Record::Status(UnitStatus {
                    unit: status.unit.clone(),
                    state: state(status.state),
                    commit: status.commit.clone(),
                    since: status.since,
                    reason: status.reason.clone(),
                    next_try: status.next_try,
                    updated_at: now,
                }),
            }),
            Note::Run(run) => self.run(run),
            Note::Stage { unit, subscription, stage, state, at } => {
                self.recorder.record(Record::Stage(StageChange {
                    id: fresh_id(),
                    unit: unit.clone(),
                    subscription: subscription.clone(),
                    stage: *stage,
                    state: state.clone(),
                    at: *at,
                }));
            }
            Note::Phases { unit, phases, at } => {
                for (subscription, phase) in phases {
                    self.recorder.record(Record::Phase(PhaseChange {
                        id: fresh_id(),
                        unit: unit.clone(),
                        subscription: subscription.clone(),
                        phase: *phase,
                        at: *at,
                    }));
                }
            }
            Note::Task { unit, task, state, message, at } => {
                self.recorder.record(Record::Task(TaskOutcome {
                    unit: unit.clone(),
                    task: task.clone(),
                    state: *state,
                    message: message.clone(),
                    at: *at,
                }));
            }
            Note::Parked(parked) => self.recorder.record(Record::Parked(parked_now(parked, now))),
            Note::Unparked { digest, approved } => self.recorder.record(Record::Unparked {
                digest: *digest,
                ending: if *approved { Ending::Approved } else { Ending::Withdrawn },
                at: now,
            }),
            Note::Reach { what, away, at } => self.recorder.record(Record::Reach(Reach {
                name: what.clone(),
                reachable: away.is_none(),
                since: *at,
                why: away.clone(),
                updated_at: now,
            })),
        }
    }

    fn findings(&self, origin: String, findings: &[Finding], at: Timestamp) {
        self.recorder.record(Record::Findings { origin, findings: findings.to_vec(), at });
    }

    fn run(&self, run: &RunNote) {
        let Some(commit) = run.commit.as_ref().or(self.commit.as_ref()) else { return };
        let drifts = run.deeds.iter().filter_map(|deed| Some((deed, drift_of(deed)?)));
        for (deed, (what, by)) in drifts {
            let put_back = !deed.done.outcome.failed();
            self.recorder.record(Record::Drift(Drift {
                id: fresh_id(),
                unit: run.unit.clone(),
                resource: deed.done.id.clone(),
                what: what.to_owned(),
                by: by.map(str::to_owned),
                found_at: run.started,
                put_back_at: put_back.then_some(run.finished),
            }));
        }
        let cause = if run.deeds.iter().any(|deed| drift_of(deed).is_some()) {
            RunCause::Drift
        } else if run.retry {
            RunCause::Retry
        } else if run.by_clock {
            RunCause::Clock
        } else {
            RunCause::Commit
        };
        let result = match (&run.failure, run.superseded) {
            (Some(_), _) => RunResult::Failed,
            (None, true) => RunResult::Superseded,
            (None, false) => RunResult::Converged,
        };
        self.recorder.record(Record::Run(Run {
            id: fresh_id(),
            unit: run.unit.clone(),
            commit: commit.clone(),
            cause,
            started_at: run.started,
            finished_at: run.finished,
            result,
            message: run.failure.clone(),
            actions: run.deeds.iter().map(action).collect(),
        }));
    }
}

fn parked_now(parked: &ParkedDeletions, now: Timestamp) -> Parked {
    let units: BTreeSet<_> = parked.ids.iter().map(|(unit, _)| unit.clone()).collect();
    Parked {
        id: fresh_id(),
        digest: parked.digest,
        units: units.into_iter().collect(),
        ids: parked.ids.iter().map(|(_, id)| id.clone()).collect(),
        reason: parked.reason.clone(),
        since: now,
    }
}

fn commit_seen(facts: &CommitFacts, refused_from: Option<Commit>, now: Timestamp) -> CommitSeen {
    CommitSeen {
        id: facts.id.clone(),
        author: facts.author.name.clone(),
        email: facts.author.email.clone(),
        subject: facts.subject.clone(),
        written_at: facts.written,
        seen_at: now,
        refused_from,
    }
}

fn drift_of(deed: &Deed) -> Option<(&str, Option<&str>)> {
    match &deed.cause {
        Some(Cause::Drift { what, by }) => Some((what, by.as_deref())),
        _ => None,
    }
}

fn action(deed: &Deed) -> ActionRecord {
    ActionRecord::of(deed.verb, &deed.done, deed.took)
}

fn state(state: State) -> UnitState {
    match state {
        State::Converged => UnitState::Converged,
        State::Applying => UnitState::Applying,
        State::Waiting => UnitState::Waiting,
        State::Degraded | State::Failing => UnitState::Degraded,
        State::Parked => UnitState::Parked,
        State::Held => UnitState::Held,
        State::Retired => UnitState::Retired,
    }
}
