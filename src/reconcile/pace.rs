//! When to try again: waits that grow, with jitter so that many do not come back together.

use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_mins(5);

/// How long to wait after so many failures in a row. `jitter` is a number from 0 to 255 that
/// shortens the wait by up to a quarter.
pub(super) fn wait(failures: u32, jitter: u8) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let full = doubled.min(LONGEST);
    full.saturating_sub(full * u32::from(jitter) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let waits: Vec<u64> = (1..12).map(|failures| wait(failures, 0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(wait(5, 255) > Duration::from_secs(12), "jitter takes a quarter at most");
    }
}
