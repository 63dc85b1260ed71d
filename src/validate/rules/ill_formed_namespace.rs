//! A namespace's name is a label of DNS, with at most 63 characters.

use super::Rule;
use crate::model::names::is_dns_label;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-namespace",
    "A namespace's name has at most 63 of a-z, 0-9 and `-`.",
    check_prefix,
)
.and_each(check_customer);

fn check_prefix(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let Some(placement) = &package.spec.placement else { continue };
        let prefix = &placement.namespace_prefix;
        // Whatever follows it, an `a` in its place shows whether the rest fits.
        if !is_dns_label(&format!("{prefix}a")) {
            findings
                .error(
                    package.at("spec.placement.namespacePrefix"),
                    format!("`{prefix}` cannot be what a namespace's name begins with"),
                )
                .help("use a-z, 0-9 and `-`, not first, such as `customer-`");
        } else if prefix.is_empty() {
            findings
                .error(
                    package.at("spec.placement.namespacePrefix"),
                    "without a prefix a customer's namespace could be anybody's",
                )
                .help("write one, such as `customer-`");
        }
    }
}

fn check_customer(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let Some(namespace) = &purchase.namespace else { continue };
        let prefix = purchase
            .offer
            .and_then(|offer| offer.package.spec.placement.as_ref())
            .map_or(0, |placement| placement.namespace_prefix.len());
        if namespace.len() > 63 && is_dns_label(&namespace[prefix..]) {
            let path = if purchase.document.spec.subdomain.is_some() {
                "spec.subdomain"
            } else {
                "spec.tenant"
            };
            let message = format!(
                "the namespace `{namespace}` has {} characters, and 63 fit",
                namespace.len()
            );
            findings.error(purchase.document.at(path), message).help(format!(
                "choose a `subdomain` of at most {} characters",
                63_usize.saturating_sub(prefix)
            ));
        }
    }
}
