//! Terms: `30 days` and `1 month` are different lengths, and both are exact.

use std::fmt;
use std::str::FromStr;

use jiff::Span;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;

/// The unit of a [`Term`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

const UNITS: &[(Unit, &str)] = &[
    (Unit::Second, "second"),
    (Unit::Minute, "minute"),
    (Unit::Hour, "hour"),
    (Unit::Day, "day"),
    (Unit::Week, "week"),
    (Unit::Month, "month"),
    (Unit::Year, "year"),
];

/// A length of time as people say it: `10 minutes`, `30 days`, `1 month`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    count: u16,
    unit: Unit,
}

/// What was written where a [`Term`] belongs.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a term: write a number and a unit, such as `30 days` or `1 month`")]
pub struct InvalidTerm(String);

impl Term {
    pub const fn days(count: u16) -> Self {
        Self { count, unit: Unit::Day }
    }

    pub const fn minutes(count: u16) -> Self {
        Self { count, unit: Unit::Minute }
    }

    /// The calendar span: a month stays a month, whatever its days.
    pub fn span(self) -> Span {
        let count = i64::from(self.count);
        match self.unit {
            Unit::Second => Span::new().seconds(count),
            Unit::Minute => Span::new().minutes(count),
            Unit::Hour => Span::new().hours(count),
            Unit::Day => Span::new().days(count),
            Unit::Week => Span::new().weeks(count),
            Unit::Month => Span::new().months(count),
            Unit::Year => Span::new().years(count.min(1000)),
        }
    }

    /// The length in seconds, where a day has 24 hours, a month 30 days and a year 365.
    /// For deadlines only: money and expiry use [`Term::span`].
    pub fn about_seconds(self) -> u64 {
        let unit = match self.unit {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3600,
            Unit::Day => 86_400,
            Unit::Week => 7 * 86_400,
            Unit::Month => 30 * 86_400,
            Unit::Year => 365 * 86_400,
        };
        u64::from(self.count) * unit
    }

    /// How many of it a month has, as a fraction: `(1, 12)` of a year. A year has twelve months and
    /// 365 days. Nothing where the term is empty. For figures only: money and expiry use
    /// [`Term::span`].
    pub fn in_a_month(self) -> Option<(i64, i64)> {
        let count = i64::from(self.count);
        let fraction = match self.unit {
            Unit::Month => (1, count),
            Unit::Year => (1, 12 * count),
            Unit::Second | Unit::Minute | Unit::Hour | Unit::Day | Unit::Week => {
                (365 * 86_400, 12 * i64::try_from(self.about_seconds()).ok()?)
            }
        };
        (count > 0).then_some(fraction)
    }
}

impl FromStr for Term {
    type Err = InvalidTerm;

    fn from_str(text: &str) -> Result<Self, InvalidTerm> {
        let wrong = || InvalidTerm(text.to_owned());
        let (count, unit) = text.split_once(' ').ok_or_else(wrong)?;
        if !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let count = count.parse().map_err(|_| wrong())?;
        let singular = unit.strip_suffix('s').unwrap_or(unit);
        let (unit, _) = UNITS.iter().find(|(_, name)| *name == singular).ok_or_else(wrong)?;
        Ok(Self { count, unit: *unit })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = UNITS.iter().find(|(unit, _)| *unit == self.unit).map_or("", |(_, name)| name);
        write!(out, "{} {name}{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Term {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Term".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A number and a unit, such as `30 days` or `1 month`",
            "pattern": "^[0-9]+ (second|minute|hour|day|week|month|year)s?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_month_is_not_thirty_days() {
        let start = date(2026, 1, 31);
        assert_eq!(start + "1 month".parse::<Term>().unwrap().span(), date(2026, 2, 28));
        assert_eq!(start + "30 days".parse::<Term>().unwrap().span(), date(2026, 3, 2));
    }

    #[test]
    fn a_term_prints_as_it_is_written_and_nonsense_is_refused() {
        for text in ["1 month", "30 days", "10 minutes"] {
            assert_eq!(text.parse::<Term>().unwrap().to_string(), text);
        }
        for text in ["", "30", "days", "30days", "-1 day", "1 fortnight", "99999 days"] {
            assert!(text.parse::<Term>().is_err(), "{text}");
        }
    }
}
