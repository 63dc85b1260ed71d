//! Tokens for machines: made, listed and revoked by a person who is logged in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::accounts;
use crate::accounts::api_tokens;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::body::Segment;
use crate::api::extract::Context;
use crate::api::extract::Person;
use crate::api::problem;
use crate::api::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// What an API token may be used for: `read` for what only reads, `write` for what changes
/// something.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Scope {
    Read,
    Write,
}

impl From<Scope> for accounts::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Write => Self::Write,
        }
    }
}

impl From<accounts::Scope> for Scope {
    fn from(scope: accounts::Scope) -> Self {
        match scope {
            accounts::Scope::Read => Self::Read,
            accounts::Scope::Write => Self::Write,
        }
    }
}

/// An API token, without itself.
#[derive(Serialize, ToSchema)]
struct ApiToken {
    id: Uuid,
    name: String,
    scopes: Vec<Scope>,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// To about ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl From<api_tokens::ApiToken> for ApiToken {
    fn from(token: api_tokens::ApiToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes.into_iter().map(Scope::from).collect(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApiToken {
    /// What uses it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    #[schema(minimum = 1, maximum = 366)]
    expires_in_days: u16,
}

/// A new API token. It is shown here and never again.
#[derive(Serialize, ToSchema)]
struct MadeApiToken {
    #[serde(flatten)]
    about: ApiToken,
    token: String,
}

/// The API tokens of the account, the newest first.
#[utoipa::path(get, path = "/auth/tokens", tag = "tokens", operation_id = "list_api_tokens",
    security(("token" = [])),
    responses((status = 200, description = "The tokens, without themselves", body = Vec<ApiToken>)))]
async fn list(State(api): State<Api>, person: Person) -> Result<Json<Vec<ApiToken>>, Problem> {
    let tokens = api.accounts().api_tokens(person.principal()).await?;
    Ok(Json(tokens.into_iter().map(ApiToken::from).collect()))
}

/// Make an API token with one's own role.
#[utoipa::path(post, path = "/auth/tokens", tag = "tokens", operation_id = "create_api_token",
    security(("token" = [])), request_body = NewApiToken,
    responses(
        (status = 201, description = "The token, shown once", body = MadeApiToken),
        (status = 409, description = "There are too many", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn create(
    State(api): State<Api>,
    context: Context,
    person: Person,
    Body(body): Body<NewApiToken>,
) -> Result<(StatusCode, Json<MadeApiToken>), Problem> {
    let scopes: Vec<accounts::Scope> = body.scopes.into_iter().map(Into::into).collect();
    let days = i64::from(body.expires_in_days);
    let wish = api_tokens::Wish { name: &body.name, scopes: &scopes, days };
    let (about, secret) = api
        .accounts()
        .create_api_token(person.principal(), &wish, &context.origin, context.now)
        .await?;
    let made = MadeApiToken { about: about.into(), token: secret.reveal().to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revoke an API token of one's own. It is good no more from then on.
#[utoipa::path(delete, path = "/auth/tokens/{id}", tag = "tokens", operation_id = "revoke_api_token",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The token's id")),
    responses((status = 204, description = "It is revoked")))]
async fn revoke(
    State(api): State<Api>,
    context: Context,
    person: Person,
    Segment(id): Segment<Uuid>,
) -> Result<StatusCode, Problem> {
    api.accounts().revoke_api_token(person.principal(), id, &context.origin, context.now).await?;
    Ok(StatusCode::NO_CONTENT)
}
