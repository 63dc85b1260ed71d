//! The wire to an API server: one stack of kube's layers without its retries and logs, a limit on
//! how many requests are under way, and a limit on how long each may take.

use std::path::Path;
use std::time::Duration;

use http::Method;
use http::Request;
use http::Response;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use kube::Config;
use kube::client::Body;
use kube::client::ConfigExt as _;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::config::KubeconfigError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;
use tower::BoxError;
use tower::ServiceBuilder;

use crate::apply::error::ApplyError;
use crate::apply::error::Status;

/// How long a request may take, its time in the queue not counted.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// More would only wait inside the API server, and each holds a connection.
const IN_FLIGHT: usize = 32;
/// How often a request is sent that the server turned away because it is busy.
const ATTEMPTS: u32 = 4;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How we call ourselves in the API server's audit log.
const USER_AGENT: &str = concat!("tenantry/", env!("CARGO_PKG_VERSION"));

/// Where a cluster is and who we are there.
#[derive(Debug)]
pub enum Credentials<'a> {
    /// The text of a kubeconfig that came from somewhere else, such as a Secret: it may neither
    /// name files of this machine nor programs to run.
    Text(&'a str),
    /// A kubeconfig file of the operator's own.
    File(&'a Path),
    /// The service account of the pod we run in.
    InCluster,
    Config(Box<Config>),
}

pub(super) struct Connection {
    client: kube::Client,
    cluster: Box<str>,
    address: Box<str>,
    limit: Duration,
    places: Semaphore,
}

/// An answer that says yes.
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) body: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(
        cluster: &str,
        credentials: Credentials<'_>,
    ) -> Result<Self, ApplyError> {
        let wrong = |reason: String| ApplyError::Kubeconfig { cluster: cluster.to_owned(), reason };
        let config = configuration(credentials).await.map_err(wrong)?;
        // Whoever installed another one before us keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = client(&config).map_err(|error| wrong(in_full(&error)))?;
        Ok(Self {
            client,
            cluster: cluster.into(),
            address: place(&config.cluster_url).into(),
            limit: REQUEST_LIMIT,
            places: Semaphore::new(IN_FLIGHT),
        })
    }

    pub(super) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    pub(super) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Sends a request and reads the whole answer. `what` opens the sentence of a refusal.
    ///
    /// All our requests may be sent twice without harm, so one that the server was too busy for
    /// is sent again.
    pub(super) async fn send(&self, what: &str, call: &Call<'_>) -> Result<Reply, ApplyError> {
        let _place = self.place().await;
        let exchange = async {
            let mut attempt = 1;
            loop {
                let response = self.once(call).await?;
                let (parts, body) = response.into_parts();
                let body = body.collect().await.map_err(|error| self.unreachable(&error))?;
                let reply = Reply { code: parts.status.as_u16(), body: body.to_bytes().to_vec() };
                if parts.status.is_success() {
                    return Ok(reply);
                }
                if attempt == ATTEMPTS || !matches!(reply.code, 429 | 503 | 504) {
                    return Err(refusal(what, &reply));
                }
                tokio::time::sleep(pause(&parts.headers, attempt)).await;
                attempt += 1;
            }
        };
        tokio::time::timeout(self.limit, exchange).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Sends a request whose answer is a JSON value.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        call: &Call<'_>,
    ) -> Result<T, ApplyError> {
        let reply = self.send(what, call).await?;
        self.parse(&reply.body)
    }

    /// Sends a request whose answer goes on for long; only its beginning is waited for.
    pub(super) async fn stream(&self, what: &str, call: &Call<'_>) -> Result<Body, ApplyError> {
        let begin = async {
            let response = self.once(call).await?;
            let (parts, body) = response.into_parts();
            if parts.status.is_success() {
                return Ok(body);
            }
            let body = body.collect().await.map_err(|error| self.unreachable(&error))?;
            let reply = Reply { code: parts.status.as_u16(), body: body.to_bytes().to_vec() };
            Err(refusal(what, &reply))
        };
        tokio::time::timeout(self.limit, begin).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Reads JSON. What it says in case of an error quotes nothing of it.
    pub(super) fn parse<'a, T: Deserialize<'a>>(&self, json: &'a [u8]) -> Result<T, ApplyError> {
        serde_json::from_slice(json).map_err(|error| ApplyError::Puzzling {
            cluster: self.cluster.to_string(),
            reason: format!(
                "JSON that does not fit at line {} column {}",
                error.line(),
                error.column()
            ),
        })
    }

    pub(super) fn unreachable(&self, error: &dyn std::error::Error) -> ApplyError {
        ApplyError::Unreachable {
            cluster: self.cluster.to_string(),
            address: self.address.to_string(),
            reason: in_full(error),
        }
    }

    pub(super) fn silent(&self) -> ApplyError {
        ApplyError::Silent { cluster: self.cluster.to_string(), limit: self.limit }
    }

    async fn place(&self) -> SemaphorePermit<'_> {
        self.places.acquire().await.expect("this semaphore is never closed")
    }

    async fn once(&self, call: &Call<'_>) -> Result<Response<Body>, ApplyError> {
        let mut request = Request::builder().method(&call.method).uri(&*call.path);
        if let Some(content_type) = call.content_type {
            request = request.header(http::header::CONTENT_TYPE, content_type);
        }
        let body = call.body.map(<[u8]>::to_vec).unwrap_or_default();
        let request = request
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::USER_AGENT, USER_AGENT)
            .body(Body::from(body))
            .map_err(|error| self.unreachable(&error))?;
        self.client.send(request).await.map_err(|error| self.unreachable(&error))
    }
}

