//! Quotes: what an order, a renewal or a change costs, line by line, before anybody agrees to it.
//! An invoice has the same lines.

use jiff::civil::Date;
use serde::Deserialize;
use serde::Serialize;

use super::calendar::Anchor;
use super::calendar::CalendarError;
use super::calendar::Period;
use super::calendar::Stretch;
use super::price::Choice;
use super::price::Item;
use super::price::PriceError;
use super::price::PriceLine;
use super::price::RaisePrices;
use super::price::price;
use super::price::total;
use super::proration;
use super::proration::Line;
use super::proration::ProrationError;
use super::tax::Rounding;
use super::tax::Tax;
use super::tax::Taxation;
use super::wire;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Money;

/// What a quote is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    Order,
    Renewal,
    /// In force on its day; the difference is paid, or credited to the wallet.
    ChangeNow,
    /// In force when what is paid for ends; nothing is paid before.
    ChangeAtEnd,
}

/// A part of a period, as a line is reckoned by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub days: i64,
    /// The days of the whole nominal period.
    pub of: i64,
}

/// A line that explains itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteLine {
    pub item: Item,
    pub text: String,
    pub quantity: i64,
    /// The price of one for a whole period; negative where it is given back.
    #[serde(with = "wire::object")]
    pub unit: Money,
    /// Absent where the whole period is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// Of a change: the days that the line is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Period>,
    /// Net of taxes, rounded.
    #[serde(with = "wire::object")]
    pub amount: Money,
}

/// What something costs. Amounts in minor units; taxes are on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    pub purpose: Purpose,
    /// The day it takes effect.
    pub effective: Date,
    /// The days that are sold.
    pub period: Period,
    pub lines: Vec<QuoteLine>,
    pub taxes: Vec<Tax>,
    pub rounding: Rounding,
    #[serde(with = "wire::object")]
    pub net: Money,
    #[serde(with = "wire::object")]
    pub tax: Money,
    /// Below zero, it becomes credit in the wallet.
    #[serde(with = "wire::object")]
    pub total: Money,
    /// What a whole period costs without taxes: what later changes are prorated against.
    #[serde(with = "wire::object")]
    pub price: Money,
}

impl Quote {
    /// What is to be paid.
    pub fn due(&self) -> Money {
        Money { minor: self.total.minor.max(0), ..self.total }
    }

    /// What comes back to the wallet.
    pub fn credit(&self) -> Money {
        Money { minor: self.total.minor.saturating_neg().max(0), ..self.total }
    }
}

/// Why there is no quote.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    #[error("no day is paid for that could change: renew it first")]
    NothingPaid,
    #[error(transparent)]
    Price(#[from] PriceError),
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    #[error(transparent)]
    Proration(#[from] ProrationError),
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// Days that are paid for, of one nominal period, and what is in force in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidDays {
    pub days: Period,
    pub whole: Period,
    pub line: Line,
}

/// By which prices and taxes somebody is quoted.
#[derive(Clone, Copy, Debug)]
pub struct Tariff<'a> {
    pub raises: &'a RaisePrices,
    pub taxation: &'a Taxation,
}

