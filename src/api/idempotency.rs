//! Idempotency keys (draft-ietf-httpapi-idempotency-key-header): a request that costs money may be
//! sent again by whoever did not get the answer, and takes effect once.
//!
//! To insert the key is to hold the lock: of two that come at once, one answers and the other is
//! told to wait (409). What was answered is kept for a week and given again; another request under
//! the same key is refused (422). Kept is what was decided: success, and refusals by the state of
//! things. What was refused before it was looked at (a field filled in wrongly, no rights, too
//! many requests) and what failed on our side leaves the key free, so that the corrected request
//! may use it.
//!
//! Killed while it answers, the lock falls after a minute, and the same request is answered anew.
//! Its effects must therefore have names of their own that follow from the key: [`Once`].

use axum::body::Body;
use axum::body::Bytes;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use sha2::Digest as _;
use sha2::Sha256;
use sqlx::types::Json;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

use super::Api;
use super::LARGEST_BODY;
use super::caller::Caller;
use super::openapi;
use super::problem;
use super::problem::Problem;
use crate::accounts::AccountError;
use crate::accounts::Accounts;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How long an answer is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long somebody may take to answer; longer than any deadline of a request.
const LOCKED: SignedDuration = SignedDuration::from_secs(60);
/// An answer that is kept is a document, not a download.
const LARGEST_ANSWER: usize = 1 << 20;

/// Names the effects of one request, however often it is sent: the same key of the same caller at
/// the same route gives the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once(pub Uuid);

/// What a key belongs to.
#[derive(Clone)]
struct Claim {
    principal: String,
    route: String,
    key: String,
    fingerprint: [u8; 32],
}

/// What is known of a key.
enum Known {
    /// It is ours to answer.
    Ours,
    Running,
    Other,
    Answered {
        status: u16,
        headers: BTreeMap<String, String>,
        body: Vec<u8>,
    },
}

/// Answers each key once. Lay it around routes that must not take effect twice:
/// `axum::middleware::from_fn_with_state(api, idempotency::once)`.
pub async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    match answer(&api, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// Answers each key once at the routes whose description promises it, and lets others pass.
pub(super) async fn where_promised(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if openapi::promises_once(request.method(), route) {
        once(State(api), request, next).await
    } else {
        next.run(request).await
    }
}

async fn answer(api: &Api, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let principal = match parts.extensions.get::<Caller>() {
        Some(Caller::Known(principal)) => principal.account.to_string(),
        Some(Caller::Refused(problem)) => return Err(problem.clone()),
        _ => return Err(problem::UNAUTHENTICATED.into()),
    };
    let key = key(&parts.headers)?;
    let pattern = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let route = format!("{} {pattern}", parts.method);
    let body = axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|_| {
        Problem::new(problem::TOO_LARGE, format!("at most {LARGEST_BODY} bytes are taken"))
    })?;
    let asked = format!("{} {} {principal}", parts.method, parts.uri);
    let fingerprint = fingerprint(&asked, &body);
    let claim = Claim { principal, route, key, fingerprint };
    match take(api, &claim).await? {
        Known::Ours => {}
        Known::Running => {
            return Err(Problem::from(problem::KEY_IN_USE).retry_after(Duration::from_secs(1)));
        }
        Known::Other => return Err(problem::KEY_REUSED.into()),
        Known::Answered { status, headers, body } => return Ok(replay(status, &headers, body)),
    }
    parts.extensions.insert(claim.once());
    let request = Request::from_parts(parts, Body::from(body));
    // Whoever hangs up does not stop what was begun.
    let api = api.clone();
    let answering = tokio::spawn(async move { run(&api, claim, request, next).await });
    answering.await.map_err(|error| Problem::internal(&error))
}

