//! How often somebody may ask, and how often a guesser may guess.

use axum::Router;
use jiff::SignedDuration;
use serde_json::json;
use tenantry::api::rate::Policy;

use super::PASSWORD;
use super::Portal;

#[tokio::test]
async fn a_guesser_is_stopped_even_with_the_right_password_and_let_in_later() {
    let Some(portal) = Portal::open().await else { return };
    portal.somebody("ada@example.com").await;
    let guess = json!({ "email": "ada@example.com", "password": "a wrong guess indeed" });
    for _ in 0..10 {
        assert_eq!(portal.post("/auth/login", "", guess.clone()).await.code(), "wrong-credentials");
    }
    let right = json!({ "email": "ada@example.com", "password": PASSWORD });
    let stopped = portal.post("/auth/login", "", right.clone()).await;
    assert_eq!((stopped.status, stopped.code()), (429, "login-limited"));
    let wait: i64 = stopped.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    assert_eq!(stopped.json["retry_after"], wait);

    // Who is not there is limited in the same way.
    let nobody = json!({ "email": "nobody@example.com", "password": "a wrong guess indeed" });
    portal.wait(SignedDuration::from_secs(60));
    for _ in 0..10 {
        let told = portal.post("/auth/login", "", nobody.clone()).await;
        assert_eq!(told.code(), "wrong-credentials");
    }
    assert_eq!(portal.post("/auth/login", "", nobody).await.code(), "login-limited");

    portal.wait(SignedDuration::from_secs(wait));
    assert_eq!(portal.post("/auth/login", "", right).await.status, 200);
}

#[tokio::test]
async fn a_thousand_guesses_at_once_are_counted_each() {
    let Some(portal) = Portal::open().await else { return };
    portal.somebody("ada@example.com").await;
    let guess = json!({ "email": "ada@example.com", "password": "a wrong guess indeed" });
    let guesses = (0..25).map(|_| portal.post("/auth/login", "", guess.clone()));
    let answers = futures_util::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert!(looked_at <= 10, "{looked_at}");
}

#[tokio::test]
async fn every_answer_tells_what_is_left() {
    let usual = Policy { name: "default", quota: 5, window: 60 };
    let Some(portal) = Portal::open_with(|parts| parts.usual = usual, Router::new()).await else {
        return;
    };
    let first = portal.get("/packages", "").await;
    assert_eq!(first.header("ratelimit-policy"), "\"default\";q=5;w=60");
    assert_eq!(first.header("ratelimit"), "\"default\";r=4;t=12");
    for _ in 0..4 {
        assert_eq!(portal.get("/packages", "").await.status, 200);
    }
    let refused = portal.get("/packages", "").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("ratelimit"), "\"default\";r=0;t=60");
    assert_eq!(refused.header("retry-after"), "12");
    assert_eq!(
        refused.json["type"],
        "https://iana.org/assignments/http-problem-types#quota-exceeded"
    );
    portal.wait(SignedDuration::from_secs(12));
    assert_eq!(portal.get("/packages", "").await.status, 200);
}

#[tokio::test]
async fn whoever_is_logged_in_has_a_quota_of_their_own() {
    let usual = Policy { name: "default", quota: 20, window: 60 };
    let Some(portal) = Portal::open_with(|parts| parts.usual = usual, Router::new()).await else {
        return;
    };
    let session = portal.somebody("ada@example.com").await;
    for _ in 0..20 {
        portal.get("/packages", "").await;
    }
    assert_eq!(portal.get("/packages", "").await.status, 429);
    assert_eq!(portal.get("/auth/me", &session.access).await.status, 200);
    // A token that is none is nobody's quota.
    assert_eq!(portal.get("/packages", "eyJhbGciOiJub25lIn0.e30.").await.status, 429);
}
