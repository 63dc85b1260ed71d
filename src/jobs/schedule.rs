//! When a job runs next.

use std::fmt;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// The wait after a first failure; each further one doubles it.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// How often a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// So long after its last run ended.
    Every(SignedDuration),
    /// At every multiple of this since 1970, so that no run shifts the next.
    Each(SignedDuration),
    /// Once a day, at this time in the platform's zone.
    Daily(Time),
}

impl Schedule {
    /// When it runs next, after a run that ended well; or at first, where there was none.
    pub fn next(self, after: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Every(wait) => after.checked_add(wait).unwrap_or(Timestamp::MAX),
            Self::Each(slot) => {
                let into = after.as_second().rem_euclid(slot.as_secs().max(1));
                let begun = Timestamp::from_second(after.as_second() - into).unwrap_or(after);
                begun.checked_add(slot).unwrap_or(Timestamp::MAX)
            }
            Self::Daily(time) => daily(time, after, zone).unwrap_or(Timestamp::MAX),
        }
    }

    /// When it is tried again, after it failed so often in a row. Never later than it would have
    /// run anyhow, except where that is sooner than the wait.
    pub(super) fn again(self, failed: u32, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let doublings = failed.saturating_sub(1).min(16);
        let wait = (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT);
        match self {
            // What runs often is not run oftener because it fails.
            Self::Every(every) => now.checked_add(every.max(wait)).unwrap_or(Timestamp::MAX),
            // What belongs to a slot is still worth something in it.
            Self::Each(_) | Self::Daily(_) => self.next(now, zone).min(now + wait),
        }
    }
}

/// The next time that the clock shows this; a time that a day skips is the one right after the gap.
fn daily(time: Time, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut day = after.to_zoned(zone.clone()).date();
    loop {
        let then = day.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp();
        if then > after {
            return Some(then);
        }
        day = day.tomorrow().ok()?;
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(wait) | Self::Each(wait) => write!(out, "every {wait:#}"),
            Self::Daily(time) => write!(out, "daily at {}", time.strftime("%H:%M")),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;
    use crate::model::zone::zone;

    fn next(schedule: Schedule, after: &str, where_: &str) -> String {
        schedule.next(after.parse().unwrap(), &zone(where_).unwrap()).to_string()
    }

    #[test]
    fn a_time_of_day_is_that_of_the_zone_today_or_tomorrow() {
        let morning = Schedule::Daily(time(3, 30, 0, 0));
        let saigon = "Asia/Ho_Chi_Minh";
        assert_eq!(next(morning, "2026-11-27T20:29:59Z", saigon), "2026-11-27T20:30:00Z");
        assert_eq!(next(morning, "2026-11-27T20:30:00Z", saigon), "2026-11-28T20:30:00Z");
    }

    #[test]
    fn slots_are_those_of_the_clock() {
        let slots = Schedule::Each(SignedDuration::from_mins(5));
        assert_eq!(next(slots, "2026-11-27T09:04:59.9Z", "UTC"), "2026-11-27T09:05:00Z");
        assert_eq!(next(slots, "2026-11-27T09:05:00Z", "UTC"), "2026-11-27T09:10:00Z");
    }

    #[test]
    fn a_day_with_another_length_has_its_run_as_well() {
        let night = Schedule::Daily(time(2, 30, 0, 0));
        // The clock goes from two to three.
        assert_eq!(next(night, "2026-03-28T12:00:00Z", "Europe/Berlin"), "2026-03-29T01:30:00Z");
        assert_eq!(next(night, "2026-03-29T01:30:00Z", "Europe/Berlin"), "2026-03-30T00:30:00Z");
    }

    #[test]
    fn whoever_fails_waits_longer_and_longer_but_not_for_ever() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let wait = |schedule: Schedule, failed: u32| {
            schedule.again(failed, now, &TimeZone::UTC).duration_since(now).as_secs()
        };
        let often = Schedule::Every(SignedDuration::from_mins(1));
        assert_eq!([1, 2, 3, 8, 99].map(|failed| wait(often, failed)), [60, 60, 120, 3600, 3600]);
        let daily = Schedule::Daily(time(12, 20, 0, 0));
        assert_eq!([1, 2, 8].map(|failed| wait(daily, failed)), [30, 60, 20 * 60]);
    }

    #[test]
    fn a_schedule_is_told_in_words() {
        assert_eq!(Schedule::Every(SignedDuration::from_mins(1)).to_string(), "every 1m");
        assert_eq!(Schedule::Daily(time(3, 5, 0, 0)).to_string(), "daily at 03:05");
    }
}
