//! What a tenant uses, measured by the daemon itself and read through its portal.

use std::time::Duration;
use std::time::Instant;

use serde_json::json;
use sqlx::PgPool;

use super::ground::Ground;
use crate::support::daemon::Daemon;

/// The samples of `acme/school` once there are so many.
async fn samples(pool: &PgPool, daemon: &Daemon, many: usize) -> Vec<(String, i64)> {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let samples: Result<Vec<(String, i64)>, _> = sqlx::query_as(
            "select measure, value from usage_sample
             where tenant = 'acme' and subscription = 'school' order by measure",
        )
        .fetch_all(pool)
        .await;
        if let Ok(samples) = samples
            && samples.len() >= many
        {
            return samples;
        }
        assert!(Instant::now() < deadline, "nothing is measured:\n{}", daemon.said());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What is measured in a new slot: the daemon is asked to do it now.
async fn measured_anew(pool: &PgPool, daemon: &Daemon, many: usize) -> Vec<(String, i64)> {
    sqlx::query("truncate usage_sample").execute(pool).await.unwrap();
    sqlx::query("update job set due_at = now() where name = 'collect-usage'")
        .execute(pool)
        .await
        .unwrap();
    samples(pool, daemon, many).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_and_volumes_of_a_school_are_measured_on_the_sandbox() {
    let Some(ground) = Ground::on_a_sandbox().await else { return };
    ground.with_only(&["acme"]);
    let daemon = ground.start_portal().await;
    let pool = PgPool::connect(ground.history()).await.unwrap();
    daemon.settled(&ground.repository.head()).await;
    let measured = measured_anew(&pool, &daemon, 3).await;
    let words: Vec<&str> = measured.iter().map(|(measure, _)| measure.as_str()).collect();
    assert_eq!(words, ["cpu", "memory", "storage"]);
    assert!(measured.iter().all(|(_, value)| *value > 0), "{measured:?}");

    // A pod of somebody else that says it is acme's counts for nobody.
    let stray = json!({
        "metadata": {"name": "stray", "labels": {"tenantry.dev/tenant": "acme", "tenantry.dev/subscription": "school"},
            "annotations": {"sandbox.tenantry.dev/cpu": "64"}},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    });
    ground
        .request("POST", "/api/v1/namespaces/databases/pods", "application/json", &stray)
        .await
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while ground.get("/api/v1/namespaces/databases/pods/stray").await["status"]["phase"]
        != "Running"
    {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(measured_anew(&pool, &daemon, 3).await, measured);
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_metrics_api_volumes_are_measured_and_it_is_said_once() {
    let Some(ground) = Ground::on_a_real_server().await else { return };
    ground.with_only(&["acme"]);
    let daemon = ground.start_portal().await;
    let pool = PgPool::connect(ground.history()).await.unwrap();
    daemon.settled(&ground.repository.head()).await;
    for _ in 0..2 {
        let measured = measured_anew(&pool, &daemon, 1).await;
        let [(measure, storage)] = &measured[..] else { panic!("{measured:?}") };
        assert!(measure == "storage" && *storage > 0, "{measured:?}");
    }
    let said = daemon.said();
    assert_eq!(said.matches("install metrics-server").count(), 1, "{said}");
    assert_eq!(daemon.stop().await, Some(0));
}
