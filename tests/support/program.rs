//! Our own program as an operator runs it: the real binary, in an environment that says nothing.

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// The program, before it is run.
pub(crate) struct Program {
    command: Command,
    said: String,
    hidden: Vec<(String, &'static str)>,
}

/// What it told.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    said: String,
}

impl Program {
    /// The program with arguments as one writes them in a shell: split at spaces.
    pub(crate) fn with(arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", "/nonexistent").env("TZ", "UTC");
        command.args(arguments.split_whitespace()).stdin(Stdio::null());
        Self { command, said: format!("$ tenantry {arguments}"), hidden: Vec::new() }
    }

    /// Runs it in this folder, which it shows as `[FOLDER]`.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self.hiding(&folder.display(), "[FOLDER]")
    }

    /// Runs it in the folder of this repository, where the example is.
    pub(crate) fn here(self) -> Self {
        self.in_folder(&PathBuf::from(env!("CARGO_MANIFEST_DIR")))
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.said = format!("$ {name}={value}{}", &self.said[1..]);
        self
    }

    /// As [`Program::variable`], for what differs from run to run.
    pub(crate) fn quiet_variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Shows something that differs from run to run by a name.
    pub(crate) fn hiding(mut self, text: &impl ToString, name: &'static str) -> Self {
        self.hidden.push((text.to_string(), name));
        self
    }

    #[track_caller]
    pub(crate) fn run(mut self) -> Told {
        let output = self.command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let mut text = String::from_utf8(bytes).unwrap();
            for (hidden, name) in &self.hidden {
                text = text.replace(hidden, name);
            }
            text
        };
        let code = output.status.code().expect("it ends by itself");
        let (out, err) = (text(output.stdout), without_progress(&text(output.stderr)));
        Told { code, out, err, said: text(self.said.into_bytes()) }
    }
}

/// The program while it runs: it ends with this.
pub(crate) struct Running {
    child: Child,
    said: tempfile::NamedTempFile,
}

impl Program {
    pub(crate) fn start(mut self) -> Running {
        let said = tempfile::NamedTempFile::new().unwrap();
        self.command.stdout(Stdio::null()).stderr(said.reopen().unwrap());
        Running { child: self.command.spawn().unwrap(), said }
    }
}

impl Running {
    fn said(&self) -> String {
        std::fs::read_to_string(self.said.path()).unwrap()
    }

    /// Where it answers over HTTP, once it says so.
    #[track_caller]
    pub(crate) fn address(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let said = self.said();
            if let Some((_, after)) = said.split_once("listening at http://") {
                return after.split_whitespace().next().unwrap_or_default().to_owned();
            }
            assert!(Instant::now() < deadline, "it does not listen: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where the portal answers, once it says so.
    #[track_caller]
    pub(crate) fn portal_address(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let said = self.said();
            if let Some((_, after)) = said.split_once("the portal answers at http://") {
                let address = after.split('/').next().unwrap_or_default();
                return address.to_owned();
            }
            assert!(Instant::now() < deadline, "it opens no portal: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once, and returns what it said.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.said()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was said but for `rendering (3 s)`, which a busy machine adds.
fn without_progress(said: &str) -> String {
    let is_progress = |line: &str| {
        let time = line.trim_end().strip_suffix(" s)").and_then(|rest| rest.rsplit_once(" ("));
        time.is_some_and(|(_, seconds)| seconds.bytes().all(|byte| byte.is_ascii_digit()))
    };
    said.split_inclusive('\n').filter(|line| !is_progress(line)).collect()
}

impl Told {
    /// What the operator sees: the command, both outputs, and the exit code where it is not zero.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("{}\n{}", self.said, self.out);
        if !self.err.is_empty() {
            shown.extend(["[stderr]\n", &self.err]);
        }
        if self.code != 0 {
            shown.extend(["[exit code ", &self.code.to_string(), "]\n"]);
        }
        shown
    }
}
