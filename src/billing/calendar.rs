//! The calendar of a subscription: its anchor, its periods, when it expires and what follows.
//!
//! Days are those of the billing zone, never spans of 24 hours. Every period is counted from the
//! anchor and never from the period before it, so that the 31st stays the 31st: 31 January is
//! followed by 28 February and by 31 March.

use jiff::Span;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::Serialize;

use crate::model::platform::Lifecycle;
use crate::model::term::Term;

/// Which days, counted from the day of expiry, bring a mail; those after it fall into grace.
pub const REMINDER_DAYS: [i32; 9] = [-7, -3, -1, 0, 1, 7, 21, 27, 29];

/// What is wrong with a term or a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error(
        "nothing can be sold for `{0}`: write whole days, weeks, months or years, at least one"
    )]
    Term(Term),
    #[error("{day} is before {anchor}, the first day of the subscription: choose a later day")]
    BeforeAnchor { day: Date, anchor: Date },
    #[error("counting from {0} leaves the calendar: the year is too far away")]
    EndOfCalendar(Date),
}

/// Days from `start` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Period {
    pub start: Date,
    pub end: Date,
}

impl Period {
    /// How many days it has.
    pub fn days(self) -> i64 {
        days_between(self.start, self.end)
    }

    pub fn contains(self, day: Date) -> bool {
        self.start <= day && day < self.end
    }

    /// Whether every day of another is one of its own.
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The last day of it, as a document's `paidThrough` says it.
    pub fn last_day(self) -> Date {
        self.end.yesterday().unwrap_or(self.end)
    }
}

/// How many days lie from one day to another; negative where the other is earlier.
pub fn days_between(from: Date, to: Date) -> i64 {
    i64::from((to - from).get_days())
}

/// The first moment of a day in a zone, also where daylight saving skips midnight.
pub fn start_of_day(day: Date, zone: &TimeZone) -> Result<Timestamp, CalendarError> {
    day.to_zoned(zone.clone())
        .and_then(|zoned| zoned.start_of_day())
        .map(|zoned| zoned.timestamp())
        .map_err(|_| CalendarError::EndOfCalendar(day))
}

/// The day of a moment in a zone.
pub fn day_of(time: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(time).date()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Days(i64),
    Months(i64),
}

/// Where periods are counted from, for ever: the first day that was sold, and the length of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    first: Date,
    length: Length,
}

/// What is sold next: a whole period, or what is left of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The days that are sold.
    pub sold: Period,
    /// The nominal period that the price is for: what parts of it are reckoned against.
    pub whole: Period,
    /// Whether a whole period follows the rest of one, at its full price.
    pub and_whole: bool,
}

impl Stretch {
    /// Whether it costs the full price, once.
    pub fn is_whole(&self) -> bool {
        self.sold == self.whole
    }

    /// The days of the nominal period that are sold of it.
    pub fn rest(&self) -> i64 {
        days_between(self.sold.start, self.whole.end)
    }
}

impl Anchor {
    pub fn new(first: Date, term: Term) -> Result<Self, CalendarError> {
        let span = term.span();
        let months = i64::from(span.get_years()) * 12 + i64::from(span.get_months());
        let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
        match (months, days) {
            (1.., 0) => Ok(Self { first, length: Length::Months(months) }),
            (0, 1..) => Ok(Self { first, length: Length::Days(days) }),
            _ => Err(CalendarError::Term(term)),
        }
    }

    /// The first day that was sold.
    pub fn first(&self) -> Date {
        self.first
    }

    /// The first day of a period; period 0 starts at the anchor.
    ///
    /// In a month without the anchor's day it is the last day of that month, as Stripe and Kill
    /// Bill document it.
    fn boundary(&self, number: i64) -> Result<Date, CalendarError> {
        let wrong = || CalendarError::EndOfCalendar(self.first);
        let span = match self.length {
            Length::Days(days) => Span::new().try_days(days.saturating_mul(number)),
            Length::Months(months) => Span::new().try_months(months.saturating_mul(number)),
        };
        self.first.checked_add(span.map_err(|_| wrong())?).map_err(|_| wrong())
    }

