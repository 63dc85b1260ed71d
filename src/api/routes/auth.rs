//! Registering, logging in, staying logged in.

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
use crate::accounts::LoggedIn;
use crate::accounts::Registration;
use crate::accounts::Role;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::body::secret;
use crate::api::extract::Context;
use crate::api::extract::Person;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Name;
use crate::model::Secret;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(verify))
        .routes(routes!(resend))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(forgot))
        .routes(routes!(reset))
        .routes(routes!(me))
}

/// What is done by mail, and says the same whoever the address belongs to.
#[derive(Serialize, ToSchema)]
struct Mailed {
    /// What to do next.
    message: &'static str,
}

fn mailed(message: &'static str) -> (StatusCode, Json<Mailed>) {
    (StatusCode::ACCEPTED, Json(Mailed { message }))
}

/// The language of mails, by ISO 639-1.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Language {
    #[default]
    En,
    Vi,
    Id,
    Ru,
}

impl Language {
    fn word(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
            Self::Id => "id",
            Self::Ru => "ru",
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Register {
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// At least 12 characters: a few words do.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 256)]
    password: Secret,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Whom they register for; their own name where absent.
    #[schema(min_length = 1, max_length = 100)]
    organisation: Option<String>,
    #[serde(default)]
    language: Language,
}

/// Register as a customer.
///
/// The answer is the same for an address that is known already: its owner gets a mail that says so.
#[utoipa::path(post, path = "/auth/register", tag = "auth", operation_id = "register",
    request_body = Register,
    responses((status = 202, description = "A mail is on its way", body = Mailed)))]
