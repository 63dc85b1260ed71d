//! A spread of times: what half of them stay within, and what nearly all do.

use std::time::Duration;

/// How long something took, told by nearest ranks: each is a time that really was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    pub count: usize,
    pub median: Duration,
    /// 95 of a hundred stay within it.
    pub p95: Duration,
    pub longest: Duration,
}

impl Spread {
    /// None where there is no time.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort();
        let longest = *times.last()?;
        // The smallest time that so many of a hundred stay within.
        let rank = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied().unwrap_or(longest)
        };
        Some(Self { count: times.len(), median: rank(50), p95: rank(95), longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(seconds: &[u64]) -> Option<(u64, u64, u64)> {
        let spread = Spread::of(seconds.iter().map(|seconds| Duration::from_secs(*seconds)))?;
        Some((spread.median.as_secs(), spread.p95.as_secs(), spread.longest.as_secs()))
    }

    #[test]
    fn ranks_are_times_that_really_were() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[7]), Some((7, 7, 7)));
        assert_eq!(spread(&[9, 1]), Some((1, 9, 9)));
        assert_eq!(spread(&[3, 1, 2]), Some((2, 3, 3)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(spread(&hundred), Some((50, 95, 100)));
    }
}
