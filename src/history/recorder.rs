//! The recorder: whoever has something to record hands it over and goes on. A task writes it in
//! batches, and keeps it in memory while the database is away, as far as memory was granted.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::backlog::Backlog;
use super::record::Record;
use super::record::fresh_id;
use super::store::Lost;
use super::store::Store;
use super::store::Writer;
use crate::postgres;
use crate::postgres::Database;

/// How many facts wait in memory: some minutes of a busy daemon, in tens of megabytes.
const CAPACITY: usize = 50_000;
/// How many records one transaction writes.
const BATCH: usize = 500;
/// How long the writer waits for more after the first.
const LINGER: Duration = Duration::from_millis(20);
/// How long a transaction may take before its connection counts as dead.
const PATIENCE: Duration = Duration::from_secs(30);
/// The wait after a failure that leaves the database reachable.
const RETRY: Duration = Duration::from_millis(250);
const ALIVE_EVERY: Duration = Duration::from_mins(1);
const CLEAN_EVERY: Duration = Duration::from_hours(6);

/// How much history is kept, in memory and for how long.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "History")]
pub struct Settings {
    /// Remove history that is over for this many days; what still stands stays
    #[arg(long, value_name = "DAYS", env = "TENANTRY_HISTORY_DAYS", default_value_t = 400)]
    pub history_days: u32,

    /// Keep at most this many facts in memory while the database is away
    #[arg(long, value_name = "NUMBER", env = "TENANTRY_HISTORY_BACKLOG", default_value_t = CAPACITY)]
    pub history_backlog: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { history_days: 400, history_backlog: CAPACITY }
    }
}

/// Takes records from everybody. Clones write to the same history; it ends with the last one.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Option<Arc<Shared>>,
    _task: Option<Arc<Task>>,
}

#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Shared {
    backlog: Mutex<Backlog>,
    /// How long what is over is kept.
    keep: SignedDuration,
    more: Notify,
    /// How many records were taken in, and how many of them are done with.
    added: watch::Sender<u64>,
    done: watch::Sender<u64>,
    writer: Writer,
    store: Store,
}

/// How the recorder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RecorderState {
    /// How many records wait to be written.
    pub waiting: usize,
    /// How many were dropped since the database was last there.
    pub dropped: u64,
}

impl Recorder {
    /// Starts to write to a database, which need not be there yet.
    pub fn start(database: Database, settings: &Settings) -> Self {
        let shared = Arc::new(Shared {
            backlog: Mutex::new(Backlog::new(settings.history_backlog)),
            keep: SignedDuration::from_hours(24 * i64::from(settings.history_days)),
            more: Notify::new(),
            added: watch::Sender::new(0),
            done: watch::Sender::new(0),
            writer: Writer {
                id: fresh_id(),
                version: env!("CARGO_PKG_VERSION"),
                started_at: Timestamp::now(),
            },
            store: Store::over(database),
        });
        let task = tokio::spawn(write(Arc::clone(&shared))).abort_handle();
        Self { shared: Some(shared), _task: Some(Arc::new(Task(task))) }
    }

    /// A recorder that keeps nothing, for who runs without a database.
    pub fn to_nowhere() -> Self {
        Self { shared: None, _task: None }
    }

    /// Hands over a record. It never waits.
    pub fn record(&self, record: Record) {
        let Some(shared) = &self.shared else { return };
        shared.backlog().add(record, Timestamp::now());
        shared.added.send_modify(|added| *added += 1);
        shared.more.notify_one();
    }

    /// How it stands.
    pub fn state(&self) -> RecorderState {
        let Some(shared) = &self.shared else { return RecorderState { waiting: 0, dropped: 0 } };
        let backlog = shared.backlog();
        let dropped = backlog.dropped().map_or(0, |dropped| dropped.counts.values().sum());
        RecorderState { waiting: backlog.len(), dropped }
    }

    /// Where history can be read back.
    pub fn store(&self) -> Option<&Store> {
        self.shared.as_ref().map(|shared| &shared.store)
    }

