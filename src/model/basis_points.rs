//! Parts of something in hundredths of a percent, without floats.

use std::fmt;

use super::arithmetic::rounded;

/// Hundredths of a percent: 645 is 6.45 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasisPoints(i32);

impl BasisPoints {
    /// The part that one is of another, rounded half away from zero. None where that other is not
    /// above zero, and where it is a part that nobody could read.
    pub fn of(part: i64, whole: i64) -> Option<Self> {
        let points = rounded(i128::from(part) * 10_000, i128::from(whole))?;
        i32::try_from(points).ok().map(Self)
    }

    /// The part that some are of all, rounded down: all but one are never all.
    pub fn of_all(some: u64, all: u64) -> Option<Self> {
        let points = (u128::from(some) * 10_000).checked_div(u128::from(all))?;
        i32::try_from(points).ok().map(Self)
    }

    pub fn signum(self) -> i32 {
        self.0.signum()
    }
}

/// In percent, with both decimals: `-18.57`.
impl fmt::Display for BasisPoints {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let points = self.0.unsigned_abs();
        write!(out, "{sign}{}.{:02}", points / 100, points % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(points: Option<BasisPoints>) -> String {
        points.map(|points| points.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_part_is_told_in_percent() {
        for (part, whole, expected) in [
            (6, 93, "6.45"),
            (-1, 200, "-0.50"),
            (-91, 490, "-18.57"),
            (1, 1, "100.00"),
            (0, 5, "0.00"),
            (5, 0, ""),
            (5, -1, ""),
            (i64::MAX, 1, ""),
        ] {
            assert_eq!(told(BasisPoints::of(part, whole)), expected, "{part} of {whole}");
        }
    }

    #[test]
    fn one_failure_is_never_all() {
        for (some, all, expected) in
            [(199, 200, "99.50"), (999_999, 1_000_000, "99.99"), (3, 3, "100.00"), (0, 0, "")]
        {
            assert_eq!(told(BasisPoints::of_all(some, all)), expected, "{some} of {all}");
        }
    }
}
