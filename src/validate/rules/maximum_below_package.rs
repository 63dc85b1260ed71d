//! How far a package's amounts may be raised is not less than what they are.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "maximum-below-package",
    "A package's maximum is at least its quota and limits.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let spec = &package.spec;
        for (name, maximum) in &spec.maximum {
            let amount = spec.quota.get(name).or_else(|| spec.limits.get(name));
            if let Some(amount) = amount.filter(|amount| maximum < amount) {
                findings
                    .error(
                        package.at(format!("spec.maximum.{name}")),
                        format!("the maximum {maximum} is less than the package's own {amount}"),
                    )
                    .help(format!("raise it to at least {amount}, or remove it"));
            }
        }
    }
}