    /// Waits until everything recorded so far is written, at most so long; says whether it is.
    pub async fn flush(&self, limit: Duration) -> bool {
        let Some(shared) = &self.shared else { return true };
        let target = *shared.added.borrow();
        let mut done = shared.done.subscribe();
        let all = done.wait_for(|done| *done >= target);
        matches!(tokio::time::timeout(limit, all).await, Ok(Ok(_)))
    }

    /// Writes what waits and says goodbye, at most so long; says whether everything was written.
    pub async fn stop(&self, limit: Duration) -> bool {
        let Some(shared) = &self.shared else { return true };
        let flushed = self.flush(limit).await;
        if flushed {
            let goodbye = shared.store.write_alive(&shared.writer, Timestamp::now(), true);
            drop(tokio::time::timeout(limit, goodbye).await);
        } else {
            tracing::warn!(
                "{} facts were not written: the database {} is away",
                self.state().waiting,
                shared.store.database().name()
            );
        }
        flushed
    }
}

impl Shared {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes whatever comes, for ever.
async fn write(shared: Arc<Shared>) {
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    alive.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut clean = tokio::time::interval(CLEAN_EVERY);
    clean.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        shared.store.database().usable().await;
        tokio::select! {
            _ = alive.tick() => say_alive(&shared).await,
            _ = clean.tick() => clean_up(&shared).await,
            () = shared.more.notified() => {
                tokio::time::sleep(LINGER).await;
                write_all(&shared).await;
            }
        }
    }
}

async fn say_alive(shared: &Shared) {
    if let Err(error) = shared.store.write_alive(&shared.writer, Timestamp::now(), false).await {
        shared.store.database().doubt(&error);
    }
}

async fn clean_up(shared: &Shared) {
    let Ok(before) = Timestamp::now().checked_sub(shared.keep) else { return };
    match shared.store.clean_up(before).await {
        Ok(cleaned) => {
            tracing::debug!(?cleaned, "what is over since {before} was removed from history");
        }
        Err(error) => {
            tracing::warn!("history could not be cleaned up, it is tried again later: {error}");
        }
    }
}

/// Writes until nothing waits.
async fn write_all(shared: &Shared) {
    loop {
        // What is added from here on has its own call.
        let added = *shared.added.borrow();
        let batch = shared.backlog().take(BATCH);
        if batch.is_empty() {
            shared.done.send_replace(added);
            break;
        }
        if write_batch(shared, &batch).await {
            shared.backlog().written();
            continue;
        }
        shared.backlog().put_back();
        // A connection that broke under a statement does not mean that the database is away.
        tokio::time::sleep(RETRY).await;
        shared.store.database().usable().await;
    }
    write_lost(shared).await;
}

/// Writes a batch; false where it has to be tried again.
async fn write_batch(shared: &Shared, batch: &[Record]) -> bool {
    match patiently(shared.store.write(batch)).await {
        Ok(()) => true,
        Err(error) if postgres::is_away(&error) => {
            shared.store.database().doubt(&error);
            false
        }
        Err(error) if batch.len() == 1 => {
            tracing::error!("a {} could not be written to history: {error}", batch[0].kind());
            shared.backlog().drop_one(&batch[0], Timestamp::now());
            true
        }
        // One of them is refused, and must not keep the others out.
        Err(_) => {
            for record in batch {
                if !Box::pin(write_batch(shared, std::slice::from_ref(record))).await {
                    return false;
                }
            }
            true
        }
    }
}

/// Says in history itself that it is incomplete.
async fn write_lost(shared: &Shared) {
    let Some(dropped) = shared.backlog().take_dropped() else { return };
    let lost = Lost {
        id: fresh_id(),
        began_at: dropped.first_at,
        ended_at: dropped.last_at,
        dropped: dropped.counts.clone(),
    };
    match patiently(shared.store.write_lost(&lost)).await {
        Ok(()) => {
            tracing::warn!(?lost.dropped, "history is incomplete: the database was away for too long");
        }
        Err(error) => {
            shared.store.database().doubt(&error);
            shared.backlog().keep_dropped(dropped);
        }
    }
}

async fn patiently(work: impl Future<Output = Result<(), sqlx::Error>>) -> Result<(), sqlx::Error> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
