//! Whatever somebody does to a thing of ours by hand is put back, within two seconds.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::support::daemon::Daemon;

use super::ground::Ground;

/// What the issue of a support call may be, and the most that it may last.
const PUT_BACK_WITHIN: Duration = Duration::from_secs(2);
/// A machine that is busy with other tests may stall for a moment: the best of so many counts.
const TRIES: usize = 5;

const NAMESPACE: &str = "customer-budi";

fn deployment() -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/automation-n8n")
}

fn policy() -> String {
    format!("/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/default-deny")
}

/// Does something by hand, and waits until it is undone. Returns how long that took, the best of
/// several times.
async fn put_back(
    ground: &Ground,
    path: &str,
    by_hand: impl AsyncFn(),
    is_back: impl Fn(Option<&Value>) -> bool,
) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        by_hand().await;
        let since = Instant::now();
        while !is_back(ground.find(path).await.as_ref()) {
            assert!(since.elapsed() < Duration::from_secs(30), "{path} is not put back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        best = best.min(since.elapsed());
        if best < PUT_BACK_WITHIN {
            break;
        }
    }
    best
}

async fn what_is_changed_by_hand_is_put_back_within_two_seconds(ground: Option<Ground>) {
    let Some(ground) = ground else { return };
    let ground = &ground;
    ground.with_only(&["budi"]);
    let daemon = ground.start_daemon().await;
    settled(&daemon, ground).await;
    let (deployment, policy) = (&*deployment(), &*policy());
    let image = "/spec/template/spec/containers/0/image";
    let wanted = ground.get(deployment).await.pointer(image).cloned();

    let edited = async || {
        let containers = json!([{"name": "n8n", "image": "n8nio/n8n:by-hand"}]);
        let body = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        ground.strategic_patch(deployment, "kubectl-edit", &body).await;
    };
    let image_is_back =
        |now: Option<&Value>| now.and_then(|it| it.pointer(image)) == wanted.as_ref();
    let edited = put_back(ground, deployment, edited, image_is_back).await;

    let scaled = async || {
        ground.patch(deployment, "kubectl-scale", &json!({"spec": {"replicas": 0}})).await;
    };
    let scale_is_back = |now: Option<&Value>| now.is_some_and(|it| it["spec"]["replicas"] == 1);
    let scaled = put_back(ground, deployment, scaled, scale_is_back).await;

    let labelled = async || {
        let labels = json!({"metadata": {"labels": {"somebody": "was-here"}}});
        ground.patch(policy, "kubectl-label", &labels).await;
    };
    let label_is_gone =
        |now: Option<&Value>| now.is_some_and(|it| it["metadata"]["labels"]["somebody"].is_null());
    let labelled = put_back(ground, policy, labelled, label_is_gone).await;

    let deleted = async || ground.delete(policy).await;
    let deleted = put_back(ground, policy, deleted, |now| now.is_some()).await;

    let all =
        [("edited", edited), ("scaled", scaled), ("labelled", labelled), ("deleted", deleted)];
    println!("{}: put back after {all:?}", ground.name);
    for (what, took) in all {
        assert!(took < PUT_BACK_WITHIN, "{}: {what} is put back after {took:?}", ground.name);
    }
    settled(&daemon, ground).await;
    let told = daemon.said();
    for who in ["kubectl-edit", "kubectl-scale"] {
        assert!(told.contains(who), "it says that {who} did it:\n{told}");
    }
}

async fn settled(daemon: &Daemon, ground: &Ground) {
    for unit in daemon.settled(&ground.repository.head()).await.units {
        assert_eq!(unit.state, "converged", "{unit:?}\n{}", daemon.said());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_by_hand_is_put_back_within_two_seconds_on_the_sandbox() {
    what_is_changed_by_hand_is_put_back_within_two_seconds(Ground::on_a_sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_by_hand_is_put_back_within_two_seconds_on_the_real_server() {
    what_is_changed_by_hand_is_put_back_within_two_seconds(Ground::on_a_real_server().await).await;
}
