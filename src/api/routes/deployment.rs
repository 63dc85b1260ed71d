//! Deployment tokens: a client's own server registers itself with one, once.

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

use crate::accounts::deployment;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::body::Segment;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::problem::Problem;
use crate::model::Name;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// A deployment token, without itself.
#[derive(Serialize, ToSchema)]
struct DeploymentToken {
    id: Uuid,
    tenant: String,
    note: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<Timestamp>,
    /// The host that used it.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl From<deployment::DeploymentToken> for DeploymentToken {
    fn from(token: deployment::DeploymentToken) -> Self {
        Self {
            id: token.id,
            tenant: token.tenant,
            note: token.note,
            created_at: token.created_at,
            expires_at: token.expires_at,
            used_at: token.used_at,
            used_by: token.used_by,
            revoked_at: token.revoked_at,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDeploymentToken {
    /// Whose server it is.
    #[schema(value_type = String)]
    tenant: Name,
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
    #[schema(minimum = 1, maximum = 720)]
    expires_in_hours: u16,
}

/// A new deployment token. It is shown here and never again.
#[derive(Serialize, ToSchema)]
struct MadeDeploymentToken {
    #[serde(flatten)]
    about: DeploymentToken,
    token: String,
}

/// The newest deployment tokens.
#[utoipa::path(get, path = "/admin/deployment-tokens", tag = "admin", operation_id = "list_deployment_tokens",
    security(("token" = [])),
    responses((status = 200, description = "The tokens, without themselves", body = Vec<DeploymentToken>)))]
async fn list(
    State(api): State<Api>,
    _operator: Operator,
) -> Result<Json<Vec<DeploymentToken>>, Problem> {
    let tokens = api.accounts().deployment_tokens().await?;
    Ok(Json(tokens.into_iter().map(DeploymentToken::from).collect()))
}

/// Make a token with which a tenant's own server registers itself, once.
#[utoipa::path(post, path = "/admin/deployment-tokens", tag = "admin", operation_id = "create_deployment_token",
    security(("token" = [])), request_body = NewDeploymentToken,
    responses((status = 201, description = "The token, shown once", body = MadeDeploymentToken)))]
async fn create(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Body(body): Body<NewDeploymentToken>,
) -> Result<(StatusCode, Json<MadeDeploymentToken>), Problem> {
    let view = api.catalog().view()?;
    if !view.configuration.tenants.contains_key(&body.tenant) {
        return Err(Problem::field(
            "tenant",
            format!("there is no tenant `{}`", body.tenant),
            "name one that has a document in the repository",
        ));
    }
    let hours = i64::from(body.expires_in_hours);
    let wish = deployment::Wish { tenant: &body.tenant, note: &body.note, hours };
    let (about, secret) = api
        .accounts()
        .create_deployment_token(operator.principal(), &wish, &context.origin, context.now)
        .await?;
    let made = MadeDeploymentToken { about: about.into(), token: secret.reveal().to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revoke a deployment token that was not used.
#[utoipa::path(delete, path = "/admin/deployment-tokens/{id}", tag = "admin", operation_id = "revoke_deployment_token",
    security(("token" = [])), params(("id" = Uuid, Path, description = "The token's id")),
    responses((status = 204, description = "It is revoked")))]
async fn revoke(
    State(api): State<Api>,
    context: Context,
    operator: Operator,
    Segment(id): Segment<Uuid>,
) -> Result<StatusCode, Problem> {
    let accounts = api.accounts();
    accounts
        .revoke_deployment_token(operator.principal(), id, &context.origin, context.now)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
