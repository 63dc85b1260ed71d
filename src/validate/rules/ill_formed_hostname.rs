//! A package's hostname gives every customer an address of their own.

use super::Rule;
use crate::model::names::is_domain;
use crate::model::package::NamespacePer;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-hostname",
    "A package's hostname is a domain with `{subdomain}` or `{tenant}` in it.",
    check,
)
.and_each(check_length);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let Some(placement) = &package.spec.placement else { continue };
        let Some(hostname) = &placement.hostname else { continue };
        let filled = hostname
            .replace("{subdomain}", "a")
            .replace("{tenant}", "a")
            .replace("{domain}", "example.com");
        let own = hostname.contains("{subdomain}")
            || (hostname.contains("{tenant}") && placement.namespace_per == NamespacePer::Tenant);
        let (message, help) = if !is_domain(&filled) {
            (
                format!("`{hostname}` does not make a domain"),
                "write it such as `{subdomain}.shop.{domain}`: `{subdomain}`, `{tenant}` and `{domain}` are filled in",
            )
        } else if !own {
            (
                format!("`{hostname}` gives several subscriptions one address"),
                "put `{subdomain}` into it",
            )
        } else {
            continue;
        };
        findings.error(package.at("spec.placement.hostname"), message).help(help);
    }
}

fn check_length(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let own = purchase.document.spec.domains.len();
        for host in purchase.hosts.iter().take(purchase.hosts.len() - own) {
            if host.len() > 253 {
                findings
                    .error(
                        purchase.document.at("spec.subdomain"),
                        "the address is longer than 253 characters",
                    )
                    .help("choose a shorter `subdomain`");
            }
        }
    }
}
