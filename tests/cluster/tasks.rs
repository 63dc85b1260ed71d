//! Things to do once, on a cluster: done once whatever is lost, and nobody's trouble if they fail.

use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use sqlx::PgPool;

use super::ground::Ground;
use super::ground::text;
use crate::support::daemon::Daemon;
use crate::support::daemon::Settled;

const JOB: &str = "/apis/batch/v1/namespaces/kiteclass-acme/jobs/task-once";
const FILE: &str = "tenants/acme/once.yaml";

/// A task of `acme` that is asked for now.
fn task(action: &str) -> String {
    format!(
        "apiVersion: tenantry.dev/v1\nkind: Task\nmetadata:\n  name: once\nspec:\n  tenant: acme\n  \
         subscription: school\n  action: {action}\n  asked: {}\n",
        Timestamp::now()
    )
}

/// How the task ended, as history has it.
async fn ended(ground: &Ground, daemon: &Daemon) -> (String, String) {
    let pool = PgPool::connect(ground.history()).await.unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let statement = "select state, coalesce(message, '') from task_outcome
            where unit = 'acme' and task = 'once' and ended_at is not null";
        // Right after history was lost, there is not even the table.
        if let Ok(Some(row)) = sqlx::query_as(statement).fetch_optional(&pool).await {
            return row;
        }
        assert!(Instant::now() < deadline, "it does not end\n{}", daemon.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn assert_well(settled: &Settled, daemon: &Daemon) {
    for unit in &settled.units {
        assert_eq!(unit.state, "converged", "{unit:?}\n{}", daemon.said());
    }
}

async fn a_restore_is_carried_out_once_whatever_is_lost(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    ground.with_only(&["acme"]);
    let daemon = ground.start_daemon().await;
    assert_well(&daemon.settled(&ground.repository.head()).await, &daemon);
    let document = task("restore");
    let asked = ground.repository.write(FILE, &document).commit("restore the newest backup");
    assert_well(&daemon.settled(&asked).await, &daemon);
    assert_eq!(ended(&ground, &daemon).await.0, "done");
    let job = ground.get(JOB).await;
    assert_eq!(job["metadata"]["labels"]["tenantry.dev/subscription"], "school");

    // Its Job goes, the daemon dies, and all of history is lost.
    ground.delete(&format!("{JOB}?propagationPolicy=Background")).await;
    while ground.find(JOB).await.is_some() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    daemon.kill();
    let pool = PgPool::connect(ground.history()).await.unwrap();
    for statement in ["drop schema public cascade", "create schema public"] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let daemon = ground.start_daemon().await;
    assert_well(&daemon.settled(&asked).await, &daemon);
    assert!(ground.find(JOB).await.is_none(), "it is restored twice");
    let (state, why) = ended(&ground, &daemon).await;
    assert!(state == "failed" && why.contains("was deleted before"), "{state}: {why}");

    // Its document goes, and a revert brings it back.
    let gone = ground.repository.remove(FILE).commit("it is over");
    assert_well(&daemon.settled(&gone).await, &daemon);
    let back = ground.repository.write(FILE, &document).commit("a revert");
    assert_well(&daemon.settled(&back).await, &daemon);
    assert!(ground.find(JOB).await.is_none(), "a revert restores again");
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_carried_out_once_on_the_sandbox() {
    a_restore_is_carried_out_once_whatever_is_lost(Ground::on_a_sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_carried_out_once_on_a_real_api_server() {
    a_restore_is_carried_out_once_whatever_is_lost(Ground::on_a_real_server().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_says_why_and_holds_up_nobody() {
    let Some(ground) = Ground::on_a_sandbox().await else { return };
    ground.with_only(&["acme"]);
    let package = "packages/kiteclass/standard.yaml";
    let failing = text(package).replace("postgres:15-alpine", "example/fail-job:1");
    ground.repository.write(package, failing).commit("backups that fail");
    let daemon = ground.start_daemon().await;
    assert_well(&daemon.settled(&ground.repository.head()).await, &daemon);
    let asked = ground.repository.write(FILE, task("restore")).commit("restore");
    assert_well(&daemon.settled(&asked).await, &daemon);
    let (state, why) = ended(&ground, &daemon).await;
    assert!(state == "failed" && why.contains("task"), "{state}: {why}");
    let renamed = text("tenants/acme/tenant.yaml").replace("ACME Corp", "ACME School");
    let renamed = ground.repository.write("tenants/acme/tenant.yaml", renamed).commit("a name");
    assert_well(&daemon.settled(&renamed).await, &daemon);
    let settings = "/api/v1/namespaces/kiteclass-acme/configmaps/acme-settings";
    assert_eq!(ground.get(settings).await["data"]["ORG_NAME"], "ACME School");
    assert_eq!(daemon.stop().await, Some(0));
}
