//! A task is told only what its action asks for.

use super::Rule;
use crate::model::task::RETENTION_DAYS;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::each(
    "unknown-setting",
    "`with` of a task holds what its action asks for: `backup` of a restore, `retentionDays` of a last backup.",
    check,
);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for task in customer.subscriptions.iter().flat_map(|purchase| &purchase.tasks) {
        let (action, known) = (task.spec.action, task.spec.action.settings());
        for (name, value) in &task.spec.with {
            let at = task.at(format!("spec.with.{name}"));
            if !known.contains(&name.as_str()) {
                let help = match known {
                    [] => "remove it: it asks for nothing".to_owned(),
                    known => format!("remove it, or write `{}`", known.join("`, `")),
                };
                findings.error(at, format!("`{}` knows no `{name}`", action.word())).help(help);
            } else if name == RETENTION_DAYS
                && !value.parse::<u16>().is_ok_and(|days| (1..=3650).contains(&days))
            {
                findings
                    .error(at, format!("`{value}` is no number of days"))
                    .help("write 1 to 3650 in quotes");
            }
        }
    }
}