/// Answers, and keeps the answer.
async fn run(api: &Api, claim: Claim, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let (parts, body) = response.into_parts();
    let body = match axum::body::to_bytes(body, LARGEST_ANSWER).await {
        Ok(body) => body,
        Err(error) => {
            let failed = Problem::internal(&error).into_response();
            return failed;
        }
    };
    let kept = if is_decided(parts.status) {
        keep(api, &claim, parts.status, &parts.headers, &body).await
    } else {
        release(api, &claim).await
    };
    if let Err(error) = kept {
        // The answer stands; the lock falls by itself.
        tracing::warn!("an answer could not be kept for its idempotency key: {error}");
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether an answer says what was decided, and would be the same if it were asked again.
fn is_decided(status: StatusCode) -> bool {
    let refused_before = [400, 401, 403, 405, 413, 415, 422, 428, 429];
    (status.is_success() || status.is_client_error()) && !refused_before.contains(&status.as_u16())
}

impl Claim {
    fn once(&self) -> Once {
        let hash = Sha256::new()
            .chain_update(&self.principal)
            .chain_update([0])
            .chain_update(&self.route)
            .chain_update([0])
            .chain_update(&self.key)
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Once(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// The key of the header: a string of RFC 8941 in quotes, or bare as most clients send it.
fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let Some(value) = headers.get(KEY) else { return Err(problem::KEY_MISSING.into()) };
    let text = value.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=255).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if fits {
        return Ok(key.to_owned());
    }
    Err(Problem::new(
        problem::KEY_MISSING,
        "a key has 1 to 255 printable characters, as a UUID has",
    ))
}

/// What was asked: method, address, who, and the body, whatever the order of its fields.
fn fingerprint(asked: &str, body: &Bytes) -> [u8; 32] {
    let canonical = match serde_json::from_slice::<Value>(body) {
        Ok(value) => sorted(value).to_string().into_bytes(),
        Err(_) => body.to_vec(),
    };
    Sha256::new().chain_update(asked).chain_update([0]).chain_update(canonical).finalize().into()
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(entries) => Value::Array(entries.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Takes the lock of a key, or says what is known of it.
async fn take(api: &Api, claim: &Claim) -> Result<Known, AccountError> {
    type Row =
        (Vec<u8>, bool, Option<i16>, Option<Json<BTreeMap<String, String>>>, Option<Vec<u8>>);
    let (accounts, now) = (api.accounts(), api.now());
    let pool = accounts.pool()?;
    // Whose lock has fallen and what is too old is taken over, by one.
    let taken = sqlx::query(
        "insert into idempotency as known
             (principal, route, key, fingerprint, created_at, locked_until)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (principal, route, key) do update set
             fingerprint = $4, created_at = $5, locked_until = $6,
             status = null, headers = null, body = null
         where known.created_at <= $7
             or (known.status is null and known.locked_until <= $5 and known.fingerprint = $4)",
    )
    .bind(&claim.principal)
    .bind(&claim.route)
    .bind(&claim.key)
    .bind(&claim.fingerprint[..])
    .bind(now.to_sqlx())
    .bind((now + LOCKED).to_sqlx())
    .bind((now - KEPT).to_sqlx())
    .execute(pool)
    .await
    .map_err(accounts.failed())?;
    if taken.rows_affected() == 1 {
        return Ok(Known::Ours);
    }
    let row: Option<Row> = sqlx::query_as(
        "select fingerprint, status is null, status, headers, body from idempotency
         where principal = $1 and route = $2 and key = $3",
    )
    .bind(&claim.principal)
    .bind(&claim.route)
    .bind(&claim.key)
    .fetch_optional(pool)
    .await
    .map_err(accounts.failed())?;
    Ok(match row {
        Some((fingerprint, ..)) if fingerprint != claim.fingerprint => Known::Other,
        Some((_, false, Some(status), Some(headers), Some(body))) => {
            Known::Answered { status: status.unsigned_abs(), headers: headers.0, body }
        }
        // Released this very moment, or still held.
        _ => Known::Running,
    })
}

async fn keep(
    api: &Api,
    claim: &Claim,
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<(), AccountError> {
    let kept: BTreeMap<&str, &str> = ["content-type", "location", "etag", "link"]
        .into_iter()
        .filter_map(|name| Some((name, headers.get(name)?.to_str().ok()?)))
        .collect();
    sqlx::query(
        "update idempotency set status = $4, headers = $5, body = $6
         where principal = $1 and route = $2 and key = $3 and status is null",
    )
    .bind(&claim.principal)
    .bind(&claim.route)
    .bind(&claim.key)
    .bind(i16::try_from(status.as_u16()).unwrap_or(200))
    .bind(Json(kept))
    .bind(&body[..])
    .execute(api.accounts().pool()?)
    .await
    .map_err(api.accounts().failed())?;
    Ok(())
}

async fn release(api: &Api, claim: &Claim) -> Result<(), AccountError> {
    sqlx::query(
        "delete from idempotency where principal = $1 and route = $2 and key = $3 and status is null",
    )
    .bind(&claim.principal)
    .bind(&claim.route)
    .bind(&claim.key)
    .execute(api.accounts().pool()?)
    .await
    .map_err(api.accounts().failed())?;
    Ok(())
}

fn replay(status: u16, headers: &BTreeMap<String, String>, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Forgets answers that are older than they are kept.
pub async fn clean(accounts: &Accounts, now: Timestamp) -> Result<u64, AccountError> {
    let gone = sqlx::query("delete from idempotency where created_at <= $1")
        .bind((now - KEPT).to_sqlx())
        .execute(accounts.pool()?)
        .await
        .map_err(accounts.failed())?;
    Ok(gone.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_quoted_or_bare() {
        let read = |text: &str| {
            let value = HeaderValue::from_str(text).unwrap();
            key(&HeaderMap::from_iter([(KEY, value)])).ok()
        };
        assert_eq!(read("\"8e03978e\"").as_deref(), Some("8e03978e"));
        assert_eq!(read("8e03978e").as_deref(), Some("8e03978e"));
        for wrong in ["", "\"\"", "a b", "a\"b", &"k".repeat(256)] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_order_of_fields_makes_no_other_request() {
        let of = |body: &'static str| fingerprint("POST /x", &Bytes::from_static(body.as_bytes()));
        assert_eq!(of(r#"{"a":1,"b":{"c":2,"d":3}}"#), of(r#"{ "b": {"d":3,"c":2}, "a": 1 }"#));
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":2}"#));
        assert_ne!(of(r#"{"a":[1,2]}"#), of(r#"{"a":[2,1]}"#));
    }

    #[test]
    fn only_what_was_decided_is_kept() {
        let decided = |status| is_decided(StatusCode::from_u16(status).unwrap());
        assert!([200, 201, 202, 204, 402, 404, 409, 412].into_iter().all(decided));
        assert!(![400, 401, 403, 415, 422, 429, 500, 503].into_iter().any(decided));
    }
}
