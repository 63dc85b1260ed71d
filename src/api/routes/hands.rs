//! What operators do to what customers have: more or less of it, backups, holds, and its end. Each
//! is a commit, and answered with an operation to follow.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::instances::backs_up;
use super::instances::named;
use super::operations::Operation;
use super::operations::accepted;
use super::wishes::Chosen;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::desk::Ask;
use crate::api::desk::take;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::subscription::HoldReason;
use crate::model::task::Action;
use crate::model::task::BACKUP;
use crate::model::task::RETENTION_DAYS;
use crate::model::task::is_backup_name;
use crate::operations::Change;
use crate::operations::pricing::Wish;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(scale))
        .routes(routes!(backup))
        .routes(routes!(restore))
        .routes(routes!(verify))
        .routes(routes!(hold, lift))
        .routes(routes!(remove))
}

/// A task for a subscription, asked for now.
fn task(
    id: &SubscriptionId,
    action: Action,
    with: BTreeMap<String, String>,
    context: &Context,
) -> Change {
    Change::task(id, action, with, Uuid::now_v7(), context.now)
}

/// Give an instance another package, other add-ons or amounts, at once and without a charge.
#[utoipa::path(put, path = "/admin/instances/{id}/scale", tag = "instances", operation_id = "scale_instance",
    security(("token" = [])), request_body = Chosen,
    params(("id" = String, Path, description = "`tenant.subscription`"),
        ("If-Match" = String, Header, description = "The `ETag` of the subscription")),
    responses(
        (status = 202, description = "It is accepted", body = Operation),
        (status = 409, description = "Validation would refuse it", body = problem::Document, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn scale(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment(id): Segment<String>,
    headers: HeaderMap,
    Body(chosen): Body<Chosen>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let id = named(&view, &id)?;
    let document = view.subscription(&id).ok_or(problem::NOT_FOUND)?;
    let wish = chosen.wish(Some(&document.spec.overrides))?;
    let scaled = |wish: crate::operations::pricing::Wish| Change::Scale {
        name: id.name.clone(),
        package: wish.package,
        overrides: Box::new(wish.overrides),
        add_ons: wish.add_ons,
    };
    let ask = Ask {
        undo: Some(scaled(Wish::of(&document.spec))),
        ..Ask::now(operator.principal(), &id.tenant, scaled(wish)).seen(&document.origin.file)
    };
    Ok(accepted(&take(&api, &context, &view, &headers, ask).await?))
}

/// Asks for something to be done once to an instance.
async fn ask_for(
    api: &Api,
    context: &Context,
    operator: &Operator,
    id: &str,
    action: Action,
    with: BTreeMap<String, String>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let id = named(&view, id)?;
    let change = task(&id, action, with, context);
    let ask = Ask::now(operator.principal(), &id.tenant, change);
    Ok(accepted(&take(api, context, &view, &HeaderMap::new(), ask).await?))
}

/// Ask for a backup.
#[utoipa::path(post, path = "/admin/instances/{id}/backup", tag = "instances", operation_id = "back_up_instance",
    security(("token" = [])), params(("id" = String, Path, description = "`tenant.subscription`")),
    responses((status = 202, description = "It is accepted", body = Operation)))]
async fn backup(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment(id): Segment<String>,
) -> Result<Response, Problem> {
    ask_for(&api, &context, &operator, &id, Action::Backup, BTreeMap::new()).await
}

/// What is restored.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Restore {
    /// The name of the backup, as the operation that made it says; the newest where absent.
    #[schema(max_length = 120, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    backup: Option<String>,
}

/// Ask for a backup to be restored.
#[utoipa::path(post, path = "/admin/instances/{id}/restore", tag = "instances", operation_id = "restore_instance",
    security(("token" = [])), request_body = Restore,
    params(("id" = String, Path, description = "`tenant.subscription`")),
    responses((status = 202, description = "It is accepted", body = Operation)))]
async fn restore(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment(id): Segment<String>,
    Body(Restore { backup }): Body<Restore>,
) -> Result<Response, Problem> {
    if backup.as_deref().is_some_and(|backup| !is_backup_name(backup)) {
        let message = "this is not the name of a backup";
        let help = "write at most 120 letters, digits, `.`, `_` and `-`, as the operation that made it says";
        return Err(Problem::field("backup", message, help));
    }
    let with = backup.map(|backup| (BACKUP.to_owned(), backup)).into_iter().collect();
    ask_for(&api, &context, &operator, &id, Action::Restore, with).await
}

