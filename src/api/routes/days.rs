//! Ranges of days, as queries ask for them: from one day through another, both included.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::date;
use jiff::tz::TimeZone;

use crate::api::problem::Problem;
use crate::billing::calendar::days_between;
use crate::billing::calendar::start_of_day;

/// Before that there was nothing, and PostgreSQL knows no such times as a query can name.
const EARLIEST: Date = date(1970, 1, 1);

/// What a query says.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) from: Option<Date>,
    pub(super) through: Option<Date>,
}

/// Days, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) first: Date,
    pub(super) last: Date,
}

impl Asked {
    /// The days that are asked for: through today, and from where it is usual for that day, where
    /// nobody says.
    pub(super) fn days(self, today: Date, usual: impl Fn(Date) -> Date) -> Result<Days, Problem> {
        let last = self.through.unwrap_or(today);
        let first = self.from.unwrap_or_else(|| usual(last));
        if first > last {
            let help = format!("write a day up to {last}, or another `through`");
            return Err(Problem::field("from", "it is after the last day", help));
        }
        if first < EARLIEST {
            let help = format!("write a day from {EARLIEST} on");
            return Err(Problem::field("from", "nothing is known of that time", help));
        }
        Ok(Days { first, last })
    }
}

impl Days {
    /// Refuses more days than these.
    pub(super) fn at_most(self, most: i32, help: &str) -> Result<(), Problem> {
        let many = days_between(self.first, self.last) + 1;
        if many > i64::from(most) {
            return Err(Problem::field("from", format!("these are {many} days"), help));
        }
        Ok(())
    }

    /// The moments from which on, and before which, they are.
    pub(super) fn times(self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let from = start_of_day(self.first, zone).unwrap_or(Timestamp::MIN);
        let end = self.last.tomorrow().ok().and_then(|end| start_of_day(end, zone).ok());
        (from, end.unwrap_or(Timestamp::MAX))
    }
}
