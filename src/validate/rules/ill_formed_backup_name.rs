//! The name of a backup reaches nothing but a file among the backups.

use super::Rule;
use crate::model::task::BACKUP;
use crate::model::task::is_backup_name;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::each(
    "ill-formed-backup-name",
    "The name of a backup is the name of a file, and no path.",
    check,
);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for task in customer.subscriptions.iter().flat_map(|purchase| &purchase.tasks) {
        if let Some(name) = task.spec.with.get(BACKUP)
            && !is_backup_name(name)
        {
            findings
                .error(
                    task.at(format!("spec.with.{BACKUP}")),
                    format!("`{name}` is not the name of a backup"),
                )
                .help(
                    "use letters, digits, `.`, `_` and `-`, as the result of the backup names it",
                );
        }
    }
}
