//! Nothing of another tenant can be read or changed: every operation of the `OpenAPI` document is
//! tried by every role, and with another tenant's token.

use std::path::Path;

use axum::Router;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tenantry::accounts::Role;
use tenantry::api::Desk;
use tenantry::api::Parts;
use tenantry::edits::Editor;
use tenantry::source::Settings;
use tenantry::source::commits::Person;

use super::Portal;
use super::pods::Scripted;
use crate::support::repository::TestRepo;

/// What belongs to acme, by what it shows of itself.
const THEIRS: [&str; 6] = [
    "owner@acme.example",
    "ACME Corp",
    "acme.school",
    "acme's machine",
    "acme-web-1",
    "acme wrote this",
];

/// A body with something in every field, made from the schema.
fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(&reference[1..]).unwrap();
        return sample(document, schema);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(first) = ["oneOf", "anyOf", "allOf"].iter().find_map(|of| schema[*of].as_array()) {
        let chosen = first.iter().find(|one| one["type"] != "null").unwrap();
        return sample(document, chosen);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => {
            let fields = schema["properties"].as_object().cloned().unwrap_or_default();
            fields.iter().map(|(name, field)| (name.clone(), sample(document, field))).collect()
        }
        Some("array") => json!([sample(document, &schema["items"])]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        _ => json!("something"),
    }
}

#[tokio::test]
async fn every_operation_keeps_tenants_apart() {
    let Some((portal, _cache)) = with_a_desk().await else { return };
    let acme = portal.customer_of("acme").await;
    let body =
        json!({ "name": "acme's machine", "scopes": ["read", "write"], "expires_in_days": 30 });
    let made = portal.post("/auth/tokens", &acme.access, body).await;
    let token_id = made.json["id"].as_str().unwrap().to_owned();
    let pod_id = portal.runs("acme/school", "acme-web-1").await.to_string();
    let account =
        portal.get("/auth/me", &acme.access).await.json["id"].as_str().unwrap().to_owned();

    let document = portal.get("/openapi.json", "").await.json;
    let mut tried = 0;
    for caller in ["anonymous", "globex", "globex's machine", "operator", "admin"] {
        let token = match caller {
            "anonymous" => String::new(),
            "globex" => portal.customer_of("globex").await.access,
            "globex's machine" => {
                let person = portal.log_in("owner@globex.example").await.access;
                let body =
                    json!({ "name": "m", "scopes": ["read", "write"], "expires_in_days": 1 });
                let made = portal.post("/auth/tokens", &person, body).await;
                made.json["token"].as_str().unwrap().to_owned()
            }
            "operator" => portal.staff(Role::Operator).await.access,
            _ => portal.staff(Role::Admin).await.access,
        };
        let before = theirs(&portal, &account).await;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let id = if path.contains("/tokens/") {
                    &token_id
                } else if path.contains("/users/") {
                    &account
                } else if path.contains("/pods/") {
                    &pod_id
                } else {
                    "acme.school"
                };
                let asked = path.strip_prefix("/api/v1").unwrap();
                let asked = asked.replace("{id}", id).replace("{name}", "n8n");
                let asked = asked.replace("{reason}", "abuse");
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                let body = schema.is_object().then(|| sample(&document, schema));
                let method = method.to_uppercase();
                // An admin may change users; that is not what is tried here.
                if caller == "admin" && method != "GET" {
                    continue;
                }
                // Nobody waits here for the limits of guessers.
                portal.wait(jiff::SignedDuration::from_secs(2));
                let key = uuid::Uuid::now_v7().to_string();
                let headers = [("idempotency-key", &*key), ("if-match", "*")];
                let answer =
                    portal.client.send(&method, &asked, &token, body.clone(), &headers).await;
                tried += 1;
                let told = format!("{caller}: {method} {asked}: {} {}", answer.status, answer.text);
                assert!(answer.status < 500, "{told}");
                let needs_token = operation["security"].is_array();
                // What a customer sets for their own instances.
                let settings = asked.starts_with("/admin/settings");
                let for_staff = asked.starts_with("/admin/") && !settings;
                let for_admins =
                    for_staff && (asked.contains("/users") || asked.contains("/audit"));
                match caller {
                    "anonymous" if needs_token => assert_eq!(answer.status, 401, "{told}"),
                    "globex" | "globex's machine" if for_staff => {
                        assert_eq!(answer.status, 403, "{told}");
                    }
                    "operator" if for_admins => assert_eq!(answer.status, 403, "{told}"),
                    _ => assert!(!needs_token || answer.status != 401, "{told}"),
                }
                if !matches!(caller, "operator" | "admin") {
                    // What one asked for may be told back: it is no news.
                    let text = answer.text.replace(&format!("/api/v1{asked}"), "");
                    for own in THEIRS {
                        assert!(!text.contains(own), "{told}");
                    }
                }
            }
        }
        if caller != "admin" {
            assert_eq!(theirs(&portal, &account).await, before, "{caller} changed something");
        }
    }
    assert!(tried > 120, "{tried}");
    // It was worth trying: whose it is sees it.
    let fresh = portal.log_in("owner@acme.example").await;
    assert_eq!(portal.get("/subscriptions/acme.school", &fresh.access).await.status, 200);
    assert_eq!(portal.get("/auth/tokens", &fresh.access).await.json.as_array().unwrap().len(), 1);
}

