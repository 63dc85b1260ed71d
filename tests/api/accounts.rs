//! People: registering, logging in, staying logged in, and what a thief gets of it.

use jiff::SignedDuration;
use serde_json::json;

use super::PASSWORD;
use super::Portal;

#[tokio::test]
async fn somebody_registers_verifies_logs_in_and_stays_logged_in() {
    let Some(portal) = Portal::open().await else { return };
    portal.register("Ada@Example.com").await;

    let unverified = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(portal.post("/auth/login", "", unverified).await.code(), "address-unverified");

    portal.verify("Ada@Example.com").await;
    let session = portal.log_in("ada@EXAMPLE.com").await;
    let me = portal.get("/auth/me", &session.access).await;
    assert_eq!((me.status, me.json["role"].as_str()), (200, Some("customer")));
    assert_eq!(me.json["email"], "Ada@Example.com");
    let tenant = me.json["tenant"].as_str().unwrap();
    assert!(tenant.starts_with("acme-corp-"), "{tenant}");
    assert_eq!(portal.mails("welcome", "Ada@Example.com").await, 1);

    portal.wait(SignedDuration::from_mins(11));
    let late = portal.get("/auth/me", &session.access).await;
    assert_eq!((late.status, late.code()), (401, "access-token-invalid"));
    let refresh = json!({ "refresh_token": session.refresh });
    let refreshed = portal.post("/auth/refresh", "", refresh).await;
    let access = refreshed.json["access_token"].as_str().unwrap();
    assert_eq!(portal.get("/auth/me", access).await.status, 200);

    assert_eq!(portal.post("/auth/logout", access, json!(null)).await.status, 204);
    let next = json!({ "refresh_token": refreshed.json["refresh_token"] });
    assert_eq!(portal.post("/auth/refresh", "", next).await.code(), "token-invalid");
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_the_session_for_both() {
    let Some(portal) = Portal::open().await else { return };
    let session = portal.somebody("ada@example.com").await;
    let other = portal.log_in("ada@example.com").await;
    let old = json!({ "refresh_token": session.refresh });
    let thief = portal.post("/auth/refresh", "", old.clone()).await;
    assert_eq!(thief.status, 200);

    let owner = portal.post("/auth/refresh", "", old.clone()).await;
    assert_eq!((owner.status, owner.code()), (401, "refresh-token-reused"));
    let stolen = json!({ "refresh_token": thief.json["refresh_token"] });
    assert_eq!(portal.post("/auth/refresh", "", stolen).await.status, 401);
    assert_eq!(portal.post("/auth/refresh", "", old).await.code(), "token-invalid");

    // Another login of the same person goes on.
    let other = json!({ "refresh_token": other.refresh });
    assert_eq!(portal.post("/auth/refresh", "", other).await.status, 200);
    let audit = portal.rows("audit").await.join("\n");
    assert_eq!(
        audit.matches(r#""reason": "reuse""#).count()
            + audit.matches(r#""reason":"reuse""#).count(),
        1
    );
}

#[tokio::test]
async fn of_two_who_refresh_at_once_one_is_late() {
    let Some(portal) = Portal::open().await else { return };
    for round in 0..5 {
        let session = portal.somebody(&format!("ada{round}@example.com")).await;
        let body = json!({ "refresh_token": session.refresh });
        let (one, other) = tokio::join!(
            portal.post("/auth/refresh", "", body.clone()),
            portal.post("/auth/refresh", "", body.clone())
        );
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
    }
}

#[tokio::test]
async fn a_known_address_is_told_its_owner_and_nobody_else() {
    let Some(portal) = Portal::open().await else { return };
    portal.register("ada@example.com").await;
    let body =
        json!({ "email": "ADA@example.com", "password": "somebody else's words", "name": "Eve" });
    let again = portal.post("/auth/register", "", body.clone()).await;
    let fresh =
        json!({ "email": "new@example.com", "password": "somebody else's words", "name": "Eve" });
    let first = portal.post("/auth/register", "", fresh).await;
    assert_eq!((again.status, again.text), (first.status, first.text));
    portal.post("/auth/register", "", body).await;
    assert_eq!(portal.mails("address-known", "ada@example.com").await, 1);

    // What was registered stays as it was.
    portal.verify("ada@example.com").await;
    portal.log_in("ada@example.com").await;
}

#[tokio::test]
async fn whoever_only_reads_the_mail_confirms_nothing() {
    let Some(portal) = Portal::open().await else { return };
    portal.register("ada@example.com").await;
    let token = portal.mailed("verify", "ada@example.com").await;
    let wrong = json!({ "token": token, "password": "not my password at all" });
    assert_eq!(portal.post("/auth/verify", "", wrong).await.code(), "wrong-credentials");
    // The link was not used up.
    portal.verify("ada@example.com").await;
    let again = json!({ "token": token, "password": PASSWORD });
    assert_eq!(portal.post("/auth/verify", "", again).await.code(), "token-invalid");
}

#[tokio::test]
async fn a_link_expires_and_is_sent_again() {
    let Some(portal) = Portal::open().await else { return };
    portal.register("ada@example.com").await;
    let token = portal.mailed("verify", "ada@example.com").await;
    portal.wait(SignedDuration::from_hours(49));
    let late = json!({ "token": token, "password": PASSWORD });
    assert_eq!(portal.post("/auth/verify", "", late).await.code(), "token-invalid");

    let address = json!({ "email": "ada@example.com" });
    for _ in 0..3 {
        assert_eq!(portal.post("/auth/resend", "", address.clone()).await.status, 202);
    }
    assert_eq!(portal.mails("verify", "ada@example.com").await, 2);
    portal.verify("ada@example.com").await;

    let unknown = json!({ "email": "nobody@example.com" });
    let told = portal.post("/auth/resend", "", unknown).await;
    assert_eq!(told.text, portal.post("/auth/resend", "", address).await.text);
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_and_ends_what_was_open() {
    let Some(portal) = Portal::open().await else { return };
    let session = portal.somebody("ada@example.com").await;
    let body = json!({ "name": "ci", "scopes": ["read"], "expires_in_days": 30 });
    let made = portal.post("/auth/tokens", &session.access, body).await;
    let api_token = made.json["token"].as_str().unwrap();
    assert_eq!(portal.get("/subscriptions", api_token).await.status, 200);

    let known =
        portal.post("/auth/password/forgot", "", json!({ "email": "ada@example.com" })).await;
    let unknown =
        portal.post("/auth/password/forgot", "", json!({ "email": "eve@example.com" })).await;
    assert_eq!((known.status, known.text), (unknown.status, unknown.text));

    let token = portal.mailed("reset", "ada@example.com").await;
    let weak = json!({ "token": token, "password": "short" });
    assert_eq!(portal.post("/auth/password/reset", "", weak).await.code(), "invalid-fields");
    let good = json!({ "token": token, "password": "quite other words now" });
    assert_eq!(portal.post("/auth/password/reset", "", good.clone()).await.status, 204);
    assert_eq!(portal.post("/auth/password/reset", "", good).await.code(), "token-invalid");

    let refresh = json!({ "refresh_token": session.refresh });
    assert_eq!(portal.post("/auth/refresh", "", refresh).await.status, 401);
    assert_eq!(portal.get("/subscriptions", api_token).await.status, 401);
    let old = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(portal.post("/auth/login", "", old).await.code(), "wrong-credentials");
    let new = json!({ "email": "ada@example.com", "password": "quite other words now" });
    assert_eq!(portal.post("/auth/login", "", new).await.status, 200);
    assert_eq!(portal.mails("password-changed", "ada@example.com").await, 1);
}

#[tokio::test]
async fn a_machine_does_what_its_scopes_allow_and_no_more() {
    let Some(portal) = Portal::open().await else { return };
    let session = portal.customer_of("acme").await;
    let make = async |scopes: &[&str]| {
        let body = json!({ "name": "ci", "scopes": scopes, "expires_in_days": 1 });
        let made = portal.post("/auth/tokens", &session.access, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["token"].as_str().unwrap().to_owned()
    };
    let (reader, writer) = (make(&["read"]).await, make(&["write"]).await);
    assert_eq!(portal.get("/subscriptions/acme.school", &reader).await.status, 200);
    assert_eq!(portal.get("/subscriptions/acme.school", &writer).await.code(), "forbidden");
    // Neither makes tokens nor ends sessions.
    for token in [&reader, &writer] {
        let body = json!({ "name": "more", "scopes": ["read"], "expires_in_days": 1 });
        assert_eq!(portal.post("/auth/tokens", token, body).await.code(), "forbidden");
        assert_eq!(portal.post("/auth/logout", token, json!(null)).await.code(), "forbidden");
    }
    let listed = portal.get("/auth/tokens", &session.access).await;
    assert!(!listed.text.contains(&reader), "{}", listed.text);
    let tokens = listed.json.as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    assert!(tokens.iter().any(|token| token["last_used_at"].is_string()));

    let id = tokens.iter().find(|token| token["scopes"][0] == "read").unwrap()["id"].clone();
    let path = format!("/auth/tokens/{}", id.as_str().unwrap());
    assert_eq!(portal.delete(&path, &session.access).await.status, 204);
    assert_eq!(portal.get("/subscriptions", &reader).await.status, 401);
    portal.wait(SignedDuration::from_hours(25));
    assert_eq!(portal.get("/auth/me", &writer).await.status, 401);
}

#[tokio::test]
async fn every_change_has_its_line_of_audit_which_stays_as_it_is() {
    let Some(portal) = Portal::open().await else { return };
    let session = portal.somebody("ada@example.com").await;
    let body = json!({ "name": "ci", "scopes": ["read"], "expires_in_days": 1 });
    portal
        .client
        .send(
            "POST",
            "/auth/tokens",
            &session.access,
            Some(body),
            &[("x-request-id", "order-4711")],
        )
        .await;
    let lines = portal.rows("audit").await;
    for action in ["auth.register", "auth.verify", "auth.login", "tokens.create"] {
        let told = lines.iter().filter(|line| line.contains(&format!("\"{action}\""))).count();
        assert_eq!(told, 1, "{action}: {lines:#?}");
    }
    assert_eq!(lines.iter().filter(|line| line.contains("order-4711")).count(), 1);
    assert!(lines.iter().all(|line| line.contains("127.0.0.1")));
    for statement in ["update audit set actor = ''", "delete from audit", "truncate audit"] {
        let statement = statement.replace("actor = ''", "action = ''");
        let refused = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&portal.pool).await;
        assert!(refused.unwrap_err().to_string().contains("stays as it is"));
    }
}
