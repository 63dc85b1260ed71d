//! A period has a length.

use super::Rule;
use crate::model::term::Term;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "empty-term",
    "Periods, and times that something is kept or waits, have a length.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    if let Some(platform) = world.configuration.platform.as_ref() {
        let within = platform.spec.payments.approve_within;
        has_length(platform.at("spec.payments.approveWithin"), within, findings);
    }
    for package in world.configuration.packages.values() {
        let retention = package.spec.backup.as_ref().map(|backup| backup.retention);
        let terms =
            [("spec.period", Some(package.spec.period)), ("spec.backup.retention", retention)];
        for (path, term) in terms {
            if let Some(term) = term {
                has_length(package.at(path), term, findings);
            }
        }
    }
}

fn has_length(at: At, term: Term, findings: &mut Findings) {
    if term.about_seconds() == 0 {
        findings
            .error(at, format!("`{term}` is no time at all"))
            .help("write a length, such as `30 days` or `1 month`");
    }
}
