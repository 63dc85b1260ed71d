//! Proration: what a change within a period gives back, and what it costs.
//!
//! Whole days of the billing zone; the day of the change is already at the new price. Two lines,
//! each rounded, so that both can be read on an invoice: their difference may be one minor unit
//! from the rounded difference, and it is theirs that counts. Where several periods are paid for,
//! each is reckoned by itself.

use serde::Deserialize;
use serde::Serialize;

use super::calendar::Part;
use super::calendar::Period;
use super::wire;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Money;

/// What cannot be prorated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProrationError {
    #[error(
        "the days from {} up to {} are not in the period from {} up to {}: choose days of one that is paid for",
        .days.start, .days.end, .period.start, .period.end
    )]
    Outside { days: Period, period: Period },
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// What is in force in a period: its price for a whole period, and what of it was paid.
///
/// Each change prorates against the line that is in force, never against the first of the period,
/// and leaves a new one; so two changes on one day are reckoned in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub price: Money,
    /// What was paid for it in this period: less than its price after a coupon or a change.
    pub paid: Money,
}

/// A change within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proration {
    /// What comes back of the old price; never negative.
    #[serde(with = "wire::object")]
    pub credit: Money,
    /// What the new price costs for the rest.
    #[serde(with = "wire::object")]
    pub charge: Money,
    /// The days left, that of the change included.
    pub remaining: i64,
    /// The days of the whole nominal period.
    pub whole: i64,
}

impl Proration {
    /// What is to be paid; below zero it becomes the customer's credit, never a refund.
    pub fn net(&self) -> Result<Money, ArithmeticError> {
        self.charge.checked_sub(self.credit)
    }

    /// What is in force after the change.
    pub fn line(&self, price: Money) -> Line {
        Line { price, paid: self.charge }
    }
}

/// The part of a price for the rest of a period, the day itself included.
pub fn part(price: Money, remaining: i64, whole: i64) -> Result<Money, ArithmeticError> {
    price.part(remaining, whole)
}

/// A change of price for some days of a nominal period, from the line in force to a new price.
///
/// `whole` is the nominal period and is never cut down to when the subscription began in it:
/// otherwise a late starter would pay more for a day.
pub fn change(
    days: Period,
    whole: Period,
    current: Line,
    new_price: Money,
) -> Result<Proration, ProrationError> {
    let remaining = days.days();
    if remaining < 1 || !whole.covers(days) {
        return Err(ProrationError::Outside { days, period: whole });
    }
    // Both in one currency, and the old one too.
    current.price.checked_sub(current.paid)?;
    new_price.checked_sub(current.price)?;
    let unused = part(current.price, remaining, whole.days())?;
    let credit = Money { minor: unused.minor.min(current.paid.minor).max(0), ..unused };
    let charge = part(new_price, remaining, whole.days())?;
    Ok(Proration { credit, charge, remaining, whole: whole.days() })
}

