//! Retention: what is older than anybody asks for goes, a little at a time.

use jiff::Timestamp;
use serde::Serialize;

use super::HistoryError;
use super::Store;
use crate::postgres::stamp;

/// How many rows go in one statement: short enough to be in nobody's way.
const AT_ONCE: i64 = 5_000;

/// How many rows of each table went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cleaned {
    pub runs: u64,
    pub stages: u64,
    pub phases: u64,
    pub tasks: u64,
    pub drift: u64,
    pub parked: u64,
    pub commits: u64,
    pub gaps: u64,
    pub daemons: u64,
}

/// The last run of each unit stays, with its actions.
const RUNS: &str = "
    delete from run where id in (
        select id from run as old
        where finished_at < $1 and exists (
            select from run as newer where newer.unit = old.unit and newer.started_at > old.started_at)
        limit $2)";

/// The last state of each stage stays.
const STAGES: &str = "
    delete from stage_change where id in (
        select id from stage_change as old
        where changed_at < $1 and exists (
            select from stage_change as newer
            where newer.unit = old.unit and newer.subscription = old.subscription
                and newer.stage = old.stage and newer.changed_at > old.changed_at)
        limit $2)";

const PHASES: &str = "
    delete from phase_change where id in (
        select id from phase_change as old
        where changed_at < $1 and exists (
            select from phase_change as newer
            where newer.unit = old.unit and newer.subscription = old.subscription
                and newer.changed_at > old.changed_at)
        limit $2)";

const TASKS: &str = "
    delete from task_outcome where (unit, task) in (
        select unit, task from task_outcome where ended_at < $1 limit $2)";

const DRIFT: &str = "
    delete from drift where id in (
        select id from drift where found_at < $1 and put_back_at is not null limit $2)";

const PARKED: &str = "
    delete from parked where id in (select id from parked where ended_at < $1 limit $2)";

/// The commit that was taken last stays: it guards against rewritten history.
const COMMITS: &str = "
    delete from commit_seen where id in (
        select id from commit_seen
        where seen_at < $1 and id is distinct from (
            select id from commit_seen where verdict = 'taken' order by judged_at desc limit 1)
        limit $2)";

const GAPS: &str = "
    delete from gap where id in (select id from gap where ended_at < $1 limit $2)";

const DAEMONS: &str = "
    delete from daemon where id in (select id from daemon where seen_at < $1 limit $2)";

impl Store {
    /// Removes what ended before a time. What still stands stays, however old it is.
    pub async fn clean_up(&self, before: Timestamp) -> Result<Cleaned, HistoryError> {
        Ok(Cleaned {
            runs: self.remove(RUNS, before).await?,
            stages: self.remove(STAGES, before).await?,
            phases: self.remove(PHASES, before).await?,
            tasks: self.remove(TASKS, before).await?,
            drift: self.remove(DRIFT, before).await?,
            parked: self.remove(PARKED, before).await?,
            commits: self.remove(COMMITS, before).await?,
            gaps: self.remove(GAPS, before).await?,
            daemons: self.remove(DAEMONS, before).await?,
        })
    }

    async fn remove(
        &self,
        statement: &'static str,
        before: Timestamp,
    ) -> Result<u64, HistoryError> {
        let mut removed = 0;
        loop {
            let done = sqlx::query(statement)
                .bind(stamp(before))
                .bind(AT_ONCE)
                .execute(self.database().pool())
                .await
                .map_err(self.failed())?;
            removed += done.rows_affected();
            if done.rows_affected() < AT_ONCE.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}