async fn register(
    State(api): State<Api>,
    context: Context,
    Body(body): Body<Register>,
) -> Result<(StatusCode, Json<Mailed>), Problem> {
    let registration = Registration {
        email: body.email,
        password: body.password,
        name: body.name,
        organisation: body.organisation,
        language: body.language.word().to_owned(),
    };
    api.accounts().register(&registration, &context.origin, context.now).await?;
    Ok(mailed("follow the link in the mail"))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Verify {
    /// The token of the link in the mail.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    token: Secret,
    /// The password of the account: whoever only reads the mail did not register.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    password: Secret,
}

/// Prove that the mail address is one's own.
///
/// It takes the link and the password together, so that nobody gets an account on another's
/// address confirmed by that other.
#[utoipa::path(post, path = "/auth/verify", tag = "auth", operation_id = "verify",
    request_body = Verify,
    responses(
        (status = 204, description = "The address is verified"),
        (status = 401, description = "The token or the password is wrong", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn verify(
    State(api): State<Api>,
    context: Context,
    Body(body): Body<Verify>,
) -> Result<StatusCode, Problem> {
    api.accounts().verify(&body.token, &body.password, &context.origin, context.now).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Address {
    #[schema(format = Email, max_length = 254)]
    email: String,
}

/// Have the mail sent again that verifies an address.
#[utoipa::path(post, path = "/auth/resend", tag = "auth", operation_id = "resend",
    request_body = Address,
    responses((status = 202, description = "If the address waits for it, a mail is on its way", body = Mailed)))]
async fn resend(
    State(api): State<Api>,
    context: Context,
    Body(body): Body<Address>,
) -> Result<(StatusCode, Json<Mailed>), Problem> {
    api.accounts().resend(&body.email, &context.origin, context.now).await?;
    Ok(mailed("if the address waits to be verified, a mail is on its way"))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    #[schema(format = Email)]
    email: String,
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    password: Secret,
}

/// A session's tokens. Each refresh token is good once.
#[derive(Serialize, ToSchema)]
struct Tokens {
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    access_expires_at: Timestamp,
    refresh_token: String,
    refresh_expires_at: Timestamp,
}

impl From<LoggedIn> for Tokens {
    fn from(session: LoggedIn) -> Self {
        Self {
            access_token: session.access.reveal().to_owned(),
            token_type: "Bearer",
            access_expires_at: session.access_expires_at,
            refresh_token: session.refresh.reveal().to_owned(),
            refresh_expires_at: session.refresh_expires_at,
        }
    }
}

/// Log in with a verified address and its password.
#[utoipa::path(post, path = "/auth/login", tag = "auth", operation_id = "login",
    request_body = Login,
    responses(
        (status = 200, description = "A session", body = Tokens),
        (status = 401, description = "The address or the password is wrong", body = problem::Document, content_type = "application/problem+json"),
        (status = 403, description = "The address is not verified yet", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn login(
    State(api): State<Api>,
    context: Context,
    Body(body): Body<Login>,
) -> Result<Json<Tokens>, Problem> {
    let email = body.email.trim();
    let session = api.accounts().login(email, &body.password, &context.origin, context.now).await?;
    Ok(Json(session.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    refresh_token: Secret,
}

/// Change a refresh token for the next tokens of the session.
///
/// To send one twice ends the session: somebody may have copied it.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", operation_id = "refresh",
    request_body = Refresh,
    responses(
        (status = 200, description = "The session goes on", body = Tokens),
        (status = 401, description = "The token is not good, or was used before", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn refresh(
    State(api): State<Api>,
    context: Context,
    Body(body): Body<Refresh>,
) -> Result<Json<Tokens>, Problem> {
    let session = api.accounts().refresh(&body.refresh_token, &context.origin, context.now).await?;
    Ok(Json(session.into()))
}

/// End the session. Its access token still works until it expires, within ten minutes.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", operation_id = "logout",
    security(("token" = [])),
    responses((status = 204, description = "The session is ended")))]
async fn logout(
    State(api): State<Api>,
    context: Context,
    person: Person,
) -> Result<StatusCode, Problem> {
    let session = person.session();
    api.accounts().logout(person.principal(), session, &context.origin, context.now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have a link sent that sets a new password.
#[utoipa::path(post, path = "/auth/password/forgot", tag = "auth", operation_id = "forgot_password",
    request_body = Address,
    responses((status = 202, description = "If the address is known, a mail is on its way", body = Mailed)))]
async fn forgot(
    State(api): State<Api>,
    context: Context,
    Body(body): Body<Address>,
) -> Result<(StatusCode, Json<Mailed>), Problem> {
    api.accounts().forgot(&body.email, &context.origin, context.now).await?;
    Ok(mailed("if the address is known, a mail is on its way"))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// The token of the link in the mail.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    token: Secret,
    /// At least 12 characters: a few words do.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 256)]
    password: Secret,
}

/// Set a new password by the link of a mail. Every session and API token of the account ends.
#[utoipa::path(post, path = "/auth/password/reset", tag = "auth", operation_id = "reset_password",
    request_body = Reset,
    responses(
        (status = 204, description = "The password is set"),
        (status = 401, description = "The token is not good", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn reset(
    State(api): State<Api>,
    context: Context,
    Body(body): Body<Reset>,
) -> Result<StatusCode, Problem> {
    api.accounts().reset(&body.token, &body.password, &context.origin, context.now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a role may do grows from left to right.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RoleWord {
    Customer,
    Operator,
    Admin,
}

impl From<Role> for RoleWord {
    fn from(role: Role) -> Self {
        match role {
            Role::Customer => Self::Customer,
            Role::Operator => Self::Operator,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<RoleWord> for Role {
    fn from(role: RoleWord) -> Self {
        match role {
            RoleWord::Customer => Self::Customer,
            RoleWord::Operator => Self::Operator,
            RoleWord::Admin => Self::Admin,
        }
    }
}

/// A person who has an account.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    pub(super) id: Uuid,
    pub(super) email: String,
    name: String,
    organisation: String,
    /// By ISO 639-1.
    language: String,
    role: RoleWord,
    /// Whose customer they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    tenant: Option<Name>,
    pub(super) created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
}

impl From<accounts::Person> for User {
    fn from(person: accounts::Person) -> Self {
        Self {
            id: person.id,
            email: person.email,
            name: person.name,
            organisation: person.organisation,
            language: person.language,
            role: person.standing.role().into(),
            tenant: person.standing.tenant().cloned(),
            created_at: person.created_at,
            verified_at: person.verified_at,
            disabled_at: person.disabled_at,
        }
    }
}

/// Who is logged in.
#[utoipa::path(get, path = "/auth/me", tag = "auth", operation_id = "me",
    security(("token" = [])),
    responses((status = 200, description = "The account", body = User)))]
async fn me(State(api): State<Api>, person: Person) -> Result<Json<User>, Problem> {
    Ok(Json(api.accounts().person(person.principal().account).await?.into()))
}
