//! Without a platform nobody knows the domain, the time zone or the limits of deletion.

use super::Rule;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Subject;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("missing-platform", "A repository has one platform.", check);

fn check(world: &World<'_>, findings: &mut Findings) {
    if world.configuration.platform.is_some() || world.unread.knows_any("Platform") {
        return;
    }
    let unread = world.configuration.files.iter().find(|file| !file.findings.is_empty());
    let help = match unread {
        Some(file) => format!(
            "add a document of the kind `Platform`, or repair `{}`, if it was there",
            file.file
        ),
        None => "add a document of the kind `Platform`".to_owned(),
    };
    findings.error(At::file("platform.yaml", Subject::Platform), "there is no platform").help(help);
}
