//! The row of a job: who runs it, when it runs next, and what came of it. Taking it is one
//! conditional update, so that of many daemons one has it. A lease that nobody renews ends.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use sqlx::PgPool;
use sqlx::Row as _;
use sqlx::types::Json;
use uuid::Uuid;

use super::Job;
use super::JobError;
use super::Report;
use crate::postgres::stamp;

/// How long a lease lasts that nobody renews.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Writes down that there is a job. One that is there keeps its time, unless its schedule is
/// another one.
pub(super) async fn register(
    pool: &PgPool,
    job: &Job,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<(), JobError> {
    // What runs often may as well begin now.
    let due = match job.schedule {
        super::Schedule::Every(_) | super::Schedule::Each(_) => now,
        daily @ super::Schedule::Daily(_) => daily.next(now, zone),
    };
    sqlx::query(
        "insert into job (name, purpose, schedule, due_at) values ($1, $2, $3, $4)
         on conflict (name) do update set purpose = excluded.purpose, schedule = excluded.schedule,
            due_at = case when job.schedule = excluded.schedule then job.due_at else excluded.due_at end
         where (job.purpose, job.schedule) is distinct from (excluded.purpose, excluded.schedule)",
    )
    .bind(job.name)
    .bind(job.purpose)
    .bind(job.schedule.to_string())
    .bind(stamp(due))
    .execute(pool)
    .await?;
    Ok(())
}

/// The names of the jobs that are due and nobody's.
pub(super) async fn due(pool: &PgPool, now: Timestamp) -> Result<Vec<String>, JobError> {
    let names = sqlx::query_scalar(
        "select name from job where due_at <= $1 and (leased_until is null or leased_until <= $1)
         order by due_at, name",
    );
    Ok(names.bind(stamp(now)).fetch_all(pool).await?)
}

/// Why somebody takes a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is due.
    Due,
    /// A person wants it now.
    ByHand,
}

/// A job that is ours to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    id: Uuid,
    failed_in_a_row: u32,
    reason: Reason,
}

/// Takes a job; none where it is somebody else's, or not due. Whoever had it and never said how it
/// ended counts as failed.
pub(super) async fn take(
    pool: &PgPool,
    name: &str,
    by: &str,
    reason: Reason,
    now: Timestamp,
) -> Result<Option<Lease>, JobError> {
    let id = Uuid::now_v7();
    let failed: Option<i32> = sqlx::query_scalar(
        "update job set lease = $2, leased_by = $3, leased_until = $5, started_at = $4, runs = runs + 1,
            failures = failures + (lease is not null)::integer,
            failed_in_a_row = failed_in_a_row + (lease is not null)::integer,
            last_error = case when lease is null then last_error else format('%s began and never said how it ended', leased_by) end
         where name = $1 and (leased_until is null or leased_until <= $4) and ($6 or due_at <= $4)
         returning failed_in_a_row",
    )
    .bind(name)
    .bind(id)
    .bind(by)
    .bind(stamp(now))
    .bind(stamp(now + LEASE))
    .bind(reason == Reason::ByHand)
    .fetch_optional(pool)
    .await?;
    Ok(failed.map(|failed| Lease { id, failed_in_a_row: failed.unsigned_abs(), reason }))
}

