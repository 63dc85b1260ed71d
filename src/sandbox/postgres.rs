//! A PostgreSQL server of one's own: a fresh cluster in a temporary directory, on a free port of
//! 127.0.0.1, with a generated password, gone without trace when it is stopped or its owner dies.

use std::io;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use ring::rand::SecureRandom as _;
use sqlx::Connection as _;
use sqlx::PgConnection;
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;
use tokio::process::Command;

/// Runs as the unprivileged user and owns the directory. It lives as long as its standard input,
/// which is a pipe that only our process holds: the kernel closes it when we end, however we end.
/// A parent-death signal to the server alone would not do, because it is sent when the *thread*
/// that started the child ends, and threads of a runtime end early; between this single-threaded
/// shell and the server it is right, and covers the shell being killed.
const WATCHDOG: &str = r#"
directory=$1 binaries=$2 sync=$3; shift 3
exec 3<&0 </dev/null
tether=; command -v setpriv >/dev/null && tether='setpriv --pdeathsig QUIT'
if "$binaries/initdb" --pgdata=data --username=postgres --pwfile=password --encoding=UTF8 --locale=C \
  --auth-local=scram-sha-256 --auth-host=scram-sha-256 --no-instructions $sync >log 2>&1 3<&-
then
  $tether "$binaries/postgres" -D data "$@" >>log 2>&1 3<&- & server=$!
  # Again and again, because a shell's background jobs ignore the signal until they handle it.
  { cat <&3 >/dev/null; while kill -INT $server; do sleep 0.2; done; } 2>/dev/null &
  wait $server
fi
tail -n 12 log >&2
cd / && rm -rf "$directory"
"#;

const SUPERUSER: &str = "postgres";
/// Someone else may take the port between our finding it and the server's binding it.
const ATTEMPTS: u32 = 5;
/// `sun_path` holds 108 bytes with its end; `/.s.PGSQL.65535` and room to spare.
const LONGEST_SOCKET_DIRECTORY: usize = 85;

/// How a [`PrivatePostgres`] is run.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Survives a power cut (`fsync`). Off, everything is several times faster.
    pub durable: bool,
    pub max_connections: u16,
    /// How long `initdb` and the first answer may take together.
    pub start_within: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { durable: false, max_connections: 200, start_within: Duration::from_mins(1) }
    }
}

/// Why a private PostgreSQL is not there.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "neither `initdb` and `postgres` on the PATH nor /usr/lib/postgresql/*/bin: \
         install PostgreSQL 15 or later with `apt-get install postgresql`"
    )]
    NotInstalled,
    #[error(
        "PostgreSQL refuses to run as root and this machine has neither a `postgres` nor a \
         `nobody` user: add one with `adduser --system postgres`"
    )]
    NoUnprivilegedUser,
    #[error("could not prepare a directory for PostgreSQL in {}: make it writable or set TMPDIR", .directory.display())]
    Directory { directory: PathBuf, source: io::Error },
    #[error("could not run PostgreSQL with `sh`: check that /bin/sh is there")]
    Spawn(#[source] io::Error),
    #[error("PostgreSQL ended while starting, its log ends with:\n{log}")]
    Ended { log: String },
    #[error("PostgreSQL did not answer within {limit:?}: is the machine overloaded?")]
    Silent { limit: Duration, source: Option<sqlx::Error> },
    #[error("could not create the database `{name}`")]
    CreateDatabase { name: String, source: sqlx::Error },
    #[error("PostgreSQL did not end within {limit:?}: look for it with `pgrep -f {directory}`")]
    DidNotEnd { limit: Duration, directory: String },
}

/// A running server. Dropping it stops the server and removes its files within about a second;
/// [`PrivatePostgres::stop`] waits for that.
#[derive(Debug)]
pub struct PrivatePostgres {
    watchdog: Child,
    directory: PathBuf,
    port: u16,
    password: String,
}

