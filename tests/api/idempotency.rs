//! Requests that come twice.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;
use tenantry::api::Api;
use tenantry::api::idempotency;
use tenantry::api::idempotency::Once;
use tokio::sync::Notify;

use super::Answer;
use super::Portal;

/// A route that counts how often it took effect, and waits where it is told to.
#[derive(Clone, Default)]
struct Till {
    effects: Arc<AtomicUsize>,
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

async fn pay(
    Extension(till): Extension<Till>,
    Extension(Once(id)): Extension<Once>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let count = till.effects.fetch_add(1, Ordering::SeqCst) + 1;
    till.begun.notify_one();
    if body["wait"] == true {
        till.go_on.notified().await;
    }
    let status = match body["fail"].as_u64() {
        Some(status) => StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap(),
        None => StatusCode::CREATED,
    };
    (status, Json(json!({ "count": count, "id": id })))
}

/// A portal with the till beside its own routes.
async fn shop() -> Option<(Portal, Till)> {
    let till = Till::default();
    // The router knows its portal only once it is made: the layer gets it in between.
    let portal = Portal::open_with(|_| {}, Router::new()).await?;
    let routes: Router<Api> = Router::new()
        .route("/api/v1/payments", post(pay))
        .layer(Extension(till.clone()))
        .layer(DefaultBodyLimit::max(1 << 16))
        .route_layer(from_fn_with_state(portal.api.clone(), idempotency::once));
    Some((portal.reopened(routes).await, till))
}

async fn send(portal: &Portal, token: &str, key: &str, body: Value) -> Answer {
    portal.client.send("POST", "/payments", token, Some(body), &[("idempotency-key", key)]).await
}

#[tokio::test]
async fn the_same_request_takes_effect_once_and_is_answered_the_same() {
    let Some((portal, till)) = shop().await else { return };
    let ada = portal.customer_of("acme").await.access;
    let first = send(&portal, &ada, "key-1", json!({ "amount": 5, "to": "x" })).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    let again = send(&portal, &ada, "\"key-1\"", json!({ "to": "x", "amount": 5 })).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    assert_eq!((again.text, till.effects.load(Ordering::SeqCst)), (first.text, 1));

    let other = send(&portal, &ada, "key-1", json!({ "amount": 6, "to": "x" })).await;
    assert_eq!((other.status, other.code()), (422, "idempotency-key-reused"));
    // A key is its owner's.
    let bob = portal.customer_of("globex").await.access;
    assert_eq!(send(&portal, &bob, "key-1", json!({ "amount": 5, "to": "x" })).await.status, 201);
    assert_eq!(till.effects.load(Ordering::SeqCst), 2);
    // After a week it is forgotten.
    portal.wait(SignedDuration::from_hours(7 * 24 + 1));
    let ada = portal.log_in("owner@acme.example").await.access;
    assert_eq!(send(&portal, &ada, "key-1", json!({ "amount": 6 })).await.status, 201);
}

#[tokio::test]
async fn while_it_is_answered_the_same_request_waits() {
    let Some((portal, till)) = shop().await else { return };
    let ada = portal.customer_of("acme").await.access;
    let slow = json!({ "wait": true });
    let first = send(&portal, &ada, "key-1", slow.clone());
    let meanwhile = async {
        till.begun.notified().await;
        let second = send(&portal, &ada, "key-1", slow.clone()).await;
        till.go_on.notify_one();
        second
    };
    let (first, second) = tokio::join!(first, meanwhile);
    assert_eq!((first.status, second.status, second.code()), (201, 409, "idempotency-key-in-use"));
    assert_eq!(second.header("retry-after"), "1");
    assert_eq!(till.effects.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whoever_hangs_up_finds_the_answer_when_they_come_again() {
    let Some((portal, till)) = shop().await else { return };
    let ada = portal.customer_of("acme").await.access;
    let slow = json!({ "wait": true });
    tokio::select! {
        _ = send(&portal, &ada, "key-1", slow.clone()) => panic!("it waits"),
        () = till.begun.notified() => {}
    }
    till.go_on.notify_one();
    let answer = loop {
        let answer = send(&portal, &ada, "key-1", slow.clone()).await;
        if answer.status != 409 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, "true"));
    assert_eq!(till.effects.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn killed_while_it_answers_it_is_answered_anew_under_the_same_id() {
    let Some((portal, till)) = shop().await else { return };
    let ada = portal.customer_of("acme").await.access;
    let first = send(&portal, &ada, "key-1", json!({})).await;
    // As a kill leaves it.
    sqlx::query("update idempotency set status = null, headers = null, body = null")
        .execute(&portal.pool)
        .await
        .unwrap();
    assert_eq!(send(&portal, &ada, "key-1", json!({})).await.status, 409);
    portal.wait(SignedDuration::from_secs(61));
    let anew = send(&portal, &ada, "key-1", json!({})).await;
    assert_eq!((anew.status, &anew.json["id"]), (201, &first.json["id"]));
    assert_eq!(till.effects.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_failed_on_our_side_may_be_tried_again_and_what_was_decided_stands() {
    let Some((portal, till)) = shop().await else { return };
    let ada = portal.customer_of("acme").await.access;
    for (key, status, effects) in [("a", 503, 2), ("b", 409, 1), ("c", 422, 2)] {
        let before = till.effects.load(Ordering::SeqCst);
        for _ in 0..2 {
            let answer = send(&portal, &ada, key, json!({ "fail": status })).await;
            assert_eq!(answer.status, status);
        }
        assert_eq!(till.effects.load(Ordering::SeqCst) - before, effects, "{status}");
    }
}

#[tokio::test]
async fn without_a_key_or_without_a_name_nothing_is_done() {
    let Some((portal, till)) = shop().await else { return };
    let ada = portal.customer_of("acme").await.access;
    let missing = portal.post("/payments", &ada, json!({})).await;
    assert_eq!((missing.status, missing.code()), (400, "idempotency-key-missing"));
    assert_eq!(send(&portal, &ada, "with space", json!({})).await.status, 400);
    assert_eq!(send(&portal, "", "key-1", json!({})).await.code(), "unauthenticated");
    assert_eq!(till.effects.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn of_sixteen_at_once_one_takes_effect() {
    let Some((portal, till)) = shop().await else { return };
    let ada = portal.customer_of("acme").await.access;
    let all = (0..16).map(|_| send(&portal, &ada, "key-1", json!({ "amount": 1 })));
    let answers = futures_util::future::join_all(all).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)));
    assert!(answers.iter().any(|answer| answer.status == 201));
    assert_eq!(till.effects.load(Ordering::SeqCst), 1);
}
