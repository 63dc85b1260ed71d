//! A temporary folder that goes with its owner, however the owner ends.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::Child;
use tokio::process::Command;

use crate::cli::Failure;

/// Lives as long as its standard input, a pipe that only our process holds: the kernel closes it
/// when we end, also when we are killed. Then it removes the folder, again if somebody still wrote.
const WATCHDOG: &str = r#"cat >/dev/null; rm -rf "$1" || { sleep 1; rm -rf "$1"; }"#;

/// A folder, and who removes it.
pub(super) struct Folder {
    path: PathBuf,
    watchdog: Child,
}

impl Folder {
    pub(super) fn new() -> Result<Self, Failure> {
        let parent = std::env::temp_dir();
        let folder = tempfile::Builder::new()
            .prefix("tenantry-demo-")
            .tempdir_in(&parent)
            .with_context(|| format!("no folder can be made in {}", parent.display()))?;
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "tenantry-demo"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C in the terminal reaches us alone; we then stop in our own order.
            .process_group(0)
            .spawn()
            .context("/bin/sh cannot be run")?;
        Ok(Self { path: folder.keep(), watchdog })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, and waits until it is gone.
    pub(super) async fn remove(mut self) -> Result<(), Failure> {
        drop(self.watchdog.stdin.take());
        let gone = self.watchdog.wait().await.is_ok_and(|ended| ended.success());
        if gone {
            return Ok(());
        }
        let message = format!("{} cannot be removed", self.path.display());
        Err(Failure::new(message).help("remove it by hand"))
    }
}
