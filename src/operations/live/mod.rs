//! What happens to operations, told as it happens. One reader for each process looks for news while
//! somebody follows, and wakes everybody; nobody reads the table who can be served from what it
//! read. Whoever was away reads on from the last number they were told, and misses nothing and
//! hears nothing twice: see [`frontier`].

mod frontier;
mod read;

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::OperationError;
use super::operation::Event;
use crate::model::Name;
use crate::postgres::Database;

use frontier::Frontier;

/// How often is looked for news while somebody follows.
const PAUSE: Duration = Duration::from_millis(250);
/// How long it waits after a failure.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How much is read in one go.
const PAGE: usize = 500;
/// How much of what was read last is kept for those who are a little behind.
const KEPT: usize = 1024;

/// A state that an operation came into, and what the operation is about.
#[derive(Clone, Debug)]
pub struct News {
    pub event: Event,
    pub tenant: Name,
    /// Such as `open`.
    pub kind: String,
    pub subscription: Option<Name>,
}

/// Of what somebody wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    All,
    Tenant(Name),
    Operation(Uuid),
}

impl Whose {
    fn includes(&self, news: &News) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(tenant) => news.tenant == *tenant,
            Self::Operation(id) => news.event.operation == *id,
        }
    }
}

/// What was read last.
#[derive(Clone)]
struct Recent {
    /// Everything after this number is here.
    from: i64,
    /// And up to this one.
    settled: i64,
    news: Arc<[Arc<News>]>,
}

/// Tells what happens to operations. Clones are the same.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    reader: OnceLock<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.get() {
            reader.abort();
        }
    }
}

struct Shared {
    database: Database,
    /// None before anything was read, and while nobody follows.
    recent: watch::Sender<Option<Recent>>,
    somebody: Notify,
}

impl Live {
    /// It reads nothing before somebody follows.
    pub fn over(database: Database) -> Self {
        let shared = Shared { database, recent: watch::Sender::new(None), somebody: Notify::new() };
        Self { inner: Arc::new(Inner { shared: Arc::new(shared), reader: OnceLock::new() }) }
    }

    /// Follows from a sequence number on.
    pub fn follow(&self, whose: Whose, after: i64) -> Following {
        let recent = self.subscribe();
        Following { live: self.clone(), recent, whose, after }
    }

    /// Follows from now on, or from a number that was told before. What cannot have been told, as
    /// by a database that was put back from a backup, counts for nothing.
    pub async fn resume(
        &self,
        whose: Whose,
        told: Option<i64>,
    ) -> Result<Following, OperationError> {
        let mut recent = self.subscribe();
        let settled = match recent.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(recent)) => recent.settled,
            Ok(None) | Err(_) => 0,
        };
        let after = match told {
            Some(told) if told <= settled => told,
            // Another process may have been quicker than this one's reader.
            Some(told) => {
                let mut db = self.inner.shared.database.pool().acquire().await?;
                if told <= read::newest(&mut db).await? { told } else { settled }
            }
            None => settled,
        };
        Ok(Following { live: self.clone(), recent, whose, after })
    }

    fn subscribe(&self) -> watch::Receiver<Option<Recent>> {
        let shared = &self.inner.shared;
        let recent = shared.recent.subscribe();
        let start = || tokio::spawn(read_on(Arc::clone(shared))).abort_handle();
        self.inner.reader.get_or_init(start);
        shared.somebody.notify_one();
        recent
    }
}

/// Somebody who follows.
pub struct Following {
    live: Live,
    recent: watch::Receiver<Option<Recent>>,
    whose: Whose,
    after: i64,
}

impl Following {
    /// The number that everything was told up to, once what [`Following::next`] gave was.
    pub fn after(&self) -> i64 {
        self.after
    }

