//! Prices and costs are not below nothing.

use super::Rule;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule =
    Rule::whole("negative-price", "Prices and costs are not below nothing.", check);

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
        for (path, money) in price.chain(add_ons).chain(cost) {
            if money.minor < 0 {
                findings
                    .error(package.at(path), format!("`{money}` is less than nothing"))
                    .help("write an amount without `-`");
            }
        }
    }
}
