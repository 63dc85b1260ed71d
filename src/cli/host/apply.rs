//! `host apply`: brings hosts to what their documents say, step by step.

use serde_json::Value;
use serde_json::json;

use crate::apply::host::StepOutcome;
use crate::model::Digest;
use crate::plan::host::HostPlan;
use crate::plan::host::events::Event;
use crate::plan::host::show;
use crate::reconcile::hosts;
use crate::reconcile::hosts::Converged;
use crate::reconcile::hosts::Order;

use super::Exit;
use super::Failure;
use super::Output;
use super::Tone;
use super::Which;
use super::failed;
use super::on_each;

/// Bring hosts to what their documents say, once
///
/// Looks, does what differs, and looks again over a new connection. Cut short anywhere, it goes on
/// when it is started again. Exits with 1 where a host is not as it should be in the end.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry host apply kassa-plus-1 --ssh-key ~/.ssh/tenantry
  tenantry host apply --commit main         all hosts, by what is on the branch `main`")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Take off what a plan parked, by the digest that it told
    #[arg(long, value_name = "DIGEST")]
    approve: Option<Digest>,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let (desired, wanted, mut good) = arguments.which.wanted(output).await?;
    let mut approved = hosts::approvals(&desired);
    approved.extend(arguments.approve);
    let order = Order {
        who: "tenantry host apply",
        commit: &desired.commit,
        approved: &approved,
        // A person who asks for it has chosen the time.
        may_change: true,
    };
    let order = &order;
    let passes = on_each(&wanted, arguments.which.at_once, |host| async move {
        let mut tell = |plan: &HostPlan, event: &Event| tell(output, plan, event);
        hosts::converge(host.access.clone(), &host.ordered, order, &mut tell).await
    });
    let mut told: Vec<(Value, String)> = Vec::new();
    for (name, pass) in passes.await {
        match pass {
            Ok(converged) => {
                good &= converged.went_well();
                told.push((as_json(&converged), as_text(&converged, output)));
            }
            Err(error) => {
                good = false;
                failed(output, name, &error);
            }
        }
    }
    let (values, texts): (Vec<Value>, Vec<String>) = told.into_iter().unzip();
    output.result(&values, || texts.join("\n"))?;
    Ok(if good { Exit::Fine } else { Exit::Failed })
}

/// Tells what happens while it happens.
fn tell(output: &Output, plan: &HostPlan, event: &Event) {
    let name = |step: usize| plan.steps.get(step).map(|step| step.resource.to_string());
    let host = &plan.host;
    match event {
        Event::Begun { step } => {
            if let Some(step) = name(*step) {
                output.note(format!("{host}: {step} ..."));
            }
        }
        Event::Ended { step, status, tail } if *status != 0 => {
            let step = name(*step).unwrap_or_default();
            output.note(format!(
                "{host}: {} with {status}",
                output.paint(Tone::Bad, &format!("{step} failed"))
            ));
            for line in tail.lines() {
                output.note(format!("    {line}"));
            }
        }
        _ => {}
    }
}

fn as_json(converged: &Converged) -> Value {
    let outcome = |outcome: &StepOutcome| match outcome {
        StepOutcome::Done => json!({"outcome": "done"}),
        StepOutcome::Failed { status, tail, advice } => {
            json!({"outcome": "failed", "status": status, "tail": tail, "advice": advice})
        }
        StepOutcome::Skipped { because_of } => {
            json!({"outcome": "skipped", "becauseOf": because_of})
        }
    };
    let carried = converged.carried.as_ref();
    json!({
        "host": converged.plan.host,
        "plan": show::json(&converged.plan),
        "outcomes": carried.map(|carried| carried.outcomes.iter().map(outcome).collect::<Vec<_>>()),
        "left": show::json(&converged.left),
        "wentWell": converged.went_well(),
    })
}

fn as_text(converged: &Converged, output: &Output) -> String {
    let Converged { plan, carried, left } = converged;
    let host = &plan.host;
    let mut lines = Vec::new();
    let outcomes = carried.iter().flat_map(|carried| &carried.outcomes);
    for (step, outcome) in plan.steps.iter().zip(outcomes) {
        match outcome {
            StepOutcome::Done => {}
            StepOutcome::Failed { advice, .. } => {
                let advice = advice.map(|advice| format!(": {advice}")).unwrap_or_default();
                lines.push(format!("{host}: {} failed{advice}", step.resource));
            }
            StepOutcome::Skipped { because_of } => {
                let needed = &plan.steps[*because_of].resource;
                lines.push(format!("{host}: {} waits for {needed}", step.resource));
            }
        }
    }
    if converged.went_well() {
        let done = match plan.steps.len() {
            0 => "nothing to do".to_owned(),
            1 => "1 step done, and confirmed".to_owned(),
            count => format!("{count} steps done, and confirmed"),
        };
        lines.push(format!("{host}: {}", output.paint(Tone::Good, &done)));
    } else {
        let left_over = output.paint(Tone::Bad, "not as it should be; this is left");
        lines.extend([format!("{host}: {left_over}"), show::text(left, output.colour())]);
    }
    lines.join("\n")
}
