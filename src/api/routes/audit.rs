//! Who did what, for an admin.

use axum::extract::OriginalUri;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::users::read_position;
use crate::accounts::audit;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::extract::Admin;
use crate::api::extract::Context;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem::Problem;
use crate::model::Name;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only what was done by customers of this tenant.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// Only what this account did.
    account: Option<Uuid>,
    /// Only this, such as `auth.login`.
    action: Option<String>,
    /// Only what one request did.
    request_id: Option<String>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Something that somebody did, or was refused.
#[derive(Serialize, ToSchema)]
struct AuditLine {
    id: Uuid,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// `anonymous`, `customer`, `operator`, `admin`, or `system`.
    role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// Such as `auth.login`.
    action: String,
    /// What it was done to.
    subject: String,
    /// `done` or `refused`.
    outcome: String,
    #[schema(value_type = Object)]
    detail: Value,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

impl From<audit::Line> for AuditLine {
    fn from(line: audit::Line) -> Self {
        Self {
            id: line.id,
            at: line.at,
            account: line.account,
            email: line.email,
            role: line.role,
            tenant: line.tenant,
            action: line.action,
            subject: line.subject,
            outcome: line.outcome,
            detail: line.detail,
            request_id: line.request_id,
            address: line.address,
        }
    }
}

/// What was done and refused, newest first.
#[utoipa::path(get, path = "/admin/audit", tag = "admin", operation_id = "list_audit",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of what was done", body = Page<AuditLine>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    _admin: Admin,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let keys = api.accounts().keys(context.now).await?;
    let list = format!(
        "audit {:?}",
        (asked.tenant.as_ref().map(Name::as_str), asked.account, &asked.action, &asked.request_id)
    );
    let before = pages::after(&keys, &list, asked.cursor.as_deref(), read_position)?;
    let filter = audit::Asked {
        tenant: asked.tenant,
        account: asked.account,
        action: asked.action,
        request_id: asked.request_id,
        before,
    };
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let lines = api.accounts().audit(&filter, most).await?;
    let lines: Vec<AuditLine> = lines.into_iter().map(AuditLine::from).collect();
    let next = |last: &AuditLine| pages::cursor(&keys, &list, &format!("{} {}", last.at, last.id));
    Ok(Page::of(lines, limit, next).answer(&uri))
}
