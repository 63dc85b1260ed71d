//! Background jobs on a real PostgreSQL: who runs them, what becomes of one that fails, and what
//! the operator sees.

mod cleaning;
mod money;
mod running;

use std::sync::Arc;
use std::sync::Mutex;

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgPool;
use tenantry::accounts::Accounts;
use tenantry::accounts::keys::KeySource;
use tenantry::jobs::Job;
use tenantry::jobs::Runner;
use tenantry::jobs::Standing;
use tenantry::jobs::standings;
use tenantry::operations::work::Clock;
use tenantry::payments::Payments;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use tokio::sync::watch;

use crate::support::postgres::database;

/// A clock that goes when it is told to.
#[derive(Clone, Debug)]
pub(crate) struct Told(pub(crate) Arc<Mutex<Timestamp>>);

impl Clock for Told {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A database, and the time.
struct World {
    url: String,
    database: Database,
    clock: Told,
}

impl World {
    /// Nothing where the test is skipped.
    async fn open() -> Option<Self> {
        let url = database().await?;
        let database = Database::start(Settings::of(&url)).unwrap();
        database.usable().await;
        let begin = "2026-11-27T09:00:00Z".parse().unwrap();
        Some(Self { url, database, clock: Told(Arc::new(Mutex::new(begin))) })
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, seconds: i64) {
        *self.clock.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    /// A daemon that runs these.
    fn daemon(&self, name: &str, jobs: &[Job]) -> Runner {
        Runner {
            jobs: jobs.into(),
            name: name.to_owned(),
            accounts: Accounts::over(self.database.clone(), KeySource::Database),
            payments: Payments::by_hand(self.database.clone()),
            meter: None,
            surveyor: None,
            taken: watch::channel(None).1,
            clock: Arc::new(self.clock.clone()),
        }
    }

    async fn standing(&self, job: &Job) -> Standing {
        let jobs = std::slice::from_ref(job);
        standings(self.pool(), jobs, self.now()).await.unwrap().remove(0)
    }
}
