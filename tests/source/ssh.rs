//! The wire over SSH, with a real server where one is installed.

use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tenantry::source::Head;
use tenantry::source::Source;
use tenantry::source::SourceError;
use tokio::process::Child;
use tokio::process::Command;

use super::settings;
use crate::support::repository::TestRepo;
use crate::support::skipped;

/// An SSH server on loopback that knows one client's key.
struct SshServer {
    folder: TempDir,
    port: u16,
    server: Child,
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn make_key(file: &Path) {
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(file)
        .output();
    assert!(made.unwrap().status.success());
}

impl SshServer {
    async fn start() -> Option<Self> {
        let (Some(program), Some(_)) = (find("sshd"), find("ssh-keygen")) else {
            skipped(
                "tests that need an SSH server",
                "sshd is not installed: `apt-get install openssh-server`",
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        make_key(&at("host key"));
        make_key(&at("client key"));
        make_key(&at("stranger key"));
        std::fs::copy(at("client key.pub"), at("authorized_keys")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey \"{}\"\nAuthorizedKeysFile \"{}\"\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
             StrictModes no\nPidFile none\nPermitRootLogin prohibit-password\n",
            at("host key").display(),
            at("authorized_keys").display()
        );
        std::fs::write(at("configuration"), configuration).unwrap();
        let server = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(at("configuration"))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(at("log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut this = Self { folder, port, server };
        for _ in 0..500 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                let key = std::fs::read_to_string(this.at("host key.pub")).unwrap();
                std::fs::write(this.at("known hosts"), format!("[127.0.0.1]:{port} {key}"))
                    .unwrap();
                return Some(this);
            }
            if this.server.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let log = std::fs::read_to_string(this.at("log")).unwrap();
        skipped("tests that need an SSH server", format!("sshd does not start here: {log}"));
        None
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn source(
        &self,
        repository: &TestRepo,
        key: &str,
        known_hosts: &str,
    ) -> (Source, TempDir) {
        let user = std::process::Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap();
        let path = repository.path().display();
        let url = format!("ssh://{}@127.0.0.1:{}{path}", user.trim(), self.port);
        let mut settings = settings(&url);
        settings.login.ssh_key_file = Some(self.at(key));
        settings.login.known_hosts_file = Some(self.at(known_hosts));
        let cache = tempfile::tempdir().unwrap();
        (Source::open(settings, cache.path()).await.unwrap(), cache)
    }
}

#[tokio::test]
async fn a_key_opens_the_door_of_a_known_host_and_of_no_other() {
    let Some(server) = SshServer::start().await else {
        return;
    };
    let repository = TestRepo::new();
    let commit = repository.write("a.yaml", "a").commit("one");

    let (source, _cache) = server.source(&repository, "client key", "known hosts").await;
    assert_eq!(source.look().await.unwrap(), Head::Taken(commit));

    let (source, _cache) = server.source(&repository, "stranger key", "known hosts").await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::Login { .. }), "{error}");

    std::fs::write(server.at("nobody known"), "").unwrap();
    let (source, _cache) = server.source(&repository, "client key", "nobody known").await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::HostKeyUnknown { .. }), "{error}");
    assert!(error.to_string().contains(&format!("ssh-keyscan -p {} 127.0.0.1", server.port)));

    let other = std::fs::read_to_string(server.at("stranger key.pub")).unwrap();
    std::fs::write(server.at("another host"), format!("[127.0.0.1]:{} {other}", server.port))
        .unwrap();
    let (source, _cache) = server.source(&repository, "client key", "another host").await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::HostKeyChanged { .. }), "{error}");
}