/// Says that it goes on. False where somebody else has taken it.
pub(super) async fn renew(pool: &PgPool, lease: &Lease, now: Timestamp) -> Result<bool, JobError> {
    let renewed = sqlx::query("update job set leased_until = $2 where lease = $1")
        .bind(lease.id)
        .bind(stamp(now + LEASE))
        .execute(pool)
        .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Says how it ended. Nothing is written where somebody else has taken it meanwhile.
pub(super) async fn end(
    pool: &PgPool,
    job: &Job,
    lease: &Lease,
    outcome: Result<&Report, &str>,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<(), JobError> {
    let due = match outcome {
        Ok(_) => job.schedule.next(now, zone),
        Err(_) => job.schedule.again(lease.failed_in_a_row + 1, now, zone),
    };
    sqlx::query(
        "update job set lease = null, leased_by = null, leased_until = null, ended_at = $2,
            result = coalesce($3, result), last_error = $4,
            failures = failures + $5, failed_in_a_row = case $5 when 0 then 0 else failed_in_a_row + 1 end,
            -- Whoever runs it by hand does not change when it runs by itself.
            due_at = case when $7 then due_at else $6 end
         where lease = $1",
    )
    .bind(lease.id)
    .bind(stamp(now))
    .bind(outcome.ok().map(Json))
    .bind(outcome.err())
    .bind(i32::from(outcome.is_err()))
    .bind(stamp(due))
    .bind(lease.reason == Reason::ByHand)
    .execute(pool)
    .await?;
    Ok(())
}

/// Lets go of everything that somebody has taken and will not end, because they stop.
pub(super) async fn let_go(pool: &PgPool, by: &str) -> Result<(), JobError> {
    sqlx::query(
        "update job set lease = null, leased_by = null, leased_until = null where leased_by = $1",
    )
    .bind(by)
    .execute(pool)
    .await?;
    Ok(())
}

/// Who runs a job now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    pub by: String,
    /// Unless they say that they go on.
    pub until: Timestamp,
}

/// How a job stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub name: &'static str,
    pub purpose: &'static str,
    pub schedule: String,
    /// None where no daemon with this job has been there yet.
    pub next_run: Option<Timestamp>,
    pub running: Option<Holder>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Of the last run that ended well.
    pub result: Option<Report>,
    /// Of the last run, where that failed.
    pub last_error: Option<String>,
    pub failed_in_a_row: u32,
    pub runs: u64,
    pub failures: u64,
}

/// How each of these jobs stands.
pub async fn standings(
    pool: &PgPool,
    jobs: &[Job],
    now: Timestamp,
) -> Result<Vec<Standing>, JobError> {
    let mut standings = Vec::with_capacity(jobs.len());
    for job in jobs {
        standings.push(standing(pool, job, now).await?);
    }
    Ok(standings)
}

pub(super) async fn standing(
    pool: &PgPool,
    job: &Job,
    now: Timestamp,
) -> Result<Standing, JobError> {
    let row = sqlx::query("select * from job where name = $1");
    let row = row.bind(job.name).fetch_optional(pool).await?;
    let mut standing = Standing {
        name: job.name,
        purpose: job.purpose,
        schedule: job.schedule.to_string(),
        next_run: None,
        running: None,
        started_at: None,
        ended_at: None,
        result: None,
        last_error: None,
        failed_in_a_row: 0,
        runs: 0,
        failures: 0,
    };
    let Some(row) = row else { return Ok(standing) };
    let time = |column: &str| -> Result<Option<Timestamp>, sqlx::Error> {
        let time: Option<jiff_sqlx::Timestamp> = row.try_get(column)?;
        Ok(time.map(jiff_sqlx::Timestamp::to_jiff))
    };
    let by: Option<String> = row.try_get("leased_by")?;
    let holder = by.zip(time("leased_until")?).map(|(by, until)| Holder { by, until });
    standing.next_run = time("due_at")?;
    standing.running = holder.filter(|holder| holder.until > now);
    standing.started_at = time("started_at")?;
    standing.ended_at = time("ended_at")?;
    standing.result = row.try_get::<Option<Json<Report>>, _>("result")?.map(|result| result.0);
    standing.last_error = row.try_get("last_error")?;
    standing.failed_in_a_row = row.try_get::<i32, _>("failed_in_a_row")?.unsigned_abs();
    standing.runs = row.try_get::<i64, _>("runs")?.unsigned_abs();
    standing.failures = row.try_get::<i64, _>("failures")?.unsigned_abs();
    Ok(standing)
}
