//! What is to be verified has something that verifies it.

use super::Rule;
use crate::model::package::JobStage;
use crate::model::task::Action;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::each(
    "missing-check",
    "What a task verifies has jobs of the stage `verify` in its package.",
    check,
);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let Some(offer) = purchase.offer else { continue };
        let package = &offer.package;
        if package.spec.jobs.iter().any(|job| job.stage == JobStage::Verify) {
            continue;
        }
        for task in purchase.tasks.iter().filter(|task| task.spec.action == Action::Verify) {
            findings
                .error(
                    task.at("spec.action"),
                    format!("the package `{}` has no jobs that verify anything", package.name),
                )
                .help("add a job with `stage: verify` to the package, or remove the task");
        }
    }
}
