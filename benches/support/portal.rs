//! A portal to be measured: in this process, over HTTP on loopback, on a PostgreSQL of its own, and
//! with no limit to how often somebody may ask.

use std::time::Duration;
use std::time::Instant;

use axum::Router;
use futures_util::future;
use http::Method;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Accounts;
use tenantry::accounts::keys::KeySource;
use tenantry::api::Api;
use tenantry::api::Catalog;
use tenantry::api::Parts;
use tenantry::api::rate::Policy;
use tenantry::api::server;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use tenantry::sandbox::postgres::PostgresOptions;
use tenantry::sandbox::postgres::PrivatePostgres;
use tokio::net::TcpListener;

use super::skipped;

const WORDS: &str = "four words in a row";
/// What the daemon may have of connections, as its settings say where nobody says more.
const CONNECTIONS: u32 = 16;

/// A database of its own, and the server that ends with it; nothing where there is no PostgreSQL.
pub(crate) async fn database() -> Option<(Database, PrivatePostgres)> {
    let server = match PrivatePostgres::start(&PostgresOptions::default()).await {
        Ok(server) => server,
        Err(error) => {
            skipped("it needs PostgreSQL", error);
            return None;
        }
    };
    let url = server.create_database("portal").await.expect("it was just started");
    let settings = Settings { database_connections: CONNECTIONS, ..Settings::of(&url) };
    let database = Database::start(settings).expect("the URL is well formed");
    database.usable().await;
    Some((database, server))
}

/// A portal that shows nothing yet.
pub(crate) fn open(database: &Database, change: impl FnOnce(&mut Parts)) -> Api {
    let accounts = Accounts::over(database.clone(), KeySource::Database);
    let mut parts = Parts::usual(accounts, Catalog::default());
    let unlimited = Policy { name: "unlimited", quota: 100_000_000, window: 1 };
    (parts.usual, parts.entrance) = (unlimited, unlimited);
    change(&mut parts);
    Api::new(parts)
}

/// Answers until the process ends; says where.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    tokio::spawn(async move { server::serve(listener, router, future::pending()).await });
    address
}

/// Who asks, and keeps connections.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<HttpConnector, Full<axum::body::Bytes>>);

impl Client {
    pub(crate) fn new() -> Self {
        Self(legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    /// Asks, and says how long the whole answer took.
    pub(crate) async fn get(&self, url: &str, token: &str) -> (Duration, Value) {
        self.send(Method::GET, url, token, &[], Full::default()).await
    }

    /// Sends something; each under a key of its own where there is one.
    pub(crate) async fn post(
        &self,
        url: &str,
        token: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (Duration, Value) {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.send(Method::POST, url, token, &headers, Full::from(body.to_string())).await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Full<axum::body::Bytes>,
    ) -> (Duration, Value) {
        let mut request = Request::builder().method(method).uri(url);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("it is well formed");
        let start = Instant::now();
        let answer = self.0.request(request).await.expect("it answers");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("it has an end").to_bytes();
        let took = start.elapsed();
        assert!(status.is_success(), "{url}: {status}: {}", String::from_utf8_lossy(&body));
        (took, serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// Somebody who registered and is known to have read the mail; says their token.
pub(crate) async fn somebody(portal: &str, database: &Database, email: &str) -> String {
    let client = Client::new();
    let post = async |path: &str, body: Value| {
        client.post(&format!("http://{portal}/api/v1{path}"), "", None, &body).await.1
    };
    post("/auth/register", json!({ "email": email, "password": WORDS, "name": "Ada" })).await;
    let token = "select payload #>> '{values,token}' from outbox
                 where kind = 'mail' and payload ->> 'to' = $1";
    let token: String = sqlx::query_scalar(token)
        .bind(email)
        .fetch_one(database.pool())
        .await
        .expect("a mail is on its way");
    post("/auth/verify", json!({ "token": token, "password": WORDS })).await;
    log_in(portal, email).await
}

/// Their token, once more: with what became of them since the last.
pub(crate) async fn log_in(portal: &str, email: &str) -> String {
    let body = json!({ "email": email, "password": WORDS });
    let told =
        Client::new().post(&format!("http://{portal}/api/v1/auth/login"), "", None, &body).await.1;
    told["access_token"].as_str().unwrap_or_else(|| panic!("no login: {told}")).to_owned()
}
