//! Arithmetic of money: one currency at a time, checked, rounded in one place only.

use super::money::Currency;
use super::money::Money;

/// What cannot be reckoned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArithmeticError {
    #[error("{left} and {right} are of two currencies: convert one of them first")]
    Currencies { left: Money, right: Money },
    #[error("the result of reckoning with {0} does not fit into 64 bits: the amount is too large")]
    TooLarge(Money),
    #[error("{0} cannot be divided: what it is divided by must be above zero")]
    Divisor(Money),
    #[error("{0} cannot be split: give at least one weight above zero")]
    Weights(Money),
    #[error(
        "{amount} is no multiple of {step} {currency} minor units: round the price to whole steps"
    )]
    Step { amount: Money, step: i64, currency: Currency },
}

/// Divides and rounds half away from zero: 5/2 is 3, -5/2 is -3.
///
/// The only place where money is rounded. Nothing where the divisor is not above zero.
pub fn rounded(numerator: i128, divisor: i128) -> Option<i128> {
    if divisor <= 0 {
        return None;
    }
    let (quotient, rest) = (numerator / divisor, numerator % divisor);
    let away = rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs();
    Some(if away { quotient + numerator.signum() } else { quotient })
}

impl Money {
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    pub fn checked_add(self, other: Self) -> Result<Self, ArithmeticError> {
        self.same_currency(other)?;
        self.fitting(i128::from(self.minor) + i128::from(other.minor))
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, ArithmeticError> {
        self.same_currency(other)?;
        self.fitting(i128::from(self.minor) - i128::from(other.minor))
    }

    pub fn checked_neg(self) -> Result<Self, ArithmeticError> {
        self.fitting(-i128::from(self.minor))
    }

    pub fn checked_mul(self, count: i64) -> Result<Self, ArithmeticError> {
        self.fitting(i128::from(self.minor) * i128::from(count))
    }

    /// The part `numerator / divisor` of it, rounded half away from zero.
    pub fn part(self, numerator: i64, divisor: i64) -> Result<Self, ArithmeticError> {
        let product = i128::from(self.minor) * i128::from(numerator);
        let part = rounded(product, i128::from(divisor)).ok_or(ArithmeticError::Divisor(self))?;
        self.fitting(part)
    }

    /// Amounts by weight that add up to it exactly.
    ///
    /// Each gets its part rounded towards zero; what is left goes, one minor unit each, to the
    /// largest remainders, and among equals to the first. The sum of the weights is above zero.
    pub fn split(self, weights: &[u64]) -> Result<Vec<Self>, ArithmeticError> {
        let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        if sum == 0 {
            return Err(ArithmeticError::Weights(self));
        }
        let mut parts = Vec::with_capacity(weights.len());
        let mut remainders = Vec::with_capacity(weights.len());
        for (index, weight) in weights.iter().enumerate() {
            // 63 bits times 64 bits fit into 127.
            let product = i128::from(self.minor) * i128::from(*weight);
            parts.push(self.fitting(product / sum)?);
            remainders.push(((product % sum).unsigned_abs(), index));
        }
        let given: i128 = parts.iter().map(|part| i128::from(part.minor)).sum();
        let left = (i128::from(self.minor) - given).unsigned_abs();
        remainders.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        for (_, index) in remainders.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            parts[*index].minor += self.minor.signum();
        }
        Ok(parts)
    }

    /// Refuses a price that nobody could ask for, such as one with parts of a rupiah.
    ///
    /// `step` counts minor units: 100 for whole rupiah, 1000 for what is customary in dong.
    pub fn in_steps_of(self, step: i64) -> Result<Self, ArithmeticError> {
        let fits = step > 0 && self.minor % step == 0;
        let refused = ArithmeticError::Step { amount: self, step, currency: self.currency };
        if fits { Ok(self) } else { Err(refused) }
    }

