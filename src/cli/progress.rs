//! Shows that work goes on: on a terminal in one line that changes, elsewhere in plain lines,
//! and not at all while it takes less than a second.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use super::output;

const PATIENCE: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(120);
/// Plain lines fill logs: they come less often the longer it takes.
const PLAIN_LINES: Duration = Duration::from_secs(10);
const SPINNER: [char; 4] = ['|', '/', '-', '\\'];

/// Something that takes its time. It is over when this is dropped.
pub(super) struct Progress {
    shared: Arc<Shared>,
    painter: Option<JoinHandle<()>>,
}

struct Shared {
    doing: String,
    total: Option<usize>,
    done: AtomicUsize,
    over: Mutex<bool>,
    wake: Condvar,
}

impl Progress {
    pub(super) fn start(doing: &str, total: Option<usize>, quiet: bool, terminal: bool) -> Self {
        let shared = Arc::new(Shared {
            doing: doing.to_owned(),
            total,
            done: AtomicUsize::new(0),
            over: Mutex::new(false),
            wake: Condvar::new(),
        });
        let painter = (!quiet).then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.paint(terminal))
        });
        Self { shared, painter }
    }

    /// Counts one more thing as done.
    pub(super) fn step(&self) {
        self.shared.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        *self.shared.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.wake.notify_all();
        if let Some(painter) = self.painter.take() {
            let _ = painter.join();
        }
    }
}

impl Shared {
    fn paint(&self, terminal: bool) {
        let started = Instant::now();
        let mut drawn = 0;
        let mut wait = PATIENCE;
        while !self.is_over_after(wait) {
            let line = self.line(started.elapsed());
            if terminal {
                output::redrawn(&format!("{} {line}", SPINNER[drawn % SPINNER.len()]));
            } else {
                output::told(&line);
            }
            drawn += 1;
            wait = if terminal { REDRAW } else { PLAIN_LINES };
        }
        if terminal && drawn > 0 {
            output::redrawn("");
        }
    }

    fn is_over_after(&self, wait: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(over, wait, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn line(&self, elapsed: Duration) -> String {
        let done = self.done.load(Ordering::Relaxed);
        let count = match (self.total, done) {
            (Some(total), done) => format!(": {done} of {total}"),
            (None, 0) => String::new(),
            (None, done) => format!(": {done}"),
        };
        format!("{}{count} ({} s)", self.doing, elapsed.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_within_a_second_shows_nothing_and_holds_nobody_up() {
        let started = Instant::now();
        drop(Progress::start("rendering", Some(3), false, false));
        assert!(started.elapsed() < PATIENCE);
    }
}