/// Ask for an instance to be verified: the checks of its package run once more.
#[utoipa::path(post, path = "/admin/instances/{id}/verify", tag = "instances", operation_id = "verify_instance",
    security(("token" = [])), params(("id" = String, Path, description = "`tenant.subscription`")),
    responses((status = 202, description = "It is accepted", body = Operation)))]
async fn verify(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment(id): Segment<String>,
) -> Result<Response, Problem> {
    ask_for(&api, &context, &operator, &id, Action::Verify, BTreeMap::new()).await
}

/// Why an operator holds something. What is overdue, payments decide.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Reason {
    Operator,
    Abuse,
}

impl From<Reason> for HoldReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Operator => Self::Operator,
            Reason::Abuse => Self::Abuse,
        }
    }
}

/// What stands beside a hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Note {
    /// It stands in Git for ever: no secrets, no persons.
    #[schema(max_length = 300)]
    note: Option<String>,
}

/// Hold an instance: it stops, and keeps its data.
#[utoipa::path(put, path = "/admin/instances/{id}/holds/{reason}", tag = "instances", operation_id = "hold_instance",
    security(("token" = [])), request_body = Note,
    params(("id" = String, Path, description = "`tenant.subscription`"),
        ("reason" = inline(Reason), Path, description = "Why")),
    responses((status = 202, description = "It is accepted", body = Operation)))]
async fn hold(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment((id, reason)): Segment<(String, Reason)>,
    Body(Note { note }): Body<Note>,
) -> Result<Response, Problem> {
    if note.as_ref().is_some_and(|note| note.chars().count() > 300) {
        return Err(Problem::field("note", "it is too long", "write at most 300 characters"));
    }
    let view = api.catalog().view()?;
    let id = named(&view, &id)?;
    let change = Change::Hold { name: id.name, reason: reason.into(), note };
    let ask = Ask::now(operator.principal(), &id.tenant, change);
    Ok(accepted(&take(&api, &context, &view, &HeaderMap::new(), ask).await?))
}

/// Lift a hold. The instance runs when no other is left.
#[utoipa::path(delete, path = "/admin/instances/{id}/holds/{reason}", tag = "instances", operation_id = "lift_hold",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`"),
        ("reason" = inline(Reason), Path, description = "Why it was held")),
    responses((status = 202, description = "It is accepted", body = Operation)))]
async fn lift(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment((id, reason)): Segment<(String, Reason)>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let id = named(&view, &id)?;
    let change = Change::Lift { name: id.name, reason: reason.into() };
    let ask = Ask::now(operator.principal(), &id.tenant, change);
    Ok(accepted(&take(&api, &context, &view, &HeaderMap::new(), ask).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Ending {
    /// Whether a last backup is taken, and nothing is removed before it was; so where absent.
    backup_before_delete: Option<bool>,
    /// How many days that backup is kept; as long as the package says where absent.
    #[param(minimum = 1, maximum = 3650)]
    retention_days: Option<u16>,
}

/// Remove an instance, after a last backup unless it is said otherwise.
#[utoipa::path(delete, path = "/admin/instances/{id}", tag = "instances", operation_id = "remove_instance",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`"), Ending,
        ("If-Match" = String, Header, description = "The `ETag` of the subscription")),
    responses(
        (status = 202, description = "It is accepted: of the backup, which the removal follows, or of the removal", body = Operation),
        (status = 412, description = "It was changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn remove(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment(id): Segment<String>,
    headers: HeaderMap,
    Parameters(ending): Parameters<Ending>,
) -> Result<Response, Problem> {
    let keeps = ending.backup_before_delete.unwrap_or(true);
    if ending.retention_days.is_some_and(|days| !keeps || !(1..=3650).contains(&days)) {
        let message = "nothing is kept for so long";
        let help = "write 1 to 3650, and do not forgo the backup";
        return Err(Problem::field("retention_days", message, help));
    }
    let view = api.catalog().view()?;
    let id = named(&view, &id)?;
    let document = view.subscription(&id).ok_or(problem::NOT_FOUND)?;
    let days = ending.retention_days.map(|days| (RETENTION_DAYS.to_owned(), days.to_string()));
    let (change, follow_up) = if keeps && backs_up(&view, &id) {
        let change = task(&id, Action::FinalBackup, days.into_iter().collect(), &context);
        (change, Some(Change::Remove { name: id.name.clone() }))
    } else {
        (Change::Remove { name: id.name.clone() }, None)
    };
    let tenant: &Name = &id.tenant;
    let ask = Ask {
        follow_up,
        ..Ask::now(operator.principal(), tenant, change).seen(&document.origin.file)
    };
    Ok(accepted(&take(&api, &context, &view, &headers, ask).await?))
}
