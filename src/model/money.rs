//! Money: whole minor units and their currency, never a float.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;

/// A currency of ISO 4217 with its minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    digits: u32,
}

/// The currencies we know, with the digits ISO 4217 gives them.
/// The rupiah has two by the standard; nobody writes them, so none are required.
const CURRENCIES: &[(&str, u32)] = &[
    ("AUD", 2),
    ("BHD", 3),
    ("BRL", 2),
    ("CAD", 2),
    ("CHF", 2),
    ("CNY", 2),
    ("CZK", 2),
    ("DKK", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HKD", 2),
    ("IDR", 2),
    ("INR", 2),
    ("JOD", 3),
    ("JPY", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("KZT", 2),
    ("MYR", 2),
    ("NOK", 2),
    ("NZD", 2),
    ("OMR", 3),
    ("PHP", 2),
    ("PLN", 2),
    ("RUB", 2),
    ("SEK", 2),
    ("SGD", 2),
    ("THB", 2),
    ("TND", 3),
    ("TRY", 2),
    ("TWD", 2),
    ("UAH", 2),
    ("USD", 2),
    ("UZS", 2),
    ("VND", 0),
    ("ZAR", 2),
];

impl Currency {
    pub fn code(self) -> &'static str {
        self.code
    }

    /// How many decimal digits its minor unit has.
    pub fn digits(self) -> u32 {
        self.digits
    }
}

/// What was written where a [`Currency`] belongs.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a currency: write the three capital letters of ISO 4217, such as USD")]
pub struct InvalidCurrency(String);

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, InvalidCurrency> {
        CURRENCIES
            .iter()
            .find(|(code, _)| *code == text)
            .map(|&(code, digits)| Self { code, digits })
            .ok_or_else(|| InvalidCurrency(text.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code)
    }
}

/// An amount in minor units of its currency, written `199.00 USD` or `299000 VND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

/// What was written where [`Money`] belongs, and why it is not.
#[derive(Debug, thiserror::Error)]
pub enum InvalidMoney {
    #[error("`{0}` has no currency: write the amount and the currency, such as `199.00 USD`")]
    NoCurrency(String),
    #[error(transparent)]
    Currency(#[from] InvalidCurrency),
    #[error("`{0}` is not an amount: write digits with at most one point, such as `199.00 USD`")]
    Amount(String),
    #[error("`{text}` has {given} decimals, but {currency} has {allowed}: round it")]
    Decimals { text: String, given: usize, allowed: u32, currency: Currency },
}

impl FromStr for Money {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        let (amount, currency) =
            text.split_once(' ').ok_or_else(|| InvalidMoney::NoCurrency(text.to_owned()))?;
        let currency: Currency = currency.parse()?;
        let wrong = || InvalidMoney::Amount(text.to_owned());
        let digits = amount.strip_prefix('-').unwrap_or(amount);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.')
        {
            return Err(wrong());
        }
        if fraction.len() > currency.digits as usize {
            return Err(InvalidMoney::Decimals {
                text: text.to_owned(),
                given: fraction.len(),
                allowed: currency.digits,
                currency,
            });
        }
        let padded = format!("{whole}{fraction:0<width$}", width = currency.digits as usize);
        let minor: i64 = padded.parse().map_err(|_| wrong())?;
        Ok(Self { minor: if amount.starts_with('-') { -minor } else { minor }, currency })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        let amount = self.minor.unsigned_abs();
        if self.currency.digits == 0 {
            return write!(out, "{sign}{amount} {}", self.currency);
        }
        let unit = 10_u64.pow(self.currency.digits);
        let width = self.currency.digits as usize;
        write!(out, "{sign}{}.{:0width$} {}", amount / unit, amount % unit, self.currency)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// What stands where money belongs: a bare number is an amount that forgot its currency.
struct Written;

impl de::Visitor<'_> for Written {
    type Value = Money;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an amount and its currency, such as `199.00 USD`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Money, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Money, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Money, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Money, E> {
        self.visit_str(&number.to_string())
    }
}

impl JsonSchema for Money {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An amount and its currency, such as `199.00 USD` or `299000 VND`",
            "pattern": "^-?[0-9]+(\\.[0-9]+)? [A-Z]{3}$",
        })
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<&str> = CURRENCIES.iter().map(|(code, _)| *code).collect();
        schemars::json_schema!({ "type": "string", "enum": codes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_every_minor_unit() {
        for (text, minor) in [
            ("199.00 USD", 19900),
            ("299000 VND", 299_000),
            ("1.234 KWD", 1234),
            ("5 USD", 500),
            ("-0.05 EUR", -5),
        ] {
            assert_eq!(text.parse::<Money>().unwrap().minor, minor, "{text}");
        }
    }

    #[test]
    fn an_amount_without_currency_or_with_impossible_decimals_is_refused() {
        for text in [
            "199",
            "199 usd",
            "1.5 VND",
            "1.005 USD",
            ". USD",
            "1. USD",
            "1,5 USD",
            "99999999999999999999 USD",
            "１ USD",
        ] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_told_that_its_currency_is_missing() {
        for number in ["199", "-1", "19.9"] {
            let error = serde_json::from_str::<Money>(number).unwrap_err().to_string();
            assert!(
                error.contains("has no currency: write the amount and the currency"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_amount_prints_as_it_is_written() {
        for text in ["199.00 USD", "299000 VND", "-0.05 EUR"] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), text);
        }
    }
}
