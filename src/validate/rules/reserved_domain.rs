//! Some names are the operator's: no customer takes them.

use std::collections::BTreeSet;

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "reserved-domain",
    "A customer takes no reserved subdomain, and no domain of ours as their own.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    let Some(platform) = &world.configuration.platform else { return };
    let ours = our_domains(world, &platform.spec.domain);
    for purchase in world.customers.iter().flat_map(|customer| &customer.subscriptions) {
        let subscription = &purchase.document.spec;
        let subdomain = subscription.subdomain();
        if purchase.runs_on_a_cluster() && platform.spec.reserved_subdomains.contains(subdomain) {
            let path = purchase.path_of_subdomain();
            findings
                .error(
                    purchase.document.at(path),
                    format!("the subdomain `{subdomain}` is reserved"),
                )
                .help("choose another `subdomain`")
                .related(platform.at("spec.reservedSubdomains"), "reserved here");
        }
        for (index, domain) in subscription.domains.iter().enumerate() {
            if let Some(our) = ours.iter().find(|our| is_under(domain, our)) {
                let at = purchase.document.at(format!("spec.domains.{index}"));
                findings
                    .error(at, format!("`{domain}` is under `{our}`, which is not the customer's"))
                    .help("names under our domains come from `subdomain` alone");
            }
        }
    }
}

/// The platform's domain, and what packages put their customers' names under.
fn our_domains(world: &World<'_>, platform: &str) -> BTreeSet<String> {
    let hostnames = world.configuration.packages.values().filter_map(|package| {
        let hostname = package.spec.placement.as_ref()?.hostname.as_ref()?;
        let hostname = hostname.replace("{domain}", platform);
        let (_, under) = hostname.rsplit_once('}')?;
        let (_, under) = under.split_once('.')?;
        under.contains('.').then(|| under.to_owned())
    });
    hostnames.chain([platform.to_owned()]).collect()
}

fn is_under(domain: &str, parent: &str) -> bool {
    domain.strip_suffix(parent).is_some_and(|left| left.is_empty() || left.ends_with('.'))
}
