//! Usage on a real PostgreSQL: samples once, sums of them whatever the order, and where who stands.

mod adding;
mod telling;

use jiff::Timestamp;
use sqlx::PgPool;
use tenantry::model::SubscriptionId;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use tenantry::usage::Measure;
use tenantry::usage::Sample;

use crate::support::postgres::database;

pub(crate) fn id(text: &str) -> SubscriptionId {
    text.parse().unwrap()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A sample of the slot that a time is in.
pub(crate) fn sample(of: &str, measure: Measure, value: i64, time: &str) -> Sample {
    Sample::now(id(of), measure, value, at(time))
}

/// A database of the test's own; nothing where the test is skipped.
async fn pool() -> Option<PgPool> {
    let database = Database::start(Settings::of(&database().await?)).unwrap();
    database.usable().await;
    Some(database.pool().clone())
}
