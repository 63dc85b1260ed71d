//! The runner: takes the jobs that are due, one at a time each, and says how they ended. Several
//! daemons may have runners over one database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use super::job::zone_of;
use super::row;
use super::row::Lease;
use super::row::Reason;
use crate::accounts::Accounts;
use crate::operations::follow::Taken;
use crate::operations::work::Clock;
use crate::payments::Payments;
use crate::usage::Meter;
use crate::workers::Surveyor;

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(1);
/// How often whoever runs a job says so; some times within a lease.
const RENEW: Duration = Duration::from_secs(15);

/// Runs jobs, for as long as it is there. Clones are the same.
#[derive(Clone, Debug)]
pub struct Runner {
    pub jobs: Arc<[Job]>,
    /// Who runs them, as others are told.
    pub name: String,
    pub accounts: Accounts,
    pub payments: Payments,
    /// Who measures what runs; nobody where no cluster is reached.
    pub meter: Option<Arc<dyn Meter>>,
    /// Who looks at worker nodes; nobody where no cluster is reached.
    pub surveyor: Option<Arc<dyn Surveyor>>,
    /// The commit that was taken last.
    pub taken: watch::Receiver<Option<Taken>>,
    pub clock: Arc<dyn Clock>,
}

impl Runner {
    /// Runs what is due, again and again, until it is dropped.
    pub async fn run(self) {
        let mut running = JoinSet::new();
        let mut names: BTreeSet<&'static str> = BTreeSet::new();
        let mut registered = false;
        loop {
            self.accounts.database().usable().await;
            while let Some(ended) = running.try_join_next() {
                match ended {
                    Ok(name) => _ = names.remove(name),
                    Err(error) => tracing::error!("a job was lost: {error}"),
                }
            }
            match self.look(&mut registered).await {
                Ok(due) => {
                    for job in due {
                        if names.insert(job.name) {
                            let runner = self.clone();
                            running.spawn(async move { runner.one(job).await });
                        }
                    }
                }
                Err(error) => self.complain("jobs cannot be looked at", &error),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Runs each job once that is due, and says which it ran.
    pub async fn tick(&self) -> Result<Vec<&'static str>, JobError> {
        let mut ran = Vec::new();
        for job in self.look(&mut false).await? {
            if self.try_one(&job, Reason::Due).await?.is_some() {
                ran.push(job.name);
            }
        }
        Ok(ran)
    }

    /// Runs a job now, because a person wants it.
    pub async fn by_hand(&self, name: &str) -> Result<Report, JobError> {
        let job = self.jobs.iter().find(|job| job.name == name);
        let job = job.ok_or_else(|| JobError::Unknown(name.to_owned()))?;
        let taken = self.taken.borrow().clone();
        row::register(self.pool(), job, &zone_of(taken.as_ref()), self.clock.now()).await?;
        if let Some(outcome) = self.try_one(job, Reason::ByHand).await? {
            return outcome;
        }
        let now = self.clock.now();
        let (by, until) = match row::standing(self.pool(), job, now).await?.running {
            Some(holder) => (holder.by, holder.until),
            // They ended this very moment.
            None => ("somebody".to_owned(), now),
        };
        Err(JobError::Taken { job: job.name, by, until })
    }

    /// Says that what this one has taken will not be ended by it: call it after it was stopped.
    /// Others need not wait for the leases then.
    pub async fn let_go(&self) {
        if let Err(error) = row::let_go(self.pool(), &self.name).await {
            tracing::debug!("leases of jobs end by themselves: {error}");
        }
    }

    fn pool(&self) -> &PgPool {
        self.accounts.database().pool()
    }

    fn complain(&self, what: &str, error: &JobError) {
        if let JobError::Database(error) = error {
            self.accounts.database().doubt(error);
        }
        tracing::warn!("{what}, and are looked at again: {error}");
    }

    /// The jobs that are due and can run.
    async fn look(&self, registered: &mut bool) -> Result<Vec<Job>, JobError> {
        let (now, taken) = (self.clock.now(), self.taken.borrow().clone());
        if !*registered {
            // Before a commit was read, nobody knows in which zone the times of day are.
            let known = |job: &&Job| taken.is_some() || !matches!(job.schedule, Schedule::Daily(_));
            for job in self.jobs.iter().filter(known) {
                row::register(self.pool(), job, &zone_of(taken.as_ref()), now).await?;
            }
            *registered = taken.is_some();
        }
        let due: BTreeSet<String> = row::due(self.pool(), now).await?.into_iter().collect();
        let jobs = self.jobs.iter().filter(|job| due.contains(job.name));
        Ok(jobs.filter(|job| job.is_ready(taken.as_ref())).cloned().collect())
    }

    /// Runs a job that is due, and tells the log what is new of it.
    async fn one(&self, job: Job) -> &'static str {
        let before = row::standing(self.pool(), &job, self.clock.now()).await;
        let before = before.ok().and_then(|before| before.result).unwrap_or_default();
        match self.try_one(&job, Reason::Due).await {
            Ok(Some(Err(error))) => tracing::warn!("the job {} failed: {error}", job.name),
            Ok(Some(Ok(report))) => {
                let new = |finding: &&String| !before.findings.contains(finding);
                for finding in report.findings.iter().filter(new) {
                    tracing::warn!("the job {} found: {finding}", job.name);
                }
                tracing::debug!("the job {} is done: {}", job.name, report.summary);
            }
            Ok(None) => {}
            Err(error) => self.complain(&format!("runs of the job {}", job.name), &error),
        }
        job.name
    }

    /// Takes a job, does it, and says how it ended; nothing where it is somebody else's.
    async fn try_one(
        &self,
        job: &Job,
        reason: Reason,
    ) -> Result<Option<Result<Report, JobError>>, JobError> {
        let (pool, now) = (self.pool(), self.clock.now());
        let Some(lease) = row::take(pool, job.name, &self.name, reason, now).await? else {
            return Ok(None);
        };
        let outcome = self.work(job, &lease, now).await;
        let told = outcome.as_ref().map_err(ToString::to_string);
        let told = told.as_ref().map(|report| *report).map_err(String::as_str);
        let zone = zone_of(self.taken.borrow().as_ref());
        row::end(pool, job, &lease, told, &zone, self.clock.now()).await?;
        Ok(Some(outcome))
    }

    async fn work(&self, job: &Job, lease: &Lease, now: Timestamp) -> Result<Report, JobError> {
        let taken = self.taken.borrow().clone();
        let (accounts, payments) = (self.accounts.clone(), self.payments.clone());
        let (meter, surveyor) = (self.meter.clone(), self.surveyor.clone());
        let ground = Ground { accounts, payments, meter, surveyor, taken, now };
        tokio::select! {
            outcome = job.work(ground) => outcome,
            lost = self.keep(lease) => Err(lost),
        }
    }

    /// Says again and again that a run goes on; ends when it is somebody else's.
    async fn keep(&self, lease: &Lease) -> JobError {
        loop {
            tokio::time::sleep(RENEW).await;
            match row::renew(self.pool(), lease, self.clock.now()).await {
                Ok(true) => {}
                Ok(false) => return JobError::Lost,
                // The lease stands for a while yet.
                Err(error) => tracing::warn!("a lease could not be renewed: {error}"),
            }
        }
    }
}
