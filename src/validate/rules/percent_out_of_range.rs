//! Percentages are what they can be.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "percent-out-of-range",
    "Percentages are from 0 to 100, and oversubscription is 100 or more.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for cluster in world.configuration.clusters.values() {
        let Some(capacity) = &cluster.spec.capacity else { continue };
        if capacity.reserve >= 100 {
            findings
                .error(cluster.at("spec.capacity.reserve"), "nothing is left beside this reserve")
                .help("write the percent that stay free, such as 35");
        }
        if capacity.oversubscription < 100 {
            findings
                .error(
                    cluster.at("spec.capacity.oversubscription"),
                    format!("with {} % less is allowed than there is", capacity.oversubscription),
                )
                .help("write percent: 400 is four times of what is there");
        }
    }
    if let Some(platform) = &world.configuration.platform {
        let alerts = &platform.spec.alerts;
        for (path, percent) in
            [("spec.alerts.usage", alerts.usage), ("spec.alerts.disk", alerts.disk)]
        {
            if percent > 100 {
                findings
                    .error(platform.at(path), format!("{percent} % is never reached"))
                    .help("write a number from 0 to 100");
            }
        }
    }
}