impl Tariff<'_> {
    /// What the first period costs.
    pub fn order(&self, choice: Choice<'_>, anchor: &Anchor) -> Result<Quote, QuoteError> {
        let sold = anchor.period(0)?;
        self.stretch(Purpose::Order, choice, &Stretch { sold, whole: sold, and_whole: false })
    }

    /// What the days up to the next boundary cost, from the day when what is paid for ends, or,
    /// after a suspension, from today.
    pub fn renewal(&self, choice: Choice<'_>, stretch: &Stretch) -> Result<Quote, QuoteError> {
        self.stretch(Purpose::Renewal, choice, stretch)
    }

    /// What a change costs that is in force for all days that are paid for, in their order: of each
    /// period the rest of what was paid comes back, and the rest at the new price is charged.
    pub fn change_now(
        &self,
        old: Choice<'_>,
        to: Choice<'_>,
        paid: &[PaidDays],
    ) -> Result<Quote, QuoteError> {
        let new_price = total(&price(to, self.raises)?)?;
        let (Some(first), Some(last)) = (paid.first(), paid.last()) else {
            return Err(QuoteError::NothingPaid);
        };
        let mut lines = Vec::with_capacity(2 * paid.len());
        for PaidDays { days, whole, line } in paid {
            let change = proration::change(*days, *whole, *line, new_price)?;
            let share = Some(Share { days: change.remaining, of: change.whole });
            // Which period a line is of, where there are several.
            let of = if paid.len() > 1 { format!(", from {}", days.start) } else { String::new() };
            if !change.credit.is_zero() {
                lines.push(QuoteLine {
                    item: Item::Package(old.name.clone()),
                    text: format!("{}, unused{of}", old.package.title),
                    quantity: 1,
                    unit: line.price.checked_neg()?,
                    share,
                    days: Some(*days),
                    amount: change.credit.checked_neg()?,
                });
            }
            lines.push(QuoteLine {
                item: Item::Package(to.name.clone()),
                text: format!("{}{of}", to.package.title),
                quantity: 1,
                unit: new_price,
                share,
                days: Some(*days),
                amount: change.charge,
            });
        }
        let period = Period { start: first.days.start, end: last.days.end };
        self.quote(Purpose::ChangeNow, period, lines, new_price)
    }

    /// What the next period costs after a change that waits for the end of what is paid for.
    pub fn change_at_end(
        &self,
        to: Choice<'_>,
        anchor: &Anchor,
        paid_until: Date,
    ) -> Result<Quote, QuoteError> {
        let next = anchor.stretch_from(paid_until, 0)?;
        self.stretch(Purpose::ChangeAtEnd, to, &next)
    }

    fn stretch(
        &self,
        purpose: Purpose,
        choice: Choice<'_>,
        stretch: &Stretch,
    ) -> Result<Quote, QuoteError> {
        let prices = price(choice, self.raises)?;
        let rest = Share { days: stretch.rest(), of: stretch.whole.days() };
        let whole = (rest.days != rest.of).then_some(rest);
        let mut lines = Vec::with_capacity(prices.len() * 2);
        for line in &prices {
            lines.push(quoted(line, whole)?);
        }
        if stretch.and_whole {
            for line in &prices {
                lines.push(quoted(line, None)?);
            }
        }
        self.quote(purpose, stretch.sold, lines, total(&prices)?)
    }

    fn quote(
        &self,
        purpose: Purpose,
        period: Period,
        lines: Vec<QuoteLine>,
        price: Money,
    ) -> Result<Quote, QuoteError> {
        let amounts: Vec<Money> = lines.iter().map(|line| line.amount).collect();
        let taxes = self.taxation.on(&amounts)?;
        let net = Money::sum(price.currency, amounts)?;
        let tax = Money::sum(price.currency, taxes.iter().map(|tax| tax.amount))?;
        Ok(Quote {
            purpose,
            effective: period.start,
            period,
            lines,
            taxes,
            rounding: self.taxation.rounding,
            net,
            tax,
            total: net.checked_add(tax)?,
            price,
        })
    }
}

