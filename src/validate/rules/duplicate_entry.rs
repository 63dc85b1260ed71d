//! What stands in a list by its name stands there once.

use std::collections::HashSet;

use super::Rule;
use crate::model::Name;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "duplicate-entry",
    "Components, jobs and add-ons of a package, and volumes and credentials of a component, have names of their own.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let spec = &package.spec;
        let parts = spec.components.iter().map(|part| &part.component).map(Name::as_str);
        once(parts, "the component", findings, |index| {
            package.at(format!("spec.components.{index}.component"))
        });
        let jobs = spec.jobs.iter().map(|job| job.name.as_str());
        once(jobs, "the job", findings, |index| package.at(format!("spec.jobs.{index}.name")));
        let add_ons = spec.add_ons.iter().map(|add_on| add_on.name.as_str());
        once(add_ons, "the add-on", findings, |index| {
            package.at(format!("spec.addOns.{index}.name"))
        });
    }
    for component in world.configuration.components.values() {
        let spec = &component.spec;
        let volumes = spec.volumes.iter().map(|volume| volume.name.as_str());
        once(volumes, "the volume", findings, |index| {
            component.at(format!("spec.volumes.{index}.name"))
        });
        let credentials = spec.credentials.iter().map(|credential| credential.key.as_str());
        once(credentials, "the credential", findings, |index| {
            component.at(format!("spec.credentials.{index}.key"))
        });
    }
}

fn once<'a>(
    names: impl Iterator<Item = &'a str>,
    what: &str,
    findings: &mut Findings,
    at: impl Fn(usize) -> At,
) {
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            findings
                .error(at(index), format!("{what} `{name}` stands here twice"))
                .help("rename or remove one of the two");
        }
    }
}
