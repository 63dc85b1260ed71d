//! A package is priced in one currency, add-ons and costs included: else no margin can be told.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "mixed-currencies",
    "Price, add-ons and costs of a package are in one currency.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        let spec = &package.spec;
        let price = spec.price.iter().map(|price| ("spec.price".to_owned(), price));
        let add_ons = spec
            .add_ons
            .iter()
            .enumerate()
            .map(|(index, add_on)| (format!("spec.addOns.{index}.price"), &add_on.price));
        let cost = spec.cost.iter().map(|(item, cost)| (format!("spec.cost.{item}"), cost));
        let mut amounts = price.chain(add_ons).chain(cost);
        let Some((first, amount)) = amounts.next() else { continue };
        let currency = amount.currency;
        for (path, money) in amounts {
            if money.currency != currency {
                findings
                    .error(
                        package.at(path),
                        format!("this is in {}, and the package in {currency}", money.currency),
                    )
                    .help(format!("write it in {currency}"))
                    .related(package.at(first.clone()), "the package's currency");
            }
        }
    }
}
