//! Somebody gets a tenant's mail.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::each("missing-contact", "A tenant has somebody to write to.", check);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    if let Some(tenant) = customer.tenant
        && tenant.spec.contacts.is_empty()
    {
        findings
            .error(tenant.at("spec.contacts"), "the tenant has nobody to write to")
            .help("add a contact with an `email`");
    }
}
