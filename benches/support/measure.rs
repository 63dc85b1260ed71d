//! Times of repeated runs, peak memory, and how both are told.

use std::time::Duration;
use std::time::Instant;

/// A number from the environment, so that a quick run is possible.
pub(crate) fn size(variable: &str, default: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => {
            text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a whole number"))
        }
        Err(_) => default,
    }
}

/// How long something took: by the clock, and on cores, all threads together. On a machine that
/// does other things as well only the second can be compared.
#[derive(Clone, Copy, Default)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) cores: Duration,
}

/// How long some work takes, and what it makes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Took, T) {
    let watch = Stopwatch::start();
    let made = work();
    (watch.took(), made)
}

/// Measures from its start, on one thread and on all together.
pub(crate) struct Stopwatch {
    start: Instant,
    alone: Duration,
    all: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), alone: on_core(), all: on_cores() }
    }

    pub(crate) fn took(&self) -> Took {
        let alone = on_core().saturating_sub(self.alone);
        let all = on_cores().saturating_sub(self.all);
        // Of several threads only whole hundredths of seconds are known.
        let cores = if all > alone + Duration::from_millis(20) { all } else { alone };
        Took { wall: self.start.elapsed(), cores }
    }
}

/// How long this thread has been on a core.
fn on_core() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// How long this process has been on cores, all its threads together, in hundredths of a second.
fn on_cores() -> Duration {
    on_cores_of("self")
}

/// The same of another process.
pub(crate) fn on_cores_of(process: impl std::fmt::Display) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; user and system time are the 12th and 13th after it.
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks =
        after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// Such as `min 1.2 ms, median 1.5 ms of 5`.
pub(crate) fn told(mut times: Vec<Duration>) -> String {
    times.sort();
    format!("min {:.1?}, median {:.1?} of {}", times[0], quantile(&times, 50), times.len())
}

/// A runtime on all cores, for what is measured from outside.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("threads can be started")
}

/// How often one goes into the other.
pub(crate) fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// The value below which this share of the sorted values lies.
pub(crate) fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// The most memory this process ever had resident, in MB; none where the system does not say.
pub(crate) fn peak_memory() -> Option<u64> {
    peak_memory_of("self")
}

/// The same of another process.
pub(crate) fn peak_memory_of(process: impl std::fmt::Display) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024 / 1_000_000)
}
