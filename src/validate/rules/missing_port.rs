//! What is reached from outside, or asked for its health, listens on a port.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "missing-port",
    "A component with routes or a health path listens on a port, and not on port zero.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for component in world.configuration.components.values() {
        let spec = &component.spec;
        let (path, message) = if spec.port == Some(0) {
            ("spec.port", "nothing listens on port 0")
        } else if spec.port.is_none() && !spec.routes.is_empty() {
            ("spec.routes", "routes lead to no port")
        } else if spec.port.is_none() && spec.health_path.is_some() {
            ("spec.healthPath", "no port answers for health")
        } else {
            continue;
        };
        findings.error(component.at(path), message).help("add the `port` it listens on");
    }
}
