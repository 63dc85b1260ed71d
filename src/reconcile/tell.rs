//! Writes what happened into the log: each change of state once, and never a secret.

use crate::history::record::TaskState;
use crate::model::Name;
use crate::model::UnitName;
use crate::plan::Cause;
use crate::plan::Outcome;

use super::note::HISTORY;
use super::note::Note;
use super::note::REPOSITORY;
use super::note::State;
use super::run::Deed;

/// `12 created, 1 failed`: how often each outcome, and nothing of what was not changed.
fn outcomes(deeds: &[Deed]) -> String {
    let count = |word: &str, wanted: fn(&Outcome) -> bool| {
        let count = deeds.iter().filter(|deed| wanted(&deed.done.outcome)).count();
        (count > 0).then(|| format!("{count} {word}"))
    };
    let counts = [
        count("created", |outcome| *outcome == Outcome::Created),
        count("changed", |outcome| *outcome == Outcome::Changed),
        count("deleted", |outcome| *outcome == Outcome::Deleted),
        count("orphaned", |outcome| *outcome == Outcome::Orphaned),
        count("failed", Outcome::failed),
    ];
    counts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn log_task(unit: &UnitName, task: &Name, state: TaskState, message: &str) {
    match state {
        TaskState::Running => tracing::info!(%unit, %task, "`{unit}`: {task} has begun"),
        TaskState::Done => tracing::info!(%unit, %task, "`{unit}`: {task} is done {message}"),
        TaskState::Failed => tracing::warn!(%unit, %task, "`{unit}`: {task} failed: {message}"),
    }
}

/// Writes a note into the log.
pub fn log(note: &Note) {
    match note {
        Note::Commit { commit, units, rendered, held, findings, .. } => tracing::info!(
            %commit,
            units,
            rendered,
            held,
            findings = findings.len(),
            "read commit {}: {units} units, {rendered} of them rendered",
            commit.short()
        ),
        Note::Answered { cluster, findings } => {
            if findings.is_empty() {
                tracing::debug!(%cluster, "the cluster `{cluster}` is what its document says");
            }
            for finding in findings {
                let help = finding.help.as_deref().unwrap_or_default();
                let (place, rule, message) = (&finding.place, finding.rule, &finding.message);
                tracing::warn!(%cluster, rule, %place, "{place}: {message} [{rule}]; {help}");
            }
        }
        Note::Verified { cluster, what, missed: 0 } => {
            tracing::debug!(%cluster, what, "verified {what} in the cluster `{cluster}`");
        }
        Note::Verified { cluster, what, missed } => tracing::warn!(
            %cluster,
            what,
            missed,
            "the cluster `{cluster}` had not told of {missed} changes of {what}; they are known now"
        ),
        Note::Status(status) => {
            let reason = status.reason.as_deref().unwrap_or_default();
            let colon = if reason.is_empty() { "" } else { ": " };
            let text = format!("`{}` is {}{colon}{reason}", status.unit, status.state.word());
            match status.state {
                State::Degraded | State::Failing | State::Held | State::Parked => {
                    tracing::warn!(unit = %status.unit, state = status.state.word(), "{text}");
                }
                State::Converged => {
                    tracing::info!(unit = %status.unit, state = "converged", "{text}");
                }
                State::Applying | State::Waiting | State::Retired => {
                    tracing::debug!(unit = %status.unit, state = status.state.word(), "{text}");
                }
            }
        }
        Note::Run(run) => {
            let (unit, deeds, took, failure) = (&run.unit, &run.deeds, run.took, &run.failure);
            for deed in deeds {
                if let Some(Cause::Drift { what, by }) = &deed.cause {
                    let by = by.as_deref().unwrap_or("somebody");
                    tracing::info!(%unit, resource = %deed.done.id, "put back what {by} changed: {} ({what})", deed.done.id);
                }
            }
            let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let (outcomes, failed) = (outcomes(deeds), failure.is_some());
            // What goes on failing is tried again and again, and its state says so once.
            let did_something = deeds
                .iter()
                .any(|deed| !deed.done.outcome.failed() && deed.done.outcome != Outcome::Unchanged);
            if did_something {
                tracing::info!(%unit, duration_ms, failed, "`{unit}`: {outcomes} in {duration_ms} ms");
            } else {
                tracing::debug!(%unit, duration_ms, failed, "`{unit}`: {outcomes} in {duration_ms} ms");
            }
        }
        Note::Stage { unit, subscription, stage, state, .. } => {
            let subscription = subscription.as_ref().map(ToString::to_string).unwrap_or_default();
            tracing::debug!(%unit, subscription, %stage, state = state.word(), "`{unit}` {stage}: {}", state.word());
        }
        Note::Phases { unit, phases, .. } => {
            for (subscription, phase) in phases {
                tracing::info!(%unit, %subscription, %phase, "`{unit}/{subscription}` is {phase}");
            }
        }
        Note::Task { unit, task, state, message, .. } => {
            log_task(unit, task, *state, message.as_deref().unwrap_or_default());
        }
        Note::Parked(parked) => tracing::warn!(
            digest = %parked.digest,
            "deletions are parked: {}; approve them with `tenantry approve {}`",
            parked.reason,
            parked.digest
        ),
        Note::Unparked { digest, approved } => {
            let why = if *approved { "are approved" } else { "are not wanted any more" };
            tracing::info!(%digest, "the parked deletions {digest} {why}");
        }
        // Of a branch that was rewritten the source tells.
        Note::Seen { .. } | Note::Wanted { .. } => {}
        // Both say themselves what their absence means.
        Note::Reach { what, .. } if what == REPOSITORY || what == HISTORY => {}
        Note::Reach { what, away: Some(why), .. } => {
            tracing::warn!(target = what, "{what} cannot be reached: {why}");
        }
        Note::Reach { what, away: None, .. } => {
            tracing::info!(target = what, "{what} can be reached again");
        }
    }
}
