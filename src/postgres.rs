//! Our own database: the pool, its migrations, and how it stands. It may be away at any time, at
//! start or later: it is then looked for again and again, and nobody waits for it who need not.

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::Unit;
use jiff_sqlx::ToSqlx as _;
use serde::Serialize;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::PgPool;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::MigrateError;
use sqlx::migrate::Migration;
use sqlx::migrate::MigrationType;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::model::Secret;

/// Every migration, in order. An applied one is never changed: a new one follows it.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "history", include_str!("../migrations/0001_history.sql")),
    (2, "retired", include_str!("../migrations/0002_retired.sql")),
    (3, "finding", include_str!("../migrations/0003_finding.sql")),
    (4, "ledger", include_str!("../migrations/0004_ledger.sql")),
    (5, "invoices", include_str!("../migrations/0005_invoices.sql")),
    (6, "accounts", include_str!("../migrations/0006_accounts.sql")),
    (7, "orders", include_str!("../migrations/0007_orders.sql")),
    (8, "payments", include_str!("../migrations/0008_payments.sql")),
    (10, "jobs", include_str!("../migrations/0010_jobs.sql")),
    (11, "usage", include_str!("../migrations/0011_usage.sql")),
    (12, "live", include_str!("../migrations/0012_live.sql")),
    (13, "pods", include_str!("../migrations/0013_pods.sql")),
    (14, "tasks", include_str!("../migrations/0014_tasks.sql")),
    (15, "figures", include_str!("../migrations/0015_figures.sql")),
    (16, "alerts", include_str!("../migrations/0016_alerts.sql")),
    (17, "review", include_str!("../migrations/0017_review.sql")),
    (18, "purges", include_str!("../migrations/0018_purges.sql")),
    (19, "payments_by_hand", include_str!("../migrations/0019_payments_by_hand.sql")),
];

/// The first wait after a failure; each further one doubles it.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// How often a silent database is asked whether it is still there.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where our own database is.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "History")]
pub struct Settings {
    /// Keep history in this PostgreSQL database, as in <postgres://user@host/name>; without one, none is kept
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// Log in there with the password in this file
    #[arg(long, value_name = "FILE", env = "TENANTRY_DATABASE_PASSWORD_FILE")]
    pub database_password_file: Option<PathBuf>,

    /// Hold at most this many connections to it
    #[arg(long, value_name = "NUMBER", env = "TENANTRY_DATABASE_CONNECTIONS", default_value_t = 8)]
    pub database_connections: u32,
}

impl Settings {
    /// The settings for a database that is reached by its URL alone.
    pub fn of(url: &str) -> Self {
        Self {
            database_url: Some(Secret::new(url)),
            database_password_file: None,
            database_connections: 8,
        }
    }

    /// How to connect, with the password as it is now.
    fn options(&self) -> Result<PgConnectOptions, DatabaseError> {
        let url = self.database_url.as_ref().ok_or(DatabaseError::NotSet)?;
        // Any other scheme would be taken for PostgreSQL's all the same.
        let ours =
            ["postgres://", "postgresql://"].iter().any(|ours| url.reveal().starts_with(ours));
        if !ours {
            return Err(DatabaseError::Url { detail: "it does not begin with postgres://".into() });
        }
        let options = PgConnectOptions::from_str(url.reveal())
            .map_err(|error| DatabaseError::Url { detail: error.to_string() })?
            .application_name("tenantry")
            .options([("statement_timeout", "60s")]);
        let Some(file) = &self.database_password_file else { return Ok(options) };
        let password = std::fs::read_to_string(file)
            .map_err(|source| DatabaseError::PasswordFile { file: file.clone(), source })?;
        Ok(options.password(password.trim()))
    }
}

/// A time as PostgreSQL keeps it: to the microsecond, so that what is read back compares equal.
pub fn rounded(time: Timestamp) -> Timestamp {
    time.round(Unit::Microsecond).unwrap_or(time)
}

/// A time to bind to a statement.
pub fn stamp(time: Timestamp) -> jiff_sqlx::Timestamp {
    rounded(time).to_sqlx()
}

/// What is wrong with our database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("no database is named: set --database-url or DATABASE_URL")]
    NotSet,
    #[error(
        "the database's URL cannot be read ({detail}): write it as in postgres://user@host:5432/name"
    )]
    Url { detail: String },
    #[error("the password could not be read from {}: make it readable for this user", .file.display())]
    PasswordFile { file: PathBuf, source: std::io::Error },
    #[error("the database {name} cannot be used: {detail}")]
    Away { name: String, detail: String },
    #[error("the database {name} holds nothing of ours yet: `tenantry run` prepares it")]
    Empty { name: String },
    #[error(
        "the database {name} was prepared by an older tenantry: start `tenantry run` of this one first"
    )]
    Older { name: String },
    #[error("the database {name} was prepared by a newer tenantry: update this one")]
    Newer { name: String },
    #[error(
        "migration {version} was changed after it had been applied to the database {name}: put it back as it was"
    )]
    Changed { name: String, version: i64 },
}

