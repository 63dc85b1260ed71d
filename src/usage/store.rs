//! Samples and their sums in PostgreSQL. A slot is kept once, and counted once in its hour and its
//! day, whatever is done again.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use sqlx::PgPool;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::DAYS_KEPT;
use super::HOURS_KEPT;
use super::Measure;
use super::SAMPLES_KEPT;
use super::Sample;
use super::UsageError;
use super::range::Range;
use super::range::Step;
use super::range::start_of;
use super::sums;
use super::sums::By;
use super::sums::Measures;
use super::sums::Sums;
use crate::model::SubscriptionId;
use crate::postgres::stamp;

/// How many samples one transaction adds up.
const AT_ONCE: i64 = 5_000;
/// How much longer samples stay than they count: one that comes so late is not taken any more.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);
/// No day is longer.
const LONGEST_DAY: SignedDuration = SignedDuration::from_hours(26);

/// Keeps samples, each slot once: what is known of it already stays. Says how many are new.
pub async fn record(pool: &PgPool, samples: &[Sample], now: Timestamp) -> Result<u64, UsageError> {
    // What was forgotten already would be counted a second time.
    let oldest = now - SAMPLES_KEPT;
    let samples: Vec<&Sample> = samples.iter().filter(|sample| sample.at >= oldest).collect();
    let (tenants, names) = ids(samples.iter().map(|sample| &sample.of));
    let kept = sqlx::query(
        "insert into usage_sample (tenant, subscription, measure, at, seconds, value)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::integer[], $6::bigint[])
         on conflict do nothing",
    )
    .bind(tenants)
    .bind(names)
    .bind(samples.iter().map(|sample| sample.measure.word()).collect::<Vec<_>>())
    .bind(samples.iter().map(|sample| stamp(sample.at)).collect::<Vec<_>>())
    .bind(samples.iter().map(|sample| seconds(sample.seconds)).collect::<Vec<i32>>())
    .bind(samples.iter().map(|sample| sample.value).collect::<Vec<_>>())
    .execute(pool)
    .await?;
    Ok(kept.rows_affected())
}

fn seconds(seconds: i64) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn ids<'a>(of: impl Iterator<Item = &'a SubscriptionId>) -> (Vec<&'a str>, Vec<&'a str>) {
    of.map(|id| (id.tenant.as_str(), id.name.as_str())).unzip()
}

/// Adds to hours and days what was not added yet, each sample in the transaction that marks it.
/// Says how many samples there were.
pub async fn roll_up(pool: &PgPool, zone: &TimeZone) -> Result<u64, UsageError> {
    let mut rolled = 0;
    loop {
        let many = roll_up_some(pool, zone).await?;
        rolled += many;
        if many < AT_ONCE.unsigned_abs() {
            return Ok(rolled);
        }
    }
}

async fn roll_up_some(pool: &PgPool, zone: &TimeZone) -> Result<u64, UsageError> {
    let mut transaction = pool.begin().await?;
    let rows = sqlx::query(
        "with next as (
             select tenant, subscription, measure, at from usage_sample where not rolled
             order by at limit $1 for update skip locked)
         update usage_sample as sample set rolled = true from next
         where (sample.tenant, sample.subscription, sample.measure, sample.at)
             = (next.tenant, next.subscription, next.measure, next.at)
         returning sample.tenant, sample.subscription, sample.measure, sample.at, sample.seconds::bigint, sample.value",
    )
    .bind(AT_ONCE)
    .fetch_all(&mut *transaction)
    .await?;
    let samples = rows.iter().map(read_sample).collect::<Result<Vec<_>, _>>()?;
    let (hours, days) = sums::roll_up(&samples, zone);
    let begins = hours.keys().map(|(.., hour)| stamp(*hour)).collect::<Vec<_>>();
    let statement = "
        insert into usage_hour as known (tenant, subscription, measure, seconds, total, maximum, hour)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[])
        on conflict (tenant, subscription, measure, hour) do update set seconds = known.seconds + excluded.seconds,
            total = known.total + excluded.total, maximum = greatest(known.maximum, excluded.maximum)";
    bound(statement, &hours).bind(begins).execute(&mut *transaction).await?;
    let dates = days.keys().map(|(.., day)| day.to_sqlx()).collect::<Vec<_>>();
    let statement = "
        insert into usage_day as known (tenant, subscription, measure, seconds, total, maximum, day)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::date[])
        on conflict (tenant, subscription, measure, day) do update set seconds = known.seconds + excluded.seconds,
            total = known.total + excluded.total, maximum = greatest(known.maximum, excluded.maximum)";
    bound(statement, &days).bind(dates).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(rows.len() as u64)
}

