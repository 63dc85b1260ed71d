//! Worker nodes, seen by the daemon itself and kept for its portal; and the alert of one that goes
//! down.

use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::PgPool;
use tenantry::accounts::Accounts;
use tenantry::accounts::Role;
use tenantry::accounts::keys::KeySource;
use tenantry::model::Secret;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;

use super::ground::Ground;
use crate::support::daemon::Daemon;

/// The nodes of the example's cluster once they are like something.
async fn nodes(pool: &PgPool, daemon: &Daemon, like: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let seen: Result<Vec<Value>, _> = sqlx::query_scalar(
            "select jsonb_array_elements(seen) from cluster_look where cluster = 'saigon' and what = 'nodes'",
        )
        .fetch_all(pool)
        .await;
        if let Ok(seen) = seen
            && like(&seen)
        {
            return seen;
        }
        assert!(Instant::now() < deadline, "nothing like it is seen:\n{}", daemon.said());
        due_now(pool).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Five minutes are long: it is looked at clusters and alerts now.
async fn due_now(pool: &PgPool) {
    let now = "update job set due_at = now() where name in ('survey-workers', 'alerts')";
    let _ = sqlx::query(now).execute(pool).await;
}

/// Looks again and again, until a statement finds so many.
async fn finds(pool: &PgPool, daemon: &Daemon, many: i64, statement: &str) {
    let deadline = Instant::now() + Duration::from_mins(2);
    let counting = format!("select count(*) from {statement}");
    loop {
        due_now(pool).await;
        let counted: Result<i64, _> =
            sqlx::query_scalar(AssertSqlSafe(counting.clone())).fetch_one(pool).await;
        if matches!(counted, Ok(counted) if counted == many) {
            return;
        }
        assert!(Instant::now() < deadline, "{counting}: {counted:?}\n{}", daemon.said());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_goes_down_is_an_alert_that_is_told_once_and_closed() {
    const OPEN: &str = "alert where kind = 'node-down' and subject = 'saigon.node-1'
        and opened_at is not null and closed_at is null";
    const MAILS: &str = "outbox
        where payload ->> 'template' = 'alert' and payload #>> '{values,kind}' = 'node-down'";
    let Some(ground) = Ground::on_a_sandbox().await else { return };
    ground.with_only(&["acme"]);
    let daemon = ground.start_portal().await;
    let pool = PgPool::connect(ground.history()).await.unwrap();
    daemon.settled(&ground.repository.head()).await;
    let database = Database::start(Settings::of(ground.history())).unwrap();
    database.usable().await;
    let password = Secret::new("four words in a row");
    Accounts::over(database, KeySource::Database)
        .create_staff("ops@operator.example", "Grace", &password, Role::Operator, Timestamp::now())
        .await
        .unwrap();
    nodes(&pool, &daemon, |seen| seen.len() == 2).await;
    finds(&pool, &daemon, 1, "job where name = 'alerts' and result is not null").await;
    finds(&pool, &daemon, 0, OPEN).await;

    let says = |status: &str| {
        let message = "Kubelet stopped posting node status.";
        let condition = json!({ "type": "Ready", "status": status, "message": message });
        json!({ "status": { "conditions": [condition] } })
    };
    let path = "/api/v1/nodes/node-1/status";
    ground.strategic_patch(path, "kubelet", &says("Unknown")).await;
    finds(&pool, &daemon, 1, OPEN).await;
    finds(&pool, &daemon, 1, MAILS).await;
    // A power cut, and it is looked at again and again.
    daemon.kill();
    let daemon = ground.start_portal().await;
    let looks = "select runs from job where name = 'alerts'";
    let looks: i64 = sqlx::query_scalar(looks).fetch_one(&pool).await.unwrap();
    let more = format!("job where name = 'alerts' and lease is null and runs > {}", looks + 2);
    finds(&pool, &daemon, 1, &more).await;
    finds(&pool, &daemon, 1, OPEN).await;

    ground.strategic_patch(path, "kubelet", &says("True")).await;
    finds(&pool, &daemon, 1, "alert where kind = 'node-down' and eased_at is not null").await;
    // Ten minutes are long, too.
    let past = "update alert set eased_at = eased_at - interval '10 minutes'";
    sqlx::query(past).execute(&pool).await.unwrap();
    finds(&pool, &daemon, 1, "alert where kind = 'node-down' and closed_at is not null").await;
    finds(&pool, &daemon, 1, MAILS).await;
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_of_a_cluster_are_seen_with_what_runs_there_and_how_they_are() {
    let Some(ground) = Ground::on_a_sandbox().await else { return };
    ground.with_only(&["acme"]);
    let daemon = ground.start_portal().await;
    let pool = PgPool::connect(ground.history()).await.unwrap();
    daemon.settled(&ground.repository.head()).await;
    let asked = |node: &Value, what: &str| node["requested"][what].as_i64().unwrap();
    let seen =
        nodes(&pool, &daemon, |seen| seen.iter().map(|node| asked(node, "pods")).sum::<i64>() > 0)
            .await;
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().map(|node| asked(node, "cpu")).sum::<i64>() > 0, "{seen:?}");
    for node in &seen {
        assert_eq!(node["allocatable"]["cpu"], 64_000);
        assert_eq!(node["allocatable"]["memory"], 256 << 10);
        assert!(node["version"].as_str().unwrap().starts_with("v1."), "{node}");
        let conditions = node["conditions"].as_array().unwrap();
        assert!(conditions.iter().any(|one| one["kind"] == "Ready" && one["status"] == "True"));
    }

    // Somebody takes a node out of use.
    let path = "/api/v1/nodes/node-1";
    let cordon = serde_json::json!({ "spec": { "unschedulable": true } });
    ground.request("PATCH", path, "application/merge-patch+json", &cordon).await.unwrap();
    nodes(&pool, &daemon, |seen| seen.iter().any(|node| node["cordoned"] == true)).await;
    assert_eq!(daemon.stop().await, Some(0));
}