/// What was paid for each part of a term: its share of the price, and for the last all that is left.
pub fn paid_for(price: Money, paid: Money, parts: &[Part]) -> Result<Vec<Money>, ArithmeticError> {
    let mut left = paid;
    let mut shares = Vec::with_capacity(parts.len());
    for (index, of) in parts.iter().enumerate() {
        let share = part(price, of.sold.days(), of.whole.days())?;
        let is_last = index + 1 == parts.len();
        let share =
            if is_last { left } else { Money { minor: share.minor.min(left.minor), ..share } };
        left = left.checked_sub(share)?;
        shares.push(share);
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn dong(minor: i64) -> Money {
        Money::new(minor, "VND".parse().unwrap())
    }

    fn paid(price: Money) -> Line {
        Line { price, paid: price }
    }

    /// A change from a day up to the end of its period.
    fn change(
        day: Date,
        whole: Period,
        current: Line,
        new_price: Money,
    ) -> Result<Proration, ProrationError> {
        super::change(Period { start: day, end: whole.end }, whole, current, new_price)
    }

    #[test]
    fn the_vectors_of_kill_bill() {
        for (remaining, whole, result) in
            [(9, 31, "7.24 USD"), (22, 30, "18.30 USD"), (8, 31, "6.44 USD"), (25, 30, "20.79 USD")]
        {
            assert_eq!(part(money("24.95 USD"), remaining, whole), Ok(money(result)));
        }
    }

    #[test]
    fn half_a_period_from_ten_to_twenty_dollars_is_five() {
        let april = Period { start: date(2026, 4, 1), end: date(2026, 5, 1) };
        let change =
            change(date(2026, 4, 16), april, paid(money("10 USD")), money("20 USD")).unwrap();
        assert_eq!(
            (change.credit, change.charge, change.net().unwrap()),
            (money("5 USD"), money("10 USD"), money("5 USD"))
        );
    }

    #[test]
    fn two_lines_are_rounded_each_and_not_their_difference() {
        let period = Period { start: date(2024, 2, 1), end: date(2024, 3, 1) };
        let change = change(date(2024, 2, 27), period, paid(dong(199_000)), dong(499_000)).unwrap();
        assert_eq!((change.remaining, change.whole), (3, 29));
        assert_eq!((change.credit, change.charge), (dong(20_586), dong(51_621)));
        assert_eq!(change.net(), Ok(dong(31_035)));
        assert_eq!(part(dong(300_000), 3, 29), Ok(dong(31_034)), "what it would be otherwise");
    }

    #[test]
    fn the_day_of_the_change_is_at_the_new_price() {
        let march = Period { start: date(2026, 3, 1), end: date(2026, 4, 1) };
        let change = change(date(2026, 3, 11), march, paid(dong(299_000)), dong(599_000)).unwrap();
        assert_eq!((change.remaining, change.whole), (21, 31));
        assert_eq!((change.credit, change.charge), (dong(202_548), dong(405_774)));
        assert_eq!(change.net(), Ok(dong(203_226)));
    }

    #[test]
    fn a_quarter_is_not_shortened_by_a_late_start() {
        let quarter = Period { start: date(2026, 1, 1), end: date(2026, 4, 2) };
        let change = change(date(2026, 2, 19), quarter, paid(dong(91_000)), dong(91_000)).unwrap();
        assert_eq!((change.remaining, change.whole), (42, 91));
        assert_eq!(change.charge, dong(42_000));
    }

    #[test]
    fn no_more_comes_back_than_was_paid() {
        let march = Period { start: date(2026, 3, 1), end: date(2026, 4, 1) };
        let coupon = Line { price: dong(299_000), paid: dong(50_000) };
        let back = |line| change(date(2026, 3, 2), march, line, dong(99_000)).unwrap().credit;
        assert_eq!(back(coupon), dong(50_000));
        assert_eq!(back(Line { price: dong(299_000), paid: dong(0) }), dong(0));
    }

    #[test]
    fn the_second_change_of_a_day_is_reckoned_against_the_first() {
        let march = Period { start: date(2026, 3, 1), end: date(2026, 4, 1) };
        let day = date(2026, 3, 11);
        let up = change(day, march, paid(dong(299_000)), dong(599_000)).unwrap();
        let back = change(day, march, up.line(dong(599_000)), dong(299_000)).unwrap();
        assert_eq!(back.credit, up.charge);
        assert_eq!(up.net().unwrap().checked_add(back.net().unwrap()), Ok(dong(0)));
    }

    #[test]
    fn a_day_outside_the_period_or_another_currency_is_refused() {
        let march = Period { start: date(2026, 3, 1), end: date(2026, 4, 1) };
        let line = paid(dong(299_000));
        assert!(change(date(2026, 4, 1), march, line, dong(1)).is_err());
        assert!(change(date(2026, 2, 28), march, line, dong(1)).is_err());
        assert!(change(date(2026, 3, 1), march, line, money("1 USD")).is_err());
    }

    #[test]
    fn of_a_term_that_reaches_into_two_periods_each_has_its_share_and_nothing_is_lost() {
        let part = |start, end, whole_start| Part {
            sold: Period { start, end },
            whole: Period { start: whole_start, end },
        };
        let march = part(date(2026, 3, 28), date(2026, 4, 1), date(2026, 3, 1));
        let april = part(date(2026, 4, 1), date(2026, 5, 1), date(2026, 4, 1));
        // 24.95 × 4/31 = 3.219…, and a whole month.
        let shares = paid_for(money("24.95 USD"), money("28.17 USD"), &[march, april]).unwrap();
        assert_eq!(shares, [money("3.22 USD"), money("24.95 USD")]);
        // Less was paid than the price: nobody gets more back than that.
        let shares = paid_for(money("24.95 USD"), money("1 USD"), &[march, april]).unwrap();
        assert_eq!(shares, [money("1 USD"), money("0 USD")]);
    }

    proptest! {
        #[test]
        fn a_change_keeps_within_its_prices(
            old in 0_i64..10_000_000, new in 0_i64..10_000_000, paid in 0_i64..10_000_000,
            day in 0_i64..31,
        ) {
            let march = Period { start: date(2026, 3, 1), end: date(2026, 4, 1) };
            let day = march.start.checked_add(jiff::Span::new().days(day)).unwrap();
            let line = Line { price: dong(old), paid: dong(paid) };
            let change = change(day, march, line, dong(new)).unwrap();
            prop_assert!(change.credit.minor <= paid && change.credit.minor <= old);
            prop_assert!(change.charge.minor <= new);
            prop_assert!(change.credit.minor >= 0 && change.charge.minor >= 0);
            if day == march.start {
                prop_assert_eq!(change.charge, dong(new), "the whole period is the whole price");
            }
        }

        #[test]
        fn there_and_back_on_one_day_costs_nothing(
            prices in proptest::collection::vec(0_i64..10_000_000, 1..6), day in 0_i64..31,
        ) {
            let march = Period { start: date(2026, 3, 1), end: date(2026, 4, 1) };
            let day = march.start.checked_add(jiff::Span::new().days(day)).unwrap();
            let first = dong(500_000);
            let mut line = paid(first);
            let mut net = 0;
            for price in prices.into_iter().map(dong).chain([first]) {
                let step = change(day, march, line, price).unwrap();
                net += step.net().unwrap().minor;
                line = step.line(price);
            }
            prop_assert_eq!(net, 0);
        }
    }
}
