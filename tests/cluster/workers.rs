//! Worker nodes, seen by the daemon itself and kept for its portal.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use sqlx::PgPool;

use super::ground::Ground;
use crate::support::daemon::Daemon;

/// The nodes of the example's cluster once they are like something.
async fn nodes(pool: &PgPool, daemon: &Daemon, like: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let seen: Result<Vec<Value>, _> = sqlx::query_scalar(
            "select jsonb_array_elements(nodes) from cluster_survey where cluster = 'saigon'",
        )
        .fetch_all(pool)
        .await;
        if let Ok(seen) = seen
            && like(&seen)
        {
            return seen;
        }
        assert!(Instant::now() < deadline, "nothing like it is seen:\n{}", daemon.said());
        // Five minutes are long: it is due now.
        let _ = sqlx::query("update job set due_at = now() where name = 'survey-workers'")
            .execute(pool)
            .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
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
