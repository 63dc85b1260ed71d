//! The portal over real HTTP, on a real PostgreSQL, with the example as its repository.

mod accounts;
mod administration;
mod alerts;
mod capacity;
pub(crate) mod client;
mod contract;
mod daemon;
mod earnings;
mod idempotency;
mod isolation;
mod limits;
mod live;
mod orders;
mod outage;
mod pods;
mod reading;
mod reference;
mod refusals;
mod usage;
mod wallet;

use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use sqlx::PgPool;
use tenantry::accounts::Accounts;
use tenantry::accounts::Role;
use tenantry::accounts::keys::KeySource;
use tenantry::api::Api;
use tenantry::api::Catalog;
use tenantry::api::Parts;
use tenantry::api::server;
use tenantry::model::Secret;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::example;
use crate::support::mail;
use crate::support::postgres::database;
use client::Answer;
use client::Client;

pub(crate) const PASSWORD: &str = "four words in a row";

/// A portal that answers on loopback. It ends with the test.
struct Portal {
    api: Api,
    pool: PgPool,
    clock: Arc<Mutex<Timestamp>>,
    client: Client,
    serving: JoinHandle<()>,
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Portal {
    /// A portal with the example's catalog; nothing where the test is skipped.
    async fn open() -> Option<Self> {
        Self::open_with(|_| {}, Router::new()).await
    }

    /// A portal that differs from the usual one, with routes beside its own.
    async fn open_with(change: impl FnOnce(&mut Parts), more: Router<Api>) -> Option<Self> {
        Some(Self::open_at(&database().await?, change, more).await)
    }

    /// The same on a database that is there already.
    async fn open_at(url: &str, change: impl FnOnce(&mut Parts), more: Router<Api>) -> Self {
        let database = Database::start(Settings::of(url)).unwrap();
        database.usable().await;
        let pool = database.pool().clone();
        let accounts = Accounts::over(database, KeySource::Database);
        let clock = Arc::new(Mutex::new("2026-11-24T12:00:00Z".parse().unwrap()));
        let mut parts = Parts::usual(accounts, Catalog::default());
        let shown = Arc::clone(&clock);
        parts.clock = Arc::new(move || *shown.lock().unwrap());
        change(&mut parts);
        let api = Api::new(parts);
        let snapshot = example::snapshot();
        let configuration = Arc::new(example::configuration(&snapshot));
        api.catalog().publish(snapshot.commit, configuration);
        let (client, serving) = serve(&api, more).await;
        Self { api, pool, clock, client, serving }
    }

    /// The same portal with routes beside its own that need it to be made.
    async fn reopened(mut self, more: Router<Api>) -> Self {
        self.serving.abort();
        (self.client, self.serving) = serve(&self.api, more).await;
        self
    }

    fn wait(&self, time: SignedDuration) {
        *self.clock.lock().unwrap() += time;
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.client.send("GET", path, token, None, &[]).await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.client.send("POST", path, token, Some(body), &[]).await
    }

    async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        self.client.send("PATCH", path, token, Some(body), &[]).await
    }

    async fn delete(&self, path: &str, token: &str) -> Answer {
        self.client.send("DELETE", path, token, None, &[]).await
    }

    async fn register(&self, email: &str) {
        let body = json!({ "email": email, "password": PASSWORD, "name": "Ada", "organisation": "Acme Corp" });
        let answer = self.post("/auth/register", "", body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }

    /// The token of the last mail of a template to an address.
    async fn mailed(&self, template: &str, email: &str) -> String {
        let (token,): (String,) = sqlx::query_as(
            "select payload #>> '{values,token}' from outbox
             where kind = 'mail' and payload ->> 'template' = $1 and payload ->> 'to' = $2
             order by created_at desc, id desc limit 1",
        )
        .bind(template)
        .bind(email)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        token
    }

    /// How many mails of a template wait for an address; all that wait can be sent.
    async fn mails(&self, template: &str, email: &str) -> i64 {
        mail::write_all(&self.pool).await;
        let (count,): (i64,) = sqlx::query_as(
            "select count(*) from outbox where payload ->> 'template' = $1 and payload ->> 'to' = $2",
        )
        .bind(template)
        .bind(email)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        count
    }

    async fn verify(&self, email: &str) {
        let token = self.mailed("verify", email).await;
        let answer =
            self.post("/auth/verify", "", json!({ "token": token, "password": PASSWORD })).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }

    async fn log_in(&self, email: &str) -> Session {
        let answer =
            self.post("/auth/login", "", json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Session {
            access: answer.json["access_token"].as_str().unwrap().to_owned(),
            refresh: answer.json["refresh_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Somebody who registered, is verified and logged in.
    async fn somebody(&self, email: &str) -> Session {
        self.register(email).await;
        self.verify(email).await;
        self.log_in(email).await
    }

    /// A customer of a tenant that the example has.
    async fn customer_of(&self, tenant: &str) -> Session {
        let email = format!("owner@{tenant}.example");
        self.register(&email).await;
        self.verify(&email).await;
        sqlx::query("update user_account set tenant = $2 where email_key = $1")
            .bind(&email)
            .bind(tenant)
            .execute(&self.pool)
            .await
            .unwrap();
        self.log_in(&email).await
    }

    /// Somebody who works for the operator, as the command line makes them.
    async fn staff(&self, role: Role) -> Session {
        let email = format!("{role}@operator.example");
        let now = *self.clock.lock().unwrap();
        self.api
            .accounts()
            .create_staff(&email, "Grace", &Secret::new(PASSWORD), role, now)
            .await
            .unwrap();
        self.log_in(&email).await
    }

    /// Every row of a table, in an order that does not depend on how it was written.
    async fn rows(&self, table: &str) -> Vec<String> {
        let statement = format!("select to_jsonb(row) from {table} as row");
        let found: Vec<(Value,)> =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(&self.pool).await.unwrap();
        let mut rows: Vec<String> = found.into_iter().map(|(row,)| row.to_string()).collect();
        rows.sort();
        rows
    }
}

async fn serve(api: &Api, more: Router<Api>) -> (Client, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = api.router(more);
    let serving = tokio::spawn(async move {
        server::serve(listener, router, std::future::pending()).await.unwrap();
    });
    (Client::at(address.to_string()), serving)
}

/// A login.
struct Session {
    access: String,
    refresh: String,
}
