//! Where there are several clusters, a tenant says which one it is on: a tenant that moved because
//! a cluster was added would leave its data behind.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::Purchase;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::each(
    "cluster-undecided",
    "A tenant whose subscriptions run on a cluster says on which, where there are several.",
    check,
);

fn check(world: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    let Some(tenant) = customer.tenant else { return };
    let runs = customer.subscriptions.iter().any(Purchase::runs_on_a_cluster);
    if !runs || tenant.spec.cluster.is_some() || world.unread.knows_any("Cluster") {
        return;
    }
    let clusters = &world.configuration.clusters;
    let names: Vec<String> = clusters.keys().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => {
            findings
                .error(tenant.at("spec"), "there is no cluster for this tenant to run on")
                .help("add a document of the kind `Cluster`");
        }
        1 => {}
        _ => {
            findings
                .error(tenant.at("spec"), "the tenant does not say which cluster it runs on")
                .help(format!("add `cluster`: one of {}", names.join(", ")));
        }
    }
}
