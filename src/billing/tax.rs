//! Taxes as configured rates: what each line owes, and how it is rounded.

use serde::Deserialize;
use serde::Serialize;

use super::wire;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Money;

pub use crate::model::tax::Percent;
pub use crate::model::tax::Rounding;
pub use crate::model::tax::TaxRate;
pub use crate::model::tax::Taxation;

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
