//! Ranges of time, and the steps into which they are cut. A step belongs to the range in which it
//! begins: whoever cuts a range in two gets every step once.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::DAYS_KEPT;
use super::HOURS_KEPT;
use super::SAMPLES_KEPT;
use super::sums::hour_of;

/// How finely usage is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// Each sample.
    Raw,
    #[default]
    Hour,
    /// Days of the platform's zone.
    Day,
}

impl Step {
    /// How long this is kept.
    pub fn kept(self) -> SignedDuration {
        match self {
            Self::Raw => SAMPLES_KEPT,
            Self::Hour => HOURS_KEPT,
            Self::Day => DAYS_KEPT,
        }
    }

    /// The range that is told where nobody says.
    fn usual(self) -> SignedDuration {
        match self {
            Self::Raw => SignedDuration::from_hours(6),
            Self::Hour => SignedDuration::from_hours(24),
            Self::Day => SignedDuration::from_hours(30 * 24),
        }
    }

    /// When the step begins that a time is in.
    pub fn start(self, time: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Raw => time,
            Self::Hour => hour_of(time),
            Self::Day => start_of(zone.to_datetime(time).date(), zone).unwrap_or(time),
        }
    }
}

/// When a day begins; none past the end of the calendar.
pub fn start_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(day.to_zoned(zone.clone()).ok()?.start_of_day().ok()?.timestamp())
}

/// Every step that begins from `from` on and before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: Timestamp,
    pub to: Timestamp,
    pub step: Step,
}

/// Why there is no such range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    #[error("it is not before `to`, which is {to}")]
    Backwards { to: Timestamp },
    #[error("it is after now, and nothing was measured yet")]
    Future,
    #[error("in steps this fine, nothing is kept from before {since}")]
    Forgotten { since: Timestamp, step: Step },
}

impl Impossible {
    /// What to ask for instead.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Backwards { .. } => "write a time before `to`, or leave one of them out",
            Self::Future => "write a time before now",
            Self::Forgotten { step: Step::Raw, .. } => "ask for a later time, or with `step=hour`",
            Self::Forgotten { step: Step::Hour, .. } => "ask for a later time, or with `step=day`",
            Self::Forgotten { step: Step::Day, .. } => "ask for a later time",
        }
    }
}

impl Range {
    /// The range that is asked for: up to now, and back as far as is usual, where it is not said.
    pub fn of(
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        step: Step,
        now: Timestamp,
    ) -> Result<Self, Impossible> {
        let to = to.unwrap_or(now);
        let from = match from {
            Some(from) => from,
            // The steps that it begins and ends in are told, too.
            None => step.start(to.checked_sub(step.usual()).unwrap_or(to), &TimeZone::UTC),
        };
        if from >= to {
            return Err(Impossible::Backwards { to });
        }
        if from > now {
            return Err(Impossible::Future);
        }
        // A step that began just before is told as well.
        let since = now.checked_sub(step.kept()).unwrap_or(Timestamp::MIN);
        if from < step.start(since, &TimeZone::UTC) {
            return Err(Impossible::Forgotten { since, step });
        }
        Ok(Self { from, to, step })
    }

    pub fn contains(&self, start: Timestamp) -> bool {
        self.from <= start && start < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn asked(from: &str, to: &str, step: Step) -> Result<Range, Impossible> {
        let given = |text: &str| (!text.is_empty()).then(|| at(text));
        Range::of(given(from), given(to), step, at("2026-11-27T09:20:00Z"))
    }

    #[test]
    fn a_range_that_is_not_said_ends_now() {
        let range = asked("", "", Step::Hour).unwrap();
        assert_eq!(
            (range.from, range.to),
            (at("2026-11-26T09:00:00Z"), at("2026-11-27T09:20:00Z"))
        );
        let range = asked("", "2026-11-01T00:00:00Z", Step::Hour).unwrap();
        assert_eq!(range.from, at("2026-10-31T00:00:00Z"));
    }

    #[test]
    fn impossible_ranges_are_refused_with_what_to_do() {
        let same = "2026-11-27T08:00:00Z";
        let refused = |from, to, step| asked(from, to, step).unwrap_err();
        assert_eq!(refused(same, same, Step::Hour), Impossible::Backwards { to: at(same) });
        let future = refused("2026-11-27T09:20:01Z", "2027-01-01T00:00:00Z", Step::Day);
        assert_eq!(future, Impossible::Future);
        let old = refused("2026-11-19T00:00:00Z", "", Step::Raw);
        assert!(old.help().contains("step=hour"), "{old}");
        assert!(asked("2026-11-19T00:00:00Z", "", Step::Hour).is_ok());
        let old = refused("2025-01-01T00:00:00Z", "", Step::Hour);
        assert!(old.help().contains("step=day"), "{old}");
        assert!(asked("2025-01-01T00:00:00Z", "", Step::Day).is_ok());
        assert!(asked("1999-01-01T00:00:00Z", "", Step::Day).is_err());
    }

    #[test]
    fn a_day_begins_at_midnight_in_the_zone() {
        let saigon = crate::model::zone::zone("Asia/Ho_Chi_Minh").unwrap();
        let start = |time| Step::Day.start(at(time), &saigon);
        assert_eq!(start("2026-11-27T16:59:59Z"), at("2026-11-26T17:00:00Z"));
        assert_eq!(start("2026-11-27T17:00:00Z"), at("2026-11-27T17:00:00Z"));
    }
}
