//! Of what is there, something is kept.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::each(
    "purged-subscription",
    "What a tenant names under `purged` has ended: there is no such subscription any more.",
    check,
);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    let Some(tenant) = customer.tenant else { return };
    for name in &tenant.spec.purged {
        let purchase = customer.subscriptions.iter().find(|one| one.document.name == *name);
        if let Some(purchase) = purchase {
            findings
                .error(
                    tenant.at("spec.purged"),
                    format!("nothing is kept of `{name}`, and there is such a subscription"),
                )
                .related(purchase.document.at("metadata.name"), "it is here")
                .help(format!("remove `{name}` from `purged`, or the subscription"));
        }
    }
}
