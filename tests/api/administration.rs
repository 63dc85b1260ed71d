//! People and what they did, for admins; and how the first admin comes about.

use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;

use super::PASSWORD;
use super::Portal;
use crate::support::postgres::database;
use crate::support::program::Program;

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_at_once() {
    let Some(portal) = Portal::open().await else { return };
    let (admin, operator) = (portal.staff(Role::Admin).await, portal.staff(Role::Operator).await);
    assert_eq!(portal.get("/admin/instances", &operator.access).await.status, 200);
    let users = portal.get("/admin/users", &admin.access).await;
    let id = users.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["role"] == "operator")
        .unwrap()["id"]
        .clone();
    let path = format!("/admin/users/{}", id.as_str().unwrap());
    let disabled = portal.patch(&path, &admin.access, json!({ "disabled": true })).await;
    assert!(disabled.json["disabled_at"].is_string(), "{}", disabled.text);
    // Its access token has not expired, and is good for nothing all the same.
    assert_eq!(portal.get("/admin/instances", &operator.access).await.status, 401);
    let refresh = json!({ "refresh_token": operator.refresh });
    assert_eq!(portal.post("/auth/refresh", "", refresh).await.status, 401);
    let login = json!({ "email": "operator@operator.example", "password": PASSWORD });
    assert_eq!(portal.post("/auth/login", "", login.clone()).await.code(), "wrong-credentials");
    portal.patch(&path, &admin.access, json!({ "disabled": false })).await;
    assert_eq!(portal.post("/auth/login", "", login).await.status, 200);
}

#[tokio::test]
async fn the_last_admin_stays_one() {
    let Some(portal) = Portal::open().await else { return };
    let admin = portal.staff(Role::Admin).await;
    let me = portal.get("/auth/me", &admin.access).await.json["id"].clone();
    let path = format!("/admin/users/{}", me.as_str().unwrap());
    for change in [
        json!({ "role": "operator" }),
        json!({ "role": "customer", "tenant": "acme" }),
        json!({ "disabled": true }),
    ] {
        assert_eq!(portal.patch(&path, &admin.access, change).await.code(), "conflict");
    }
    assert_eq!(portal.get("/admin/users", &admin.access).await.status, 200);
}

#[tokio::test]
async fn a_role_and_a_tenant_have_to_fit() {
    let Some(portal) = Portal::open().await else { return };
    let admin = portal.staff(Role::Admin).await;
    portal.somebody("ada@example.com").await;
    let users = portal.get("/admin/users?limit=1", &admin.access).await;
    let next = users.json["next_cursor"].as_str().unwrap();
    assert_eq!(
        users.header("link"),
        format!("</api/v1/admin/users?limit=1&cursor={next}>; rel=\"next\"")
    );
    let rest = portal.get(&format!("/admin/users?limit=1&cursor={next}"), &admin.access).await;
    assert!(rest.json["next_cursor"].is_null());
    let ada = &rest.json["items"][0];
    assert_eq!(ada["email"], "ada@example.com");
    let path = format!("/admin/users/{}", ada["id"].as_str().unwrap());
    for wrong in [
        json!({ "role": "customer" }),
        json!({ "role": "admin", "tenant": "acme" }),
        json!({ "role": "king" }),
        json!({ "tenant": "No Name" }),
        json!({}),
    ] {
        let refused = portal.patch(&path, &admin.access, wrong.clone()).await;
        assert_eq!(refused.code(), "invalid-fields", "{wrong}: {}", refused.text);
    }
    let moved = portal.patch(&path, &admin.access, json!({ "tenant": "acme" })).await;
    assert_eq!((moved.status, &moved.json["tenant"]), (200, &json!("acme")));
    let raised = portal.patch(&path, &admin.access, json!({ "role": "operator" })).await;
    assert_eq!((&raised.json["role"], &raised.json["tenant"]), (&json!("operator"), &Value::Null));
}

