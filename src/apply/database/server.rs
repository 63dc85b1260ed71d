//! The way to a database server: who we are there, one connection for each piece of work, and a
//! limit on how long and how many.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::PgSslMode;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;

use crate::apply::cluster::Cluster;
use crate::apply::error::ApplyError;
use crate::apply::secret::Secret;
use crate::model::cluster::DatabaseServer;
use crate::model::cluster::SecretPlace;
use crate::model::resource::SecretKey;
use crate::plan::Retry;

use super::statements::Statement;

/// How many databases are worked on at the same time: each takes two connections at most.
const AT_ONCE: usize = 4;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Copying the template of a new database may take a while on a slow disk.
const STATEMENT_LIMIT: Duration = Duration::from_mins(2);
/// Every server has it.
const MAINTENANCE: &str = "postgres";

/// Who we are on the server.
pub enum Admin {
    /// What a Secret of the cluster says (`username`, `password`), read for each connection, so
    /// that another password is nothing to speak of.
    Secret {
        cluster: Cluster,
        place: SecretPlace,
    },
    Known {
        user: String,
        password: Secret,
    },
}

pub(super) struct Server {
    host: String,
    port: u16,
    admin: Admin,
    places: Semaphore,
}

/// A connection to the server, and who we are on it.
pub(super) struct Session {
    pub(super) connection: PgConnection,
    pub(super) superuser: bool,
}

impl Server {
    pub(super) fn new(server: &DatabaseServer, admin: Admin) -> Self {
        let (host, port) = (server.host.clone(), server.port);
        Self { host, port, admin, places: Semaphore::new(AT_ONCE) }
    }

    /// A place to work at.
    pub(super) async fn place(&self) -> SemaphorePermit<'_> {
        self.places.acquire().await.expect("this semaphore is never closed")
    }

    /// Connects to where roles and databases are made.
    pub(super) async fn session(&self) -> Result<Session, ApplyError> {
        let mut connection = self.connect(MAINTENANCE).await?;
        let asked = sqlx::query_as("select rolsuper from pg_roles where rolname = current_user")
            .fetch_one(&mut connection);
        let (superuser,) = limited("asking who we are", asked).await?;
        Ok(Session { connection, superuser })
    }

    /// Connects to one database.
    pub(super) async fn connect(&self, database: &str) -> Result<PgConnection, ApplyError> {
        let (user, password) = match &self.admin {
            Admin::Known { user, password } => (user.clone(), password.clone()),
            Admin::Secret { cluster, place } => {
                let key = |key: &str| SecretKey {
                    namespace: place.namespace.clone(),
                    name: place.name.clone(),
                    key: key.to_owned(),
                };
                let user = cluster.secret(&key("username")).await?;
                (user.expose().to_owned(), cluster.secret(&key("password")).await?)
            }
        };
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .username(&user)
            .password(password.expose())
            .database(database)
            .ssl_mode(PgSslMode::Prefer)
            .application_name("tenantry")
            // What is said here may hold what the server keeps of a password.
            .disable_statement_logging();
        let doing = format!("connecting to {}:{}", self.host, self.port);
        let connecting = tokio::time::timeout(CONNECT_LIMIT, PgConnection::connect_with(&options));
        match connecting.await {
            Ok(connected) => connected.map_err(|error| failure(&doing, &error)),
            Err(_) => Err(silent(&doing, CONNECT_LIMIT)),
        }
    }
}

/// Carries a statement out.
pub(super) async fn say(
    connection: &mut PgConnection,
    statement: &Statement,
) -> Result<(), ApplyError> {
    let said = sqlx::raw_sql(AssertSqlSafe(statement.sql.as_str())).execute(connection);
    limited(&statement.doing, said).await.map(|_| ())
}

/// Ends a connection in order. Whether that works is of no interest any more.
pub(super) async fn leave(connection: PgConnection) {
    let _ = tokio::time::timeout(CONNECT_LIMIT, connection.close()).await;
}

/// Waits for the server, but not for ever.
pub(super) async fn limited<T>(
    doing: &str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, ApplyError> {
    match tokio::time::timeout(STATEMENT_LIMIT, work).await {
        Ok(result) => result.map_err(|error| failure(doing, &error)),
        Err(_) => Err(silent(doing, STATEMENT_LIMIT)),
    }
}

fn silent(doing: &str, limit: Duration) -> ApplyError {
    let reason = format!("it did not answer within {limit:?}");
    ApplyError::Database { doing: doing.to_owned(), reason, retry: Retry::Later }
}

fn failure(doing: &str, error: &sqlx::Error) -> ApplyError {
    let (reason, retry) = match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            (format!("{} ({code})", error.message()), retry(&code))
        }
        error => (error.to_string(), Retry::Later),
    };
    ApplyError::Database { doing: doing.to_owned(), reason, retry }
}

/// What only a commit can put right: features and names that are wrong. For the rest it may be
/// that somebody is in the way, or that rights have yet to be given.
fn retry(code: &str) -> Retry {
    match code {
        // An extension that is not installed; a name that may not be.
        "0A000" | "42602" | "42622" | "42939" | "58P01" => Retry::NextCommit,
        _ => Retry::Later,
    }
}
