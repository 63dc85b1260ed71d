//! Templates choose API versions by a cluster's Kubernetes version: it is one they know.

use super::Rule;
use crate::model::cluster::KNOWN_MINORS;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "unsupported-version",
    "A cluster's Kubernetes version is one that there are templates for.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for cluster in world.configuration.clusters.values() {
        let version = &cluster.spec.kubernetes_version;
        let (first, last) = (KNOWN_MINORS.start(), KNOWN_MINORS.end());
        let (message, help) = match cluster.spec.minor_version() {
            Some(minor) if KNOWN_MINORS.contains(&minor) => continue,
            Some(_) => (
                format!("there are no templates for Kubernetes {version}"),
                format!("there are some for 1.{first} to 1.{last}"),
            ),
            None => (
                format!("`{version}` is not a version of Kubernetes"),
                "write the two first numbers in quotes, such as `\"1.33\"`".to_owned(),
            ),
        };
        findings.error(cluster.at("spec.kubernetesVersion"), message).help(help);
    }
}
