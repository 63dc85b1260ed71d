//! Taxes as configured rates: what each line owes, and how it is rounded.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;

use super::wire;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Money;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TaxRate {
    /// As the invoice names it, such as `VAT`.
    pub name: String,
    pub rate: Percent,
}

/// Where a tax is rounded. Chosen once, and stored on every invoice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// On each line; the total is the sum of rounded lines.
    #[default]
    Line,
    /// On the sum of all lines.
    Total,
}

/// How somebody is taxed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Taxation {
    /// Each is reckoned on the net amount, none on another.
    pub rates: Vec<TaxRate>,
    pub rounding: Rounding,
}

/// What one tax comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tax {
    pub name: String,
    pub rate: Percent,
    /// What it is reckoned on.
    #[serde(with = "wire::object")]
    pub net: Money,
    #[serde(with = "wire::object")]
    pub amount: Money,
}

impl Taxation {
    /// What each tax comes to on lines that are given net; lines of credit are negative.
    pub fn on(&self, lines: &[Money]) -> Result<Vec<Tax>, ArithmeticError> {
        let Some(first) = lines.first() else { return Ok(Vec::new()) };
        let currency = first.currency;
        let net = Money::sum(currency, lines.iter().copied())?;
        self.rates
            .iter()
            .map(|TaxRate { name, rate }| {
                let amount = match self.rounding {
                    Rounding::Line => {
                        let each: Result<Vec<Money>, _> =
                            lines.iter().map(|line| rate.of(*line)).collect();
                        Money::sum(currency, each?)?
                    }
                    Rounding::Total => rate.of(net)?,
                };
                Ok(Tax { name: name.clone(), rate: *rate, net, amount })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vat(rate: &str, rounding: Rounding) -> Taxation {
        let rate = TaxRate { name: "VAT".into(), rate: rate.parse().unwrap() };
        Taxation { rates: vec![rate], rounding }
    }

    #[test]
    fn rounding_each_line_and_rounding_the_sum_differ() {
        let lines = ["12345 VND", "67895 VND", "33335 VND"].map(|line| line.parse().unwrap());
        for (rounding, minor) in [(Rounding::Line, 11_359), (Rounding::Total, 11_358)] {
            let taxes = vat("10%", rounding).on(&lines).unwrap();
            assert_eq!(taxes[0].amount.minor, minor, "{rounding:?}");
            assert_eq!(taxes[0].net.minor, 113_575);
        }
    }

    #[test]
    fn what_is_credited_gives_its_tax_back() {
        let lines = ["-202548 VND", "405774 VND"].map(|line| line.parse().unwrap());
        assert_eq!(vat("10%", Rounding::Line).on(&lines).unwrap()[0].amount.minor, 20_322);
    }

    #[test]
    fn a_percentage_prints_as_it_is_written_and_nonsense_is_refused() {
        for (text, millionths) in
            [("10%", 100_000), ("8.25%", 82_500), ("0.0001%", 1), ("100%", 1_000_000), ("0%", 0)]
        {
            let percent: Percent = text.parse().unwrap();
            assert_eq!((percent.millionths(), percent.to_string().as_str()), (millionths, text));
        }
        for bad in ["10", "%", "100.1%", "1.00001%", "-1%", "ten%", "1,5%", "12345%"] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_lines_and_no_rates_owe_nothing() {
        assert!(vat("10%", Rounding::Line).on(&[]).unwrap().is_empty());
        assert!(Taxation::default().on(&["1 USD".parse().unwrap()]).unwrap().is_empty());
    }
}
