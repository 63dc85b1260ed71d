//! Why is it in this state? Pure: what is known of a unit in, sentences out.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::record::ActionOutcome;
use super::record::Run;
use super::record::RunCause;
use super::record::RunResult;
use super::record::UnitState;
use super::record::UnitStatus;
use super::told::ParkedSeen;
use super::told::StageSpan;
use super::told::UnitHistory;
use super::told::counted;
use super::told::lasting;
use super::told::show_drift;
use crate::model::Name;
use crate::plan::StageState;

/// How many failures are told one by one.
const MOST_FAILURES: usize = 5;
/// Older drift explains nothing of today.
const LATELY_HOURS: i64 = 24;

/// Says why a unit is in its state, in sentences for a person; the first says the state itself.
pub fn explain(unit: &UnitHistory, now: Timestamp) -> Vec<String> {
    let mut said = Vec::new();
    match &unit.status {
        Some(status) => say_status(&mut said, status, now),
        None => match &unit.last_run {
            Some(_) => {
                said.push(format!("`{}` is gone: no document asks for it any more.", unit.unit));
            }
            None => said.push(format!(
                "Nothing is known of `{}`: no run of it was recorded, and no document asks for it.",
                unit.unit
            )),
        },
    }
    for reach in &unit.unreachable {
        let why = reach.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        said.push(format!(
            "{} cannot be reached since {}{why}.",
            reach.name,
            when(reach.since, now)
        ));
    }
    for parked in &unit.parked {
        say_parked(&mut said, parked, now);
    }
    say_subscriptions(&mut said, unit, now);
    if let Some(run) = &unit.last_run {
        say_run(&mut said, run, now);
    }
    say_drift(&mut said, unit, now);
    said
}

fn say_status(said: &mut Vec<String>, status: &UnitStatus, now: Timestamp) {
    let at = status.commit.as_ref().map(|commit| format!("At commit {} ", commit.short()));
    let state = match status.state {
        UnitState::Converged => "is as its documents say",
        UnitState::Applying => "is being brought to what its documents say",
        UnitState::Waiting => "waits until what was applied is ready",
        UnitState::Degraded => "is not as its documents say",
        UnitState::Held => "is held at its last good state, because its documents are wrong",
        UnitState::Parked => "is not as its documents say, because deletions wait for an approval",
        UnitState::Retired => "is asked for by no document, and something of it is kept",
    };
    let mut sentence = format!(
        "{}`{}` {state}, since {}",
        at.unwrap_or_default(),
        status.unit,
        when(status.since, now)
    );
    if let Some(reason) = &status.reason {
        sentence.push_str(": ");
        sentence.push_str(reason.trim_end_matches('.'));
    }
    sentence.push('.');
    said.push(sentence);
    match (status.state, status.next_try) {
        (_, Some(next)) if next > now => {
            said.push(format!("It is tried again in {}.", lasting(next.duration_since(now))));
        }
        (_, Some(_)) => said.push("It is about to be tried again.".to_owned()),
        (UnitState::Degraded | UnitState::Held, None) => {
            said.push("It is not tried again before a commit changes it.".to_owned());
        }
        _ => {}
    }
}

fn say_parked(said: &mut Vec<String>, seen: &ParkedSeen, now: Timestamp) {
    let parked = &seen.parked;
    said.push(format!(
        "{} deletions wait for an approval since {}: {}.",
        parked.ids.len(),
        when(parked.since, now),
        parked.reason.trim_end_matches('.')
    ));
    said.push(format!(
        "To let them go, commit `{}` under `deletions.approved` of the platform; to keep everything, revert \
         the commit that removed it.",
        parked.digest
    ));
}

