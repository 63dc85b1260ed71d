//! A real SSH server on loopback, where one is installed.

use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Child;
use tokio::process::Command;

use super::skipped;

/// An SSH server on loopback that knows one client's key.
pub(crate) struct SshServer {
    folder: TempDir,
    pub(crate) port: u16,
    server: Child,
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

pub(crate) fn make_key(file: &Path) {
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(file)
        .output();
    assert!(made.unwrap().status.success());
}

impl SshServer {
    pub(crate) async fn start() -> Option<Self> {
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

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of a repository behind this server.
    pub(crate) fn url(&self, path: &Path) -> String {
        let user = std::process::Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap();
        format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.port, path.display())
    }
}
