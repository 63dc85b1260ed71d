//! Margin: what is left of a price beside what a package costs us.
//!
//! Amounts of two currencies are never added up: what a package costs is a sum per currency, and a
//! margin is there only where price and cost are of the same one.

use std::collections::BTreeMap;

use crate::model::Package;
use crate::model::arithmetic::ArithmeticError;
use crate::model::basis_points::BasisPoints;
use crate::model::money::Currency;
use crate::model::money::Money;

/// A price, what it costs us, and what is left: all of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    pub price: Money,
    pub cost: Money,
    /// Below zero where it costs more than is asked for it.
    pub left: Money,
}

impl Margin {
    pub fn of(price: Money, cost: Money) -> Result<Self, ArithmeticError> {
        Ok(Self { price, cost, left: price.checked_sub(cost)? })
    }

    fn zero(currency: Currency) -> Self {
        let zero = Money::zero(currency);
        Self { price: zero, cost: zero, left: zero }
    }

    fn plus(self, other: Self) -> Result<Self, ArithmeticError> {
        Self::of(self.price.checked_add(other.price)?, self.cost.checked_add(other.cost)?)
    }

    /// What is left in percent of what it costs, as the cost table of KiteClass reckons: 399 USD
    /// that cost 490 USD are -18.57 %.
    pub fn of_cost(&self) -> Option<BasisPoints> {
        BasisPoints::of(self.left.minor, self.cost.minor)
    }

    /// What is left in percent of the price: 399 USD that cost 490 USD are -22.81 %.
    pub fn of_price(&self) -> Option<BasisPoints> {
        BasisPoints::of(self.left.minor, self.price.minor)
    }
}

/// What one subscription of a package costs us in a period, by currency.
pub fn costs(package: &Package) -> Result<BTreeMap<Currency, Money>, ArithmeticError> {
    let mut sums = BTreeMap::new();
    for cost in package.cost.values() {
        let sum = sums.entry(cost.currency).or_insert_with(|| Money::zero(cost.currency));
        *sum = sum.checked_add(*cost)?;
    }
    Ok(sums)
}

/// The margin at a price for a period. None where the cost is of another currency than the price,
/// or of several; what costs nothing leaves all of its price.
pub fn margin(package: &Package, price: Money) -> Result<Option<Margin>, ArithmeticError> {
    let costs = costs(package)?;
    let cost = match costs.len() {
        0 => Money::zero(price.currency),
        1 => match costs.get(&price.currency) {
            Some(cost) => *cost,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Margin::of(price, cost).map(Some)
}

/// What some subscriptions bring in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    pub subscriptions: u32,
    pub sum: Margin,
}

/// Sums by currency, and what has no part in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Months {
    pub by_currency: BTreeMap<Currency, Month>,
    /// Subscriptions whose price is agreed by hand, or is of another currency than their cost.
    pub left_out: u32,
}

impl Months {
    /// Adds a subscription at what it pays for a period of its package; none where nobody can say.
    pub fn add(&mut self, package: &Package, price: Option<Money>) -> Result<(), ArithmeticError> {
        let margin = price.map(|price| margin(package, price)).transpose()?.flatten();
        let in_a_month = package.period.in_a_month();
        let Some((margin, (periods, months))) = margin.zip(in_a_month) else {
            self.left_out = self.left_out.saturating_add(1);
            return Ok(());
        };
        let part = |money: Money| money.part(periods, months);
        let monthly = Margin::of(part(margin.price)?, part(margin.cost)?)?;
        let currency = margin.price.currency;
        let month = Month { subscriptions: 0, sum: Margin::zero(currency) };
        let month = self.by_currency.entry(currency).or_insert(month);
        month.sum = month.sum.plus(monthly)?;
        month.subscriptions = month.subscriptions.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::billing::price::tests::package;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn costing(price: &str, period: &str, costs: &[(&str, &str)]) -> Package {
        let mut package = package("SOME", price);
        package.period = period.parse().unwrap();
        package.cost = costs.iter().map(|(what, cost)| ((*what).to_owned(), money(cost))).collect();
        package
    }

    #[test]
    fn a_margin_is_told_of_the_cost_and_of_the_price() {
        let package = costing("399.00 USD", "1 month", &[("a", "400.00 USD"), ("b", "90.00 USD")]);
        let margin = margin(&package, money("399.00 USD")).unwrap().unwrap();
        assert_eq!(margin.left, money("-91.00 USD"));
        assert_eq!(margin.of_cost().unwrap().to_string(), "-18.57");
        assert_eq!(margin.of_price().unwrap().to_string(), "-22.81");
    }

    #[test]
    fn what_costs_nothing_or_is_free_is_no_part_of_nothing() {
        let free = Margin::of(money("0 VND"), money("5 VND")).unwrap();
        assert_eq!((free.of_price(), free.of_cost()), (None, BasisPoints::of(-1, 1)));
        let gift = margin(&costing("5 VND", "1 month", &[]), money("5 VND")).unwrap().unwrap();
        assert_eq!((gift.left, gift.of_cost()), (money("5 VND"), None));
    }

    #[test]
    fn two_currencies_have_no_margin_and_no_sum() {
        let other = costing("199.00 USD", "1 month", &[("a", "2000000 VND")]);
        assert_eq!(margin(&other, money("199.00 USD")).unwrap(), None);
        let both = costing("199.00 USD", "1 month", &[("a", "2000 VND"), ("b", "1.00 USD")]);
        assert_eq!(margin(&both, money("199.00 USD")).unwrap(), None);
        let mut months = Months::default();
        for (package, price) in [
            (&other, Some("199.00 USD")),
            (&costing("10 VND", "1 month", &[("a", "4 VND")]), Some("10 VND")),
            (&costing("10.00 USD", "1 month", &[("a", "4.00 USD")]), Some("12.00 USD")),
            (&other, None),
        ] {
            months.add(package, price.map(money)).unwrap();
        }
        let left: Vec<_> =
            months.by_currency.values().map(|month| month.sum.left.to_string()).collect();
        assert_eq!((left.join(", "), months.left_out), ("8.00 USD, 6 VND".to_owned(), 2));
    }

    #[test]
    fn years_weeks_and_days_are_told_by_the_month() {
        for (price, period, monthly) in [
            ("1200.00 USD", "1 year", "100.00 USD"),
            ("30.00 USD", "3 months", "10.00 USD"),
            // A month has 365/12 days.
            ("12.00 USD", "30 days", "12.17 USD"),
            ("84.00 USD", "1 week", "365.00 USD"),
        ] {
            let package = costing(price, period, &[]);
            let mut months = Months::default();
            months.add(&package, Some(money(price))).unwrap();
            let sums: Vec<Money> =
                months.by_currency.values().map(|month| month.sum.price).collect();
            assert_eq!(sums, [money(monthly)], "{price} each {period}");
        }
    }

    proptest! {
        #[test]
        fn what_is_left_and_what_it_costs_are_the_price(price in 0..1_000_000_i64, cost in 0..1_000_000_i64) {
            let dollars = |minor| Money::new(minor, "USD".parse().unwrap());
            let margin = Margin::of(dollars(price), dollars(cost)).unwrap();
            prop_assert_eq!(margin.left.checked_add(margin.cost).unwrap(), margin.price);
            let sign = margin.of_cost().map_or(0, BasisPoints::signum);
            prop_assert!(sign == 0 || i64::from(sign) == (price - cost).signum());
        }
    }
}