/// How the database stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum State {
    /// Nobody has tried yet.
    Unknown,
    /// It answers, and is migrated.
    Reachable {
        since: Timestamp,
    },
    Unreachable {
        since: Timestamp,
        why: String,
    },
}

impl State {
    pub fn is_reachable(&self) -> bool {
        matches!(self, Self::Reachable { .. })
    }

    /// Why it is away, if it is.
    pub fn away(&self) -> Option<&str> {
        match self {
            Self::Unreachable { why, .. } => Some(why),
            Self::Unknown | Self::Reachable { .. } => None,
        }
    }
}

/// Our own database. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Database {
    inner: Arc<Inner>,
    /// Ends the keeper with the last clone.
    _keeper: Arc<Keeper>,
}

#[derive(Debug)]
struct Keeper(AbortHandle);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    pool: PgPool,
    /// `user@host:port/name`, for people.
    name: String,
    state: watch::Sender<State>,
    doubt: Notify,
}

impl Database {
    /// Starts to look for the database: it is connected to, migrated under an advisory lock, and
    /// found again whenever it was away.
    pub fn start(settings: Settings) -> Result<Self, DatabaseError> {
        let inner = Arc::new(Inner::of(settings)?);
        let keeper = tokio::spawn(keep(Arc::clone(&inner))).abort_handle();
        Ok(Self { inner, _keeper: Arc::new(Keeper(keeper)) })
    }

    /// Connects once, for a command that only reads: it changes nothing, and fails where there is
    /// nothing to read.
    pub async fn connect(settings: Settings) -> Result<Self, DatabaseError> {
        let inner = Arc::new(Inner::of(settings)?);
        inner.compare_versions().await?;
        inner.become_reachable();
        let keeper = tokio::spawn(std::future::pending::<()>()).abort_handle();
        Ok(Self { inner, _keeper: Arc::new(Keeper(keeper)) })
    }

    /// The connections. What is done with them may fail at any time; see [`Database::doubt`].
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// `user@host:port/name`: it holds no password.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// How it stands, and every change of that.
    pub fn state(&self) -> watch::Receiver<State> {
        self.inner.state.subscribe()
    }