    /// The period of a number, the first being 0.
    pub fn period(&self, number: u32) -> Result<Period, CalendarError> {
        let number = i64::from(number);
        Ok(Period { start: self.boundary(number)?, end: self.boundary(number + 1)? })
    }

    /// The period that a day falls into, with its number.
    pub fn containing(&self, day: Date) -> Result<(u32, Period), CalendarError> {
        if day < self.first {
            return Err(CalendarError::BeforeAnchor { day, anchor: self.first });
        }
        let about = match self.length {
            Length::Days(days) => days_between(self.first, day) / days,
            Length::Months(months) => {
                let years = i64::from(day.year()) - i64::from(self.first.year());
                let apart = years * 12 + i64::from(day.month()) - i64::from(self.first.month());
                apart / months
            }
        };
        // The day of the month decides between two neighbours.
        let number = if self.boundary(about)? > day { about - 1 } else { about };
        let number = u32::try_from(number).map_err(|_| CalendarError::EndOfCalendar(self.first))?;
        Ok((number, self.period(number)?))
    }

    /// The nominal periods that a term reaches into, each with those of its days that were sold.
    /// Terms of days begin their own, where they begin.
    pub fn parts(&self, sold: Period) -> Result<Vec<Part>, CalendarError> {
        let anchor = match self.length {
            Length::Days(_) => Self { first: sold.start, ..*self },
            Length::Months(_) => *self,
        };
        let mut parts = Vec::new();
        let mut start = sold.start;
        while start < sold.end {
            let (_, whole) = anchor.containing(start)?;
            let end = whole.end.min(sold.end);
            parts.push(Part { sold: Period { start, end }, whole });
            start = end;
        }
        Ok(parts)
    }

    /// What is sold from a day on.
    ///
    /// Terms of days simply begin there. Terms of months keep their anchor: between two boundaries
    /// only the rest of that period is sold, so that nobody pays for days that did not run. A
    /// rest shorter than `notice` days would expire at once, and is sold with the period after it.
    pub fn stretch_from(&self, day: Date, notice: i64) -> Result<Stretch, CalendarError> {
        if day < self.first {
            return Err(CalendarError::BeforeAnchor { day, anchor: self.first });
        }
        if let Length::Days(days) = self.length {
            let rebased = Self { first: day, length: Length::Days(days) };
            let sold = rebased.period(0)?;
            return Ok(Stretch { sold, whole: sold, and_whole: false });
        }
        let (number, whole) = self.containing(day)?;
        let rest = Period { start: day, end: whole.end };
        let and_whole = rest != whole && rest.days() < notice;
        let end = if and_whole { self.boundary(i64::from(number) + 2)? } else { whole.end };
        Ok(Stretch { sold: Period { start: day, end }, whole, and_whole })
    }
}

/// Days that were sold of one nominal period: all of it, or a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub sold: Period,
    pub whole: Period,
}

/// What follows a term that is not renewed. Recorded when the term is bought, and shown then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deadlines {
    /// It stops running here.
    pub expires_at: Timestamp,
    /// It is removed after this.
    pub grace_until: Timestamp,
    /// The last backup is deleted after this.
    pub purge_after: Timestamp,
}