    /// The sum of amounts, all of one currency; nothing adds up to zero.
    pub fn sum(
        currency: Currency,
        amounts: impl IntoIterator<Item = Self>,
    ) -> Result<Self, ArithmeticError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    fn same_currency(self, other: Self) -> Result<(), ArithmeticError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(ArithmeticError::Currencies { left: self, right: other })
        }
    }

    fn fitting(self, minor: i128) -> Result<Self, ArithmeticError> {
        let minor = i64::try_from(minor).map_err(|_| ArithmeticError::TooLarge(self))?;
        Ok(Self { minor, currency: self.currency })
    }
}

impl Currency {
    /// The step that prices keep, in minor units: whole rupiah, although ISO 4217 divides them.
    pub fn price_step(self) -> i64 {
        if self.code() == "IDR" { 100 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn dong(minor: i64) -> Money {
        Money::new(minor, "VND".parse().unwrap())
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (numerator, divisor, result) in
            [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (-4, 3, -1), (5, 3, 2), (-5, 3, -2), (0, 7, 0)]
        {
            assert_eq!(rounded(numerator, divisor), Some(result), "{numerator}/{divisor}");
        }
        assert_eq!(rounded(1, 0), None);
        assert_eq!(rounded(1, -2), None);
    }

    #[test]
    fn two_currencies_are_never_mixed() {
        let error = money("1.00 USD").checked_add(money("1 VND")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "1.00 USD and 1 VND are of two currencies: convert one of them first"
        );
        assert!(money("1.00 USD").checked_sub(money("1.00 EUR")).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_and_does_not_wrap() {
        assert!(dong(i64::MAX).checked_add(dong(1)).is_err());
        assert!(dong(i64::MIN).checked_sub(dong(1)).is_err());
        assert!(dong(i64::MIN).checked_neg().is_err());
        assert!(dong(i64::MAX).checked_mul(2).is_err());
        assert_eq!(dong(i64::MAX).part(1, 1), Ok(dong(i64::MAX)));
        assert_eq!(dong(i64::MIN).split(&[u64::MAX]), Ok(vec![dong(i64::MIN)]));
    }

    #[test]
    fn a_split_over_three_equals_gives_the_odd_one_to_the_first() {
        let parts = dong(100_000).split(&[1, 1, 1]).unwrap();
        assert_eq!(parts, [dong(33_334), dong(33_333), dong(33_333)]);
        assert!(dong(1).split(&[]).is_err());
        assert!(dong(1).split(&[0, 0]).is_err());
    }

    #[test]
    fn a_price_with_parts_of_a_rupiah_is_refused() {
        let step = money("1 IDR").currency.price_step();
        assert!(money("10000.37 IDR").in_steps_of(step).is_err());
        assert!(money("10000 IDR").in_steps_of(step).is_ok());
        assert!(dong(299_500).in_steps_of(1000).is_err());
        assert!(dong(299_500).in_steps_of(0).is_err());
    }

    proptest! {
        #[test]
        fn a_split_adds_up_and_nobody_is_off_by_a_whole_unit(
            minor in any::<i64>(),
            weights in proptest::collection::vec(0_u64..1_000_000, 1..8),
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            let parts = dong(minor).split(&weights).unwrap();
            prop_assert_eq!(Money::sum(dong(0).currency, parts.clone()), Ok(dong(minor)));
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = i128::from(minor) * i128::from(*weight);
                prop_assert!((i128::from(part.minor) * sum - exact).abs() < sum);
            }
        }

        #[test]
        fn rounding_is_never_off_by_more_than_a_half(numerator in any::<i64>(), divisor in 1_i64..=i64::MAX) {
            let (numerator, divisor) = (i128::from(numerator), i128::from(divisor));
            let result = rounded(numerator, divisor).unwrap();
            prop_assert!((2 * (result * divisor - numerator)).abs() <= divisor);
            prop_assert_eq!(rounded(-numerator, divisor), Some(-result));
        }
    }
}
