//! Only what is backed up can be backed up and restored by a task.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::each(
    "missing-backup",
    "Backups and restores are asked for of what runs on a cluster and has a `backup` in its package.",
    check,
);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let Some(offer) = purchase.offer else { continue };
        let package = &offer.package;
        for task in purchase.tasks.iter().filter(|task| task.spec.action.needs_backup()) {
            if !package.spec.is_backed_up() {
                findings
                    .error(
                        task.at("spec.action"),
                        format!("the package `{}` says nothing of backups", package.name),
                    )
                    .help("add `backup` to the package, or remove the task");
            }
        }
    }
}
