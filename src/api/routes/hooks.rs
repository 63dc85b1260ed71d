//! What others tell us. A payment's notification is verified and written down, and no more: it
//! takes effect in the background. What Git tells only means that there is something to fetch.
//!
//! Each is answered in its sender's dialect: a sender that is to come again is told so in the
//! status that it understands.

use axum::Json;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Secret;
use crate::model::platform::PaymentProvider;
use crate::payments::NotTaken;
use crate::payments::PaymentError;
use crate::payments::VnpayAnswer;
use crate::source::webhook;
use crate::source::webhook::Refusal;

/// A notification says little; whoever sends more is not a provider. Pushes of Git may be longer,
/// and are cut by their senders.
const LARGEST_BODY: usize = 256 << 10;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(midtrans))
        .routes(routes!(stripe))
        .routes(routes!(momo))
        .routes(routes!(vnpay))
        .routes(routes!(github))
        .routes(routes!(gitea))
        .routes(routes!(gitlab))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

/// Takes a notification. That our database is away is told with 503, after which every provider
/// comes again; Midtrans would come only once more after a 500.
async fn take(
    api: &Api,
    provider: PaymentProvider,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    match api.payments().receive(provider, headers, body, api.now()).await {
        Ok(_) => Ok(()),
        Err(NotTaken::Refused(refusal)) => {
            Err(Problem::new(problem::UNAUTHENTICATED, refusal.to_string()))
        }
        Err(NotTaken::Payment(error @ PaymentError::NotSet(_))) => {
            Err(Problem::new(problem::FORBIDDEN, error.to_string()))
        }
        Err(NotTaken::Payment(error)) => {
            tracing::warn!("a notification is to come again: {error}");
            Err(Problem::away("send it again"))
        }
    }
}

/// A notification of Midtrans. Its signature leaves out the status, so Midtrans is asked.
#[utoipa::path(post, path = "/hooks/midtrans", tag = "hooks", operation_id = "notify_midtrans",
    request_body(content = String, content_type = "application/json", description = "As Midtrans sends it"),
    responses((status = 200, description = "It is written down"), (status = 401, description = "It is not by Midtrans")))]
async fn midtrans(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    take(&api, PaymentProvider::Midtrans, &headers, &body).await?;
    Ok(StatusCode::OK)
}

/// An event of Stripe.
#[utoipa::path(post, path = "/hooks/stripe", tag = "hooks", operation_id = "notify_stripe",
    request_body(content = String, content_type = "application/json", description = "As Stripe sends it"),
    responses((status = 200, description = "It is written down"), (status = 401, description = "It is not by Stripe, or too old")))]
async fn stripe(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    take(&api, PaymentProvider::Stripe, &headers, &body).await?;
    Ok(StatusCode::OK)
}

/// A notification of `MoMo`.
#[utoipa::path(post, path = "/hooks/momo", tag = "hooks", operation_id = "notify_momo",
    request_body(content = String, content_type = "application/json", description = "As MoMo sends it"),
    responses((status = 204, description = "It is written down"), (status = 401, description = "It is not by MoMo")))]
async fn momo(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    take(&api, PaymentProvider::Momo, &headers, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An answer in the words of `VNPay`.
#[derive(Serialize, ToSchema)]
struct VnpayCode {
    /// 00 taken, 01 no such payment, 02 known already, 04 another amount, 97 not signed by us, 99
    /// come again.
    #[serde(rename = "RspCode")]
    code: &'static str,
    #[serde(rename = "Message")]
    message: &'static str,
}

impl From<VnpayAnswer> for VnpayCode {
    fn from(answer: VnpayAnswer) -> Self {
        Self { code: answer.rsp_code, message: answer.message }
    }
}

/// A notification of `VNPay`, in the query. It is always answered with 200, and a code.
#[utoipa::path(get, path = "/hooks/vnpay", tag = "hooks", operation_id = "notify_vnpay",
    responses((status = 200, description = "What came of it", body = VnpayCode)))]
async fn vnpay(
    State(api): State<Api>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Json<VnpayCode> {
    let query = query.unwrap_or_default();
    Json(api.payments().answer_vnpay(&headers, query.as_bytes(), api.now()).await.into())
}

/// Has the daemon fetch, where one of the secrets verifies.
fn look(
    api: &Api,
    verify: impl Fn(&Secret, Timestamp) -> Result<(), Refusal>,
) -> Result<StatusCode, Problem> {
    let off = || {
        let why = "hooks of Git are off: start the daemon with --webhook-secret-file";
        Problem::new(problem::FORBIDDEN, why)
    };
    let hooks = api.git().ok_or_else(off)?;
    let now = api.now();
    let mut refusal = Refusal::Unsigned;
    for secret in &hooks.secrets {
        match verify(secret, now) {
            Ok(()) => {
                (hooks.look)();
                return Ok(StatusCode::ACCEPTED);
            }
            Err(refused) => refusal = refused,
        }
    }
    Err(Problem::new(problem::UNAUTHENTICATED, refusal.to_string()))
}

/// A push at GitHub: it has us fetch.
#[utoipa::path(post, path = "/hooks/github", tag = "hooks", operation_id = "hook_github",
    request_body(content = String, content_type = "application/json", description = "As GitHub sends it; only its signature is read"),
    responses((status = 202, description = "It is looked"), (status = 401, description = "It is not signed with our secret")))]
async fn github(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    look(&api, |secret, _| webhook::verify_github(secret, &headers, &body))
}

/// A push at Gitea or Forgejo: it has us fetch.
#[utoipa::path(post, path = "/hooks/gitea", tag = "hooks", operation_id = "hook_gitea",
    request_body(content = String, content_type = "application/json", description = "As Gitea sends it; only its signature is read"),
    responses((status = 202, description = "It is looked"), (status = 401, description = "It is not signed with our secret")))]
async fn gitea(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    look(&api, |secret, _| webhook::verify_gitea(secret, &headers, &body))
}

/// A push at GitLab: it has us fetch.
#[utoipa::path(post, path = "/hooks/gitlab", tag = "hooks", operation_id = "hook_gitlab",
    request_body(content = String, content_type = "application/json", description = "As GitLab sends it; only its signature or token is read"),
    responses((status = 202, description = "It is looked"), (status = 401, description = "It is not by our secret")))]
async fn gitlab(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    look(&api, |secret, now| webhook::verify_gitlab(secret, &headers, &body, now))
}
