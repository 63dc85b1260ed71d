//! People, for an admin.

use axum::Json;
use axum::extract::OriginalUri;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::RoleWord;
use super::auth::User;
use crate::accounts::Standing;
use crate::accounts::users::Change;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::extract::Admin;
use crate::api::extract::Context;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Name;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, change))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only customers of this tenant.
    #[param(value_type = Option<String>)]
    tenant: Option<Name>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Reads a position in a list that is ordered by time and id.
pub(super) fn read_position(position: &str) -> Option<(Timestamp, Uuid)> {
    let (at, id) = position.split_once(' ')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

/// People who have an account, the first to register first.
#[utoipa::path(get, path = "/admin/users", tag = "admin", operation_id = "list_users",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "A page of people", body = Page<User>)))]
async fn list(
    State(api): State<Api>,
    context: Context,
    _admin: Admin,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let limit = pages::limit(asked.limit)?;
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("users {:?}", asked.tenant.as_ref().map(Name::as_str));
    let after = pages::after(&keys, &list, asked.cursor.as_deref(), read_position)?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let people = api.accounts().people(asked.tenant.as_ref(), after, most).await?;
    let people: Vec<User> = people.into_iter().map(User::from).collect();
    let next =
        |last: &User| pages::cursor(&keys, &list, &format!("{} {}", last.created_at, last.id));
    Ok(Page::of(people, limit, next).answer(&uri))
}

/// One person.
#[utoipa::path(get, path = "/admin/users/{id}", tag = "admin", operation_id = "get_user",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The account's id")),
    responses((status = 200, description = "The account", body = User)))]
async fn get(
    State(api): State<Api>,
    _admin: Admin,
    Segment(id): Segment<Uuid>,
) -> Result<Json<User>, Problem> {
    Ok(Json(api.accounts().person(id).await?.into()))
}

/// What is to change. A customer needs a tenant; whoever works for the operator has none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeUser {
    role: Option<RoleWord>,
    /// Whose customer they are, from now on.
    #[schema(value_type = Option<String>)]
    tenant: Option<Name>,
    /// Whether they are let in no more.
    disabled: Option<bool>,
}

/// Change a person's role, or let them in no more. Their sessions and API tokens end.
#[utoipa::path(patch, path = "/admin/users/{id}", tag = "admin", operation_id = "change_user",
    security(("token" = [])), request_body = ChangeUser,
    params(("id" = Uuid, Path, description = "The account's id")),
    responses(
        (status = 200, description = "The account as it is now", body = User),
        (status = 409, description = "It would leave no admin", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn change(
    State(api): State<Api>,
    context: Context,
    admin: Admin,
    Segment(id): Segment<Uuid>,
    Body(body): Body<ChangeUser>,
) -> Result<Json<User>, Problem> {
    let standing = match (body.role, body.tenant) {
        (None, None) => None,
        (None | Some(RoleWord::Customer), Some(tenant)) => Some(Standing::Customer(tenant)),
        (Some(RoleWord::Customer), None) => {
            return Err(Problem::field(
                "tenant",
                "a customer belongs to a tenant",
                "name the tenant whose customer they become",
            ));
        }
        (Some(RoleWord::Operator), None) => Some(Standing::Operator),
        (Some(RoleWord::Admin), None) => Some(Standing::Admin),
        (Some(RoleWord::Operator | RoleWord::Admin), Some(_)) => {
            return Err(Problem::field(
                "tenant",
                "whoever works for the operator is nobody's customer",
                "leave it out",
            ));
        }
    };
    if standing.is_none() && body.disabled.is_none() {
        return Err(Problem::new(problem::INVALID, "name something to change"));
    }
    let change = Change { standing, disabled: body.disabled };
    let person =
        api.accounts().change(admin.principal(), id, &change, &context.origin, context.now).await?;
    Ok(Json(person.into()))
}
