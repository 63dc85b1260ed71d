//! The `OpenAPI` document, as the handlers describe themselves, and a page to read it. The page
//! needs nothing from elsewhere: no network, no script of others.

use std::collections::HashSet;
use std::sync::OnceLock;

use axum::Json;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::ToSchema;
use utoipa::openapi::security::ApiKey;
use utoipa::openapi::security::ApiKeyValue;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityScheme;

use super::Api;
use super::problem;
use super::problem::Kind;
use super::routes;

/// What does not belong to one handler.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tenantry portal",
        version = "1",
        description = "Orders become commits, and money stays in the ledger. Every refusal is a problem document (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(problem::Document, problem::FieldError)),
    modifiers(&Token),
    tags(
        (name = "auth", description = "Register, log in, and stay logged in"),
        (name = "tokens", description = "Tokens for machines"),
        (name = "catalog", description = "What can be ordered"),
        (name = "orders", description = "Ask for a price, order, and pay"),
        (name = "operations", description = "Follow what was asked for"),
        (name = "subscriptions", description = "What a customer has"),
        (name = "pods", description = "What runs for it, and what that writes"),
        (name = "wallet", description = "What is there, and how it gets there"),
        (name = "hooks", description = "What others tell us: payments, and that there is something to fetch"),
        (name = "invoices", description = "What was sold"),
        (name = "settings", description = "How a customer is shown and spoken to"),
        (name = "instances", description = "How what customers have is doing"),
        (name = "workers", description = "The nodes of clusters, and what they can still take"),
        (name = "admin", description = "People and what they did"),
        (name = "reference", description = "This document"),
    )
)]
pub(super) struct Base;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An access token of `POST /api/v1/auth/login`, or an API token (`tna_…`)",
            ))
            .build();
        let ticket = ApiKeyValue::with_description(
            "ticket",
            "A ticket of `POST /api/v1/events/tickets`; good for one stream",
        );
        let schemes = &mut document.components.get_or_insert_default().security_schemes;
        schemes.insert("token".to_owned(), SecurityScheme::Http(scheme).into());
        schemes.insert("ticket".to_owned(), SecurityScheme::ApiKey(ApiKey::Query(ticket)).into());
    }
}

/// The whole document. Every operation says which problems it may answer with.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let (_, document) = routes::all().split_for_parts();
        let mut document =
            serde_json::to_value(document).expect("because an OpenAPI document has texts for keys");
        let paths = document.get_mut("paths").and_then(Value::as_object_mut);
        for operations in paths.into_iter().flat_map(|paths| paths.values_mut()) {
            let operations = operations.as_object_mut();
            for operation in operations.into_iter().flat_map(|methods| methods.values_mut()) {
                add_problems(operation);
            }
        }
        document
    })
}

/// Whether an operation describes that it asks for an `Idempotency-Key`.
pub(super) fn promises_once(method: &Method, path: &str) -> bool {
    static PROMISED: OnceLock<HashSet<(String, String)>> = OnceLock::new();
    let promised = PROMISED.get_or_init(|| {
        let mut promised = HashSet::new();
        let paths = document()["paths"].as_object();
        for (path, operations) in paths.into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                let parameters = operation["parameters"].as_array();
                let key = |parameter: &&Value| parameter["name"] == "Idempotency-Key";
                if parameters.into_iter().flatten().any(|parameter| key(&parameter)) {
                    promised.insert((method.to_uppercase(), path.clone()));
                }
            }
        }
        promised
    });
    promised.contains(&(method.as_str().to_owned(), path.to_owned()))
}

/// The document as it is committed: `schemas/openapi.json`.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(document())
        .expect("because an OpenAPI document has texts for keys");
    text.push('\n');
    text
}

fn add_problems(operation: &mut Value) {
    let has = |what: &str| operation.get(what).is_some();
    let mut kinds = vec![problem::QUOTA, problem::INTERNAL, problem::UNAVAILABLE];
    if has("security") {
        kinds.extend([problem::UNAUTHENTICATED, problem::FORBIDDEN]);
    }
    if has("requestBody") {
        kinds.extend([
            problem::MALFORMED,
            problem::TOO_LARGE,
            problem::MEDIA_TYPE,
            problem::INVALID,
        ]);
    }
    let parameters = operation.get("parameters").and_then(Value::as_array);
    for parameter in parameters.into_iter().flatten() {
        kinds.push(match parameter["in"].as_str() {
            Some("path") => problem::NOT_FOUND,
            _ => problem::INVALID,
        });
        match parameter["name"].as_str() {
            Some("Idempotency-Key") => kinds.push(problem::KEY_MISSING),
            // Whose it is decides whether there is such a thing.
            Some("tenant" | "subscription") => kinds.push(problem::NOT_FOUND),
            _ => {}
        }
    }
    if has("security") && operation["responses"]["202"].is_object() {
        // It becomes a commit, which validation may refuse.
        kinds.push(problem::REFUSED);
    }
    if has("requestBody") && operation["tags"][0] == "hooks" {
        // It may not be set up here.
        kinds.push(problem::FORBIDDEN);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    kinds.sort_by_key(|kind| kind.status.as_u16());
    for Kind { status, title, .. } in kinds {
        let answer = json!({
            "description": title,
            "content": {
                "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } }
            }
        });
        responses.entry(status.as_str()).or_insert(answer);
    }
}

/// A kind of problem, explained.
#[derive(Serialize, ToSchema)]
pub(super) struct Explained {
    /// The value of `type`.
    r#type: String,
    code: &'static str,
    status: u16,
    title: &'static str,
    /// What it means, and what to do.
    help: &'static str,
}

/// Every kind of problem, with what it means and what to do about it.
#[utoipa::path(get, path = "/problems", tag = "reference", operation_id = "list_problems",
    responses((status = 200, description = "Every kind of problem", body = Vec<Explained>)))]
pub(super) async fn problems() -> Json<Vec<Explained>> {
    let explained = problem::KINDS.iter().map(|kind| Explained {
        r#type: kind.uri(),
        code: kind.code,
        status: kind.status.as_u16(),
        title: kind.title,
        help: kind.help,
    });
    Json(explained.collect())
}

/// The `OpenAPI` document of this API.
#[utoipa::path(get, path = "/openapi.json", tag = "reference", operation_id = "get_openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) async fn openapi() -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(document())).into_response()
}

/// The page that shows the document; not an operation of the API itself.
pub(super) fn router() -> Router<Api> {
    const PAGE: &str = include_str!("reference/page.html");
    const SCRIPT: &str = include_str!("reference/reference.js");
    const STYLE: &str = include_str!("reference/reference.css");
    Router::new()
        .route("/api/v1/docs", get(|| async { asset("text/html; charset=utf-8", PAGE) }))
        .route(
            "/api/v1/docs/reference.js",
            get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route(
            "/api/v1/docs/reference.css",
            get(|| async { asset("text/css; charset=utf-8", STYLE) }),
        )
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
