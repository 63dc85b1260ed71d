//! Who asks, and how often they may. It is found out once for each request; what it means for a
//! route stands in the route's signature.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use uuid::Uuid;

use super::Api;
use super::ROOT;
use super::problem;
use super::problem::Problem;
use super::rate::Decision;
use crate::accounts::AccountError;
use crate::accounts::Principal;
use crate::accounts::access;
use crate::accounts::audit::Origin;
use crate::accounts::token::Use;
use crate::model::Secret;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// By what a caller is told from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Account(Uuid),
    Address(IpAddr),
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody is logged in.
    Anonymous,
    Known(Principal),
    /// What they sent is no proof: a route that needs none answers all the same.
    Refused(Problem),
}

/// Finds out who asks, and refuses who asks too often.
pub(super) async fn know(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let address = parts.extensions.get::<Origin>().and_then(|origin| origin.address);
    let address = network(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let (caller, decision) = match decide(&api, &parts, address).await {
        Ok(known) => known,
        Err(refused) => return refuse(&refused),
    };
    parts.extensions.insert(caller);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    tell(response.headers_mut(), &decision);
    response
}

/// Who asks, and how much they may still ask.
async fn decide(
    api: &Api,
    request: &Parts,
    address: IpAddr,
) -> Result<(Caller, Decision), Decision> {
    let now = api.now();
    let allowed = |decision: Decision| match decision.retry_after {
        Some(_) => Err(decision),
        None => Ok(decision),
    };
    let entering = request.method == Method::POST
        && request.uri.path().strip_prefix(ROOT).is_some_and(|path| path.starts_with("/auth/"));
    // Whoever notifies proves it with a signature, and not by being somebody.
    let notifying =
        request.uri.path().strip_prefix(ROOT).is_some_and(|path| path.starts_with("/hooks/"));
    if notifying {
        let decision = allowed(api.shared.notifications.take(address, now))?;
        return Ok((Caller::Anonymous, decision));
    }
    let by_address = || api.shared.usual.take(Key::Address(address), now);
    let (caller, decision) = match bearer(&request.headers) {
        None => (Caller::Anonymous, allowed(by_address())?),
        Some(Err(problem)) => (Caller::Refused(problem), allowed(by_address())?),
        // To look a token up costs a query: whoever guesses is stopped before it.
        Some(Ok(token)) if token.reveal().starts_with(Use::Api.prefix()) => {
            let decision = allowed(by_address())?;
            match api.accounts().by_api_token(&token, now).await {
                Ok(known) => {
                    let key = Key::Account(known.account);
                    (Caller::Known(known), allowed(api.shared.usual.take(key, now))?)
                }
                Err(AccountError::Token) => {
                    (Caller::Refused(problem::ACCESS_INVALID.into()), decision)
                }
                Err(error) => (Caller::Refused(error.into()), decision),
            }
        }
        Some(Ok(token)) => match read_access(api, &token).await {
            Ok(known) => {
                let key = Key::Account(known.account);
                (Caller::Known(known), allowed(api.shared.usual.take(key, now))?)
            }
            Err(problem) => (Caller::Refused(problem), allowed(by_address())?),
        },
    };
    if entering {
        let decision = allowed(api.shared.entrance.take(address, now))?;
        return Ok((caller, decision));
    }
    Ok((caller, decision))
}

async fn read_access(api: &Api, token: &Secret) -> Result<Principal, Problem> {
    let now = api.now();
    let keys = api.accounts().keys(now).await?;
    Ok(access::read(&keys, token, now)?)
}

/// The token of `Authorization: Bearer …`, if there is that header.
fn bearer(headers: &HeaderMap) -> Option<Result<Secret, Problem>> {
    let value = headers.get(header::AUTHORIZATION)?;
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
    });
    Some(token.ok_or_else(|| {
        Problem::new(problem::UNAUTHENTICATED, "write `Authorization: Bearer <token>`")
    }))
}

/// Whoever has one IPv6 address has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

fn refuse(decision: &Decision) -> Response {
    let quota = &decision.policy;
    let detail = format!("{} requests in {} seconds are allowed", quota.quota, quota.window);
    let wait = decision.retry_after.unwrap_or_default();
    let mut response = Problem::new(problem::QUOTA, detail).retry_after(wait).into_response();
    tell(response.headers_mut(), decision);
    response
}

fn tell(headers: &mut HeaderMap, decision: &Decision) {
    for (name, text) in
        [(RATE_LIMIT, decision.header()), (RATE_LIMIT_POLICY, decision.policy_header())]
    {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}
