//! A subscription ends after it has begun.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::each("expiry-before-start", "A subscription ends after it has begun.", check);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let subscription = &purchase.document.spec;
        if let Some(paid) = subscription.paid_through.filter(|paid| *paid < subscription.starts) {
            findings
                .error(
                    purchase.document.at("spec.paidThrough"),
                    format!("it is paid through {paid}, and starts on {}", subscription.starts),
                )
                .help("put `paidThrough` on the last day of the first period, or later")
                .related(purchase.document.at("spec.starts"), "it starts here");
        }
    }
}
