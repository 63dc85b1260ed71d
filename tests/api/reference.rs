//! The `OpenAPI` document: committed, served, and of every route there is.

use std::path::Path;

use serde_json::Value;
use tenantry::api::openapi;

use super::Portal;

/// To write it again: `WRITE_SCHEMAS=1 cargo test --test integration openapi`, or
/// `tenantry schema --write schemas`.
#[test]
fn the_openapi_document_is_the_one_of_the_handlers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json");
    let generated = openapi::text();
    if std::env::var_os("WRITE_SCHEMAS").is_some() {
        std::fs::write(&file, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == generated,
        "schemas/openapi.json is not what the handlers describe: run `tenantry schema --write schemas`"
    );
}

#[tokio::test]
async fn what_is_served_is_what_is_committed_and_every_operation_is_there() {
    let Some(portal) = Portal::open().await else { return };
    let served = portal.get("/openapi.json", "").await;
    assert_eq!(served.json, *openapi::document());
    assert!(served.json["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = Vec::new();
    for (path, operations) in served.json["paths"].as_object().unwrap() {
        assert!(path.starts_with("/api/v1/"), "{path}");
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(operation["summary"].is_string(), "{id} has no summary");
            assert!(operation["responses"]["429"].is_object(), "{id} has no problems");
            ids.push(id);
            // Every operation is served: whatever it answers, it is not that it is not there.
            let asked =
                path.strip_prefix("/api/v1").unwrap().replace("{id}", "x").replace("{name}", "x");
            let answer = portal.client.send(&method.to_uppercase(), &asked, "", None, &[]).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(answer.status != 404 || path.contains('{'), "{method} {path}");
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn walk(document: &Value, value: &Value, found: &mut usize) {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            *found += 1;
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|value| walk(document, value, found)),
            Value::Array(items) => items.iter().for_each(|value| walk(document, value, found)),
            _ => {}
        }
    }
    let mut found = 0;
    walk(openapi::document(), openapi::document(), &mut found);
    assert!(found > 100, "{found}");
}

#[tokio::test]
async fn the_reference_page_needs_nothing_from_elsewhere() {
    let Some(portal) = Portal::open().await else { return };
    let page = portal.get("/docs", "").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let script = portal.get("/docs/reference.js", "").await;
    let style = portal.get("/docs/reference.css", "").await;
    for part in [&page, &script, &style] {
        assert_eq!(part.status, 200);
        assert!(!part.text.contains("http://") && !part.text.contains("https://"));
        assert!(!part.text.contains("innerHTML"));
    }
}

#[tokio::test]
async fn every_kind_of_problem_is_explained() {
    let Some(portal) = Portal::open().await else { return };
    let explained = portal.get("/problems", "").await;
    let refused = portal.get("/auth/me", "").await;
    let kinds = explained.json.as_array().unwrap();
    let kind = kinds.iter().find(|kind| kind["type"] == refused.json["type"]).unwrap();
    assert_eq!(kind["status"], 401);
}