#[tokio::test]
async fn audit_is_read_page_by_page_and_by_what_is_looked_for() {
    let Some(portal) = Portal::open().await else { return };
    let admin = portal.staff(Role::Admin).await;
    for person in 0..4 {
        portal.register(&format!("ada{person}@example.com")).await;
    }
    let all = portal.get("/admin/audit?limit=200", &admin.access).await;
    let all: Vec<Value> = all.json["items"].as_array().unwrap().clone();
    let mut read = Vec::new();
    let mut path = "/admin/audit?limit=2".to_owned();
    loop {
        let page = portal.get(&path, &admin.access).await;
        read.extend(page.json["items"].as_array().unwrap().iter().cloned());
        match page.json["next_cursor"].as_str() {
            Some(cursor) => path = format!("/admin/audit?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(read, all);
    let registered = portal.get("/admin/audit?action=auth.register", &admin.access).await;
    assert_eq!(registered.json["items"].as_array().unwrap().len(), 4);
    assert_eq!(registered.json["items"][0]["email"], "ada3@example.com");
}

#[tokio::test]
async fn a_deployment_token_is_used_once_and_names_its_tenant() {
    let Some(portal) = Portal::open().await else { return };
    let operator = portal.staff(Role::Operator).await;
    let body = json!({ "tenant": "kassa-plus", "note": "shop 2", "expires_in_hours": 24 });
    let made = portal.post("/admin/deployment-tokens", &operator.access, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let unknown = json!({ "tenant": "nobody", "expires_in_hours": 24 });
    let refused = portal.post("/admin/deployment-tokens", &operator.access, unknown).await;
    assert_eq!(refused.json["errors"][0]["field"], "tenant");

    let secret = tenantry::model::Secret::new(made.json["token"].as_str().unwrap());
    let (accounts, now) = (portal.api.accounts(), *portal.clock.lock().unwrap());
    let host = "kkt-2".parse().unwrap();
    let mut connection = portal.pool.acquire().await.unwrap();
    let tenant = accounts.use_deployment_token(&mut connection, &secret, &host, now).await.unwrap();
    assert_eq!(tenant.as_str(), "kassa-plus");
    accounts.use_deployment_token(&mut connection, &secret, &host, now).await.unwrap_err();
    let listed = portal.get("/admin/deployment-tokens", &operator.access).await;
    assert_eq!(listed.json[0]["used_by"], "kkt-2");
    assert!(!listed.text.contains(secret.reveal()));
}

/// `tenantry admin create`, as an operator runs it.
#[tokio::test]
async fn the_first_admin_is_made_on_the_command_line() {
    let Some(url) = database().await else { return };
    let settings = tenantry::postgres::Settings::of(&url);
    let prepared = tenantry::postgres::Database::start(settings).unwrap();
    prepared.usable().await;
    let folder = tempfile::tempdir().unwrap();
    let run = |password: &str, email: &str| {
        std::fs::write(folder.path().join("password"), password).unwrap();
        Program::with(&format!("admin create {email} --password-file password"))
            .in_folder(folder.path())
            .quiet_variable("DATABASE_URL", &url)
            .run()
    };
    let made = run(&format!("{PASSWORD}\n"), "ada@example.com");
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(!made.shown().contains(PASSWORD));
    // Doing it again sets the password anew.
    assert_eq!(run("another four words here\n", "ada@example.com").code, 0);
    let (role, password): (String, String) = sqlx::query_as(
        "select role, password from user_account where email_key = 'ada@example.com'",
    )
    .fetch_one(prepared.pool())
    .await
    .unwrap();
    assert_eq!(role, "admin");
    assert!(password.starts_with("$argon2id$"));

    insta::assert_snapshot!(run("short\n", "ada@example.com").shown());
    insta::assert_snapshot!(run("\n", "ada@example.com").shown());
    insta::assert_snapshot!(run("four words in a row\n", "ada").shown());
}