    /// Waits until it can be used.
    pub async fn usable(&self) {
        let mut state = self.state();
        if state.wait_for(State::is_reachable).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Says that something went wrong, so that it is looked at now and not at the next heartbeat.
    pub fn doubt(&self, error: &sqlx::Error) {
        if is_away(error) {
            self.inner.doubt.notify_one();
        }
    }
}

/// Whether an error says that the database is away, and not that we asked for something wrong.
pub fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| {
            // Connection trouble, wrong login, no such database yet, out of resources, told to
            // stop, out of order, read-only after a failover, rolled back for somebody else.
            ["08", "28", "3D", "53", "57", "58", "25006", "40"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

impl Inner {
    fn of(settings: Settings) -> Result<Self, DatabaseError> {
        let options = settings.options()?;
        let name = format!(
            "{}@{}:{}/{}",
            options.get_username(),
            options.get_socket().map_or_else(
                || options.get_host().to_owned(),
                |socket| socket.display().to_string()
            ),
            options.get_port(),
            options.get_database().unwrap_or(options.get_username()),
        );
        let pool = PgPoolOptions::new()
            .max_connections(settings.database_connections.max(1))
            .acquire_timeout(PATIENCE)
            .idle_timeout(Duration::from_mins(5))
            .connect_lazy_with(options);
        let state = watch::Sender::new(State::Unknown);
        Ok(Self { settings, pool, name, state, doubt: Notify::new() })
    }

    fn become_reachable(&self) {
        let before = self.state.borrow().clone();
        if !before.is_reachable() {
            if matches!(before, State::Unreachable { .. }) {
                tracing::info!("the database {} is back", self.name);
            }
            self.state.send_replace(State::Reachable { since: Timestamp::now() });
        }
    }

    fn become_unreachable(&self, why: &str) {
        let since = match &*self.state.borrow() {
            State::Unreachable { why: known, .. } if known == why => return,
            State::Unreachable { since, .. } => *since,
            State::Unknown | State::Reachable { .. } => {
                tracing::warn!(
                    "the database {} is away, history is kept in memory: {why}",
                    self.name
                );
                Timestamp::now()
            }
        };
        self.state.send_replace(State::Unreachable { since, why: why.to_owned() });
    }

    /// A connection of its own: a migration that fails must not leave its lock in the pool.
    async fn connection(&self) -> Result<PgConnection, DatabaseError> {
        let options = self.settings.options()?;
        // A rotated password is taken up without a restart.
        self.pool.set_connect_options(options.clone());
        match tokio::time::timeout(PATIENCE, options.connect()).await {
            Ok(connected) => connected.map_err(|error| self.away(&error)),
            Err(_) => Err(self.away(&sqlx::Error::PoolTimedOut)),
        }
    }

    async fn migrate(&self) -> Result<(), DatabaseError> {
        let mut connection = self.connection().await?;
        migrator().run_direct(None, &mut connection, false).await.map_err(|error| {
            let name = self.name.clone();
            match error {
                MigrateError::VersionMismatch(version) => DatabaseError::Changed { name, version },
                MigrateError::VersionMissing(_) => DatabaseError::Newer { name },
                other => DatabaseError::Away { name, detail: other.to_string() },
            }
        })?;
        drop(connection.close().await);
        Ok(())
    }

    /// Whether the database was prepared by this very version.
    async fn compare_versions(&self) -> Result<(), DatabaseError> {
        let mut connection = self.connection().await?;
        let there: (bool,) = sqlx::query_as("select to_regclass('_sqlx_migrations') is not null")
            .fetch_one(&mut connection)
            .await
            .map_err(|error| self.away(&error))?;
        let name = self.name.clone();
        if !there.0 {
            return Err(DatabaseError::Empty { name });
        }
        let last: (Option<i64>,) =
            sqlx::query_as("select max(version) from _sqlx_migrations where success")
                .fetch_one(&mut connection)
                .await
                .map_err(|error| self.away(&error))?;
        let ours = MIGRATIONS.last().map(|(version, ..)| *version);
        match last.0.cmp(&ours) {
            std::cmp::Ordering::Less => Err(DatabaseError::Older { name }),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(DatabaseError::Newer { name }),
        }
    }

    async fn ping(&self) -> Result<(), DatabaseError> {
        let answer = sqlx::query("select 1").execute(&self.pool);
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.away(&error)),
            Err(_) => Err(self.away(&sqlx::Error::PoolTimedOut)),
        }
    }

    fn away(&self, error: &sqlx::Error) -> DatabaseError {
        DatabaseError::Away { name: self.name.clone(), detail: error.to_string() }
    }
}

/// Looks for the database until it is found, and whenever it was lost.
async fn keep(inner: Arc<Inner>) {
    let mut migrated = false;
    let mut failures = 0_u32;
    loop {
        let outcome = if migrated { inner.ping().await } else { inner.migrate().await };
        let pause = match outcome {
            Ok(()) => {
                migrated = true;
                failures = 0;
                inner.become_reachable();
                HEARTBEAT
            }
            Err(error) => {
                // It may come back as another one, restored from a backup.
                migrated = false;
                inner.become_unreachable(&reason(&error));
                let pause = FIRST_RETRY.saturating_mul(1 << failures.min(10)).min(LONGEST_RETRY);
                failures += 1;
                pause
            }
        };
        // While it is away, doubts say nothing new.
        if migrated {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = inner.doubt.notified() => {}
            }
        } else {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Why it is away, without naming it again.
fn reason(error: &DatabaseError) -> String {
    match error {
        DatabaseError::Away { detail, .. } => detail.clone(),
        other => other.to_string(),
    }
}

fn migrator() -> Migrator {
    let migration = |(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(
            *version,
            Cow::Borrowed(*name),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_of_the_folder_is_built_in_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| std::path::Path::new(name).extension().is_some_and(|end| end == "sql"))
            .collect();
        files.sort();
        let built_in: Vec<String> = MIGRATIONS
            .iter()
            .map(|(version, name, _)| format!("{version:04}_{name}.sql"))
            .collect();
        assert_eq!(files, built_in);
    }

    #[tokio::test]
    async fn settings_and_errors_do_not_print_the_password() {
        let settings = Settings::of("postgres://ada:hunter2@127.0.0.1:1/history");
        let inner = Inner::of(settings.clone()).unwrap();
        assert_eq!(inner.name, "ada@127.0.0.1:1/history");
        let error = Database::connect(settings.clone()).await.unwrap_err();
        let wrong =
            Database::connect(Settings::of("postgres://ada:hunter2@:x/y")).await.unwrap_err();
        let text = format!("{settings:?} {inner:?} {error} {error:?} {wrong} {wrong:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
