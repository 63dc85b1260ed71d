//! Bad input is refused with a document that names the field and the fix.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::json;

use super::Answer;
use super::Portal;

/// A refusal as a client sees it, without what differs from time to time.
fn shown(what: &str, answer: &Answer) -> String {
    let mut problem = answer.json.clone();
    let id = problem["request_id"].take();
    assert_eq!(id.as_str(), Some(answer.header("x-request-id")), "{}", answer.text);
    problem.as_object_mut().unwrap().remove("request_id");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(problem["status"], answer.status);
    format!("{what}\n{}\n\n", serde_json::to_string_pretty(&problem).unwrap())
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_with_its_field_and_the_fix() {
    let Some(portal) = Portal::open().await else { return };
    let mut told = String::new();
    let json_header = [("content-type", "application/json")];
    let huge = format!(r#"{{"email":"{}"}}"#, "a".repeat(70_000));
    for (what, text) in [
        ("no JSON at all", "{\"email\": "),
        ("two documents", "{} {}"),
        ("a missing field", r#"{"password": "four words in a row"}"#),
        ("a wrong type", r#"{"email": 7, "password": "x", "name": "x"}"#),
        ("an unknown field", r#"{"email": "a@b.co", "role": "admin"}"#),
        (
            "a language that is none",
            r#"{"email":"a@b.co","password":"x","name":"A","language":"xx"}"#,
        ),
        ("several wrong fields", r#"{"email": "a@b", "password": "short", "name": " "}"#),
        ("a weak password", r#"{"email": "a@b.co", "password": "short", "name": "A"}"#),
        ("a body over the limit", huge.as_str()),
    ] {
        let body = text.to_owned();
        let answer =
            portal.client.send_text("POST", "/auth/register", "", body, &json_header).await;
        told.push_str(&shown(what, &answer));
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = portal.client.send_text("POST", "/auth/login", "", "a=b".into(), &form).await;
    told.push_str(&shown("a form", &answer));
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn what_is_wrong_with_an_address_or_a_login_is_told() {
    let Some(portal) = Portal::open().await else { return };
    let session = portal.customer_of("acme").await;
    let mut told = String::new();
    for (what, method, path, token) in [
        ("nothing there", "GET", "/nothing", ""),
        ("another method", "DELETE", "/packages", ""),
        ("nobody logged in", "GET", "/auth/me", ""),
        ("a token that is none", "GET", "/auth/me", "nonsense"),
        ("a role that is missing", "GET", "/admin/users", session.access.as_str()),
        ("an id that is none", "GET", "/subscriptions/..%2f..%2fetc", session.access.as_str()),
        ("an unknown parameter", "GET", "/subscriptions?page=2", session.access.as_str()),
        ("a wrong parameter", "GET", "/subscriptions?limit=many", session.access.as_str()),
        ("a page that is too long", "GET", "/subscriptions?limit=1000", session.access.as_str()),
        ("a cursor that is made up", "GET", "/subscriptions?cursor=abc", session.access.as_str()),
    ] {
        told.push_str(&shown(what, &portal.client.send(method, path, token, None, &[]).await));
    }
    let body = json!({ "email": "ada@example.com", "password": "wrong words, all of them" });
    told.push_str(&shown("a wrong password", &portal.post("/auth/login", "", body).await));
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_panic_and_a_slow_answer_are_problems_too() {
    async fn panics() -> &'static str {
        panic!("the secret is 1234")
    }
    let more = Router::new()
        .route("/api/v1/panics", get(panics))
        .route("/api/v1/never", get(std::future::pending::<&'static str>));
    let patience = Duration::from_millis(200);
    let Some(portal) = Portal::open_with(|parts| parts.patience = patience, more).await else {
        return;
    };
    let panicked = portal.get("/panics", "").await;
    assert_eq!((panicked.status, panicked.code()), (500, "internal-error"));
    assert!(!panicked.text.contains("1234"));
    let slow = portal.get("/never", "").await;
    assert_eq!((slow.status, slow.code(), slow.header("retry-after")), (503, "timeout", "1"));
}

#[tokio::test]
async fn every_answer_says_what_browsers_must_not_do_and_which_request_it_is_of() {
    let Some(portal) = Portal::open().await else { return };
    for path in ["/packages", "/nothing", "/auth/me"] {
        let id = [("x-request-id", "order-4711")];
        let answer = portal.client.send("GET", path, "", None, &id).await;
        assert_eq!(answer.header("x-request-id"), "order-4711");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("strict-transport-security"), "");
        let forged = [("x-request-id", "a b")];
        let answer = portal.client.send("GET", path, "", None, &forged).await;
        assert_ne!(answer.header("x-request-id"), "a b");
    }
    let method = portal.delete("/packages", "").await;
    assert_eq!(method.header("allow"), "GET,HEAD");
    assert_eq!(
        portal.get("/auth/me", "").await.header("www-authenticate"),
        "Bearer realm=\"tenantry\""
    );
}
