//! Kubernetes quantities: `250m`, `2Gi`, `1e3`. They compare by value and print as written.

use std::cmp::Ordering;
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

/// An amount of CPU, memory, storage or a plain count.
///
/// The grammar is that of `k8s.io/apimachinery/pkg/api/resource`, without signs.
#[derive(Clone, Debug)]
pub struct Quantity {
    text: Box<str>,
    /// Thousandths of the unit, rounded up: Kubernetes counts CPU no finer.
    milli: i128,
}

/// What was written where a [`Quantity`] belongs.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a quantity: write a number with an optional unit, such as `250m`, `2` or `512Mi`"
)]
pub struct InvalidQuantity(String);

const SUFFIXES: &[(&str, i128)] = &[
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

impl Quantity {
    /// A quantity of so many thousandths, such as a sum of others.
    pub fn from_milli(milli: i128) -> Self {
        let text = if milli % 1000 == 0 { shortest(milli / 1000) } else { format!("{milli}m") };
        Self { text: text.into(), milli }
    }

    /// The value in thousandths: `250m` is 250, `2` is 2000.
    pub fn milli(&self) -> i128 {
        self.milli
    }

    /// The value in whole units, rounded up: `1Ki` is 1024.
    pub fn units(&self) -> i128 {
        (self.milli + 999) / 1000
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Writes a whole number with the largest binary suffix that divides it.
fn shortest(units: i128) -> String {
    SUFFIXES[..6]
        .iter()
        .rev()
        .find(|(_, factor)| units != 0 && units % factor == 0)
        .map_or_else(|| units.to_string(), |(suffix, factor)| format!("{}{suffix}", units / factor))
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        milli_of(text)
            .map(|milli| Self { text: text.into(), milli })
            .ok_or_else(|| InvalidQuantity(text.to_owned()))
    }
}

/// Reads the value in thousandths, rounded up.
fn milli_of(text: &str) -> Option<i128> {
    let end = text.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > 24 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let (multiply, divide) = match suffix {
        "" => (1000, 1),
        "m" => (1, 1),
        "u" => (1, 1000),
        "n" => (1, 1_000_000),
        _ => match SUFFIXES.iter().find(|(name, _)| *name == suffix) {
            Some((_, factor)) => (factor * 1000, 1),
            None => exponent(suffix)?,
        },
    };
    let top = digits.checked_mul(multiply)?;
    let bottom = scale.checked_mul(divide)?;
    Some((top + bottom - 1) / bottom)
}

/// Reads `e3` or `E-3` as what to multiply thousandths with, and what to divide them by.
fn exponent(suffix: &str) -> Option<(i128, i128)> {
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let factor = 10_i128.checked_pow(power.unsigned_abs().min(18))?;
    Some(if power < 0 { (1000, factor) } else { (factor * 1000, 1) })
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.milli == other.milli
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.milli.cmp(&other.milli)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a quantity such as `250m`, `2` or `512Mi`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Quantity, E> {
                Ok(Quantity { text: count.to_string().into(), milli: i128::from(count) * 1000 })
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Quantity, E> {
                count.to_string().parse().map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, count: f64) -> Result<Quantity, E> {
                count.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": ["string", "number"],
            "description": "A Kubernetes quantity, such as `250m`, `2` or `512Mi`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_compare_by_value() {
        for (one, other) in
            [("1000m", "1"), ("1Gi", "1024Mi"), ("0.5", "500m"), ("1e3", "1k"), ("1500u", "2m")]
        {
            assert_eq!(
                one.parse::<Quantity>().unwrap(),
                other.parse::<Quantity>().unwrap(),
                "{one} {other}"
            );
        }
        assert!("8Gi".parse::<Quantity>().unwrap() > "8G".parse().unwrap());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "Gi", "1GB", "-1", "1.2.3", "1 Gi", "1e", "999999999999999999999999999"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_sum_is_written_short() {
        assert_eq!(Quantity::from_milli(1_250).as_str(), "1250m");
        assert_eq!(Quantity::from_milli(1000 * (3 << 30)).as_str(), "3Gi");
    }
}
