//! What happens around every request: it gets an id, a place it comes from and a deadline; its
//! answer gets headers; a problem learns which request it is about; the log gets one line. What
//! stands in headers, queries and bodies is not logged: tokens and passwords are there.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use std::time::Instant;

use axum::extract::ConnectInfo;
use axum::extract::MatchedPath;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::header;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use futures_util::FutureExt as _;
use tracing::Instrument as _;
use uuid::Uuid;

use super::Api;
use super::problem;
use super::problem::Problem;
use crate::accounts::audit::Origin;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(super) async fn around(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let parts = &api.shared.parts;
    let id = request_id(request.headers());
    let address = address(&request, parts.behind_proxy);
    let path = request.uri().path().to_owned();
    // The pattern, not the path: a path may hold what is nobody's business.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unknown".to_owned(), |matched| matched.as_str().to_owned());
    let method = request.method().clone();
    request.extensions_mut().insert(Origin { request_id: id.clone(), address });

    let span = tracing::info_span!("request", request = %id, %method, route);
    let answer = answer(next.run(request), parts.patience).instrument(span.clone()).await;
    let mut response = match answer.extensions().get::<Problem>() {
        Some(problem) => with_body(&answer, problem.clone().about(&path, &id)),
        None => answer,
    };
    dress(response.headers_mut(), &id, parts.behind_proxy);
    let took = started.elapsed().as_millis();
    let status = response.status().as_u16();
    span.in_scope(|| {
        if let Some(problem) = response.extensions().get::<Problem>() {
            tracing::info!(status, took, problem = problem.code(), "answered");
        } else {
            tracing::debug!(status, took, "answered");
        }
    });
    response
}

/// The answer, in time and without a panic.
async fn answer(answering: impl Future<Output = Response>, patience: Duration) -> Response {
    let caught = AssertUnwindSafe(answering).catch_unwind();
    match tokio::time::timeout(patience, caught).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Problem::internal(&"it panicked").into_response(),
        Err(_) => {
            Problem::from(problem::TIMEOUT).retry_after(Duration::from_secs(1)).into_response()
        }
    }
}

/// The same answer with the problem written out again.
fn with_body(answer: &Response, problem: Problem) -> Response {
    let mut response = problem.into_response();
    for (name, value) in answer.headers() {
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// The id that the client chose, if it can stand in a log and a header; otherwise a fresh one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| {
            (8..=64).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Where a request comes from. Behind a proxy that is what the proxy added to `X-Forwarded-For`:
/// the last entry, because whoever asks can write anything before it.
fn address(request: &Request, behind_proxy: bool) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    if !behind_proxy {
        return peer;
    }
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
    forwarded
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.rsplit(',').next())
        .and_then(|last| last.trim().parse().ok())
        .or(peer)
}

/// Headers of every answer: what browsers must not do with it. (OWASP, REST security.)
fn dress(headers: &mut HeaderMap, id: &str, behind_proxy: bool) {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if behind_proxy {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(forwarded: &[&str]) -> Request {
        let mut request = Request::new(Body::empty());
        let peer: SocketAddr = "192.0.2.9:4711".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        for value in forwarded {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().append("x-forwarded-for", value);
        }
        request
    }

    #[test]
    fn only_a_proxy_is_believed_where_a_request_comes_from() {
        let from =
            |forwarded: &[&str], proxy| address(&request(forwarded), proxy).unwrap().to_string();
        assert_eq!(from(&["203.0.113.7"], false), "192.0.2.9");
        assert_eq!(from(&["203.0.113.7"], true), "203.0.113.7");
        // What the client wrote itself stands before what the proxy added.
        assert_eq!(from(&["10.0.0.1, 203.0.113.7"], true), "203.0.113.7");
        assert_eq!(from(&["10.0.0.1", "203.0.113.7"], true), "203.0.113.7");
        assert_eq!(from(&["nonsense"], true), "192.0.2.9");
    }

    #[test]
    fn an_id_that_could_forge_a_line_of_the_log_is_replaced() {
        let id = |text: &'static str| {
            request_id(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(text))]))
        };
        assert_eq!(id("order-4711.retry_2"), "order-4711.retry_2");
        assert_ne!(id("short"), "short");
        assert_ne!(id("with space in it"), "with space in it");
        assert!(Uuid::parse_str(&request_id(&HeaderMap::new())).is_ok());
    }
}
