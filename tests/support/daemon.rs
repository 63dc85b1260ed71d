//! The daemon as a process of its own, as a user starts it, which can be killed at any moment.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;
use tenantry::model::Commit;
use tokio::sync::oneshot;

const PATIENCE: Duration = Duration::from_mins(2);

/// What a daemon is told on its command line and in its environment.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) repository: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) cache: PathBuf,
    /// Where it keeps history.
    pub(crate) database: Option<String>,
    /// Whether it serves the portal.
    pub(crate) portal: bool,
    /// With whom it shares a secret that sends it webhooks.
    pub(crate) webhook_secret: Option<String>,
    /// What else stands on its command line.
    pub(crate) more: Vec<String>,
}

/// A running `tenantry run`. It dies with the test.
pub(crate) struct Daemon {
    child: Child,
    client: kube::Client,
    said: Arc<Mutex<String>>,
}

/// Where everybody stood when nothing more could be done.
#[derive(Debug, Deserialize)]
pub(crate) struct Settled {
    pub(crate) units: Vec<Unit>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Unit {
    #[serde(rename = "unit")]
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
}

impl Daemon {
    pub(crate) async fn start(settings: &Settings) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", "/nonexistent").env("TZ", "UTC");
        command.arg("run").arg("--listen").arg("127.0.0.1:0");
        command.arg("--repository").arg(&settings.repository);
        command.arg("--kubeconfig").arg(&settings.kubeconfig).arg("--cache").arg(&settings.cache);
        if let Some(database) = &settings.database {
            command.env("DATABASE_URL", database);
        }
        if settings.portal {
            command.args(["--api-listen", "127.0.0.1:0", "--poll", "200ms"]);
        }
        if let Some(secret) = &settings.webhook_secret {
            command.env("TENANTRY_WEBHOOK_SECRET", secret);
        }
        command.args(&settings.more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let address = listen(&mut child, Arc::clone(&said));
        let address = tokio::time::timeout(PATIENCE, address).await;
        let Ok(Ok(address)) = address else {
            panic!("the daemon does not start:\n{}", said.lock().unwrap())
        };
        let client = kube::Client::try_from(kube::Config::new(address.parse().unwrap())).unwrap();
        Self { child, client, said }
    }

    /// What it answers to a GET.
    pub(crate) async fn get(&self, path: &str) -> Result<String, kube::Error> {
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        self.client.request_text(request).await
    }

    /// Sends it the webhook that says that there is something to see.
    pub(crate) async fn look(&self, secret: &str) {
        let request = http::Request::post("/hooks/git").header("x-gitlab-token", secret);
        self.client.request_text(request.body(Vec::new()).unwrap()).await.unwrap();
    }

    /// Where the portal answers.
    pub(crate) async fn portal_address(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((_, after)) = self.said().split_once("the portal answers at http://") {
                return after.split('/').next().unwrap_or_default().to_owned();
            }
            assert!(Instant::now() < deadline, "it opens no portal:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The process, as the system knows it.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the commit is taken and nothing more can be done for it.
    pub(crate) async fn settled(&self, commit: &Commit) -> Settled {
        let path = format!("/settled?commit={commit}");
        match tokio::time::timeout(PATIENCE, self.get(&path)).await {
            Ok(Ok(text)) => serde_json::from_str(&text).unwrap(),
            Ok(Err(error)) => panic!("{error}\n{}", self.said()),
            Err(_) => {
                let status = self.get("/status").await.unwrap_or_else(|error| error.to_string());
                panic!("not settled within {PATIENCE:?}: {status}\n{}", self.said())
            }
        }
    }

    /// Waits until `/status` looks like this, and returns it.
    pub(crate) async fn until(&self, what: &str, like: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.get("/status").await.unwrap();
            let status = serde_json::from_str(&text).unwrap();
            if like(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "never: {what}\n{text}\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it as a power cut does: without a word, wherever it is.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Asks it to end, as systemd does, and says with which code it did.
    pub(crate) async fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not stop:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Everything it said until now.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn end(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

/// Hears what the daemon says, and where it listens.
fn listen(child: &mut Child, said: Arc<Mutex<String>>) -> oneshot::Receiver<String> {
    let (found, address) = oneshot::channel();
    let mut found = Some(found);
    let output = BufReader::new(child.stderr.take().expect("it is piped"));
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("listening at ")
                && let Some(found) = found.take()
            {
                // A test that is over wants no answer.
                let _ = found.send(address.trim().to_owned());
            }
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
    address
}

/// The same settings with a folder for the cache and a kubeconfig file in it.
pub(crate) fn settings(
    folder: &Path,
    repository: &Path,
    kubeconfig: &str,
    database: Option<String>,
) -> Settings {
    let file = folder.join("kubeconfig");
    std::fs::write(&file, kubeconfig).unwrap();
    Settings {
        repository: repository.to_owned(),
        kubeconfig: file,
        cache: folder.join("cache"),
        database,
        portal: false,
        webhook_secret: None,
        more: Vec::new(),
    }
}
