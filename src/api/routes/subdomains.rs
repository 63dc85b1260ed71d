//! Is a subdomain free? It is answered by the rules that the commit would be checked by.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::problem::Problem;
use crate::model::Name;
use crate::validate::addresses::Availability;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Free for this package; for every package where absent.
    #[param(value_type = Option<String>)]
    package: Option<Name>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Wish {
    Free,
    Taken,
    Reserved,
    IllFormed,
}

/// Whether a subdomain can be ordered.
#[derive(Serialize, ToSchema)]
struct Subdomain {
    name: String,
    state: Wish,
    /// What to do where it is not free.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'static str>,
}

/// Whether a subdomain is free, taken, reserved or none at all.
#[utoipa::path(get, path = "/subdomains/{name}", tag = "catalog", operation_id = "get_subdomain",
    params(("name" = String, Path, description = "The wish"), Asked),
    responses((status = 200, description = "What becomes of the wish", body = Subdomain)))]
async fn get(
    State(api): State<Api>,
    Segment(name): Segment<String>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Subdomain>, Problem> {
    let view = api.catalog().view()?;
    let package = match &asked.package {
        Some(package) => {
            let document = view.configuration.packages.get(package);
            Some(
                &document
                    .ok_or_else(|| {
                        Problem::field(
                            "package",
                            format!("there is no package `{package}`"),
                            "name one of `GET /api/v1/packages`",
                        )
                    })?
                    .spec,
            )
        }
        None => None,
    };
    let (state, help) = match view.addresses.subdomain(&view.configuration, package, &name) {
        Availability::Free => (Wish::Free, None),
        Availability::Taken => (Wish::Taken, Some("choose another one")),
        Availability::Reserved => (Wish::Reserved, Some("it is ours: choose another one")),
        Availability::IllFormed => (
            Wish::IllFormed,
            Some("use a-z, 0-9 and `-`, neither first nor last, and not too many"),
        ),
    };
    Ok(Json(Subdomain { name, state, help }))
}
