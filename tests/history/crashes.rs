//! The database crashes, goes away and comes back under the recorder: what fits into memory is
//! neither lost nor doubled, and what does not is told.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::PgConnection;
use tenantry::history::Record;
use tenantry::history::Recorder;
use tenantry::history::Settings;
use tenantry::history::record::UnitState;
use tenantry::postgres;
use tenantry::postgres::Database;
use tenantry::postgres::State;
use tenantry::sandbox::postgres::PostgresOptions;
use tenantry::sandbox::postgres::PrivatePostgres;
use uuid::Uuid;

use super::run;
use super::status;
use super::unit;
use crate::support::postgres::shared;
use crate::support::proxy::Proxy;

const SOON: Duration = Duration::from_mins(1);

async fn ids(database: &Database) -> BTreeSet<Uuid> {
    let rows: Vec<(Uuid,)> =
        sqlx::query_as("select id from run").fetch_all(database.pool()).await.unwrap();
    let ids: BTreeSet<Uuid> = rows.iter().map(|(id,)| *id).collect();
    assert_eq!(ids.len(), rows.len());
    ids
}

/// Kills one of the server's processes, as the kernel does when memory runs out: the server takes
/// all others down with it and recovers from its log.
async fn crash(url: &str) {
    let (mut victim, mut witness) =
        (PgConnection::connect(url).await.unwrap(), PgConnection::connect(url).await.unwrap());
    let (process,): (i32,) =
        sqlx::query_as("select pg_backend_pid()").fetch_one(&mut victim).await.unwrap();
    let killed = tokio::process::Command::new("sh")
        .args(["-c", &format!("kill -KILL {process}")])
        .status()
        .await
        .unwrap();
    assert!(killed.success());
    while witness.ping().await.is_ok() {}
}

async fn add_runs(recorder: &Recorder, many: i64) -> BTreeSet<Uuid> {
    let mut ids = BTreeSet::new();
    for number in 0..many {
        let run = run("acme", number);
        ids.insert(run.id);
        recorder.record(Record::Run(run));
        if number % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_postgresql_loses_and_doubles_nothing() {
    if shared().await.is_none() {
        return;
    }
    let options = PostgresOptions { durable: true, ..PostgresOptions::default() };
    let server = PrivatePostgres::start(&options).await.unwrap();
    let url = server.create_database("history").await.unwrap();
    let database = Database::start(postgres::Settings::of(&url)).unwrap();
    let recorder = Recorder::start(database.clone(), &Settings::default());
    let mut expected = BTreeSet::new();
    for _ in 0..3 {
        let (written, ()) = tokio::join!(add_runs(&recorder, 1_000), async {
            database.usable().await;
            tokio::time::sleep(Duration::from_millis(40)).await;
            crash(&url).await;
        });
        expected.extend(written);
        // Only once it noticed does the next one count.
        database.usable().await;
        while ids_or_nothing(&database).await.is_none() {}
    }
    assert!(recorder.flush(SOON).await);
    assert_eq!(ids(&database).await, expected);
    let (actions,): (i64,) =
        sqlx::query_as("select count(*) from action").fetch_one(database.pool()).await.unwrap();
    assert_eq!(actions, 2 * 3_000);
    assert_eq!(recorder.state().dropped, 0);
    drop((recorder, database));
    server.stop().await.unwrap();
}

async fn ids_or_nothing(database: &Database) -> Option<i64> {
    let count: Result<(i64,), _> =
        sqlx::query_as("select count(*) from run").fetch_one(database.pool()).await;
    count.ok().map(|(count,)| count)
}

/// A database that is reached through a proxy, and its URL.
async fn proxied() -> Option<(Proxy, String)> {
    let server = shared().await?;
    let url = crate::support::postgres::database().await?;
    let proxy = Proxy::to(server.port()).await;
    let url = url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    Some((proxy, url))
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_at_any_moment_lose_and_double_nothing() {
    let Some((proxy, url)) = proxied().await else {
        return;
    };
    let database = Database::start(postgres::Settings::of(&url)).unwrap();
    database.usable().await;
    let recorder = Recorder::start(database.clone(), &Settings::default());
    let mut expected = BTreeSet::new();
    for round in 0..12_u64 {
        let (written, ()) = tokio::join!(add_runs(&recorder, 400), async {
            tokio::time::sleep(Duration::from_millis(7 * round)).await;
            proxy.go_away();
            tokio::time::sleep(Duration::from_millis(30)).await;
            proxy.come_back();
        });
        expected.extend(written);
    }
    assert!(recorder.flush(SOON).await);
    assert_eq!(ids(&database).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_later_gets_everything_that_fits_and_a_word_about_the_rest() {
    let Some((proxy, url)) = proxied().await else {
        return;
    };
    proxy.go_away();
    let database = Database::start(postgres::Settings::of(&url)).unwrap();
    let settings = Settings { history_backlog: 100, ..Settings::default() };
    let recorder = Recorder::start(database.clone(), &settings);
    let mut state = database.state();
    let seen = state.wait_for(|state| *state != State::Unknown).await.unwrap().clone();
    assert!(matches!(seen, State::Unreachable { .. }), "{seen:?}");

    let runs: Vec<Record> = (0..150).map(|number| Record::Run(run("acme", number))).collect();
    for record in runs {
        recorder.record(record);
    }
    recorder.record(Record::Status(status("acme", UnitState::Applying, 1)));
    recorder.record(Record::Status(status("acme", UnitState::Converged, 2)));
    assert_eq!((recorder.state().waiting, recorder.state().dropped), (101, 50));
    assert!(!recorder.flush(Duration::from_millis(50)).await);

    proxy.come_back();
    assert!(recorder.flush(SOON).await);
    assert_eq!(ids(&database).await.len(), 100);
    let store = recorder.store().unwrap();
    let now = store.statuses(Some(&[unit("acme")]), None, 1).await.unwrap();
    assert_eq!(now, [status("acme", UnitState::Converged, 2)]);
    let gap = async || store.overview(1).await.unwrap().gaps.pop();
    let gap = loop {
        if let Some(gap) = gap().await {
            break gap;
        }
    };
    assert_eq!(gap.dropped.get("run"), Some(&50));
    assert_eq!(recorder.state().dropped, 0);
}

#[tokio::test]
async fn a_daemon_says_that_it_lives_and_that_it_stops() {
    let Some((_proxy, url)) = proxied().await else {
        return;
    };
    let database = Database::start(postgres::Settings::of(&url)).unwrap();
    let recorder = Recorder::start(database, &Settings::default());
    recorder.record(Record::Run(run("acme", 0)));
    assert!(recorder.flush(SOON).await);
    let now = jiff::Timestamp::now();
    let store = recorder.store().unwrap();
    let daemon = async || store.overview(1).await.unwrap().daemons.pop();
    while daemon().await.is_none() {}
    assert!(daemon().await.unwrap().is_alive(now));
    assert!(recorder.stop(SOON).await);
    assert!(!daemon().await.unwrap().is_alive(now));
}

#[tokio::test]
async fn without_a_database_records_go_nowhere_and_nobody_waits() {
    let recorder = Recorder::to_nowhere();
    recorder.record(Record::Run(run("acme", 0)));
    assert!(recorder.flush(Duration::ZERO).await && recorder.stop(Duration::ZERO).await);
}
