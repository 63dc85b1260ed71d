//! Adding samples up. Sums know nothing of the order in which they were made, so that samples may
//! come late, and hours and days be put together from any parts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Measure;
use super::Sample;
use crate::model::SubscriptionId;

const HOUR: i64 = 3600;

/// What samples come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How much time was measured.
    pub seconds: i64,
    /// Values times the seconds that each stood for.
    pub total: i64,
    pub maximum: i64,
}

impl Sums {
    /// The mean over the time that was measured, rounded to the nearest; 0 where none was.
    pub fn average(self) -> i64 {
        if self.seconds == 0 {
            return 0;
        }
        let half = self.seconds / 2;
        self.total.saturating_add(half) / self.seconds
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.saturating_add(other.seconds),
            total: self.total.saturating_add(other.total),
            maximum: self.maximum.max(other.maximum),
        }
    }
}

impl From<&Sample> for Sums {
    fn from(sample: &Sample) -> Self {
        let total = sample.value.saturating_mul(sample.seconds);
        Self { seconds: sample.seconds, total, maximum: sample.value }
    }
}

/// Sums of each measure.
pub type Measures = BTreeMap<Measure, Sums>;

/// Adds sums to those of their measure.
pub fn add(measures: &mut Measures, measure: Measure, sums: Sums) {
    let known = measures.entry(measure).or_default();
    *known = known.plus(sums);
}

/// When the hour begins, in UTC, that a time is in.
pub fn hour_of(time: Timestamp) -> Timestamp {
    let into = time.as_second().rem_euclid(HOUR);
    Timestamp::from_second(time.as_second() - into).unwrap_or(time)
}

/// Sums by subscription, measure, and whatever stretch of time.
pub type By<T> = BTreeMap<(SubscriptionId, Measure, T), Sums>;

/// What samples add to their hours and their days, each sample once.
pub fn roll_up(samples: &[Sample], zone: &TimeZone) -> (By<Timestamp>, By<Date>) {
    let (mut hours, mut days) = (By::new(), By::new());
    for sample in samples {
        let key = |at| (sample.of.clone(), sample.measure, at);
        let hour = hours.entry(key(hour_of(sample.at))).or_default();
        *hour = hour.plus(sample.into());
        let day = zone.to_datetime(sample.at).date();
        let key = (sample.of.clone(), sample.measure, day);
        let day = days.entry(key).or_default();
        *day = day.plus(sample.into());
    }
    (hours, days)
}
