//! A real remote host: Debian with its own systemd and OpenSSH, booted for a test and gone after it.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use super::skipped;

/// A host that a test may do anything to.
pub(crate) struct Vds {
    script: PathBuf,
    name: String,
    pub(crate) address: String,
    pub(crate) port: u16,
    /// The private key that it lets in as root.
    pub(crate) key: PathBuf,
    /// Its host key, as it is pinned.
    pub(crate) pin: String,
}

/// Where hosts come from: `shared/vds/vds.sh` beside the repository or further up.
fn script() -> Result<PathBuf, &'static str> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = root.ancestors().map(|above| above.join("shared/vds/vds.sh"));
    let script = found.into_iter().find(|script| script.is_file());
    let script = script.ok_or("there is no `shared/vds/vds.sh` beside the repository")?;
    let id = Command::new("id").arg("-u").output().map_err(|_| "`id` cannot be run")?;
    if id.stdout == b"0\n" { Ok(script) } else { Err("it takes root to boot one") }
}

impl Vds {
    /// Boots a host; none, and a word about it, where there can be none.
    pub(crate) fn boot() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let script = match script() {
            Ok(script) => script,
            Err(why) => {
                skipped("tests that need a real host", why);
                return None;
            }
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t-{}-{count}", std::process::id());
        let output = Command::new(&script).args(["up", &name]).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let mut words = told.split_whitespace();
        let (Some(address), Some(port), Some(key)) = (words.next(), words.next(), words.next())
        else {
            panic!("no host: {}", String::from_utf8_lossy(&output.stderr));
        };
        let known = Path::new(key).with_file_name("hosts").join(&name).join("known_hosts");
        let known = std::fs::read_to_string(known).unwrap();
        let (_, pin) = known.trim().split_once(' ').unwrap();
        Some(Self {
            address: address.to_owned(),
            port: port.parse().unwrap(),
            key: key.into(),
            pin: pin.to_owned(),
            script,
            name,
        })
    }

    /// Does something to it from outside: `cut`, `heal`, `kill`, `start`, `freeze`, `thaw`.
    #[track_caller]
    pub(crate) fn does(&self, verb: &str) {
        let output = Command::new(&self.script).args([verb, &self.name]).output().unwrap();
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a person's command on it prints.
    #[track_caller]
    pub(crate) fn shell(&self, command: &str) -> String {
        let output = self.tried(command);
        assert!(output.0, "{command}: {}", output.1);
        output.1.trim_end().to_owned()
    }

    /// Whether a person's command goes well, and what it prints.
    pub(crate) fn tried(&self, command: &str) -> (bool, String) {
        let mut ssh = Command::new(&self.script);
        let output = ssh.args(["ssh", &self.name, command]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Vds {
    fn drop(&mut self) {
        let _ = Command::new(&self.script).args(["down", &self.name]).output();
    }
}
