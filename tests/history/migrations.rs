//! Our own database is prepared once, by whoever comes first, and never guessed about.

use std::time::Duration;

use tenantry::postgres::Database;
use tenantry::postgres::DatabaseError;
use tenantry::postgres::Settings;
use tenantry::postgres::State;

use crate::support::postgres::database;

async fn changed(url: &str, statement: &'static str) {
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn several_daemons_prepare_one_database_together() {
    let Some(url) = database().await else {
        return;
    };
    let databases: Vec<Database> =
        (0..6).map(|_| Database::start(Settings::of(&url)).unwrap()).collect();
    for database in &databases {
        tokio::time::timeout(Duration::from_secs(30), database.usable()).await.unwrap();
    }
    let applied: (i64,) = sqlx::query_as("select count(*) from _sqlx_migrations")
        .fetch_one(databases[0].pool())
        .await
        .unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "sql"));
    assert_eq!(usize::try_from(applied.0).unwrap(), files.count());
}

#[tokio::test]
async fn a_command_that_only_reads_prepares_nothing() {
    let Some(url) = database().await else {
        return;
    };
    let error = Database::connect(Settings::of(&url)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Empty { .. }), "{error}");
    assert!(error.to_string().ends_with("holds nothing of ours yet: `tenantry run` prepares it"));

    Database::start(Settings::of(&url)).unwrap().usable().await;
    Database::connect(Settings::of(&url)).await.unwrap();

    changed(&url, "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'of tomorrow', true, '', 0)").await;
    let error = Database::connect(Settings::of(&url)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Newer { .. }), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_fit_is_told_and_left_alone() {
    let Some(url) = database().await else {
        return;
    };
    Database::start(Settings::of(&url)).unwrap().usable().await;
    changed(&url, "update _sqlx_migrations set checksum = ''").await;
    let database = Database::start(Settings::of(&url)).unwrap();
    let mut state = database.state();
    let state = state.wait_for(|state| *state != State::Unknown).await.unwrap().clone();
    let State::Unreachable { why, .. } = state else { panic!("{state:?}") };
    assert!(why.contains("migration 1 was changed after it had been applied"), "{why}");

    // Nobody waits for a lock that was left behind.
    changed(&url, "delete from _sqlx_migrations where checksum = ''").await;
    let free: (bool,) =
        // Other tests hold locks of their own, in other databases of the same server.
        sqlx::query_as(
            "select count(*) = 0 from pg_locks join pg_database on pg_database.oid = pg_locks.database
             where locktype = 'advisory' and datname = current_database()",
        )
        .fetch_one(&sqlx::PgPool::connect(&url).await.unwrap())
        .await
        .unwrap();
    assert!(free.0);
}

#[tokio::test]
async fn a_wrong_login_is_told_without_the_password() {
    let Some(url) = database().await else {
        return;
    };
    let (before, after) = url.split_once('@').unwrap();
    let (login, _) = before.rsplit_once(':').unwrap();
    let error =
        Database::connect(Settings::of(&format!("{login}:hunter2@{after}"))).await.unwrap_err();
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let (_, password) = before.rsplit_once(':').unwrap();
    std::fs::write(&file, format!("{password}\n")).unwrap();
    let mut settings = Settings::of(&format!("{login}@{after}"));
    settings.database_password_file = Some(file);
    Database::start(settings).unwrap().usable().await;
}