    /// What happened next; it waits until something does. Where it is dropped while it waits,
    /// nothing is lost.
    pub async fn next(&mut self) -> Result<Vec<Arc<News>>, OperationError> {
        loop {
            let recent = self.recent.borrow_and_update().clone();
            if let Some(recent) = recent.filter(|recent| recent.settled > self.after) {
                let found = self.up_to(&recent).await?;
                if !found.is_empty() {
                    return Ok(found);
                }
                continue;
            }
            if self.recent.changed().await.is_err() {
                // It cannot be: the sender lives as long as what we hold of it.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn up_to(&mut self, recent: &Recent) -> Result<Vec<Arc<News>>, OperationError> {
        if recent.from <= self.after {
            let begin = recent.news.partition_point(|news| news.event.sequence <= self.after);
            self.after = recent.settled;
            let news = recent.news[begin..].iter().filter(|news| self.whose.includes(news));
            return Ok(news.cloned().collect());
        }
        let between = (self.after, recent.settled);
        let mut db = self.live.inner.shared.database.pool().acquire().await?;
        let found = read::after(&mut db, &self.whose, between, PAGE).await?;
        self.after = match found.last() {
            Some(last) if found.len() == PAGE => last.event.sequence,
            _ => recent.settled,
        };
        Ok(found.into_iter().map(Arc::new).collect())
    }
}

/// Reads on while somebody follows.
async fn read_on(shared: Arc<Shared>) {
    let mut frontier = None;
    loop {
        if shared.recent.receiver_count() == 0 {
            // Nobody has to be told what happens meanwhile: it is begun again.
            frontier = None;
            shared.recent.send_replace(None);
            while shared.recent.receiver_count() == 0 {
                shared.somebody.notified().await;
            }
        }
        shared.database.usable().await;
        let pause = match read_once(&shared, &mut frontier).await {
            Ok(true) => continue,
            Ok(false) => PAUSE,
            Err(error) => {
                if let OperationError::Database(error) = &error {
                    shared.database.doubt(error);
                }
                tracing::warn!("what happens to operations cannot be told now: {error}");
                // It may come back as another database, put back from a backup.
                frontier = None;
                shared.recent.send_replace(None);
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Reads what is new, and says whether there may be more at once.
async fn read_once(shared: &Shared, known: &mut Option<Frontier>) -> Result<bool, OperationError> {
    let mut db = shared.database.pool().acquire().await?;
    let frontier = if let Some(frontier) = known {
        frontier
    } else {
        let newest = read::newest(&mut db).await?;
        known.insert(Frontier::before(newest, read::writers(&mut db).await?))
    };
    if frontier.is_in_doubt() {
        frontier.still_write(&read::writers(&mut db).await?);
    }
    if shared.recent.borrow().is_none() {
        if frontier.is_in_doubt() {
            return Ok(false);
        }
        frontier.begin();
        let settled = frontier.settled();
        shared.recent.send_replace(Some(Recent { from: settled, settled, news: Arc::default() }));
    }
    let before = frontier.settled();
    let mut news = read::after(&mut db, &Whose::All, (before, i64::MAX), PAGE).await?;
    let sequences: Vec<i64> = news.iter().map(|news| news.event.sequence).collect();
    let full = news.len() == PAGE;
    let told = frontier.take(&sequences, !full);
    let gap = sequences.get(told..).and_then(<[i64]>::last);
    let mut again = full && told > 0;
    if let Some(last) = gap
        && !frontier.is_in_doubt()
    {
        frontier.doubt(*last, read::writers(&mut db).await?);
        again |= !frontier.is_in_doubt();
    }
    if frontier.settled() > before {
        news.truncate(told);
        publish(shared, news, frontier.settled());
    }
    Ok(again)
}

/// Wakes everybody who follows.
fn publish(shared: &Shared, news: Vec<News>, settled: i64) {
    shared.recent.send_modify(|recent| {
        let Some(recent) = recent else { return };
        let mut all: Vec<Arc<News>> = recent.news.to_vec();
        all.extend(news.into_iter().map(Arc::new));
        let forgotten = all.len().saturating_sub(KEPT);
        if let Some(last) = all.drain(..forgotten).next_back() {
            recent.from = last.event.sequence;
        }
        recent.news = all.into();
        recent.settled = settled;
    });
}
