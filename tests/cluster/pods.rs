//! The pods of a school through the daemon's portal: how they stand, their logs, and a restart.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use sqlx::PgPool;
use tenantry::accounts::Accounts;
use tenantry::accounts::Role;
use tenantry::accounts::keys::KeySource;
use tenantry::model::Secret;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;

use super::ground::Ground;
use crate::api::PASSWORD;
use crate::api::client::Client;
use crate::support::daemon::Daemon;

const EMAIL: &str = "owner@acme.example";

/// A customer of acme, logged in.
async fn customer(ground: &Ground, daemon: &Daemon) -> (Client, String) {
    let database = Database::start(Settings::of(ground.history())).unwrap();
    database.usable().await;
    let accounts = Accounts::over(database.clone(), KeySource::Database);
    let (password, now) = (Secret::new(PASSWORD), jiff::Timestamp::now());
    accounts.create_staff(EMAIL, "Ada", &password, Role::Operator, now).await.unwrap();
    sqlx::query("update user_account set role = 'customer', tenant = 'acme' where email = $1")
        .bind(EMAIL)
        .execute(database.pool())
        .await
        .unwrap();
    let client = Client::at(daemon.portal_address().await);
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let answer = client.send("POST", "/auth/login", "", Some(body), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    (client, answer.json["access_token"].as_str().unwrap().to_owned())
}

/// Asks until the answer is as it should be.
async fn until(
    what: &str,
    daemon: &Daemon,
    (client, token): (&Client, &str),
    path: &str,
    like: impl Fn(&Value) -> bool,
) -> Value {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let answer = client.send("GET", path, token, None, &[]).await;
        if like(&answer.json) {
            return answer.json;
        }
        assert!(Instant::now() < deadline, "never: {what}\n{}\n{}", answer.text, daemon.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The pods of a list that serve, by component.
fn serving(page: &Value) -> Vec<(String, String)> {
    let items = page["items"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut serving: Vec<(String, String)> = items
        .iter()
        .filter(|pod| pod["status"]["phase"] == "running" && pod["status"]["ready"] == true)
        .map(|pod| (text(&pod["component"]), text(&pod["id"])))
        .collect();
    serving.sort();
    serving
}

const PODS: &str = "/pods?subscription=acme.school&limit=200";

async fn pods_come_and_go(ground: &Ground, daemon: &Daemon, client: &Client, token: &str) {
    let me = (client, token);
    let page = until("pods that serve", daemon, me, PODS, |page| serving(page).len() > 5).await;
    let before = serving(&page);
    let there = ground.get("/api/v1/namespaces/kiteclass-acme/pods").await;
    let there = there["items"].as_array().unwrap().iter();
    let running = there.filter(|pod| pod["status"]["phase"] == "Running").count();
    assert_eq!(before.len(), running, "{page}");

    // A pod of somebody else that says it is acme's is nobody's.
    let stray = json!({
        "metadata": {"name": "stray", "labels": {"tenantry.dev/tenant": "acme", "tenantry.dev/subscription": "school"}},
        "spec": {"containers": [{"name": "a", "image": "a:1"}], "automountServiceAccountToken": false},
    });
    let path = "/api/v1/namespaces/databases/pods";
    let account = json!({"metadata": {"name": "default"}});
    // The real API server has nobody who makes it.
    let _ = ground
        .request(
            "POST",
            "/api/v1/namespaces/databases/serviceaccounts",
            "application/json",
            &account,
        )
        .await;
    ground.request("POST", path, "application/json", &stray).await.unwrap();

    // One restart is for all, by a commit; every pod is another then.
    let (_, id) = &before[0];
    let asked = client.send("POST", &format!("/pods/{id}/restart"), token, None, &[]).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let operation = format!("/operations/{}", asked.json["id"].as_str().unwrap());
    let ended = |operation: &Value| operation["ended_at"].is_string();
    let ended = until("a restart", daemon, me, &operation, ended).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let others = |page: &Value| {
        let now = serving(page);
        now.len() == before.len()
            && page["items"].as_array().unwrap().len() == now.len() + finished(page)
            && now.iter().all(|(_, id)| before.iter().all(|(_, old)| old != id))
    };
    let page = until("other pods", daemon, me, PODS, others).await;
    assert!(!page.to_string().contains("stray"), "{page}");
    let gone = client.send("GET", &format!("/pods/{id}"), token, None, &[]).await;
    assert_eq!(gone.status, 404, "{}", gone.text);
}

/// Pods of jobs that are done.
fn finished(page: &Value) -> usize {
    let items = page["items"].as_array().unwrap().iter();
    items.filter(|pod| pod["status"]["phase"] == "succeeded").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_seen_read_and_restarted_on_the_sandbox() {
    let Some(ground) = Ground::on_a_sandbox().await else { return };
    ground.with_only(&["acme"]);
    let daemon = ground.start_portal().await;
    daemon.settled(&ground.repository.head()).await;
    let (client, token) = customer(&ground, &daemon).await;
    pods_come_and_go(&ground, &daemon, &client, &token).await;

    let page = client.send("GET", PODS, &token, None, &[]).await.json;
    let (_, id) = serving(&page).remove(0);
    let logs = format!("/pods/{id}/logs");
    let log = client.send("GET", &logs, &token, None, &[]).await;
    assert_eq!(log.status, 200, "{}", log.text);
    let lines = log.json["lines"].as_array().unwrap();
    assert!(
        lines.len() == 2 && lines[1].as_str().unwrap().ends_with("ready to serve"),
        "{}",
        log.text
    );
    let log = client.send("GET", &format!("{logs}?tail=1&limit_bytes=5"), &token, None, &[]).await;
    assert_eq!(log.json["lines"].as_array().unwrap().len(), 1, "{}", log.text);
    assert_eq!(log.json["truncated"], true);
    let log = client.send("GET", &format!("{logs}?previous=true"), &token, None, &[]).await;
    assert_eq!(log.status, 409, "{}", log.text);
    assert!(log.text.contains("previous terminated container"), "{}", log.text);

    // What went while nobody watched is gone when the daemon is back.
    daemon.kill();
    let pool = PgPool::connect(ground.history()).await.unwrap();
    let ghost = uuid::Uuid::now_v7();
    sqlx::query(
        "insert into pod select $1, cluster, tenant, subscription, 'ghost', status, changed_at from pod limit 1",
    )
    .bind(ghost)
    .execute(&pool)
    .await
    .unwrap();
    let daemon = ground.start_portal().await;
    let client = Client::at(daemon.portal_address().await);
    let path = format!("/pods/{ghost}");
    let gone = |answer: &Value| answer["code"] == "not-found";
    until("a ghost that is gone", &daemon, (&client, &token), &path, gone).await;
    let page = client.send("GET", PODS, &token, None, &[]).await.json;
    assert!(serving(&page).len() > 5, "{page}");
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_seen_and_restarted_on_a_real_api_server() {
    let Some(ground) = Ground::on_a_real_server().await else { return };
    ground.with_only(&["acme"]);
    let daemon = ground.start_portal().await;
    daemon.settled(&ground.repository.head()).await;
    let (client, token) = customer(&ground, &daemon).await;
    pods_come_and_go(&ground, &daemon, &client, &token).await;
    // It has no nodes that would write a log.
    let page = client.send("GET", PODS, &token, None, &[]).await.json;
    let (_, id) = serving(&page).remove(0);
    let log = client.send("GET", &format!("/pods/{id}/logs"), &token, None, &[]).await;
    assert_eq!((log.status, &log.json["lines"]), (200, &json!([])), "{}", log.text);
    assert_eq!(daemon.stop().await, Some(0));
}
