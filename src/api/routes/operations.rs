//! What was asked for, and what became of it.

use axum::Json;
use axum::extract::OriginalUri;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::Api;
use crate::api::ROOT;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog;
use crate::api::etag::ETag;
use crate::api::extract::Context;
use crate::api::extract::Viewer;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Commit;
use crate::model::Digest;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::operations;
use crate::operations::OperationError;
use crate::operations::operation;
use crate::operations::operation::Event;
use crate::operations::operation::State as Reached;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Where an operation stands.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OperationStatus)]
pub(super) enum Status {
    Accepted,
    /// A person reviews it before it is done.
    Proposed,
    Committed,
    Observed,
    Applying,
    Verifying,
    Succeeded,
    Failed,
    Superseded,
    Cancelled,
}

impl From<Reached> for Status {
    fn from(state: Reached) -> Self {
        match state {
            Reached::Accepted => Self::Accepted,
            Reached::Proposed => Self::Proposed,
            Reached::Committed => Self::Committed,
            Reached::Observed => Self::Observed,
            Reached::Applying => Self::Applying,
            Reached::Verifying => Self::Verifying,
            Reached::Succeeded => Self::Succeeded,
            Reached::Failed => Self::Failed,
            Reached::Superseded => Self::Superseded,
            Reached::Cancelled => Self::Cancelled,
        }
    }
}

/// Whether a step of the way is behind it.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Truth {
    True,
    /// It ended before.
    False,
    /// It has not come so far yet.
    Unknown,
}

/// One step of the way.
#[derive(Serialize, ToSchema)]
struct Condition {
    /// The state that the step leads to.
    r#type: Status,
    status: Truth,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_transition_at: Option<Timestamp>,
}

/// Where to read on.
#[derive(Serialize, ToSchema)]
struct Links {
    #[serde(rename = "self")]
    own: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
}

/// A change that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct Operation {
    id: Uuid,
    /// Such as `open`, `scale` or `restart`.
    kind: String,
    #[schema(value_type = String)]
    tenant: Name,
    /// `tenant.subscription`.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
    status: Status,
    /// How far it is on its way, in hundredths.
    percent: u8,
    /// Why it stands where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The commit that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    commit: Option<Commit>,
    /// The operation that it takes back, or follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<Uuid>,
    created_at: Timestamp,
    /// It is not committed before.
    due_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    /// The steps of the way; only where one operation is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Condition>,
    links: Links,
}

impl Operation {
    fn of(operation: &operations::Operation, events: &[Event]) -> Self {
        let (id, tenant) = (operation.id, &operation.intent.tenant);
        let subscription = operation.intent.change.subscription().map(|name| {
            catalog::written(&SubscriptionId { tenant: tenant.clone(), name: name.clone() })
        });
        // Who waits for review is where it was accepted; what has ended is at its end.
        let steps = Reached::WAY.iter().rposition(|state| *state <= operation.state);
        let percent = steps.map_or(100, |steps| steps * 100 / (Reached::WAY.len() - 1));
        Self {
            id,
            kind: operation.kind.clone(),
            tenant: tenant.clone(),
            status: operation.state.into(),
            percent: u8::try_from(percent).unwrap_or(100),
            message: operation.message.clone(),
            commit: operation.commit.clone(),
            follows: operation.cause,
            created_at: operation.created_at,
            due_at: operation.due_at,
            updated_at: operation.updated_at,
            ended_at: operation.ended_at,
            conditions: if events.is_empty() { Vec::new() } else { conditions(operation, events) },
            links: Links {
                own: address(id),
                order: operation.order.map(|order| format!("{ROOT}/orders/{order}")),
                subscription: subscription.as_ref().map(|id| format!("{ROOT}/subscriptions/{id}")),
            },
            subscription,
        }
    }
}

