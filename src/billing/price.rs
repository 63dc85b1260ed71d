//! What a subscription costs for a period: its package, its add-ons, and what it has raised.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::model::Name;
use crate::model::Package;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Money;
use crate::model::quantity::Quantity;
use crate::model::subscription::Overrides;

pub use crate::model::package::RaisePrice;
pub use crate::model::package::RaisePrices;

/// What somebody buys, or has.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    pub name: &'a Name,
    pub package: &'a Package,
    pub add_ons: &'a BTreeMap<Name, u16>,
    pub overrides: &'a Overrides,
}

/// What a line of a price is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "camelCase")]
pub enum Item {
    Package(Name),
    AddOn(Name),
    /// A raised quota or limit.
    Raise(String),
}

/// One line of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceLine {
    pub item: Item,
    /// What it is, as the customer reads it.
    pub text: String,
    pub quantity: i64,
    /// The price of one for a whole period.
    pub unit: Money,
}

impl PriceLine {
    /// The price of all of them for a whole period.
    pub fn amount(&self) -> Result<Money, ArithmeticError> {
        self.unit.checked_mul(self.quantity)
    }
}

/// What has no price.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    #[error(
        "the package {package} has no price, it is agreed with each customer: quote by hand, or give the package a `price`"
    )]
    Agreed { package: Name },
    #[error("the package {package} has no add-on {add_on}: choose one of its `addOns`")]
    AddOn { package: Name, add_on: Name },
    #[error("the price {price} of {what} is below zero: write it as zero or more")]
    Negative { what: String, price: Money },
    #[error("{0} cannot be raised by steps of nothing: give its price a `per` above zero")]
    Per(String),
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// The lines of what a choice costs for one whole period.
pub fn price(choice: Choice<'_>, raises: &RaisePrices) -> Result<Vec<PriceLine>, PriceError> {
    let Choice { name, package, add_ons, overrides } = choice;
    let agreed = || PriceError::Agreed { package: name.clone() };
    let base = fair(package.price.ok_or_else(agreed)?, name.as_str())?;
    let mut lines = vec![PriceLine {
        item: Item::Package(name.clone()),
        text: package.title.clone(),
        quantity: 1,
        unit: base,
    }];
    for (wanted, count) in add_ons.iter().filter(|(_, count)| **count > 0) {
        let offered = package.add_ons.iter().find(|add_on| add_on.name == *wanted);
        let add_on = offered
            .ok_or_else(|| PriceError::AddOn { package: name.clone(), add_on: wanted.clone() })?;
        lines.push(PriceLine {
            item: Item::AddOn(wanted.clone()),
            text: add_on.title.clone(),
            quantity: i64::from(*count),
            unit: fair(add_on.price, wanted.as_str())?,
        });
    }
    for (what, to, from) in raised(package, overrides) {
        let Some(RaisePrice { per, price }) = raises.get(what) else { continue };
        if per.milli() <= 0 {
            return Err(PriceError::Per(what.to_owned()));
        }
        let steps = (to.milli() - from.milli() + per.milli() - 1) / per.milli();
        let steps = i64::try_from(steps).map_err(|_| ArithmeticError::TooLarge(*price))?;
        lines.push(PriceLine {
            item: Item::Raise(what.to_owned()),
            text: format!("{what} raised from {from} to {to}, for each {per}"),
            quantity: steps,
            unit: fair(*price, what)?,
        });
    }
    // All of one currency, and their sum fits.
    total(&lines)?;
    Ok(lines)
}

/// The sum of lines; there is at least one, that of the package.
pub fn total(lines: &[PriceLine]) -> Result<Money, ArithmeticError> {
    let mut sum: Option<Money> = None;
    for line in lines {
        let amount = line.amount()?;
        sum = Some(sum.map_or(Ok(amount), |sum| sum.checked_add(amount))?);
    }
    Ok(sum.expect("because every price has a line for its package"))
}

