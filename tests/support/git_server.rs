//! A Git server on loopback: `git http-backend` behind a small HTTP server that asks for a token.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::Response;
use base64::Engine as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::AbortHandle;

/// Serves one repository at `/tenants.git` until it is dropped.
pub(crate) struct GitServer {
    address: SocketAddr,
    task: AbortHandle,
    serving: Arc<Serving>,
}

struct Serving {
    git_folder: PathBuf,
    credentials: Option<String>,
    mood: Mutex<Mood>,
}

/// What the server does with requests.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    Well,
    /// Answers every request with this status.
    Answers(StatusCode),
    /// Sends every request elsewhere.
    Redirects(String),
    /// Takes requests and never answers.
    Silent,
}

impl GitServer {
    /// Serves to everybody.
    pub(crate) async fn open_to_all(git_folder: &Path) -> Self {
        Self::start(git_folder, None, 0).await
    }

    /// Serves to whoever logs in as this user with this token.
    pub(crate) async fn with_token(git_folder: &Path, user: &str, token: &str) -> Self {
        Self::start(git_folder, Some(format!("{user}:{token}")), 0).await
    }

    async fn start(git_folder: &Path, credentials: Option<String>, port: u16) -> Self {
        let serving = Arc::new(Serving {
            git_folder: git_folder.to_owned(),
            credentials,
            mood: Mutex::new(Mood::Well),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&serving));
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, task: task.abort_handle(), serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/tenants.git", self.address)
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.serving.mood.lock().unwrap() = mood;
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(serving): State<Arc<Serving>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let plain = |status: StatusCode| Response::builder().status(status);
    let mood = serving.mood.lock().unwrap().clone();
    match mood {
        Mood::Well => {}
        Mood::Answers(status) => return plain(status).body(Body::empty()).unwrap(),
        Mood::Redirects(to) => {
            let location = format!("{to}{uri}");
            let answer = plain(StatusCode::MOVED_PERMANENTLY).header("location", location);
            return answer.body(Body::empty()).unwrap();
        }
        Mood::Silent => std::future::pending().await,
    }
    let expected = serving.credentials.as_ref().map(|credentials| {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials))
    });
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    if expected.is_some() && expected.as_deref() != given {
        let answer = plain(StatusCode::UNAUTHORIZED);
        return answer
            .header("www-authenticate", "Basic realm=\"git\"")
            .body(Body::empty())
            .unwrap();
    }
    let Some(rest) = uri.path().strip_prefix("/tenants.git") else {
        return plain(StatusCode::NOT_FOUND).body(Body::empty()).unwrap();
    };
    let path = format!("{}{rest}", serving.git_folder.display());
    from_backend(run_backend(&path, &method, &uri, &headers, &body).await)
}

async fn run_backend(
    path: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Vec<u8> {
    let header = |name| headers.get(name).map_or("", |value| value.to_str().unwrap());
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROJECT_ROOT", "/")
        .env("PATH_INFO", path)
        .env("REQUEST_METHOD", method.as_str())
        .env("QUERY_STRING", uri.query().unwrap_or(""))
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = backend.stdin.take().unwrap();
    let body = body.clone();
    let sent = tokio::spawn(async move {
        drop(stdin.write_all(&body).await);
    });
    let output = backend.wait_with_output().await.unwrap();
    sent.await.unwrap();
    output.stdout
}

/// Turns the answer of a CGI program into one of HTTP.
fn from_backend(output: Vec<u8>) -> Response {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").expect("headers end");
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = if name.eq_ignore_ascii_case("status") {
            response.status(value.split(' ').next().unwrap().parse::<u16>().unwrap())
        } else {
            response.header(name, value)
        };
    }
    response.body(Body::from(Bytes::from(output).slice(end + 4..))).unwrap()
}