/// The steps of the way, each with the last that was said of it.
fn conditions(operation: &operations::Operation, events: &[Event]) -> Vec<Condition> {
    let ended = operation.state.is_end();
    let condition = |state: Reached| {
        let last = events.iter().rfind(|event| event.state == state);
        // What was not seen on the way was passed all the same.
        let passed =
            events.iter().any(|event| event.state <= Reached::Succeeded && event.state >= state);
        let status = match (passed, ended) {
            (true, _) => Truth::True,
            (false, true) => Truth::False,
            (false, false) => Truth::Unknown,
        };
        Condition {
            r#type: state.into(),
            status,
            message: last.and_then(|event| event.message.clone()),
            last_transition_at: last.map(|event| event.at),
        }
    };
    let was_proposed = |state: &Reached| events.iter().any(|event| event.state == *state);
    let [accepted, rest @ ..] = Reached::WAY;
    let review = Some(Reached::Proposed).filter(was_proposed);
    std::iter::once(accepted).chain(review).chain(rest).map(condition).collect()
}

fn address(id: Uuid) -> String {
    format!("{ROOT}/operations/{id}")
}

/// `202`: it is accepted, and this is where to follow it.
pub(super) fn accepted(operation: &operations::Operation) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(Operation::of(operation, &[]))).into_response();
    follow(&mut response, operation.id);
    response
}

/// Says where an operation can be followed, and how often to ask.
pub(super) fn follow(response: &mut Response, id: Uuid) {
    let headers = response.headers_mut();
    if let Ok(address) = HeaderValue::from_str(&address(id)) {
        headers.insert(header::LOCATION, address);
    }
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// For operators: only those of this tenant.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// Only those about this subscription: `tenant.subscription`.
    subscription: Option<String>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The operations of one's own tenant, the newest first; of all tenants for operators.
#[utoipa::path(get, path = "/operations", tag = "operations", operation_id = "list_operations",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of operations, the newest first", body = Page<Operation>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let one = match &asked.subscription {
        Some(text) => Some(catalog::named(text).ok_or(problem::NOT_FOUND)?),
        None => None,
    };
    let wanted = one.as_ref().map(|id| id.tenant.clone()).or(asked.tenant);
    let tenant = viewer.narrowed(wanted)?;
    let keys = api.accounts().keys(context.now).await?;
    let list =
        format!("operations {:?} {:?}", tenant.as_ref().map(Name::as_str), asked.subscription);
    let before = pages::after(&keys, &list, asked.cursor.as_deref(), read_position)?;
    let asked = operation::Asked { tenant, subscription: one.map(|id| id.name), before };
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let found = operation::list(&mut db, &asked, most).await?;
    let found = found.iter().map(|operation| Operation::of(operation, &[])).collect();
    let next = |last: &Operation| pages::cursor(&keys, &list, &position(last.created_at, last.id));
    Ok(Page::of(found, limit, next).answer(&uri))
}

/// The place of an entry in a list that has the newest first.
pub(super) fn position(at: Timestamp, id: Uuid) -> String {
    format!("{at} {id}")
}

/// Reads a place as [`position`] writes it.
pub(super) fn read_position(text: &str) -> Option<(Timestamp, Uuid)> {
    let (at, id) = text.split_once(' ')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

/// One operation, with the steps of its way.
#[utoipa::path(get, path = "/operations/{id}", tag = "operations", operation_id = "get_operation",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The operation's id")),
    responses(
        (status = 200, description = "The operation", body = Operation, headers(
            ("ETag" = String, description = "Changes with the operation"),
            ("Retry-After" = String, description = "When to ask again; absent where it has ended"))),
        (status = 304, description = "It is as `If-None-Match` says"),
    ))]
async fn get(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    Segment(id): Segment<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let found = operation::find(&mut db, id).await?;
    if !viewer.sees(&found.intent.tenant) {
        return Err(problem::NOT_FOUND.into());
    }
    let events = operation::events(&mut db, id, None).await?;
    let last = events.last().map_or(0, |event| event.sequence);
    let tag = ETag(Digest::of(format!("{id} {last}").as_bytes()));
    let mut response = if tag.is_known(&headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(Operation::of(&found, &events)).into_response()
    };
    response.headers_mut().insert(header::ETAG, tag.header());
    if !found.state.is_end() {
        let wait = if found.due_at > context.now { "60" } else { "1" };
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
    }
    Ok(response)
}
