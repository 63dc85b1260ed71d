//! What runs on a cluster says where, and what does not run there has nothing of it.

use super::Rule;
use crate::model::Package;
use crate::model::package::Runs;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "placement-mismatch",
    "A package that runs on a cluster has a placement; any other has neither placement nor components.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let spec = &package.spec;
        if spec.runs == Runs::Cluster {
            if spec.placement.is_none() {
                findings
                    .error(package.at("spec.runs"), "a package that runs on a cluster says where")
                    .help("add `placement`, with `templates` and `namespacePrefix`");
            }
            if spec.components.is_empty() {
                findings
                    .warning(package.at("spec.runs"), "nothing runs for this package")
                    .help("add `components`, or write `runs: entitlement`");
            }
        } else if let Some(field) = of_clusters(spec) {
            let message = format!("`{field}` has no meaning for what does not run on a cluster");
            findings
                .error(package.at(format!("spec.{field}")), message)
                .help("remove it, or write `runs: cluster`");
        }
    }
}

/// A field that only what runs on a cluster has.
fn of_clusters(package: &Package) -> Option<&'static str> {
    [
        ("placement", package.placement.is_some()),
        ("components", !package.components.is_empty()),
        ("quota", !package.quota.is_empty()),
        ("database", package.database.is_some()),
        ("cache", package.cache.is_some()),
        ("jobs", !package.jobs.is_empty()),
    ]
    .into_iter()
    .find_map(|(field, there)| there.then_some(field))
}