/// What is raised above the package: its name, how far, and from what.
fn raised<'a>(
    package: &'a Package,
    overrides: &'a Overrides,
) -> impl Iterator<Item = (&'a str, &'a Quantity, &'a Quantity)> {
    let above = |from: &'a BTreeMap<String, Quantity>, to: &'a BTreeMap<String, Quantity>| {
        to.iter().filter_map(move |(name, to)| {
            let from = from.get(name)?;
            (to > from).then_some((name.as_str(), to, from))
        })
    };
    above(&package.quota, &overrides.quota).chain(above(&package.limits, &overrides.limits))
}

fn fair(price: Money, what: &str) -> Result<Money, PriceError> {
    if price.minor < 0 {
        return Err(PriceError::Negative { what: what.to_owned(), price });
    }
    Ok(price.in_steps_of(price.currency.price_step())?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A package of a price, with an add-on `storage` at a tenth of it.
    pub(crate) fn package(title: &str, price: &str) -> Package {
        let tenth = price.parse::<Money>().unwrap().part(1, 10).unwrap();
        let text = format!(
            "product: kiteclass\ntitle: {title}\nprice: {price}\nruns: entitlement\n\
             limits: {{ users: 100, storage: 50G }}\nmaximum: {{ users: 1000 }}\n\
             addOns: [{{ name: storage, title: More storage, price: {tenth} }}]\n"
        );
        let (documents, findings) = crate::model::yaml::read(text.as_bytes());
        assert!(findings.is_empty(), "{findings:?}");
        crate::model::typed::read(&documents[0]).unwrap()
    }

    pub(crate) fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn priced(package: &Package, add_ons: &[(&str, u16)], users: &str) -> Result<i64, PriceError> {
        let add_ons = add_ons.iter().map(|(add_on, count)| (name(add_on), *count)).collect();
        let mut overrides = Overrides::default();
        overrides.limits.insert("users".into(), users.parse().unwrap());
        let raises = RaisePrices::from([(
            "users".into(),
            RaisePrice { per: "50".parse().unwrap(), price: "20000 VND".parse().unwrap() },
        )]);
        let name = &name("standard");
        let choice = Choice { name, package, add_ons: &add_ons, overrides: &overrides };
        Ok(total(&price(choice, &raises)?)?.minor)
    }

    #[test]
    fn a_price_is_the_package_its_add_ons_and_what_is_raised() {
        let standard = package("Standard", "300000 VND");
        assert_eq!(priced(&standard, &[], "100").unwrap(), 300_000);
        assert_eq!(priced(&standard, &[("storage", 2)], "100").unwrap(), 360_000);
        // A begun fifty counts whole.
        assert_eq!(priced(&standard, &[], "151").unwrap(), 340_000);
        assert_eq!(priced(&standard, &[("storage", 0)], "50").unwrap(), 300_000);
    }

    #[test]
    fn what_is_not_sold_has_no_price() {
        let standard = package("Standard", "300000 VND");
        let error = priced(&standard, &[("sauna", 1)], "100").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the package standard has no add-on sauna: choose one of its `addOns`"
        );
        let mut agreed = standard.clone();
        agreed.price = None;
        assert!(matches!(priced(&agreed, &[], "1"), Err(PriceError::Agreed { .. })));
    }

    #[test]
    fn prices_of_two_currencies_parts_of_a_rupiah_and_below_zero_are_refused() {
        let dollars = package("Standard", "300.00 USD");
        assert!(priced(&dollars, &[], "151").is_err());
        let mut rupiah = package("Standard", "10000 IDR");
        rupiah.price = Some("10000.37 IDR".parse().unwrap());
        assert!(priced(&rupiah, &[], "1").is_err());
        rupiah.price = Some("-1 IDR".parse().unwrap());
        assert!(matches!(priced(&rupiah, &[], "1"), Err(PriceError::Negative { .. })));
    }
}