type Query<'a> = sqlx::query::Query<'a, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// A statement with everything of sums but the time that they are of.
fn bound<'a, T>(statement: &'static str, by: &By<T>) -> Query<'a> {
    let (tenants, names) = ids(by.keys().map(|(of, ..)| of));
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<String>>();
    sqlx::query(statement)
        .bind(owned(tenants))
        .bind(owned(names))
        .bind(by.keys().map(|(_, measure, _)| measure.word()).collect::<Vec<_>>())
        .bind(by.values().map(|sums| sums.seconds).collect::<Vec<_>>())
        .bind(by.values().map(|sums| sums.total).collect::<Vec<_>>())
        .bind(by.values().map(|sums| sums.maximum).collect::<Vec<_>>())
}

/// What one subscription used in each step of a range, in order. Steps without samples are absent.
///
/// What is in no sum yet is added here, so that a sample counts from when it was taken.
pub async fn steps(
    pool: &PgPool,
    of: &SubscriptionId,
    range: Range,
    zone: &TimeZone,
) -> Result<BTreeMap<Timestamp, Measures>, UsageError> {
    let mut transaction = pool.begin().await?;
    // A roll-up between two reads would have its samples counted twice.
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *transaction)
        .await?;
    let mut steps: BTreeMap<Timestamp, Measures> = BTreeMap::new();
    let mut add = |start: Option<Timestamp>, measure: Measure, sums: Sums| {
        if let Some(start) = start.filter(|start| range.contains(*start)) {
            sums::add(steps.entry(start).or_default(), measure, sums);
        }
    };
    match range.step {
        Step::Raw => {}
        Step::Hour => {
            let statement = "select hour, measure, seconds, total, maximum from usage_hour
                where tenant = $1 and subscription = $2 and hour >= $3 and hour < $4";
            let query = sqlx::query(statement).bind(of.tenant.as_str()).bind(of.name.as_str());
            let query = query.bind(stamp(range.from)).bind(stamp(range.to));
            for row in query.fetch_all(&mut *transaction).await? {
                let hour = time(&row, "hour")?;
                add(Some(hour), measure(&row)?, read_sums(&row)?);
            }
        }
        Step::Day => {
            let statement = "select day, measure, seconds, total, maximum from usage_day
                where tenant = $1 and subscription = $2 and day between $3 and $4";
            let day = |time: Timestamp| zone.to_datetime(time).date().to_sqlx();
            let query = sqlx::query(statement).bind(of.tenant.as_str()).bind(of.name.as_str());
            for row in
                query.bind(day(range.from)).bind(day(range.to)).fetch_all(&mut *transaction).await?
            {
                let day: Date = row.try_get::<jiff_sqlx::Date, _>("day")?.to_jiff();
                add(start_of(day, zone), measure(&row)?, read_sums(&row)?);
            }
        }
    }
    let (all, until) = match range.step {
        Step::Raw => (true, range.to),
        Step::Hour | Step::Day => {
            (false, range.to.checked_add(LONGEST_DAY).unwrap_or(Timestamp::MAX))
        }
    };
    for sample in samples(&mut transaction, of, range.from, until, all).await? {
        add(Some(range.step.start(sample.at, zone)), sample.measure, (&sample).into());
    }
    transaction.commit().await?;
    Ok(steps)
}

