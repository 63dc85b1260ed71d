//! A period has a length.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("empty-term", "Periods, and times that backups are kept, have a length.", check);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let retention = package.spec.backup.as_ref().map(|backup| backup.retention);
        let terms =
            [("spec.period", Some(package.spec.period)), ("spec.backup.retention", retention)];
        for (path, term) in terms {
            if let Some(term) = term.filter(|term| term.about_seconds() == 0) {
                findings
                    .error(package.at(path), format!("`{term}` is no time at all"))
                    .help("write a length, such as `30 days` or `1 month`");
            }
        }
    }
}