/// A portal that commits to the example, so that no route is refused for want of a repository.
async fn with_a_desk() -> Option<(Portal, TempDir)> {
    let (desk, cache) = a_desk().await;
    let change = |parts: &mut Parts| {
        parts.desk = Some(desk);
        parts.logs = Some(Scripted::saying("acme wrote this\n"));
    };
    let portal = Portal::open_with(change, Router::new()).await?;
    Some((portal, cache))
}

pub(super) async fn a_desk() -> (Desk, TempDir) {
    let repository = TestRepo::bare();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    repository.write_folder(&example, "").commit("the example");
    let cache = tempfile::tempdir().unwrap();
    let settings = Settings::of(repository.file_url().parse().unwrap());
    let person = Person { name: "Tenantry portal".into(), email: "portal@tenantry.invalid".into() };
    let editor = Editor::open(settings, cache.path(), person, None).await.unwrap();
    let desk = Desk::new(editor);
    // It reads the branch while there is one.
    desk.editor().digest("platform.yaml").await.unwrap();
    (desk, cache)
}

/// The rows that are acme's.
async fn theirs(portal: &Portal, account: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for table in [
        "user_account",
        "session",
        "refresh_token",
        "api_token",
        "deployment_token",
        "mail_token",
        "event_ticket",
        "customer_order",
        "hold",
    ] {
        let found = portal.rows(table).await;
        rows.extend(
            found
                .into_iter()
                .filter(|row| row.contains(account) || row.contains("\"tenant\":\"acme\"")),
        );
    }
    rows
}

#[tokio::test]
async fn a_tenant_in_the_body_or_the_query_is_nobody_s_tenant() {
    let Some(portal) = Portal::open().await else { return };
    let body = json!({ "email": "eve@example.com", "password": "four words in a row", "name": "Eve", "tenant": "acme" });
    assert_eq!(portal.post("/auth/register", "", body).await.code(), "invalid-fields");
    let body =
        json!({ "email": "eve@example.com", "password": "four words in a row", "name": "acme" });
    assert_eq!(portal.post("/auth/register", "", body).await.status, 202);
    portal.verify("eve@example.com").await;
    let eve = portal.log_in("eve@example.com").await;
    let tenant = portal.get("/auth/me", &eve.access).await.json["tenant"].clone();
    assert_ne!(tenant, "acme");
    assert_eq!(portal.get("/subscriptions", &eve.access).await.json["items"], json!([]));
    assert_eq!(portal.get("/subscriptions?tenant=acme", &eve.access).await.status, 404);
    let twice = portal.get("/subscriptions?tenant=acme&tenant=eve", &eve.access).await;
    assert_eq!(twice.code(), "invalid-fields");
}