impl PrivatePostgres {
    /// Creates a cluster and waits until it answers.
    pub async fn start(options: &PostgresOptions) -> Result<Self, PostgresError> {
        let binaries = find_binaries()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&binaries, options).await {
                Err(PostgresError::Ended { log }) if port_was_taken(&log) && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn start_once(binaries: &Path, options: &PostgresOptions) -> Result<Self, PostgresError> {
        let user = unprivileged_user()?;
        let password = generated_password();
        let directory = prepared_directory(user.as_ref(), &password)?;
        let port = free_port().map_err(|source| directory_error(directory.path(), source))?;

        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", WATCHDOG, "tenantry-postgres"])
            .arg(directory.path())
            .arg(binaries)
            .arg(if options.durable { "" } else { "--no-sync" })
            .args(server_arguments(directory.path(), port, options))
            .current_dir(directory.path())
            .env("LC_ALL", "C.UTF-8")
            .env_remove("PGDATA")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A Ctrl-C in the terminal reaches us alone; we then stop in our own order.
            .process_group(0);
        if let Some(user) = user {
            command.uid(user.uid).gid(user.gid);
        }
        let watchdog = command.spawn().map_err(PostgresError::Spawn)?;
        // From here on the watchdog removes the directory.
        let mut server = Self { watchdog, directory: directory.keep(), port, password };
        server.wait_until_it_answers(options.start_within).await?;
        Ok(server)
    }

    async fn wait_until_it_answers(&mut self, limit: Duration) -> Result<(), PostgresError> {
        let deadline = Instant::now() + limit;
        let mut last = None;
        while Instant::now() < deadline {
            if self.watchdog.try_wait().map_err(PostgresError::Spawn)?.is_some() {
                let mut log = String::new();
                if let Some(mut stderr) = self.watchdog.stderr.take() {
                    stderr.read_to_string(&mut log).await.map_err(PostgresError::Spawn)?;
                }
                return Err(PostgresError::Ended { log });
            }
            match PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return connection.close().await.or(Ok(())),
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(PostgresError::Silent { limit, source: last })
    }

    /// Where to reach `database`, with the superuser's name and password.
    pub fn url(&self, database: &str) -> String {
        let Self { port, password, .. } = self;
        format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// The superuser's name and password.
    pub fn superuser(&self) -> (&str, &str) {
        (SUPERUSER, &self.password)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory that holds everything of this server; also its unix socket.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Creates an empty database and returns its URL.
    pub async fn create_database(&self, name: &str) -> Result<String, PostgresError> {
        let refused = |source| PostgresError::CreateDatabase { name: name.to_owned(), source };
        let mut connection = PgConnection::connect(&self.url("postgres")).await.map_err(refused)?;
        let statement = format!(r#"create database "{}""#, name.replace('"', "\"\""));
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .map_err(refused)?;
        connection.close().await.map_err(refused)?;
        Ok(self.url(name))
    }

    /// Stops the server and waits until its files are gone.
    pub async fn stop(mut self) -> Result<(), PostgresError> {
        let limit = Duration::from_secs(30);
        drop(self.watchdog.stdin.take());
        match tokio::time::timeout(limit, self.watchdog.wait()).await {
            Ok(ended) => ended.map(|_| ()).map_err(PostgresError::Spawn),
            Err(_) => Err(PostgresError::DidNotEnd {
                limit,
                directory: self.directory.display().to_string(),
            }),
        }
    }
}

struct User {
    uid: u32,
    gid: u32,
}

/// Whom to run as: nobody else when we are not root.
fn unprivileged_user() -> Result<Option<User>, PostgresError> {
    use std::os::unix::fs::MetadataExt as _;
    let we_are_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !we_are_root {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = ["postgres", "nobody"].iter().find_map(|name| user_in(&passwd, name));
    user.map(Some).ok_or(PostgresError::NoUnprivilegedUser)
}

fn user_in(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { uid, gid })
    })
}

/// The folder that holds both `initdb` and `postgres`: the PATH first, then the newest of Debian's.
fn find_binaries() -> Result<PathBuf, PostgresError> {
    let on_path = std::env::var_os("PATH");
    let on_path = on_path.iter().flat_map(std::env::split_paths);
    on_path
        .chain(debian_folders())
        .find(|folder| holds_server(folder))
        .ok_or(PostgresError::NotInstalled)
}

fn debian_folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

fn holds_server(folder: &Path) -> bool {
    folder.join("initdb").is_file() && folder.join("postgres").is_file()
}

/// A directory that belongs to the server's user alone, with the password in it for `initdb`.
fn prepared_directory(
    user: Option<&User>,
    password: &str,
) -> Result<tempfile::TempDir, PostgresError> {
    let parent = std::env::temp_dir();
    let prepare = || {
        let directory =
            tempfile::Builder::new().prefix("tenantry-postgres-").tempdir_in(&parent)?;
        let password_file = directory.path().join("password");
        std::fs::write(&password_file, password)?;
        if let Some(user) = user {
            std::os::unix::fs::chown(&password_file, Some(user.uid), Some(user.gid))?;
            std::os::unix::fs::chown(directory.path(), Some(user.uid), Some(user.gid))?;
        }
        Ok(directory)
    };
    prepare().map_err(|source| directory_error(&parent, source))
}

fn directory_error(directory: &Path, source: io::Error) -> PostgresError {
    PostgresError::Directory { directory: directory.to_owned(), source }
}

fn server_arguments(directory: &Path, port: u16, options: &PostgresOptions) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        format!("max_connections={}", options.max_connections),
        "timezone=UTC".to_owned(),
    ];
    let directory = directory.display().to_string();
    settings.push(if directory.len() <= LONGEST_SOCKET_DIRECTORY {
        format!("unix_socket_directories={directory}")
    } else {
        "unix_socket_directories=".to_owned()
    });
    if !options.durable {
        let hasty =
            ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"];
        settings.extend(hasty.map(str::to_owned));
    }
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn port_was_taken(log: &str) -> bool {
    log.contains("could not create any TCP/IP sockets") || log.contains("Address already in use")
}

fn generated_password() -> String {
    let mut bytes = [0_u8; 16];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .expect("because the operating system always has randomness to give");
    bytes.iter().fold(String::new(), |password, byte| format!("{password}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;
    use std::net::SocketAddr;
    use std::net::TcpStream;

    use super::*;

    /// Says past the test runner's capture that this test did not run and why; `.ci/run` counts it.
    fn skipped(why: &PostgresError) {
        use std::io::Write as _;
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        let _ = writeln!(io::stderr(), "skipped: {test}: it needs PostgreSQL: {why}");
    }

    async fn started() -> Option<PrivatePostgres> {
        match PrivatePostgres::start(&PostgresOptions::default()).await {
            Ok(server) => Some(server),
            Err(error @ PostgresError::NotInstalled) => {
                skipped(&error);
                None
            }
            Err(error) => panic!("{error}: {error:?}"),
        }
    }

    async fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(Instant::now() < deadline, "{what} did not come true");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn listens(port: u16) -> bool {
        TcpStream::connect_timeout(
            &SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Duration::from_secs(1),
        )
        .is_ok()
    }

    #[tokio::test]
    async fn it_starts_answers_and_leaves_nothing_behind() {
        let Some(server) = started().await else {
            return;
        };
        let url = server.create_database("acme \"1\"").await.unwrap();
        assert!(url.starts_with("postgres://postgres:"));

        let mut connection = PgConnection::connect(&server.url("acme%20%221%22")).await.unwrap();
        let (answer,): (i32,) =
            sqlx::query_as("select 40 + 2").fetch_one(&mut connection).await.unwrap();
        assert_eq!(answer, 42);

        let (directory, port) = (server.directory().to_owned(), server.port());
        assert!(directory.is_dir());
        server.stop().await.unwrap();
        assert!(!directory.exists());
        assert!(!listens(port));
    }

    #[tokio::test]
    async fn a_wrong_password_is_refused() {
        let Some(server) = started().await else {
            return;
        };
        let url = format!(
            "postgres://postgres:guessed@127.0.0.1:{}/postgres?sslmode=disable",
            server.port()
        );
        let error = PgConnection::connect(&url).await.unwrap_err();
        assert!(error.to_string().contains("password authentication failed"), "{error}");
    }

    #[tokio::test]
    async fn dropping_it_is_enough() {
        let Some(server) = started().await else {
            return;
        };
        let (directory, port) = (server.directory().to_owned(), server.port());
        drop(server);
        wait_until("the directory is gone", || !directory.exists()).await;
        assert!(!listens(port));
    }

    /// Not a test by itself: the process that the next test kills.
    #[tokio::test]
    #[ignore = "is started and killed by `it_does_not_outlive_a_killed_owner`"]
    async fn an_owner_who_waits_to_be_killed() {
        let Some(server) = started().await else {
            return;
        };
        println!("\nstarted {} {}", server.port(), server.directory().display());
        std::future::pending::<()>().await;
    }

    #[tokio::test]
    async fn it_does_not_outlive_a_killed_owner() {
        if find_binaries().is_err() {
            skipped(&PostgresError::NotInstalled);
            return;
        }
        let mut owner = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("sandbox::postgres::tests::an_owner_who_waits_to_be_killed")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = io::BufReader::new(owner.stdout.take().unwrap()).lines();
        let started = lines.map_while(Result::ok).find(|line| line.starts_with("started "));
        let started = started.expect("the owner says where its server is");
        let mut words = started.split(' ').skip(1);
        let port = words.next().unwrap().parse().unwrap();
        let directory = PathBuf::from(words.next().unwrap());
        assert!(directory.is_dir());

        owner.kill().unwrap();
        owner.wait().unwrap();
        wait_until("the directory is gone", || !directory.exists()).await;
        assert!(!listens(port));
    }

    #[test]
    fn a_user_is_found_in_passwd_by_its_whole_name() {
        let passwd = "postgresql:x:1:2::/:/bin/sh\npostgres:x:101:104:admin:/var/lib:/bin/sh\n";
        let user = user_in(passwd, "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(user_in(passwd, "nobody").is_none());
    }
}