impl Deadlines {
    /// The deadlines of what is paid up to, and without, `end`.
    pub fn of(end: Date, lifecycle: &Lifecycle, zone: &TimeZone) -> Result<Self, CalendarError> {
        let wrong = |_| CalendarError::EndOfCalendar(end);
        let grace = end.checked_add(lifecycle.grace.span()).map_err(wrong)?;
        let purge = grace.checked_add(lifecycle.retention.span()).map_err(wrong)?;
        Ok(Self {
            expires_at: start_of_day(end, zone)?,
            grace_until: start_of_day(grace, zone)?,
            purge_after: start_of_day(purge, zone)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::model::zone::zone;

    fn anchor(first: Date, term: &str) -> Anchor {
        Anchor::new(first, term.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_term_reaches_into_the_nominal_periods_that_it_was_sold_of() {
        let period = |start, end| Period { start, end };
        let monthly = anchor(date(2026, 1, 31), "1 month");
        let sold = period(date(2026, 3, 28), date(2026, 4, 30));
        let (february, march) = (
            period(date(2026, 2, 28), date(2026, 3, 31)),
            period(date(2026, 3, 31), date(2026, 4, 30)),
        );
        let rest = Part { sold: period(sold.start, march.start), whole: february };
        assert_eq!(monthly.parts(sold).unwrap(), [rest, Part { sold: march, whole: march }]);
        // Thirty days begin where they begin, and what was given need not be whole.
        let given = period(date(2026, 3, 10), date(2026, 4, 14));
        let thirty = period(date(2026, 3, 10), date(2026, 4, 9));
        let more = period(date(2026, 4, 9), date(2026, 5, 9));
        let part = Part { sold: period(more.start, given.end), whole: more };
        let parts = anchor(date(2026, 1, 31), "30 days").parts(given).unwrap();
        assert_eq!(parts, [Part { sold: thirty, whole: thirty }, part]);
        assert!(monthly.parts(period(date(2026, 1, 1), date(2026, 2, 1))).is_err());
    }

    #[test]
    fn the_thirty_first_stays_the_thirty_first() {
        let anchor = anchor(date(2026, 1, 31), "1 month");
        let starts: Vec<Date> = (0..6).map(|number| anchor.period(number).unwrap().start).collect();
        assert_eq!(
            starts,
            [
                date(2026, 1, 31),
                date(2026, 2, 28),
                date(2026, 3, 31),
                date(2026, 4, 30),
                date(2026, 5, 31),
                date(2026, 6, 30)
            ]
        );
    }

    #[test]
    fn thirty_days_and_a_month_are_different_terms() {
        let start = date(2026, 1, 31);
        assert_eq!(anchor(start, "30 days").period(0).unwrap().end, date(2026, 3, 2));
        assert_eq!(anchor(start, "1 month").period(0).unwrap().end, date(2026, 2, 28));
        assert_eq!(anchor(start, "1 year").period(1).unwrap().start, date(2027, 1, 31));
    }

    #[test]
    fn nothing_is_sold_by_the_hour_or_for_nothing() {
        for term in ["12 hours", "0 days", "0 months", "30 minutes"] {
            let error = Anchor::new(date(2026, 1, 1), term.parse().unwrap()).unwrap_err();
            assert!(error.to_string().contains(term), "{error}");
        }
    }

    #[test]
    fn the_end_of_the_calendar_is_a_refusal() {
        let anchor = anchor(date(9999, 11, 30), "1 month");
        assert!(anchor.period(0).is_ok());
        assert_eq!(anchor.period(1).unwrap_err(), CalendarError::EndOfCalendar(date(9999, 11, 30)));
    }

    #[test]
    fn every_start_day_has_sixty_months_without_gap_or_overlap() {
        // Two years with 29 February inside or at their edge, and two without.
        for first_year in [2023, 2024, 2026, 2027] {
            let mut first = date(first_year, 1, 1);
            while first.year() == first_year {
                let anchor = anchor(first, "1 month");
                let mut sum = 0;
                for number in 0..60 {
                    let period = anchor.period(number).unwrap();
                    assert_eq!(period.end, anchor.period(number + 1).unwrap().start);
                    assert!((28..=31).contains(&period.days()), "{first} {period:?}");
                    let clamped = first.day().min(period.start.days_in_month());
                    assert_eq!(period.start.day(), clamped, "{first}: the anchor day is kept");
                    for day in [period.start, period.last_day()] {
                        assert_eq!(anchor.containing(day).unwrap(), (number, period));
                    }
                    sum += period.days();
                }
                let end = anchor.period(59).unwrap().end;
                assert_eq!(sum, days_between(first, end));
                first = first.tomorrow().unwrap();
            }
        }
    }

    #[test]
    fn periods_meet_in_every_zone_whatever_its_clocks_do() {
        // Santiago and Beirut skip midnight itself, Lord Howe moves by half an hour, Apia once
        // skipped a whole day.
        for name in [
            "Asia/Ho_Chi_Minh",
            "Asia/Jakarta",
            "Europe/Berlin",
            "America/Santiago",
            "Asia/Beirut",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "America/New_York",
        ] {
            let zone = zone(name).unwrap();
            for start in 1..=31 {
                let anchor = anchor(date(2023, 1, start), "1 month");
                for number in 0..60 {
                    let period = anchor.period(number).unwrap();
                    let starts = start_of_day(period.start, &zone).unwrap();
                    let ends = start_of_day(period.end, &zone).unwrap();
                    assert!(starts < ends);
                    assert_eq!(day_of(starts, &zone), period.start, "{name}");
                    let before = ends - jiff::SignedDuration::from_nanos(1);
                    assert_eq!(day_of(before, &zone), period.last_day(), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_rest_is_sold_up_to_the_anchor_and_a_short_one_with_the_next_period() {
        let anchor = anchor(date(2026, 1, 31), "1 month");
        let late = anchor.stretch_from(date(2026, 3, 15), 7).unwrap();
        assert_eq!(late.sold, Period { start: date(2026, 3, 15), end: date(2026, 3, 31) });
        assert_eq!(late.whole, Period { start: date(2026, 2, 28), end: date(2026, 3, 31) });
        assert_eq!((late.rest(), late.and_whole), (16, false));

        let last = anchor.stretch_from(date(2026, 3, 30), 7).unwrap();
        assert_eq!(last.sold, Period { start: date(2026, 3, 30), end: date(2026, 4, 30) });
        assert_eq!((last.rest(), last.and_whole), (1, true));

        let whole = anchor.stretch_from(date(2026, 3, 31), 7).unwrap();
        assert!(whole.is_whole() && !whole.and_whole);
        assert!(anchor.stretch_from(date(2026, 1, 30), 7).is_err());
    }

    #[test]
    fn deadlines_fall_on_midnights_of_the_zone_also_across_daylight_saving() {
        let zone = zone("Europe/Berlin").unwrap();
        let deadlines = Deadlines::of(date(2026, 3, 15), &Lifecycle::default(), &zone).unwrap();
        assert_eq!(deadlines.expires_at.to_string(), "2026-03-14T23:00:00Z");
        assert_eq!(deadlines.grace_until.to_string(), "2026-04-13T22:00:00Z");
        assert_eq!(deadlines.purge_after.to_string(), "2026-07-12T22:00:00Z");
    }

    proptest! {
        #[test]
        fn what_is_sold_day_after_day_tiles_the_calendar(
            day in 0_i64..800, months in 1_u16..14, lapse in 0_i64..40, notice in 0_i64..10,
        ) {
            let first = date(2023, 1, 31).checked_add(Span::new().days(day)).unwrap();
            let anchor = anchor(first, &format!("{months} months"));
            let mut paid = first;
            for number in 0..24 {
                // Somebody is late once.
                if number == 5 {
                    paid = paid.checked_add(Span::new().days(lapse)).unwrap();
                }
                let stretch = anchor.stretch_from(paid, notice).unwrap();
                prop_assert_eq!(stretch.sold.start, paid);
                prop_assert!(stretch.sold.end > paid);
                prop_assert!(stretch.whole.contains(paid));
                let (_, next) = anchor.containing(stretch.sold.end).unwrap();
                prop_assert_eq!(next.start, stretch.sold.end, "it ends on the anchor's grid");
                paid = stretch.sold.end;
            }
        }
    }
}