fn quoted(line: &PriceLine, share: Option<Share>) -> Result<QuoteLine, ArithmeticError> {
    let full = line.amount()?;
    Ok(QuoteLine {
        item: line.item.clone(),
        text: line.text.clone(),
        quantity: line.quantity,
        unit: line.unit,
        share,
        days: None,
        amount: share.map_or(Ok(full), |share| proration::part(full, share.days, share.of))?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::date;

    use super::super::price::tests::name;
    use super::super::price::tests::package;
    use super::super::tax::TaxRate;
    use super::*;
    use crate::model::Name;
    use crate::model::Package;
    use crate::model::subscription::Overrides;

    struct Shop {
        basic: Package,
        standard: Package,
        basic_name: Name,
        standard_name: Name,
        add_ons: BTreeMap<Name, u16>,
        overrides: Overrides,
        raises: RaisePrices,
        taxation: Taxation,
    }

    impl Shop {
        fn open() -> Self {
            Self {
                basic: package("Basic", "299000 VND"),
                standard: package("Standard", "599000 VND"),
                basic_name: name("basic"),
                standard_name: name("standard"),
                add_ons: BTreeMap::new(),
                overrides: Overrides::default(),
                raises: RaisePrices::new(),
                taxation: Taxation {
                    rates: vec![TaxRate { name: "VAT".into(), rate: "10%".parse().unwrap() }],
                    rounding: Rounding::Line,
                },
            }
        }

        fn tariff(&self) -> Tariff<'_> {
            Tariff { raises: &self.raises, taxation: &self.taxation }
        }

        fn choice<'a>(&'a self, name: &'a Name, package: &'a Package) -> Choice<'a> {
            Choice { name, package, add_ons: &self.add_ons, overrides: &self.overrides }
        }

        fn basic(&self) -> Choice<'_> {
            self.choice(&self.basic_name, &self.basic)
        }

        fn standard(&self) -> Choice<'_> {
            self.choice(&self.standard_name, &self.standard)
        }
    }

    fn anchor() -> Anchor {
        Anchor::new(date(2026, 1, 31), "1 month".parse().unwrap()).unwrap()
    }

    /// Days from one up to the end of their period, paid at its price.
    fn paid(price: &str, start: Date, whole: Period) -> PaidDays {
        let price: Money = price.parse().unwrap();
        let days = Period { start, end: whole.end };
        PaidDays { days, whole, line: Line { price, paid: price } }
    }

    #[test]
    fn an_order_lists_package_and_add_ons_with_taxes_on_top() {
        let mut shop = Shop::open();
        shop.add_ons.insert(name("storage"), 2);
        let quote = shop.tariff().order(shop.basic(), &anchor()).unwrap();
        assert_eq!(quote.lines.len(), 2);
        assert_eq!(quote.net.minor, 299_000 + 2 * 29_900);
        assert_eq!(quote.tax.minor, 35_880);
        assert_eq!(quote.due().minor, 394_680);
        assert_eq!(quote.period.end, date(2026, 2, 28));
    }

    #[test]
    fn an_upgrade_now_shows_what_comes_back_and_what_is_charged() {
        let shop = Shop::open();
        let march = Period { start: date(2026, 3, 1), end: date(2026, 4, 1) };
        let quote = shop
            .tariff()
            .change_now(
                shop.basic(),
                shop.standard(),
                &[paid("299000 VND", date(2026, 3, 11), march)],
            )
            .unwrap();
        let lines: Vec<(&str, i64)> =
            quote.lines.iter().map(|line| (line.text.as_str(), line.amount.minor)).collect();
        assert_eq!(lines, [("Basic, unused", -202_548), ("Standard", 405_774)]);
        assert_eq!(quote.lines[0].share, Some(Share { days: 21, of: 31 }));
        assert_eq!((quote.net.minor, quote.tax.minor), (203_226, 20_322));
        assert_eq!(quote.price.minor, 599_000);
    }

    #[test]
    fn a_change_that_gives_more_back_than_it_costs_is_credit_and_nothing_is_due() {
        let shop = Shop::open();
        let march = Period { start: date(2026, 3, 1), end: date(2026, 4, 1) };
        let quote = shop
            .tariff()
            .change_now(
                shop.standard(),
                shop.basic(),
                &[paid("599000 VND", date(2026, 3, 11), march)],
            )
            .unwrap();
        assert_eq!(quote.due().minor, 0);
        assert_eq!(quote.credit().minor, 203_226 + 20_322);
    }

    /// From a price to another in the middle of March, with April and May paid ahead.
    fn paid_ahead(old: &str, new: &str, day: Date) -> Vec<i64> {
        let mut shop = Shop::open();
        (shop.basic, shop.standard) = (package("Basic", old), package("Standard", new));
        let month = |month| Period { start: date(2026, month, 1), end: date(2026, month + 1, 1) };
        let paid = [
            paid(old, day, month(3)),
            paid(old, date(2026, 4, 1), month(4)),
            paid(old, date(2026, 5, 1), month(5)),
        ];
        let quote = shop.tariff().change_now(shop.basic(), shop.standard(), &paid).unwrap();
        assert_eq!((quote.period.start, quote.period.end), (day, date(2026, 6, 1)));
        let mut amounts: Vec<i64> = quote.lines.iter().map(|line| line.amount.minor).collect();
        amounts.extend([quote.net.minor, quote.tax.minor]);
        amounts
    }

    #[test]
    fn what_is_paid_ahead_is_reckoned_period_by_period_to_the_minor_unit() {
        // No decimals: 21/31, as in the vector of a single period, and two whole months.
        assert_eq!(
            paid_ahead("299000 VND", "599000 VND", date(2026, 3, 11)),
            [-202_548, 405_774, -299_000, 599_000, -299_000, 599_000, 803_226, 80_322]
        );
        // Two: 24.95 × 8/31 = 6.4387, 49.95 × 8/31 = 12.8903; taxes of 10 % of each line.
        assert_eq!(
            paid_ahead("24.95 USD", "49.95 USD", date(2026, 3, 24)),
            [-644, 1_289, -2_495, 4_995, -2_495, 4_995, 5_645, 565]
        );
        // Three: 7.655 × 8/31 = 1.97548, 12.345 × 8/31 = 3.18581.
        assert_eq!(
            paid_ahead("7.655 KWD", "12.345 KWD", date(2026, 3, 24)),
            [-1_975, 3_186, -7_655, 12_345, -7_655, 12_345, 10_591, 1_059]
        );
    }

    #[test]
    fn lines_of_several_periods_say_which_they_are_of() {
        let shop = Shop::open();
        let month = |month| Period { start: date(2026, month, 1), end: date(2026, month + 1, 1) };
        let paid = [
            paid("299000 VND", date(2026, 3, 11), month(3)),
            paid("299000 VND", date(2026, 4, 1), month(4)),
        ];
        let quote = shop.tariff().change_now(shop.basic(), shop.standard(), &paid).unwrap();
        let lines: Vec<&str> = quote.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            lines,
            [
                "Basic, unused, from 2026-03-11",
                "Standard, from 2026-03-11",
                "Basic, unused, from 2026-04-01",
                "Standard, from 2026-04-01"
            ]
        );
        let nothing = shop.tariff().change_now(shop.basic(), shop.standard(), &[]);
        assert!(matches!(nothing, Err(QuoteError::NothingPaid)));
    }

    #[test]
    fn a_downgrade_waits_for_the_end_of_what_is_paid_for() {
        let shop = Shop::open();
        let quote =
            shop.tariff().change_at_end(shop.basic(), &anchor(), date(2026, 3, 31)).unwrap();
        assert_eq!(quote.effective, date(2026, 3, 31));
        assert_eq!(quote.net.minor, 299_000);
    }

    #[test]
    fn a_late_renewal_costs_the_rest_of_the_period_and_a_short_rest_the_next_one_too() {
        let shop = Shop::open();
        let late = anchor().stretch_from(date(2026, 3, 15), 7).unwrap();
        let quote = shop.tariff().renewal(shop.basic(), &late).unwrap();
        assert_eq!(quote.lines[0].share, Some(Share { days: 16, of: 31 }));
        assert_eq!(quote.net.minor, 154_323);
        let last = anchor().stretch_from(date(2026, 3, 30), 7).unwrap();
        let quote = shop.tariff().renewal(shop.basic(), &last).unwrap();
        assert_eq!(quote.lines.len(), 2);
        assert_eq!(quote.net.minor, 9_645 + 299_000);
    }

    #[test]
    fn a_quote_says_its_amounts_as_the_api_does_and_reads_back() {
        let shop = Shop::open();
        let quote = shop.tariff().order(shop.basic(), &anchor()).unwrap();
        let json = serde_json::to_value(&quote).unwrap();
        assert_eq!(
            json["total"],
            serde_json::json!({ "amount": 328_900, "currency": "VND", "exponent": 0 })
        );
        assert_eq!(
            json["lines"][0]["item"],
            serde_json::json!({ "kind": "package", "name": "basic" })
        );
        assert_eq!(serde_json::from_value::<Quote>(json).unwrap(), quote);
    }
}
