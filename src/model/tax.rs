//! Taxes and trade as documents write them: rates, how they are rounded, who sells.

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

use super::arithmetic::ArithmeticError;
use super::money::Money;

/// A percentage in millionths of the whole: `8.25%` is 82 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

const WHOLE: u32 = 1_000_000;

/// What was written where a [`Percent`] belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a percentage: write at most 100 with at most four decimals, such as `8.25%`")]
pub struct InvalidPercent(String);

impl Percent {
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// A rate as the database keeps it; nothing above the whole.
    pub fn from_millionths(millionths: u32) -> Option<Self> {
        (millionths <= WHOLE).then_some(Self(millionths))
    }

    /// This percentage of an amount, rounded half away from zero.
    pub fn of(self, money: Money) -> Result<Money, ArithmeticError> {
        money.part(i64::from(self.0), i64::from(WHOLE))
    }
}

impl FromStr for Percent {
    type Err = InvalidPercent;

    fn from_str(text: &str) -> Result<Self, InvalidPercent> {
        let wrong = || InvalidPercent(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(wrong)?.trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| {
            !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let millionths = format!("{whole}{fraction:0<4}").parse().map_err(|_| wrong())?;
        Self::from_millionths(millionths).ok_or_else(wrong)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:04}", self.0 % 10_000);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(out, "{}{point}{fraction}%", self.0 / 10_000)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A tax as it is configured; prices are without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TaxRate {
    /// As the invoice names it, such as `VAT`.
    pub name: String,
    pub rate: Percent,
}

/// Where a tax is rounded. Chosen once, and stored on every invoice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// On each line; the total is the sum of rounded lines.
    #[default]
    Line,
    /// On the sum of all lines.
    Total,
}

/// How somebody is taxed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Taxation {
    /// Each is reckoned on the net amount, none on another.
    pub rates: Vec<TaxRate>,
    pub rounding: Rounding,
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "At most 100 with at most four decimals, such as `8.25%`",
            "pattern": "^[0-9]{1,4}(\\.[0-9]{1,4})? *%$",
        })
    }
}

/// Who sells or buys, as it stands on an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Party {
    pub name: String,
    /// Line by line.
    #[serde(default)]
    pub address: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
}

/// The series that invoices are numbered in, such as `KC`: 1 to 12 of A-Z and 0-9.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Series(String);

/// What was written where a [`Series`] belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a series of invoices: write 1 to 12 of A-Z and 0-9, such as `KC`")]
pub struct InvalidSeries(String);

impl Series {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Series {
    type Err = InvalidSeries;

    fn from_str(text: &str) -> Result<Self, InvalidSeries> {
        let fits = (1..=12).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidSeries(text.to_owned())) }
    }
}

impl<'de> Deserialize<'de> for Series {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Series {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Series".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "1 to 12 of A-Z and 0-9",
            "pattern": "^[A-Z0-9]{1,12}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_short_and_loud() {
        for good in ["KC", "A", "2026", "ABCDEFGHIJKL"] {
            assert_eq!(good.parse::<Series>().unwrap().as_str(), good);
        }
        for bad in ["", "kc", "K C", "ABCDEFGHIJKLM", "Ö"] {
            assert!(bad.parse::<Series>().is_err(), "{bad}");
        }
    }
}
