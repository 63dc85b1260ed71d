//! The background work of operations: commits what is due, follows what is committed, and lets go of
//! what nobody paid. It goes on while the database, the repository or history are away and come back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::OperationError;
use super::commit;
use super::follow::Follower;
use super::follow::Taken;
use super::order;
use super::paid;
use super::review;
use crate::edits::Editor;
use crate::postgres::Database;

/// How often it is looked whether something is due of which nobody told.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked what became of changes that people review.
const REVIEW: Duration = Duration::from_secs(30);
/// How often orders are looked at that may have expired.
const EXPIRE: Duration = Duration::from_secs(15);

/// What the work is done with.
#[derive(Clone, Debug)]
pub struct Work {
    pub database: Database,
    pub editor: Editor,
    pub follower: Follower,
    /// The commit that was taken last.
    pub taken: watch::Receiver<Option<Taken>>,
    /// Is told when something was accepted, so that its commit need not wait for the next look.
    pub accepted: Arc<Notify>,
    pub clock: Arc<dyn Clock>,
}

/// What the time is.
pub trait Clock: std::fmt::Debug + Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The time as the machine has it.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Work {
    /// Starts to work, for ever.
    pub fn start(self) -> [JoinHandle<()>; 5] {
        [
            tokio::spawn(commit_all(self.clone())),
            tokio::spawn(follow_all(self.clone())),
            tokio::spawn(review_all(self.clone())),
            tokio::spawn(settle_all(self.clone())),
            tokio::spawn(expire_all(self)),
        ]
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// Tells of what went wrong, and has the database looked at where that is why.
    fn failed(&self, what: &str, error: &OperationError) {
        if let OperationError::Database(error) = error {
            self.database.doubt(error);
        }
        tracing::warn!("{what}, and is tried again: {error}");
    }
}

async fn commit_all(work: Work) {
    loop {
        work.database.usable().await;
        match commit::work(work.pool(), &work.editor, work.clock.now()).await {
            // There may be more than was taken at once.
            Ok(1..) => continue,
            Ok(0) => {}
            Err(error) => work.failed("what is accepted could not be read", &error),
        }
        // Whoever told meanwhile is heard at once.
        drop(tokio::time::timeout(LOOK, work.accepted.notified()).await);
    }
}

async fn follow_all(work: Work) {
    let mut newest = work.taken.clone();
    loop {
        work.database.usable().await;
        let taken = newest.borrow_and_update().clone();
        if let Some(taken) = taken
            && let Err(error) = work.follower.work(work.pool(), &taken, work.clock.now()).await
        {
            work.failed("operations could not be followed", &error);
        }
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, newest.changed()).await {
            return;
        }
    }
}

/// A merge is a commit that is taken, and heard of at once; a branch that is deleted is not.
async fn review_all(work: Work) {
    let mut newest = work.taken.clone();
    loop {
        work.database.usable().await;
        if let Err(error) = review::work(work.pool(), &work.editor, work.clock.now()).await {
            work.failed("what became of reviews is not known", &error);
        }
        if let Ok(Err(_)) = tokio::time::timeout(REVIEW, newest.changed()).await {
            return;
        }
    }
}

/// Orders whose payments are there go on.
async fn settle_all(work: Work) {
    loop {
        work.database.usable().await;
        let taken = work.taken.borrow().clone();
        let settled = match taken {
            Some(taken) => paid::work(work.pool(), &taken.configuration, work.clock.now()).await,
            None => Ok(0),
        };
        match settled {
            Ok(1..) => {
                work.accepted.notify_one();
                continue;
            }
            Ok(0) => {}
            Err(error) => work.failed("payments could not be looked at", &error),
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn expire_all(work: Work) {
    loop {
        work.database.usable().await;
        if let Err(error) = expire(&work).await {
            work.failed("orders could not be looked at", &error);
        }
        tokio::time::sleep(EXPIRE).await;
    }
}

async fn expire(work: &Work) -> Result<(), OperationError> {
    let mut connection = work.pool().acquire().await?;
    order::expire(&mut connection, work.clock.now()).await?;
    Ok(())
}
