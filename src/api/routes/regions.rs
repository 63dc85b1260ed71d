//! Where something can be ordered. Anybody may look; how much room there is, nobody is told.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::catalog;
use crate::api::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A region in which a cluster is.
#[derive(Serialize, ToSchema)]
struct Region {
    /// As an order names it.
    name: String,
    /// Whether somebody new finds room there, at least for the smallest package.
    open: bool,
}

impl From<&catalog::Region> for Region {
    fn from(region: &catalog::Region) -> Self {
        Self { name: region.name.clone(), open: region.open }
    }
}

/// The regions that an order may name, by name. Where there is none, an order names none.
#[utoipa::path(get, path = "/regions", tag = "catalog", operation_id = "list_regions",
    responses((status = 200, description = "The regions", body = Vec<Region>)))]
async fn list(State(api): State<Api>) -> Result<Json<Vec<Region>>, Problem> {
    let view = api.catalog().view()?;
    Ok(Json(view.regions().iter().map(Region::from).collect()))
}
