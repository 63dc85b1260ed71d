//! The portal's reads under load, each beside a bare route of the same web server that makes the
//! same query and writes the same answer, and does nothing else: no token, no limit, no page.
//!
//! Both answer over HTTP on loopback from this process, in turn, to clients that ask again as soon
//! as they are answered. `BENCH_READS` (4000) is how often each is asked.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::routing::get;
use futures_util::future;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Accounts;
use tenantry::accounts::keys::KeySource;
use tenantry::api::Api;
use tenantry::api::Catalog;
use tenantry::api::Parts;
use tenantry::api::rate::Policy;
use tenantry::api::server;
use tenantry::model::Configuration;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use tenantry::sandbox::postgres::PostgresOptions;
use tenantry::sandbox::postgres::PrivatePostgres;
use tenantry::usage::Step;
use tenantry::usage::range::Range;
use tenantry::usage::store;
use tokio::net::TcpListener;

use crate::support::measure::quantile;
use crate::support::measure::ratio;
use crate::support::measure::runtime;
use crate::support::measure::size;
use crate::support::repository;
use crate::support::skipped;

const TENANTS: usize = 10_000;
const CLIENTS: usize = 16;
const ROUNDS: usize = 4;
const EMAIL: &str = "ada@example.com";
const WORDS: &str = "four words in a row";

pub(crate) fn run() {
    runtime().block_on(measure());
}

async fn measure() {
    let server = match PrivatePostgres::start(&PostgresOptions::default()).await {
        Ok(server) => server,
        Err(error) => return skipped("it needs PostgreSQL", error),
    };
    let url = server.create_database("portal").await.expect("it was just started");
    let database = Database::start(Settings { database_connections: 16, ..Settings::of(&url) });
    let database = database.expect("the URL is well formed");
    database.usable().await;
    measured(&database).await;

    let portal = portal(&database).await;
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
        let answer = ask(&client(), &portal, &path, &token).await.1;
        let bare = bare(name, answer, &database, range).await;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let each = size("BENCH_READS", 4_000) / ROUNDS;
        for _ in 0..ROUNDS {
            ours.extend(load(&portal, &path, &token, each).await);
            theirs.extend(load(&bare, "/", "", each).await);
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

async fn portal(database: &Database) -> String {
    let accounts = Accounts::over(database.clone(), KeySource::Database);
    let mut parts = Parts::usual(accounts, Catalog::default());
    let unlimited = Policy { name: "unlimited", quota: 100_000_000, window: 1 };
    (parts.usual, parts.entrance) = (unlimited, unlimited);
    let api = Api::new(parts);
    let snapshot = repository::snapshot(TENANTS);
    let configuration = Arc::new(Configuration::read(None, &snapshot));
    api.catalog().publish(snapshot.commit.clone(), configuration);
    serve(api.router(Router::new())).await
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    tokio::spawn(async move { server::serve(listener, router, future::pending()).await });
    address
}

/// Somebody who registered, is known to have read the mail, and is the tenant that is asked about.
async fn a_customer(portal: &str, database: &Database) -> String {
    let person = json!({ "email": EMAIL, "password": WORDS, "name": "Ada" });
    post(portal, "/auth/register", &person).await;
    let token = "select payload #>> '{values,token}' from outbox where kind = 'mail'";
    let token: String =
        sqlx::query_scalar(token).fetch_one(database.pool()).await.expect("a mail is on its way");
    post(portal, "/auth/verify", &json!({ "token": token, "password": WORDS })).await;
    let theirs = "update user_account set tenant = 't00001'";
    sqlx::query(theirs).execute(database.pool()).await.expect("the table is there");
    let told = post(portal, "/auth/login", &json!({ "email": EMAIL, "password": WORDS })).await;
    told["access_token"].as_str().unwrap_or_else(|| panic!("no login: {told}")).to_owned()
}

async fn post(portal: &str, path: &str, body: &Value) -> Value {
    let request = Request::post(format!("http://{portal}/api/v1{path}"));
    let request = request.header("content-type", "application/json");
    let request = request.body(Full::from(body.to_string())).expect("it is well formed");
    let answer = client().request(request).await.expect("it answers");
    let body = answer.into_body().collect().await.expect("it has an end").to_bytes();
    serde_json::from_slice(&body).unwrap_or_default()
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
    serve(Router::new().route("/", get(route))).await
}

type HttpClient = Client<HttpConnector, Full<axum::body::Bytes>>;

fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn ask(client: &HttpClient, address: &str, path: &str, token: &str) -> (Duration, Value) {
    let request = Request::get(format!("http://{address}{path}"))
        .header("authorization", format!("Bearer {token}"))
        .body(Full::default())
        .expect("it is well formed");
    let start = Instant::now();
    let answer = client.request(request).await.expect("it answers");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("it has an end").to_bytes();
    let took = start.elapsed();
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    (took, serde_json::from_slice(&body).expect("it is JSON"))
}

async fn load(address: &str, path: &str, token: &str, count: usize) -> Vec<Duration> {
    let client = client();
    let one = async || {
        let mut took = Vec::new();
        for _ in 0..count / CLIENTS {
            took.push(ask(&client, address, path, token).await.0);
        }
        took
    };
    future::join_all((0..CLIENTS).map(|_| one())).await.concat()
}

fn quantiles(took: &mut [Duration]) -> (Duration, Duration) {
    took.sort();
    (quantile(took, 50), quantile(took, 99))
}
