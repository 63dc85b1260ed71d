//! Alerts, for operators: what is wrong for longer than it may be, and what was.

use axum::extract::OriginalUri;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::users::read_position;
use crate::alerts;
use crate::alerts::store;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem::Problem;
use crate::model::Name;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What may be wrong.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum AlertKind {
    /// A node does not run pods.
    NodeDown,
    /// A container is started again and again.
    Restarts,
    /// A subscription uses nearly all that it may.
    Usage,
    /// Something of an instance that should run does not.
    Downtime,
    BackupFailed,
    /// A certificate is near its end.
    Certificate,
    /// A disk is nearly full.
    Disk,
}

impl From<alerts::Kind> for AlertKind {
    fn from(kind: alerts::Kind) -> Self {
        match kind {
            alerts::Kind::NodeDown => Self::NodeDown,
            alerts::Kind::Restarts => Self::Restarts,
            alerts::Kind::Usage => Self::Usage,
            alerts::Kind::Downtime => Self::Downtime,
            alerts::Kind::BackupFailed => Self::BackupFailed,
            alerts::Kind::Certificate => Self::Certificate,
            alerts::Kind::Disk => Self::Disk,
        }
    }
}

impl From<AlertKind> for alerts::Kind {
    fn from(kind: AlertKind) -> Self {
        match kind {
            AlertKind::NodeDown => Self::NodeDown,
            AlertKind::Restarts => Self::Restarts,
            AlertKind::Usage => Self::Usage,
            AlertKind::Downtime => Self::Downtime,
            AlertKind::BackupFailed => Self::BackupFailed,
            AlertKind::Certificate => Self::Certificate,
            AlertKind::Disk => Self::Disk,
        }
    }
}

/// Whether an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum AlertState {
    Open,
    Closed,
}

/// Something that is wrong for longer than it may be, or was.
#[derive(Serialize, ToSchema)]
struct Alert {
    id: Uuid,
    kind: AlertKind,
    state: AlertState,
    /// What it is about, such as `saigon.node-1` or `acme/school`.
    subject: String,
    /// Where that is, if it is in a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cluster: Option<Name>,
    /// How it is, in a sentence; of a closed one, how it last was.
    what: String,
    /// When it was first seen.
    since: Timestamp,
    /// When it was last seen.
    seen_at: Timestamp,
    /// When operators were told.
    opened_at: Timestamp,
    /// Since when it is well again; it is closed when that has lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    eased_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<Timestamp>,
}

impl Alert {
    fn of(alert: alerts::Alert, opened_at: Timestamp) -> Self {
        let closed = alert.closed_at.is_some();
        Self {
            id: alert.id,
            kind: alert.kind.into(),
            state: if closed { AlertState::Closed } else { AlertState::Open },
            subject: alert.subject,
            cluster: alert.cluster,
            what: alert.what,
            since: alert.since,
            seen_at: alert.seen_at,
            opened_at,
            eased_at: alert.eased_at,
            closed_at: alert.closed_at,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only those that are open, or only those that are closed.
    #[param(inline)]
    state: Option<AlertState>,
    /// Only those of this kind.
    #[param(inline)]
    kind: Option<AlertKind>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What is wrong for longer than it may be, and what was, the newest first. What nobody knows is not
/// here: the job `alerts` says so.
#[utoipa::path(get, path = "/admin/alerts", tag = "admin", operation_id = "list_alerts",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of alerts", body = Page<Alert>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("alerts {:?}", (asked.state, asked.kind));
    let before = pages::after(&keys, &list, asked.cursor.as_deref(), read_position)?;
    let filter = store::Asked {
        kind: asked.kind.map(alerts::Kind::from),
        open: asked.state.map(|state| state == AlertState::Open),
        before,
    };
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let found = store::list(api.accounts().pool()?, &filter, most).await?;
    // One that was never told is nobody's to see.
    let alerts = found.into_iter().filter_map(|alert| {
        let opened_at = alert.opened_at?;
        Some(Alert::of(alert, opened_at))
    });
    let next =
        |last: &Alert| pages::cursor(&keys, &list, &format!("{} {}", last.opened_at, last.id));
    Ok(Page::of(alerts.collect(), limit, next).answer(&uri))
}
