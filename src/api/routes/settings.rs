//! How a customer's instances look, and how the customer is spoken to.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::catalog::tagged;
use super::operations::Operation;
use super::operations::accepted;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::catalog::View;
use crate::api::desk::Ask;
use crate::api::desk::take;
use crate::api::extract::Context;
use crate::api::extract::Customer;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model::Document;
use crate::model::Tenant;
use crate::model::tenant;
use crate::operations::Change;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(set_branding))
        .routes(routes!(set_preferences))
}

/// How instances look. What is absent is as the application has it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Branding {
    /// The address of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    logo: Option<String>,
    /// Such as `#3B82F6`.
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_color: Option<String>,
    /// Such as `#10B981`.
    #[serde(skip_serializing_if = "Option::is_none")]
    secondary_color: Option<String>,
}

/// By ISO 639-1.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Language {
    En,
    Vi,
    Id,
    Ru,
}

impl From<Language> for tenant::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::Vi => Self::Vi,
            Language::Id => Self::Id,
            Language::Ru => Self::Ru,
        }
    }
}

impl From<tenant::Language> for Language {
    fn from(language: tenant::Language) -> Self {
        match language {
            tenant::Language::En => Self::En,
            tenant::Language::Vi => Self::Vi,
            tenant::Language::Id => Self::Id,
            tenant::Language::Ru => Self::Ru,
        }
    }
}

/// What a customer has set.
#[derive(Serialize, ToSchema)]
struct Settings {
    organisation: String,
    language: Language,
    branding: Branding,
}

fn own<'v>(view: &'v View, customer: &Customer) -> Result<&'v Arc<Document<Tenant>>, Problem> {
    let document = view.configuration.tenants.get(customer.tenant());
    Ok(document.ok_or(problem::NOT_FOUND)?)
}

/// What one has set. It is there from the first order on.
#[utoipa::path(get, path = "/admin/settings", tag = "settings", operation_id = "get_settings",
    security(("token" = [])),
    responses(
        (status = 200, description = "The settings", body = Settings, headers(("ETag" = String, description = "Changes with the tenant's file; send it in `If-Match` to change it"))),
        (status = 304, description = "They are as `If-None-Match` says"),
        (status = 404, description = "Nothing was ordered yet", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn get(
    State(api): State<Api>,
    customer: Customer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let document = own(&view, &customer)?;
    Ok(tagged(&view, &document.origin.file, &headers, || {
        let spec = &document.spec;
        let branding = spec.branding.clone();
        Settings {
            organisation: spec.organisation.clone(),
            language: spec.language.into(),
            branding: Branding {
                logo: branding.as_ref().and_then(|branding| branding.logo.clone()),
                primary_color: branding.as_ref().and_then(|one| one.primary_color.clone()),
                secondary_color: branding.and_then(|one| one.secondary_color),
            },
        }
    }))
}

/// Change how instances look.
#[utoipa::path(put, path = "/admin/settings/branding", tag = "settings", operation_id = "set_branding",
    security(("token" = [])), request_body = Branding,
    params(("If-Match" = String, Header, description = "The `ETag` of the settings")),
    responses(
        (status = 202, description = "It is accepted", body = Operation),
        (status = 404, description = "Nothing was ordered yet", body = problem::Document, content_type = "application/problem+json"),
        (status = 409, description = "A colour is none", body = problem::Document, content_type = "application/problem+json"),
        (status = 412, description = "They were changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn set_branding(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    headers: HeaderMap,
    Body(branding): Body<Branding>,
) -> Result<Response, Problem> {
    let https = |logo: &String| logo.len() <= 500 && logo.starts_with("https://");
    if branding.logo.as_ref().is_some_and(|logo| !https(logo)) {
        let message = "this is not the address of a picture";
        return Err(Problem::field(
            "logo",
            message,
            "write at most 500 characters that begin with https://",
        ));
    }
    let view = api.catalog().view()?;
    let document = own(&view, &customer)?;
    let Branding { logo, primary_color, secondary_color } = branding;
    let nothing = logo.is_none() && primary_color.is_none() && secondary_color.is_none();
    let branding = tenant::Branding { logo, primary_color, secondary_color };
    let change = Change::Branding { branding: (!nothing).then_some(branding) };
    let ask = Ask::now(customer.principal(), customer.tenant(), change);
    let ask = ask.seen(&document.origin.file);
    Ok(accepted(&take(&api, &context, &view, &headers, ask).await?))
}

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Preferences {
    #[schema(max_length = 200)]
    organisation: Option<String>,
    language: Option<Language>,
}

/// Change the organisation's name or the language of mails and pages.
#[utoipa::path(put, path = "/admin/settings/preferences", tag = "settings", operation_id = "set_preferences",
    security(("token" = [])), request_body = Preferences,
    params(("If-Match" = String, Header, description = "The `ETag` of the settings")),
    responses(
        (status = 202, description = "It is accepted", body = Operation),
        (status = 404, description = "Nothing was ordered yet", body = problem::Document, content_type = "application/problem+json"),
        (status = 412, description = "They were changed meanwhile", body = problem::Document, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn set_preferences(
    State(api): State<Api>,
    context: Context,
    customer: Customer,
    headers: HeaderMap,
    Body(Preferences { organisation, language }): Body<Preferences>,
) -> Result<Response, Problem> {
    let fits = |name: &String| (1..=200).contains(&name.trim().chars().count());
    if organisation.as_ref().is_some_and(|name| !fits(name)) {
        let message = "this is not the name of an organisation";
        return Err(Problem::field("organisation", message, "write 1 to 200 characters"));
    }
    let view = api.catalog().view()?;
    let document = own(&view, &customer)?;
    let change = Change::Preferences {
        organisation: organisation.map(|name| name.trim().to_owned()),
        language: language.map(tenant::Language::from),
    };
    let ask = Ask::now(customer.principal(), customer.tenant(), change);
    let ask = ask.seen(&document.origin.file);
    Ok(accepted(&take(&api, &context, &view, &headers, ask).await?))
}