/// Where an address leads, without who is to log in there.
fn place(url: &http::Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("https");
    let host = url.host().unwrap_or_default();
    url.port_u16().map_or(format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"))
}

/// A request to be.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Option<&'a [u8]>,
}

impl Call<'_> {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, content_type: None, body: None }
    }
}

impl<'a> Call<'a> {
    pub(super) fn with(
        method: Method,
        path: String,
        content_type: &'static str,
        body: &'a [u8],
    ) -> Self {
        Self { method, path, content_type: Some(content_type), body: Some(body) }
    }
}

pub(super) const JSON: &str = "application/json";
pub(super) const APPLY_PATCH: &str = "application/apply-patch+yaml";
pub(super) const MERGE_PATCH: &str = "application/merge-patch+json";

/// Writes text so that it can stand in a path or a query.
pub(super) fn escaped(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    escaped
}

fn refusal(what: &str, reply: &Reply) -> ApplyError {
    let mut status: Status = serde_json::from_slice(&reply.body).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(&reply.body);
        Status { message: text.trim().chars().take(300).collect(), ..Status::default() }
    });
    status.code = reply.code;
    ApplyError::Refused { what: what.to_string(), status }
}

/// What the server asks for, or a little more each time.
fn pause(headers: &http::HeaderMap, attempt: u32) -> Duration {
    let asked = headers
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    asked.unwrap_or(Duration::from_millis(100) * 2_u32.pow(attempt)).min(LONGEST_PAUSE)
}

/// An error with all its causes, each said once.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

async fn configuration(credentials: Credentials<'_>) -> Result<Config, String> {
    let options = KubeConfigOptions::default();
    let kubeconfig = match credentials {
        Credentials::Config(config) => return Ok(*config),
        Credentials::InCluster => {
            let lost = "no kubeconfig is named for it, and this is no pod of a cluster: name one with `--kubeconfig FILE`";
            return Config::incluster().map_err(|_| lost.to_owned());
        }
        Credentials::File(path) => Kubeconfig::read_from(path).map_err(|error| match error {
            KubeconfigError::ReadConfig(error, _) => {
                format!("{} cannot be read: {error}", path.display())
            }
            // What is wrong with its text would be shown with the lines around it.
            _ => format!("{} is no kubeconfig in YAML", path.display()),
        })?,
        Credentials::Text(text) => {
            let kubeconfig = Kubeconfig::from_yaml(text)
                // The text holds credentials: what is wrong with it is not quoted.
                .map_err(|_| "it is no kubeconfig in YAML".to_owned())?;
            refuse_what_reaches_out(&kubeconfig)?;
            kubeconfig
        }
    };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| in_full(&error))
}

/// A kubeconfig that comes from elsewhere must not make us run programs or read files.
fn refuse_what_reaches_out(kubeconfig: &Kubeconfig) -> Result<(), String> {
    for user in kubeconfig.auth_infos.iter().filter_map(|user| user.auth_info.as_ref()) {
        if user.exec.is_some() || user.auth_provider.is_some() {
            return Err("it asks for a program to be run; use a token or a certificate".into());
        }
        if user.token_file.is_some()
            || user.client_certificate.is_some()
            || user.client_key.is_some()
        {
            return Err("it names files; put what they hold into it (`…-data`, `token`)".into());
        }
    }
    let clusters = kubeconfig.clusters.iter().filter_map(|cluster| cluster.cluster.as_ref());
    if clusters.into_iter().any(|cluster| cluster.certificate_authority.is_some()) {
        return Err("it names a file; use `certificate-authority-data`".into());
    }
    Ok(())
}

fn client(config: &Config) -> Result<kube::Client, kube::Error> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_LIMIT));
    // A watch may be silent for a minute: only this tells a quiet server from a lost one.
    connector.set_keepalive(Some(Duration::from_secs(15)));
    connector.set_keepalive_interval(Some(Duration::from_secs(5)));
    connector.set_keepalive_retries(Some(3));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http = HttpClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_mins(1))
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(user: &str) -> String {
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\n\
             users: [{{name: u, user: {user}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
        );
        refusal(Credentials::Text(&text))
    }

    fn refusal(credentials: Credentials<'_>) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let opened = runtime.block_on(Connection::open("k3s", credentials));
        opened.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_kubeconfig_from_elsewhere_runs_no_program_and_reads_no_file() {
        assert!(refused("{exec: {apiVersion: v1, command: /bin/sh}}").contains("program"));
        assert!(refused("{tokenFile: /etc/shadow}").contains("names files"));
        assert_eq!(refused("{token: abc}"), "");
    }

    #[test]
    fn a_broken_kubeconfig_is_not_quoted() {
        let refused = refused("{token: [s3cret}");
        assert!(refused.contains("no kubeconfig") && !refused.contains("s3cret"), "{refused}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "users: [{name: a, user: {token: s3cret}\ncontexts: []")
            .unwrap();
        let refused = refusal(Credentials::File(file.path()));
        assert!(refused.contains("no kubeconfig") && !refused.contains("s3cret"), "{refused}");
    }

    #[test]
    fn a_kubeconfig_that_is_not_there_is_named() {
        let refused = refusal(Credentials::File(Path::new("/nowhere")));
        assert!(refused.contains("/nowhere cannot be read: No such file"), "{refused}");
    }

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        assert_eq!(escaped("../x?y#z%"), "..%2Fx%3Fy%23z%25");
        assert_eq!(escaped("system:discovery"), "system%3Adiscovery");
    }
}
