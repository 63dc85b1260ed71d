//! Amounts on the wire: ours, and the forms that payment providers write them in.
//!
//! Three notions are kept apart: the exponent of a currency (ISO 4217), the step of its prices, and
//! the form of a provider. Whoever speaks to a provider takes the function that its rules name.

use serde::Deserialize;
use serde::Serialize;

use crate::model::money::Currency;
use crate::model::money::Money;

/// An amount as our API says it: `{"amount": 299000, "currency": "VND", "exponent": 0}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// In minor units.
    pub amount: i64,
    pub currency: Currency,
    /// How many decimals the currency has; said for whoever has no table of them.
    pub exponent: u32,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self { amount: money.minor, currency: money.currency, exponent: money.currency.digits() }
    }
}

/// What a written amount is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("`exponent` is {given}, but {currency} has {expected}: leave it out or correct it")]
    Exponent { given: u32, expected: u32, currency: Currency },
    #[error("{0} cannot be written in whole units: round it")]
    Fraction(Money),
    #[error("`{text}` is not an amount of {currency}: {why}")]
    Text { text: String, currency: Currency, why: &'static str },
    #[error("{0} is too large for this form")]
    TooLarge(Money),
}

impl TryFrom<Amount> for Money {
    type Error = WireError;

    fn try_from(wire: Amount) -> Result<Self, WireError> {
        let expected = wire.currency.digits();
        if wire.exponent == expected {
            Ok(Self::new(wire.amount, wire.currency))
        } else {
            Err(WireError::Exponent { given: wire.exponent, expected, currency: wire.currency })
        }
    }
}

/// For `#[serde(with = "wire::object")]`: money as an [`Amount`].
pub mod object {
    use serde::Deserialize as _;
    use serde::Deserializer;
    use serde::Serialize as _;
    use serde::Serializer;
    use serde::de::Error as _;

    use super::Amount;
    use crate::model::money::Money;

    pub fn serialize<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
        Amount::from(*money).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        Money::try_from(Amount::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The major unit in minor units: 100 for the dollar, 1 for the dong.
fn unit(currency: Currency) -> i64 {
    10_i64.pow(currency.digits())
}

/// Whole major units, as Midtrans takes rupiah and `MoMo` takes dong.
pub fn whole(money: Money) -> Result<i64, WireError> {
    let unit = unit(money.currency);
    if money.minor % unit == 0 { Ok(money.minor / unit) } else { Err(WireError::Fraction(money)) }
}

/// Hundredths of the major unit, as `VNPay` takes dong although they have no decimals.
pub fn hundredths(money: Money) -> Result<i64, WireError> {
    whole(money)?.checked_mul(100).ok_or(WireError::TooLarge(money))
}

/// Minor units, as Stripe takes them for every currency of ours.
pub fn minor(money: Money) -> i64 {
    money.minor
}

/// The amount that a provider wrote as decimal text, such as Midtrans' `10000.00`.
///
/// More decimals than the currency has are taken where they are zero: Midtrans writes two always.
pub fn decimal(text: &str, currency: Currency) -> Result<Money, WireError> {
    let wrong = |why| WireError::Text { text: text.to_owned(), currency, why };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return Err(wrong("write digits with at most one point"));
    }
    let allowed = currency.digits() as usize;
    let (kept, beyond) = fraction.split_at(fraction.len().min(allowed));
    if beyond.bytes().any(|byte| byte != b'0') {
        return Err(wrong("it has more decimals than the currency"));
    }
    let minor = format!("{whole}{kept:0<allowed$}").parse();
    minor.map(|minor| Money::new(minor, currency)).map_err(|_| wrong("it is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn an_amount_says_its_exponent() {
        for (text, json) in [
            ("299000 VND", r#"{"amount":299000,"currency":"VND","exponent":0}"#),
            ("199.00 USD", r#"{"amount":19900,"currency":"USD","exponent":2}"#),
            ("1.234 KWD", r#"{"amount":1234,"currency":"KWD","exponent":3}"#),
        ] {
            let amount = Amount::from(money(text));
            assert_eq!(serde_json::to_string(&amount).unwrap(), json);
            let back: Amount = serde_json::from_str(json).unwrap();
            assert_eq!(Money::try_from(back), Ok(money(text)));
        }
    }

    #[test]
    fn a_wrong_exponent_is_an_amount_a_hundred_times_off_and_is_refused() {
        let dong = Amount { amount: 299_000, currency: "VND".parse().unwrap(), exponent: 2 };
        assert!(Money::try_from(dong).unwrap_err().to_string().contains("VND has 0"));
    }

    #[test]
    fn each_provider_has_its_own_form() {
        assert_eq!(whole(money("10000 IDR")), Ok(10_000));
        assert!(whole(money("10000.37 IDR")).is_err());
        assert_eq!(whole(money("299000 VND")), Ok(299_000));
        assert_eq!(hundredths(money("10000 VND")), Ok(1_000_000));
        assert!(hundredths(Money::new(i64::MAX, "VND".parse().unwrap())).is_err());
        assert_eq!(minor(money("5.00 USD")), 500);
        assert_eq!(minor(money("500 JPY")), 500);
    }

    #[test]
    fn a_decimal_text_is_read_exactly_or_not_at_all() {
        let rupiah = "IDR".parse().unwrap();
        let dong = "VND".parse().unwrap();
        assert_eq!(decimal("10000.00", rupiah), Ok(money("10000 IDR")));
        assert_eq!(decimal("10000.00", dong), Ok(money("10000 VND")));
        assert_eq!(decimal("10000", rupiah), Ok(money("10000 IDR")));
        for bad in ["", ".5", "1.", "-1", "1,000", "1e3", "0x1", "10000.001", "9999999999999999999"]
        {
            assert!(decimal(bad, rupiah).is_err(), "{bad}");
        }
        assert!(decimal("1.50", dong).is_err());
    }
}
