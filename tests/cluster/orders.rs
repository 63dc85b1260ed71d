//! From an anonymous visitor to a running school: through the portal of the daemon itself, which is
//! killed on the way, onto a cluster.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use sqlx::PgPool;
use tenantry::billing::OperationKey;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Booking;
use tenantry::billing::ledger::Customer;

use super::ground::Ground;
use crate::api::PASSWORD;
use crate::api::client::Answer;
use crate::api::client::Client;
use crate::edits::git;
use crate::support::daemon::Daemon;

const EMAIL: &str = "owner@lotus.example";

/// Asks until it is answered like this: the daemon starts, and its database is there when it is.
async fn until(what: &str, daemon: &Daemon, mut ask: impl AsyncFnMut() -> Option<Value>) -> Value {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "never: {what}\n{}", daemon.said());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// A client of the daemon as it runs now, and a token.
async fn log_in(daemon: &Daemon) -> (Client, String) {
    let client = Client::at(daemon.portal_address().await);
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let token = until("a login", daemon, async || {
        let answer = client.send("POST", "/auth/login", "", Some(body.clone()), &[]).await;
        answer.json.get("access_token").cloned()
    });
    let token = token.await.as_str().unwrap().to_owned();
    (client, token)
}

/// A visitor becomes a customer with money; says which tenant they are.
async fn become_a_customer(daemon: &Daemon, pool: &PgPool) -> String {
    let client = Client::at(daemon.portal_address().await);
    let post = async |path: &str, body: Value| -> Answer {
        client.send("POST", path, "", Some(body), &[]).await
    };
    let body = json!({ "email": EMAIL, "password": PASSWORD, "name": "Lan", "organisation": "Lotus School" });
    until("a registration", daemon, async || {
        (post("/auth/register", body.clone()).await.status == 202).then_some(Value::Null)
    })
    .await;
    let (token,): (String,) = sqlx::query_as(
        "select payload #>> '{values,token}' from outbox where payload ->> 'template' = 'verify'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    let verified = post("/auth/verify", json!({ "token": token, "password": PASSWORD })).await;
    assert_eq!(verified.status, 204, "{}", verified.text);
    let (tenant,): (String,) =
        sqlx::query_as("select tenant from user_account").fetch_one(pool).await.unwrap();
    let key: OperationKey = "test:top-up".parse().unwrap();
    let customer: Customer = tenant.parse().unwrap();
    let (gateway, amount) = ("dummy".parse().unwrap(), "500.00 USD".parse().unwrap());
    let mut db = pool.begin().await.unwrap();
    let booking = Booking::by_system(&key, jiff::Timestamp::now());
    ledger::top_up(&mut db, booking, &customer, &gateway, amount).await.unwrap();
    db.commit().await.unwrap();
    tenant
}

async fn ended(daemon: &Daemon, client: &Client, token: &str, id: &Value) -> Value {
    let path = format!("/operations/{}", id.as_str().unwrap());
    let ended = until(&path, daemon, async || {
        let answer = client.send("GET", &path, token, None, &[]).await;
        answer.json["ended_at"].is_string().then_some(answer.json)
    });
    ended.await
}

async fn from_a_visitor_to_a_school(ground: Ground) {
    ground.with_only(&["acme"]);
    // The portal would tidy it up, and the commits are counted below.
    ground.repository.remove("tenants/acme/verify.yaml").commit("nothing is over");
    let daemon = ground.start_portal().await;
    let pool = PgPool::connect(ground.history()).await.unwrap();
    let tenant = become_a_customer(&daemon, &pool).await;
    let (client, token) = log_in(&daemon).await;

    let body = json!({ "choice": { "package": "kiteclass-standard" }, "name": "school", "subdomain": "lotus" });
    let placed = until("an order", &daemon, async || {
        let key = [("idempotency-key", "the-order")];
        let answer = client.send("POST", "/orders", &token, Some(body.clone()), &key).await;
        (answer.status == 202).then_some(answer.json)
    });
    let placed = placed.await;
    // A power cut right after the answer.
    daemon.kill();
    let daemon = ground.start_portal().await;
    let (client, token) = log_in(&daemon).await;
    // It comes again for want of an answer.
    let key = [("idempotency-key", "the-order")];
    let again = client.send("POST", "/orders", &token, Some(body), &key).await;
    assert_eq!(again.json["id"], placed["id"], "{}", again.text);
    let operation = ended(&daemon, &client, &token, &placed["id"]).await;
    assert_eq!(operation["status"], "succeeded", "{operation}\n{}", daemon.said());

    let log =
        git(&ground.repository.git_folder(), &["log", "--format=%an|%cn|%B", "main"]).unwrap();
    assert_eq!(log.matches("Intent-Id: ").count(), 1, "{log}");
    assert!(log.starts_with("Lotus School|Tenantry portal|"), "{log}");
    let pods = ground.get("/api/v1/namespaces/kiteclass-lotus/pods").await;
    assert!(!pods["items"].as_array().unwrap().is_empty(), "{pods}");
    let path = format!("/orders/{}", placed["id"].as_str().unwrap());
    let order = client.send("GET", &path, &token, None, &[]).await.json;
    assert_eq!(order["status"], "fulfilled", "{order}");
    let invoices = client.send("GET", "/invoices", &token, None, &[]).await;
    assert_eq!(invoices.json["items"].as_array().unwrap().len(), 1, "{}", invoices.text);

    // What renders to nothing new is done once it is read.
    let path = format!("/subscriptions/{tenant}.school");
    let any = [("if-match", "*")];
    let language = Some(json!({ "language": "vi" }));
    let spoken = client.send("PUT", "/admin/settings/preferences", &token, language, &any).await;
    assert_eq!(spoken.status, 202, "{}", spoken.text);
    let spoken = ended(&daemon, &client, &token, &spoken.json["id"]).await;
    assert_eq!(spoken["status"], "succeeded", "{spoken}");
    let restart = format!("/pods/{tenant}.school/restart");
    let restarted = client.send("POST", &restart, &token, None, &[]).await;
    let restarted = ended(&daemon, &client, &token, &restarted.json["id"]).await;
    assert_eq!(restarted["status"], "succeeded", "{restarted}");
    let gone = client.send("DELETE", &format!("{path}?when=now"), &token, None, &any).await;
    let gone = ended(&daemon, &client, &token, &gone.json["id"]).await;
    // What is answered is the last backup; the removal follows it as a commit of its own.
    assert_eq!((&gone["kind"], &gone["status"]), (&"task".into(), &"succeeded".into()), "{gone}");
    assert!(gone["message"].as_str().is_some_and(|backup| backup.starts_with("final-")), "{gone}");
    let removal = until("the removal", &daemon, async || {
        let removed =
            "select id::text from operation where kind = 'remove' and ended_at is not null";
        let removed: Option<(String,)> =
            sqlx::query_as(removed).fetch_optional(&pool).await.unwrap();
        removed.map(|(id,)| Value::from(id))
    });
    let removal = ended(&daemon, &client, &token, &removal.await).await;
    assert_eq!(removal["status"], "succeeded", "{removal}\n{}", daemon.said());
    let kept = "/api/v1/namespaces/kiteclass-lotus/persistentvolumeclaims/lotus-backup";
    assert!(ground.find(kept).await.is_some(), "the backup outlives what it is of");

    let customer: Customer = tenant.parse().unwrap();
    let mut db = pool.acquire().await.unwrap();
    let wallet = ledger::wallet(&mut db, &customer, "USD".parse().unwrap()).await.unwrap();
    // 199 and 10 % of it.
    assert_eq!((wallet.available.minor, wallet.held.minor), (50_000 - 21_890, 0));
    assert!(ledger::verify(&mut db).await.unwrap().is_empty());
    drop((db, pool));
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_becomes_a_running_school_on_the_sandbox() {
    let Some(ground) = Ground::on_a_sandbox().await else { return };
    from_a_visitor_to_a_school(ground).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_becomes_a_running_school_on_a_real_api_server() {
    let Some(ground) = Ground::on_a_real_server().await else { return };
    from_a_visitor_to_a_school(ground).await;
}
