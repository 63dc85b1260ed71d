//! A job: its name, what it is for, how often it runs, and what it does with what.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::Serialize;

use super::JobError;
use super::Schedule;
use crate::accounts::Accounts;
use crate::operations::follow::Taken;
use crate::payments::Payments;
use crate::postgres::Database;
use crate::usage::Meter;
use crate::workers::Surveyor;

/// What jobs work with.
#[derive(Clone, Debug)]
pub struct Ground {
    pub accounts: Accounts,
    pub payments: Payments,
    /// Who measures what runs; nobody where no cluster is reached.
    pub meter: Option<Arc<dyn Meter>>,
    /// Who looks at worker nodes; nobody where no cluster is reached.
    pub surveyor: Option<Arc<dyn Surveyor>>,
    /// The newest documents; none before a first commit was read.
    pub taken: Option<Taken>,
    /// The time of the run.
    pub now: Timestamp,
}

impl Ground {
    pub fn database(&self) -> &Database {
        self.accounts.database()
    }

    /// The newest documents.
    pub fn documents(&self) -> Result<&Taken, JobError> {
        self.taken.as_ref().ok_or(JobError::NoDocuments)
    }

    /// The zone in which days begin and end.
    pub fn zone(&self) -> TimeZone {
        zone_of(self.taken.as_ref())
    }
}

/// The zone in which days begin and end, as far as the documents are known.
pub(super) fn zone_of(taken: Option<&Taken>) -> TimeZone {
    taken.map_or(TimeZone::UTC, |taken| taken.configuration.zone())
}

/// What came of a run that ended well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was done, in a few words.
    pub summary: String,
    /// What somebody should look at.
    #[serde(default)]
    pub findings: Vec<String>,
}

impl Report {
    pub fn of(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), findings: Vec::new() }
    }
}

type Work = dyn Fn(Ground) -> BoxFuture<'static, Result<Report, JobError>> + Send + Sync;

/// Something to do again and again. It may be broken off anywhere, and is then done anew: what it
/// does twice must be the same as what it does once.
#[derive(Clone)]
pub struct Job {
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub purpose: &'static str,
    pub schedule: Schedule,
    needs_documents: bool,
    work: Arc<Work>,
}

impl Job {
    pub fn new<W: Future<Output = Result<Report, JobError>> + Send + 'static>(
        name: &'static str,
        purpose: &'static str,
        schedule: Schedule,
        work: impl Fn(Ground) -> W + Send + Sync + 'static,
    ) -> Self {
        let work = Arc::new(move |ground| work(ground).boxed());
        Self { name, purpose, schedule, needs_documents: false, work }
    }

    /// The same, not run before the documents are known.
    #[must_use]
    pub fn with_documents(self) -> Self {
        Self { needs_documents: true, ..self }
    }

    /// Whether it can run with what is known.
    pub(super) fn is_ready(&self, taken: Option<&Taken>) -> bool {
        taken.is_some() || !self.needs_documents
    }

    /// Does it once. What breaks off breaks nothing else.
    pub(super) async fn work(&self, ground: Ground) -> Result<Report, JobError> {
        let mut working = AbortsWhenDropped(tokio::spawn((self.work)(ground)));
        match (&mut working.0).await {
            Ok(outcome) => outcome,
            Err(error) => Err(JobError::BrokenOff(error.to_string())),
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whoever does not wait any more for a run wants it to end.
struct AbortsWhenDropped(tokio::task::JoinHandle<Result<Report, JobError>>);

impl Drop for AbortsWhenDropped {
    fn drop(&mut self) {
        self.0.abort();
    }
}
