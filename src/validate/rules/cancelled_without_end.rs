//! What is cancelled at the end of its period has such an end.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::Customer;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::each(
    "cancelled-without-end",
    "What is cancelled at the end of its period has such an end.",
    check,
);

fn check(_: &World<'_>, customer: &Customer<'_>, findings: &mut Findings) {
    for purchase in &customer.subscriptions {
        let subscription = &purchase.document.spec;
        if subscription.cancel_at_period_end && subscription.paid_through.is_none() {
            findings
                .error(
                    purchase.document.at("spec.cancelAtPeriodEnd"),
                    "it is cancelled at the end of its period, and has no end",
                )
                .help("add `paidThrough`, the last day of the period");
        }
    }
}
