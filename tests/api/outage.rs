//! The database is away, at the start or later: the portal says so, and is back by itself.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tenantry::accounts::Accounts;
use tenantry::accounts::keys::KeySource;
use tenantry::api::Api;
use tenantry::api::Catalog;
use tenantry::api::Parts;
use tenantry::api::server;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::oneshot;

use super::Answer;
use super::PASSWORD;
use super::client::Client;
use super::serve;
use crate::support::postgres::database;
use crate::support::postgres::shared;
use crate::support::proxy::Proxy;

/// Sends until the answer has this status: the database is noticed when it is noticed.
async fn until(client: &Client, path: &str, body: serde_json::Value, status: u16) -> Answer {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = client.send("POST", path, "", Some(body.clone()), &[]).await;
        if answer.status == status {
            return answer;
        }
        assert!(Instant::now() < deadline, "never {status}: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_the_portal_says_so_and_comes_back_by_itself() {
    let Some(server) = shared().await else { return };
    let Some(url) = database().await else { return };
    let proxy = Proxy::to(server.port()).await;
    proxy.go_away();
    let url = url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    let database = Database::start(Settings::of(&url)).unwrap();
    let accounts = Accounts::over(database, KeySource::Database);
    let mut parts = Parts::usual(accounts, Catalog::default());
    parts.usual.quota = 100_000;
    parts.entrance.quota = 100_000;
    let api = Api::new(parts);
    let (client, serving) = serve(&api, Router::new()).await;

    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" });
    let away = until(&client, "/auth/register", body.clone(), 503).await;
    assert_eq!((away.code(), away.header("retry-after")), ("unavailable", "5"));
    // What was not read yet is away, too; what needs nothing is answered.
    let unread = client.send("GET", "/packages", "", None, &[]).await;
    assert_eq!((unread.status, unread.code()), (503, "unavailable"));
    assert_eq!(client.send("GET", "/openapi.json", "", None, &[]).await.status, 200);

    proxy.come_back();
    until(&client, "/auth/register", body, 202).await;
    let unverified = json!({ "email": "ada@example.com", "password": PASSWORD });
    until(&client, "/auth/login", unverified.clone(), 403).await;
    proxy.go_away();
    until(&client, "/auth/login", unverified.clone(), 503).await;
    proxy.come_back();
    until(&client, "/auth/login", unverified, 403).await;
    serving.abort();
}

/// Whoever is slow holds nobody up, and what is under way when the portal stops is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_stops_answers_what_is_under_way() {
    let Some(portal) = super::Portal::open().await else { return };
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move || async move {
            begun.notify_one();
            go_on.notified().await;
            "answered"
        }
    };
    let router = portal.api.router(Router::new().route("/api/v1/slow", get(slow)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(listener, router, async {
        stopped.await.unwrap();
    }));
    let client = Client::at(address.to_string());
    let asking = tokio::spawn(async move { client.send("GET", "/slow", "", None, &[]).await });
    begun.notified().await;
    stop.send(()).unwrap();
    // Nobody new is let in.
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "it still listens");
        tokio::task::yield_now().await;
    }
    go_on.notify_one();
    assert_eq!(asking.await.unwrap().text, "answered");
    serving.await.unwrap().unwrap();
}
