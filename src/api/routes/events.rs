//! What happens to operations, as server-sent events: of one until it ends, or of all that the
//! caller may see, for as long as they listen.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde::de::IgnoredAny;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::operations::Status;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog;
use crate::api::extract::Context;
use crate::api::extract::Listener;
use crate::api::extract::Person;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::api::server::Stopping;
use crate::api::streams;
use crate::api::streams::Told;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::operations::OperationError;
use crate::operations::live::News;
use crate::operations::live::Whose;
use crate::operations::operation;

const LAST_EVENT_ID: &str = "last-event-id";

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(follow_operation))
        .routes(routes!(follow))
        .routes(routes!(create_ticket))
}

/// A state that an operation came into: the `data` of an event named `operation`.
#[derive(Serialize, ToSchema)]
struct Change {
    operation: Uuid,
    /// Such as `open`, `scale` or `restart`.
    kind: String,
    #[schema(value_type = String)]
    tenant: Name,
    /// `tenant.subscription`.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
    status: Status,
    /// Why it stands where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    at: Timestamp,
}

fn write(news: &News) -> String {
    let News { event, tenant, kind, subscription } = news;
    let subscription = subscription.as_ref().map(|name| {
        catalog::written(&SubscriptionId { tenant: tenant.clone(), name: name.clone() })
    });
    let change = Change {
        operation: event.operation,
        kind: kind.clone(),
        tenant: tenant.clone(),
        subscription,
        status: event.state.into(),
        message: event.message.clone(),
        at: event.at,
    };
    serde_json::to_string(&change).expect("because a change is texts")
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Read on after this event, where `Last-Event-ID` cannot be sent; the header counts for more.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// A ticket, where `Authorization` cannot be sent.
    #[serde(rename = "ticket")]
    #[param(value_type = Option<String>)]
    _ticket: Option<IgnoredAny>,
}

/// The number of the event that was told last.
fn told(headers: &HeaderMap, asked: &Asked) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(asked.after) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        Problem::field(
            "Last-Event-ID",
            "it is no number of an event",
            "send the `id` of the last event as it came, or leave the header out",
        )
    })
}

/// Follow one operation: every state it comes into, until it has ended.
///
/// Each event has a rising number as its `id`. A stream that broke off is read on with `Last-Event-ID`.
/// Whoever comes again after the end is told so with 204, after which an `EventSource` stays away.
#[utoipa::path(get, path = "/operations/{id}/events", tag = "operations", operation_id = "follow_operation",
    security(("token" = []), ("ticket" = [])),
    params(("id" = Uuid, Path, description = "The operation's id"), Asked,
        ("Last-Event-ID" = Option<i64>, Header, description = "The `id` of the event that was told last")),
    responses(
        (status = 200, description = "Events named `operation`, each a change of state, and heartbeats as comments",
            content_type = "text/event-stream", body = Change),
        (status = 204, description = "It has ended, and everything was told"),
    ))]
async fn follow_operation(
    State(api): State<Api>,
    listener: Listener,
    Segment(id): Segment<Uuid>,
    Parameters(asked): Parameters<Asked>,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let told = told(&headers, &asked)?;
    let viewer = listener.viewer();
    let live = api.live()?;
    let found = {
        let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
        let found = operation::find(&mut db, id).await?;
        if !viewer.sees(&found.intent.tenant) {
            return Err(problem::NOT_FOUND.into());
        }
        let events = operation::events(&mut db, id, None).await?;
        (found, events)
    };
    let (found, events) = found;
    let last = events.last().map_or(0, |event| event.sequence);
    // A number that is not among them was not told by this stream: it is told from the first.
    let told = told.filter(|told| *told <= last).unwrap_or(0);
    let has_ended = events.last().is_some_and(|event| event.state.is_end());
    if has_ended && told == last {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let news = events.into_iter().filter(|event| event.sequence > told).map(|event| {
        Arc::new(News {
            event,
            tenant: found.intent.tenant.clone(),
            kind: found.kind.clone(),
            subscription: found.intent.change.subscription().cloned(),
        })
    });
    let place = api.place(viewer.principal())?;
    let told = Told {
        first: news.collect(),
        following: live.follow(Whose::Operation(id), last),
        ends: true,
        write,
    };
    let stopping = stopping.map(|Extension(stopping)| stopping);
    Ok(streams::answer(&api, viewer.principal(), place, stopping, told))
}

/// Follow all operations of one's own tenant; of all tenants for operators. It does not end.
///
/// It begins with what happens from now on, or after the event that `Last-Event-ID` names: nothing
/// between is left out, and nothing told twice.
#[utoipa::path(get, path = "/events", tag = "operations", operation_id = "follow_operations",
    security(("token" = []), ("ticket" = [])),
    params(Asked,
        ("Last-Event-ID" = Option<i64>, Header, description = "The `id` of the event that was told last")),
    responses((status = 200, description = "Events named `operation`, each a change of state, and heartbeats as comments",
        content_type = "text/event-stream", body = Change)))]
async fn follow(
    State(api): State<Api>,
    listener: Listener,
    Parameters(asked): Parameters<Asked>,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let told = told(&headers, &asked)?;
    let principal = listener.viewer().principal();
    let place = api.place(principal)?;
    let whose = match listener.viewer().narrowed(None)? {
        Some(tenant) => Whose::Tenant(tenant),
        None => Whose::All,
    };
    let following = api.live()?.resume(whose, told).await?;
    let told = Told { first: Vec::new(), following, ends: false, write };
    let stopping = stopping.map(|Extension(stopping)| stopping);
    Ok(streams::answer(&api, principal, place, stopping, told))
}

/// A ticket. It is shown here and never again.
#[derive(Serialize, ToSchema)]
struct Ticket {
    ticket: String,
    expires_at: Timestamp,
}

/// Make a ticket that opens one stream within half a minute, as `?ticket=`.
///
/// For browsers, whose `EventSource` sends no `Authorization`.
#[utoipa::path(post, path = "/events/tickets", tag = "operations", operation_id = "create_event_ticket",
    security(("token" = [])),
    responses((status = 201, description = "The ticket, shown once", body = Ticket)))]
async fn create_ticket(
    State(api): State<Api>,
    context: Context,
    person: Person,
) -> Result<(StatusCode, Json<Ticket>), Problem> {
    let (ticket, expires_at) = api
        .accounts()
        .create_event_ticket(person.principal(), person.session(), &context.origin, context.now)
        .await?;
    Ok((StatusCode::CREATED, Json(Ticket { ticket: ticket.reveal().to_owned(), expires_at })))
}
