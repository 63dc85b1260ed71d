//! Domains and subdomains are what DNS and certificates can carry.

use super::Rule;
use crate::model::names::is_dns_label;
use crate::model::names::is_domain;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-domain",
    "Domains and subdomains are lower case, of a-z, 0-9 and `-`, with at most 63 characters between two points.",
    check_shared,
)
.and_each(check_customer);

fn check_shared(world: &World<'_>, findings: &mut Findings) {
    if let Some(platform) = &world.configuration.platform {
        domain(&platform.spec.domain, platform.at("spec.domain"), findings);
        for subdomain in &platform.spec.reserved_subdomains {
            if !is_dns_label(subdomain) {
                label(subdomain, platform.at("spec.reservedSubdomains"), findings);
            }
        }
    }
    for host in world.configuration.hosts.values() {
        if let Some(name) = &host.spec.domain {
            domain(name, host.at("spec.domain"), findings);
        }
    }
}

fn check_customer(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let subscription = &purchase.document.spec;
        if let Some(subdomain) = &subscription.subdomain
            && !is_dns_label(subdomain)
        {
            label(subdomain, purchase.document.at("spec.subdomain"), findings);
        }
        for (index, name) in subscription.domains.iter().enumerate() {
            if !is_domain(name) {
                domain(name, purchase.document.at(format!("spec.domains.{index}")), findings);
            }
        }
    }
}

fn label(written: &str, at: At, findings: &mut Findings) {
    findings
        .error(at, format!("`{written}` is not a subdomain"))
        .help("use 1 to 63 of a-z, 0-9 and `-`, neither first nor last");
}

fn domain(written: &str, at: At, findings: &mut Findings) {
    if is_domain(written) {
        return;
    }
    let help = if written.contains("://") || written.contains('/') {
        "write the name alone, such as `school.example.com`"
    } else if written.starts_with("*.") {
        "write out each name: a wildcard would take names of others"
    } else if !written.is_ascii() {
        "write it as DNS has it, with `xn--…` for letters beyond a-z"
    } else if written.bytes().any(|byte| byte.is_ascii_uppercase()) {
        "write it in lower case"
    } else {
        "write a name of at least two parts, such as `school.example.com`"
    };
    findings.error(at, format!("`{written}` is not a domain")).help(help);
}
