//! Time zones are those of the IANA database.

use super::Rule;
use crate::model::typed::nearest;
use crate::model::zone;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("unknown-timezone", "Time zones are those of the IANA database.", check);

fn check(world: &World<'_>, findings: &mut Findings) {
    if let Some(platform) = &world.configuration.platform {
        look(&platform.spec.time_zone, || platform.at("spec.timeZone"), findings);
    }
    for host in world.configuration.hosts.values() {
        if let Some(window) = &host.spec.maintenance {
            look(&window.time_zone, || host.at("spec.maintenance.timeZone"), findings);
        }
    }
}

fn look(name: &str, at: impl Fn() -> At, findings: &mut Findings) {
    if zone::zone(name).is_some() {
        return;
    }
    let help = match nearest(name, zone::names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write the name of a region and a city, such as `Asia/Jakarta`".to_owned(),
    };
    findings.error(at(), format!("there is no time zone `{name}`")).help(help);
}
