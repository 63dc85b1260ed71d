//! What raising costs is said of what can be raised, by steps of something, in the package's currency.

use super::Rule;
use crate::model::Document;
use crate::model::Package;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "raise-not-sold",
    "A package says what raising costs only of what it has and lets be raised.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for package in world.configuration.packages.values() {
        for name in package.spec.raises.keys() {
            compare(package, name, findings);
        }
    }
}

fn compare(package: &Document<Package>, name: &str, findings: &mut Findings) {
    let spec = &package.spec;
    let Some(raise) = spec.raises.get(name) else { return };
    let known = spec.quota.contains_key(name) || spec.limits.contains_key(name);
    if !known || !spec.maximum.contains_key(name) {
        let message = format!("`{name}` cannot be raised in this package");
        let help = if known {
            format!("say in `maximum` how far `{name}` may be raised, or remove its price")
        } else {
            "name one of `quota` or `limits`, or remove it".to_owned()
        };
        findings.error(package.at(format!("spec.raises.{name}")), message).help(help);
    }
    if raise.per.milli() <= 0 {
        findings
            .error(package.at(format!("spec.raises.{name}.per")), "there are no steps of nothing")
            .help("write how much of it the price buys, such as `50`");
    }
    let price = package.at(format!("spec.raises.{name}.price"));
    if raise.price.minor < 0 {
        findings
            .error(price, format!("`{}` is less than nothing", raise.price))
            .help("write an amount without `-`");
    } else if let Some(own) = spec.price.filter(|own| own.currency != raise.price.currency) {
        findings
            .error(
                price,
                format!("this is in {}, and the package in {}", raise.price.currency, own.currency),
            )
            .help(format!("write it in {}", own.currency));
    }
}