/// The samples of one subscription, all of them or those that are in no sum yet.
async fn samples(
    db: &mut PgConnection,
    of: &SubscriptionId,
    from: Timestamp,
    until: Timestamp,
    all: bool,
) -> Result<Vec<Sample>, UsageError> {
    let rows = sqlx::query(
        "select tenant, subscription, measure, at, seconds::bigint, value from usage_sample
         where tenant = $1 and subscription = $2 and at >= $3 and at < $4 and ($5 or not rolled)",
    )
    .bind(of.tenant.as_str())
    .bind(of.name.as_str())
    .bind(stamp(from))
    .bind(stamp(until))
    .bind(all)
    .fetch_all(db)
    .await?;
    rows.iter().map(read_sample).collect()
}

/// What everybody, or one subscription, has used on average since a time.
pub async fn since(
    pool: &PgPool,
    of: Option<&SubscriptionId>,
    since: Timestamp,
) -> Result<BTreeMap<(SubscriptionId, Measure), Sums>, UsageError> {
    let rows = sqlx::query(
        "select tenant, subscription, measure, sum(seconds)::bigint as seconds,
             sum(value * seconds)::bigint as total, max(value) as maximum
         from usage_sample
         where at >= $1 and ($2::text is null or (tenant = $2 and subscription = $3))
         group by tenant, subscription, measure",
    )
    .bind(stamp(since))
    .bind(of.map(|of| of.tenant.as_str()))
    .bind(of.map(|of| of.name.as_str()))
    .fetch_all(pool)
    .await?;
    rows.iter().map(|row| Ok(((subscription(row)?, measure(row)?), read_sums(row)?))).collect()
}

/// Forgets what is older than is kept, and nothing that is in no sum yet. Says how many rows went.
pub async fn clean(pool: &PgPool, now: Timestamp) -> Result<u64, UsageError> {
    const SAMPLES: &str = "delete from usage_sample where ctid = any(array(
        select ctid from usage_sample where at < $1 and rolled limit $2))";
    const HOURS: &str = "delete from usage_hour where ctid = any(array(
        select ctid from usage_hour where hour < $1 limit $2))";
    const DAYS: &str = "delete from usage_day where ctid = any(array(
        select ctid from usage_day where day < ($1 at time zone 'UTC')::date limit $2))";
    let mut gone = 0;
    for (statement, kept) in [(SAMPLES, SAMPLES_KEPT), (HOURS, HOURS_KEPT), (DAYS, DAYS_KEPT)] {
        loop {
            let before = stamp(now - kept - MARGIN);
            let deleted = sqlx::query(statement).bind(before).bind(AT_ONCE).execute(pool).await?;
            gone += deleted.rows_affected();
            if deleted.rows_affected() < AT_ONCE.unsigned_abs() {
                break;
            }
        }
    }
    Ok(gone)
}

fn read_sample(row: &PgRow) -> Result<Sample, UsageError> {
    let (of, measure, at) = (subscription(row)?, measure(row)?, time(row, "at")?);
    Ok(Sample { of, measure, at, seconds: row.try_get("seconds")?, value: row.try_get("value")? })
}

fn read_sums(row: &PgRow) -> Result<Sums, UsageError> {
    let (seconds, total) = (row.try_get("seconds")?, row.try_get("total")?);
    Ok(Sums { seconds, total, maximum: row.try_get("maximum")? })
}

fn time(row: &PgRow, column: &str) -> Result<Timestamp, UsageError> {
    Ok(row.try_get::<jiff_sqlx::Timestamp, _>(column)?.to_jiff())
}

pub(super) fn measure(row: &PgRow) -> Result<Measure, UsageError> {
    Measure::of(row.try_get("measure")?)
}

pub(super) fn subscription(row: &PgRow) -> Result<SubscriptionId, UsageError> {
    let (tenant, name): (&str, &str) = (row.try_get("tenant")?, row.try_get("subscription")?);
    let unreadable = || UsageError::Unreadable(format!("{tenant}/{name}"));
    Ok(SubscriptionId {
        tenant: tenant.parse().map_err(|_| unreadable())?,
        name: name.parse().map_err(|_| unreadable())?,
    })
}
