//! The portal's reads under load, each beside a bare route of the same web server that makes the
//! same query and writes the same answer, and does nothing else: no token, no limit, no page.
//!
//! Both answer over HTTP on loopback from this process, in turn, to clients that ask again as soon
//! as they are answered. `BENCH_READS` (4000) is how often each is asked.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::routing::get;
use futures_util::future;
use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde_json::Value;
use tenantry::model::Configuration;
use tenantry::postgres::Database;
use tenantry::usage::Step;
use tenantry::usage::range::Range;
use tenantry::usage::store;

use crate::support::measure::quantile;
use crate::support::measure::ratio;
use crate::support::measure::runtime;
use crate::support::measure::size;
use crate::support::portal;
use crate::support::portal::Client;
use crate::support::repository;

const TENANTS: usize = 10_000;
const CLIENTS: usize = 16;
const ROUNDS: usize = 4;
const EMAIL: &str = "ada@example.com";

pub(crate) fn run() {
    runtime().block_on(measure());
}

async fn measure() {
    let Some((database, _server)) = portal::database().await else { return };
    measured(&database).await;

    let portal = portal_of_many(&database).await;
    let token = a_customer(&portal, &database).await;
    let range = two_days();
    let usage = format!("/subscriptions/t00001.n8n/usage?from={}&to={}", range.from, range.to);
    let reads = [
        ("catalog", "/packages".to_owned()),
        ("subscriptions", "/subscriptions".to_owned()),
        ("usage", usage),
    ];
    let mut told = Vec::new();
    for (name, path) in reads {
        let path = format!("/api/v1{path}");
        let answer = Client::new().get(&format!("http://{portal}{path}"), &token).await.1;
        let bare = bare(name, answer, &database, range).await;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let each = size("BENCH_READS", 4_000) / ROUNDS;
        for _ in 0..ROUNDS {
            ours.extend(load(&format!("http://{portal}{path}"), &token, each).await);
            theirs.extend(load(&format!("http://{bare}/"), "", each).await);
        }
        let (p50, p99) = quantiles(&mut ours);
        let (bare50, bare99) = quantiles(&mut theirs);
        println!("  {name:<14} p50 {p50:.2?}, p99 {p99:.2?}; bare {bare50:.2?}, {bare99:.2?}");
        told.push(format!("{name} {:.2} and {:.2}", ratio(p50, bare50), ratio(p99, bare99)));
    }
    println!(
        "summary: reads of a portal with {TENANTS} tenants and {CLIENTS} clients, p50 and p99 as multiples of a bare route: {}",
        told.join(", ")
    );
}

/// Two days of a subscription that was measured all the time.
async fn measured(database: &Database) {
    let Range { from, to, .. } = two_days();
    sqlx::query(
        "insert into usage_hour (tenant, subscription, measure, hour, seconds, total, maximum)
         select 't00001', 'n8n', measure, hour, 3600, 360000, 200
         from unnest(array['cpu', 'memory', 'storage']) as measure,
             generate_series($1::timestamptz, $2::timestamptz - interval '1 hour', interval '1 hour') as hour",
    )
    .bind(tenantry::postgres::stamp(from))
    .bind(tenantry::postgres::stamp(to))
    .execute(database.pool())
    .await
    .expect("the tables are there");
}

/// As many hours as a page has entries, up to the last that is over.
fn two_days() -> Range {
    let now = Timestamp::now();
    let to = Step::Hour.start(now, &TimeZone::UTC);
    let from = to.checked_sub(50.hours()).expect("it was not long ago");
    Range { from, to, step: Step::Hour }
}

/// A portal that shows as many tenants; says where it answers.
async fn portal_of_many(database: &Database) -> String {
    let api = portal::open(database, |_| {});
    let snapshot = repository::snapshot(TENANTS);
    let configuration = Arc::new(Configuration::read(None, &snapshot));
    api.catalog().publish(snapshot.commit.clone(), configuration);
    portal::serve(api.router(Router::new())).await
}

/// Somebody who is the tenant that is asked about.
async fn a_customer(portal: &str, database: &Database) -> String {
    portal::somebody(portal, database, EMAIL).await;
    let theirs = "update user_account set tenant = 't00001'";
    sqlx::query(theirs).execute(database.pool()).await.expect("the table is there");
    portal::log_in(portal, EMAIL).await
}

/// A route that does the same work and has nothing around it.
async fn bare(name: &str, answer: Value, database: &Database, range: Range) -> String {
    let answer = Arc::new(answer);
    let (pool, queries) = (database.pool().clone(), name == "usage");
    let route = move || {
        let (answer, pool) = (Arc::clone(&answer), pool.clone());
        async move {
            if queries {
                let of = tenantry::api::catalog::named("t00001.n8n").expect("it is a name");
                let steps = store::steps(&pool, &of, range, &TimeZone::UTC).await;
                assert_eq!(steps.expect("the tables are there").len(), 50);
            }
            Json(Value::clone(&answer))
        }
    };
    portal::serve(Router::new().route("/", get(route))).await
}

async fn load(url: &str, token: &str, count: usize) -> Vec<Duration> {
    let client = Client::new();
    let one = async || {
        let mut took = Vec::new();
        for _ in 0..count / CLIENTS {
            took.push(client.get(url, token).await.0);
        }
        took
    };
    future::join_all((0..CLIENTS).map(|_| one())).await.concat()
}

fn quantiles(took: &mut [Duration]) -> (Duration, Duration) {
    took.sort();
    (quantile(took, 50), quantile(took, 99))
}
