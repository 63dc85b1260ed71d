//! The portal as `tenantry run` serves it: from the commit that the daemon has taken, and without
//! a secret in the log.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::PASSWORD;
use super::client::Client;
use crate::support::post_office::PostOffice;
use crate::support::post_office::Tls;
use crate::support::postgres::database;
use crate::support::program::Program;
use crate::support::program::Running;
use crate::support::repository::TestRepo;

fn daemon(repository: &TestRepo, cache: &Path, url: &str, more: &str) -> Running {
    Program::with(&format!(
        "run --repository {} --cache {} --listen 127.0.0.1:0 --api-listen 127.0.0.1:0 --poll 100ms {more}",
        repository.path().display(),
        cache.display()
    ))
    .quiet_variable("DATABASE_URL", url)
    .start()
}

/// Reads a path until it says this.
async fn until(client: &Client, path: &str, says: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = client.send("GET", path, "", None, &[]).await;
        if answer.text.contains(says) {
            return;
        }
        assert!(Instant::now() < deadline, "{path} never says {says}: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_follows_the_branch() {
    let Some(url) = database().await else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    let (repository, cache) = (TestRepo::seeded_from(&example), tempfile::tempdir().unwrap());
    let running = daemon(&repository, cache.path(), &url, "");
    let client = Client::at(running.portal_address());
    until(&client, "/packages/n8n", "\"amount\":0").await;
    let package = repository.read("packages/paas/n8n.yaml");
    repository
        .write("packages/paas/n8n.yaml", package.replace("price: 0 IDR", "price: 99000 IDR"))
        .commit("n8n: it costs something");
    until(&client, "/packages/n8n", "\"amount\":9900000").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_at_any_level() {
    let Some(url) = database().await else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    let (repository, cache) = (TestRepo::seeded_from(&example), tempfile::tempdir().unwrap());
    let running = daemon(&repository, cache.path(), &url, "--log trace");
    let client = Client::at(running.portal_address());
    until(&client, "/packages/n8n", "n8n").await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mailed = async |template: &str| -> String {
        let (token,): (String,) = sqlx::query_as(
            "select payload #>> '{values,token}' from outbox where payload ->> 'template' = $1",
        )
        .bind(template)
        .fetch_one(&pool)
        .await
        .unwrap();
        token
    };
    let post = async |path: &str, token: &str, body: serde_json::Value| {
        client.send("POST", path, token, Some(body), &[]).await
    };
    let (email, wrong, new) = ("ada@example.com", "wrong words of mine", "quite other words now");
    let body = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
    // The database is there when it is there.
    let deadline = Instant::now() + Duration::from_mins(1);
    while post("/auth/register", "", body.clone()).await.status != 202 {
        assert!(Instant::now() < deadline, "nobody can register");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let verify = mailed("verify").await;
    post("/auth/verify", "", json!({ "token": verify, "password": wrong })).await;
    let verified = post("/auth/verify", "", json!({ "token": verify, "password": PASSWORD })).await;
    assert_eq!(verified.status, 204);
    let login = post("/auth/login", "", json!({ "email": email, "password": PASSWORD })).await;
    let access = login.json["access_token"].as_str().unwrap();
    let refresh = login.json["refresh_token"].as_str().unwrap();
    let body = json!({ "name": "ci", "scopes": ["read"], "expires_in_days": 1 });
    let machine = post("/auth/tokens", access, body).await;
    let machine = machine.json["token"].as_str().unwrap();
    assert_eq!(client.send("GET", "/subscriptions", machine, None, &[]).await.status, 200);
    client.send("GET", &format!("/subscriptions?cursor={refresh}"), machine, None, &[]).await;
    post("/auth/refresh", "", json!({ "refresh_token": refresh })).await;
    post("/auth/refresh", "", json!({ "refresh_token": refresh })).await;
    post("/auth/password/forgot", "", json!({ "email": email })).await;
    let reset = mailed("reset").await;
    post("/auth/password/reset", "", json!({ "token": reset, "password": new })).await;
    // What cannot be read is not shown either.
    let broken = format!("{{\"password\": \"{PASSWORD}\", \"token\": \"{verify}\"");
    let kind = [("content-type", "application/json")];
    client.send_text("POST", "/auth/login", machine, broken, &kind).await;

    let said = running.kill();
    assert!(said.contains("DEBUG") && said.contains("/auth/login"), "{said}");
    for secret in [PASSWORD, wrong, new, &verify, &reset, access, refresh, machine] {
        assert!(!said.contains(secret), "the log says {secret}");
        // Nor an end of it that a reader could finish.
        let end = &secret[secret.len().saturating_sub(16)..];
        assert!(!said.contains(end), "the log says …{end}");
    }
    assert!(!said.contains("$argon2id$v="));
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_leave_and_their_links_work() {
    let Some(url) = database().await else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    let (repository, cache) = (TestRepo::seeded_from(&example), tempfile::tempdir().unwrap());
    let office = PostOffice::open(Tls::Start).await;
    let settings = office.settings();
    let (server, authority) = (settings.smtp_url.unwrap(), settings.smtp_ca_file.unwrap());
    let password = cache.path().join("password");
    std::fs::write(&password, "words between two servers\n").unwrap();
    let more = format!(
        "--log trace --portal-url https://portal.example.com --smtp-url {} --smtp-ca-file {} --smtp-password-file {}",
        server.replace("://", "://post@"),
        authority.display(),
        password.display()
    );
    let running = daemon(&repository, cache.path(), &url, &more);
    let client = Client::at(running.portal_address());
    until(&client, "/packages/n8n", "n8n").await;
    let post = async |path: &str, body: serde_json::Value| {
        client.send("POST", path, "", Some(body), &[]).await.status
    };
    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada", "language": "vi" });
    let deadline = Instant::now() + Duration::from_mins(1);
    while post("/auth/register", body.clone()).await != 202 {
        assert!(Instant::now() < deadline, "nobody can register");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let arrived = async |count: usize| -> String {
        while office.mails().len() < count {
            assert!(Instant::now() < deadline, "{:?}", office.mails());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // As it is written for the way (RFC 2045).
        office.mails()[count - 1].replace("=\n", "").replace("=3D", "=")
    };
    let mail = arrived(1).await;
    let (portal, rest) = mail.split_once("/verify?token=").unwrap();
    assert!(portal.ends_with("\nhttps://portal.example.com"), "{mail}");
    let token = rest.split_whitespace().next().unwrap();
    assert_eq!(post("/auth/verify", json!({ "token": token, "password": PASSWORD })).await, 204);
    assert!(arrived(2).await.contains("To: ada@example.com"));
    let said = running.kill();
    assert!(said.contains("DEBUG"), "{said}");
    for secret in [token, "words between", "AHBvc3QA"] {
        assert!(!said.contains(secret), "the log says {secret}");
    }
}

#[tokio::test]
async fn a_portal_without_a_database_is_refused_at_the_start() {
    let told = Program::with("run --repository /nowhere --cache /tmp/tenantry-none --listen 127.0.0.1:0 --api-listen 127.0.0.1:0").run();
    assert_eq!(told.code, 1);
    insta::assert_snapshot!(told.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_does_every_job_that_is_due() {
    let Some(url) = database().await else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    let (repository, cache) = (TestRepo::seeded_from(&example), tempfile::tempdir().unwrap());
    let _running = daemon(&repository, cache.path(), &url, "");
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let listed = Program::with("jobs list -o json").quiet_variable("DATABASE_URL", &url).run();
        let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap_or_default();
        let jobs = listed["jobs"].as_array().cloned().unwrap_or_default();
        assert!(jobs.iter().all(|job| job["lastError"].is_null()), "{listed:#}");
        let all_there = jobs.iter().all(|job| job["nextRun"].is_string());
        let lived = jobs.iter().any(|job| job["name"] == "lifecycle" && job["result"].is_object());
        if lived && all_there {
            return;
        }
        assert!(Instant::now() < deadline, "{listed:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
