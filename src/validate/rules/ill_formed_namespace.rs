//! A namespace's name is a label of DNS, with at most 63 characters.

use super::Rule;
use crate::model::names::is_dns_label;
use crate::model::package::NamespacePer;
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
        let Some(namespace) = purchase.namespace.as_ref().filter(|name| name.len() > 63) else {
            continue;
        };
        let Some(placement) = purchase.placement() else { continue };
        let (prefix, characters) = (placement.namespace_prefix.len(), namespace.len());
        let (path, help) = match placement.namespace_per {
            NamespacePer::Subdomain if prefix < 63 => (
                purchase.path_of_subdomain(),
                format!("choose a `subdomain` of at most {} characters", 63 - prefix),
            ),
            _ => (
                "spec.package",
                format!(
                    "shorten the `namespacePrefix` of the package `{}`",
                    purchase.document.spec.package
                ),
            ),
        };
        findings
            .error(
                purchase.document.at(path),
                format!("the namespace `{namespace}` has {characters} characters, and 63 fit"),
            )
            .help(help);
    }
}
