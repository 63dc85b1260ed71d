//! A host's plan as a person reads it.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::plan::preview::Mark;
use crate::plan::show::Text;
use crate::plan::show::cut;

use super::step::HostCause;
use super::step::HostChange;
use super::step::HostDifference;
use super::step::HostPlan;
use super::step::HostStep;
use super::step::PropertyChange;

/// Shows a plan as text, in colour where that is asked for.
pub fn text(plan: &HostPlan, colour: bool) -> String {
    let mut text = Text::new(colour);
    legend(&mut text, plan);
    let title = text.bold(&plan.host);
    text.line(0, &title);
    for step in &plan.steps {
        tell_step(&mut text, step);
    }
    for parked in &plan.parked {
        let sign = text.sign(Mark::Parked);
        text.line(1, &format!("{sign} {parked}: its removal waits for an approval"));
    }
    for told in &plan.notes {
        let sign = text.sign(Mark::Keep);
        text.line(1, &format!("{sign} {}: {}", told.resource, told.why));
    }
    for told in &plan.blocked {
        text.line(1, &format!("? {}: {}", told.resource, told.why));
    }
    for told in &plan.failing {
        let sign = text.styled(Mark::Delete.style(), "x");
        text.line(1, &format!("{sign} {}: {}", told.resource, told.why));
    }
    text.out.push('\n');
    if let Some(digest) = plan.approval() {
        text.line(0, "So many removals at once wait for somebody who means them");
        text.line(1, &format!("to approve them: --approve {digest}"));
        text.out.push('\n');
    }
    let summary = text.bold(&summary(plan));
    text.line(0, &summary);
    text.out
}

/// `Plan: 2 to add, 1 to change, 1 to remove`
pub fn summary(plan: &HostPlan) -> String {
    let counts = plan.counts();
    let words =
        [("create", "to add"), ("change", "to change"), ("run", "to run"), ("remove", "to remove")];
    let mut parts: Vec<String> = words
        .iter()
        .filter_map(|(word, told)| counts.get(word).map(|count| format!("{count} {told}")))
        .collect();
    let others = [
        (plan.blocked.len(), "blocked"),
        (plan.parked.len(), "parked"),
        (plan.failing.len(), "not well"),
    ];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    parts.extend(others.map(|(count, what)| format!("{count} {what}")));
    match parts.as_slice() {
        [] if plan.records => "Plan: only the inventory changes".into(),
        [] => "Plan: no changes".into(),
        parts => format!("Plan: {}", parts.join(", ")),
    }
}

/// The plan for machines.
pub fn json(plan: &HostPlan) -> Value {
    let step = |step: &HostStep| {
        json!({
            "resource": step.resource,
            "change": step.change,
            "cause": step.cause,
            "differences": step.differences,
            "needs": step.needs,
        })
    };
    json!({
        "host": plan.host,
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "blocked": plan.blocked,
        "failing": plan.failing,
        "notes": plan.notes,
        "parked": plan.parked,
        "approval": plan.approval(),
        "records": plan.records,
    })
}

impl HostChange {
    fn mark(self) -> Mark {
        match self {
            Self::Create => Mark::Create,
            Self::Update | Self::Run => Mark::Update,
            Self::Remove => Mark::Delete,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Run => ">",
            other => other.mark().sign(),
        }
    }
}

fn legend(text: &mut Text, plan: &HostPlan) {
    let used: BTreeSet<&str> = plan.steps.iter().map(|step| step.change.word()).collect();
    for change in [HostChange::Create, HostChange::Update, HostChange::Run, HostChange::Remove] {
        if used.contains(change.word()) {
            let sign = text.styled(change.mark().style(), change.sign());
            text.line(1, &format!("{sign} {}", change.word()));
        }
    }
    if !used.is_empty() {
        text.out.push('\n');
    }
}

fn tell_step(text: &mut Text, step: &HostStep) {
    let sign = text.styled(step.change.mark().style(), step.change.sign());
    let why = match step.cause {
        HostCause::Drift => " (somebody changed it on the host)",
        HostCause::Asked | HostCause::Owed => "",
    };
    text.line(1, &format!("{sign} {}{why}", step.resource));
    for difference in &step.differences {
        tell_difference(text, difference);
    }
}

fn tell_difference(text: &mut Text, difference: &HostDifference) {
    let property = &difference.property;
    match &difference.change {
        PropertyChange::Changed { from: None, to } => {
            text.line(3, &format!("+ {property}: {}", cut(to)));
        }
        PropertyChange::Changed { from: Some(from), to } => {
            text.line(3, &format!("~ {property}: {} -> {}", cut(from), cut(to)));
        }
        PropertyChange::Hidden => text.line(3, &format!("~ {property}: (hidden, changed)")),
        PropertyChange::Text { lines } => {
            text.line(3, &format!("~ {property}:"));
            for line in lines {
                text.text_line(line);
            }
        }
    }
}