fn say_subscriptions(said: &mut Vec<String>, unit: &UnitHistory, now: Timestamp) {
    let mut stages: BTreeMap<Option<&Name>, Vec<&StageSpan>> = BTreeMap::new();
    for span in &unit.stages {
        stages.entry(span.subscription.as_ref()).or_default().push(span);
    }
    for change in &unit.phases {
        stages.entry(Some(&change.subscription)).or_default();
    }
    let several = stages.len() > 1;
    for (subscription, spans) in stages {
        // What subscriptions share counts for each of them already.
        let Some(subscription) = subscription else {
            if !several {
                say_stages(said, "It", &spans, now);
            }
            continue;
        };
        let phase = unit.phases.iter().find(|change| change.subscription == *subscription);
        if let Some(change) = phase {
            let since = when(change.at, now);
            said.push(format!("Subscription `{subscription}` is {} since {since}.", change.phase));
        }
        say_stages(said, &format!("Subscription `{subscription}`"), &spans, now);
    }
}

/// Tells the first stage that is not ready; what comes after it waits for it.
fn say_stages(said: &mut Vec<String>, who: &str, spans: &[&StageSpan], now: Timestamp) {
    if spans.is_empty() {
        return;
    }
    let ready = StageState::Ready.word();
    let Some(open) = spans.iter().find(|span| span.state != ready) else {
        said.push(format!("{who} is ready in all its stages."));
        return;
    };
    let done: Vec<String> = spans
        .iter()
        .take_while(|span| span.state == ready)
        .map(|span| span.stage.to_string())
        .collect();
    let done = if done.is_empty() { String::new() } else { format!("; {} ready", listed(&done)) };
    let mut sentence = format!(
        "{who} has come to stage {}, which is {} since {}",
        open.stage,
        open.state,
        when(open.started_at, now)
    );
    if let Some(reason) = &open.reason {
        sentence.push_str(": ");
        sentence.push_str(reason.trim_end_matches('.'));
    }
    sentence.push_str(&done);
    sentence.push('.');
    said.push(sentence);
}

fn say_run(said: &mut Vec<String>, run: &Run, now: Timestamp) {
    let cause = match run.cause {
        RunCause::Commit => "for a commit",
        RunCause::Drift => "because something drifted",
        RunCause::Clock => "because its time had come",
        RunCause::Verification => "to verify it",
        RunCause::Retry => "to try again",
    };
    let result = match run.result {
        RunResult::Converged => "converged",
        RunResult::Waiting => "did what it could, and waits",
        RunResult::Failed => "failed",
        RunResult::Superseded => "gave way to a newer commit",
    };
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for action in &run.actions {
        let outcome = serde_json::to_value(action.outcome).ok();
        let outcome = outcome.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
        *counts.entry(outcome).or_default() += 1;
    }
    let done = if counts.is_empty() { "nothing to do".to_owned() } else { counted(&counts) };
    said.push(format!(
        "Its last run, {cause} at {}, {result} after {}: {done}.",
        when(run.started_at, now),
        lasting(run.finished_at.duration_since(run.started_at))
    ));
    let failed = || run.actions.iter().filter(|action| action.outcome == ActionOutcome::Failed);
    for action in failed().take(MOST_FAILURES) {
        let why = action.message.as_deref().unwrap_or("no reason was given");
        said.push(format!(
            "Could not {} {}: {}.",
            action.verb,
            action.id,
            why.trim_end_matches('.')
        ));
    }
    match failed().count().saturating_sub(MOST_FAILURES) {
        0 => {}
        more => said.push(format!("{more} more failed.")),
    }
}

fn say_drift(said: &mut Vec<String>, unit: &UnitHistory, now: Timestamp) {
    let recent = |at: Timestamp| now.duration_since(at).as_hours() < LATELY_HOURS;
    let mut drift = unit.drift.iter().filter(|drift| recent(drift.found_at));
    let Some(last) = drift.next() else { return };
    let mut sentence = match drift.count() {
        0 => "Once in the last day something of it drifted: ".to_owned(),
        more => format!("{} times in the last day something of it drifted, last: ", more + 1),
    };
    show_drift(&mut sentence, last).expect("a string takes every text");
    said.push(format!("{sentence}, {}.", when(last.found_at, now)));
}

/// `2026-11-21 09:14 UTC (12 min ago)`.
fn when(at: Timestamp, now: Timestamp) -> String {
    let ago = lasting(now.duration_since(at));
    format!("{} UTC ({ago} ago)", at.strftime("%Y-%m-%d %H:%M"))
}

/// `Namespace`, `Namespace and Database`, `Namespace, Database and Services`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
