//! What can be ordered: packages, and the services that they are made of. Anybody may look.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog::View;
use crate::api::etag::ETag;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model;
use crate::model::Component;
use crate::model::Document;
use crate::model::Name;
use crate::model::package::Runs;
use crate::model::quantity::Quantity;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_packages))
        .routes(routes!(get_package))
        .routes(routes!(list_templates))
        .routes(routes!(get_template))
}

/// An amount in whole minor units: `{"amount": 1999, "currency": "USD", "exponent": 2}` is 19.99 USD.
#[derive(Serialize, ToSchema)]
pub(super) struct Money {
    amount: i64,
    /// ISO 4217.
    currency: &'static str,
    /// How many decimal digits the minor unit has.
    exponent: u32,
}

impl From<model::money::Money> for Money {
    fn from(money: model::money::Money) -> Self {
        Self {
            amount: money.minor,
            currency: money.currency.code(),
            exponent: money.currency.digits(),
        }
    }
}

/// What a package is made of.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RunsOn {
    Cluster,
    Host,
    Entitlement,
}

impl From<Runs> for RunsOn {
    fn from(runs: Runs) -> Self {
        match runs {
            Runs::Cluster => Self::Cluster,
            Runs::Host => Self::Host,
            Runs::Entitlement => Self::Entitlement,
        }
    }
}

/// A service inside a package.
#[derive(Serialize, ToSchema)]
struct Part {
    /// The name of the template.
    #[schema(value_type = String)]
    template: Name,
    replicas: u16,
}

/// Something more that can be bought with a package.
#[derive(Serialize, ToSchema)]
struct AddOn {
    #[schema(value_type = String)]
    name: Name,
    title: String,
    price: Money,
    /// What one of it adds to `limits`.
    #[schema(value_type = BTreeMap<String, String>)]
    adds: BTreeMap<String, Quantity>,
}

/// A package: a tier with its price.
#[derive(Serialize, ToSchema)]
struct Package {
    #[schema(value_type = String)]
    name: Name,
    /// What it is a tier of.
    #[schema(value_type = String)]
    product: Name,
    title: String,
    /// Absent where it is agreed with each customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
    /// How long the price is for, such as `1 month` or `30 days`.
    period: String,
    runs: RunsOn,
    parts: Vec<Part>,
    /// What is sold by number, such as users; absent means without limit.
    #[schema(value_type = BTreeMap<String, String>)]
    limits: BTreeMap<String, Quantity>,
    /// How far `limits` can be raised for one subscription.
    #[schema(value_type = BTreeMap<String, String>)]
    maximum: BTreeMap<String, Quantity>,
    features: Vec<String>,
    add_ons: Vec<AddOn>,
    /// The address of a subscription, such as `{subdomain}.shop.example`.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

impl Package {
    fn of(view: &View, document: &Document<model::Package>) -> Self {
        let spec = &document.spec;
        let platform = view.configuration.platform.as_ref();
        let domain = platform.map_or("", |platform| platform.spec.domain.as_str());
        let hostname = spec.placement.as_ref().and_then(|placement| placement.hostname.as_ref());
        Self {
            name: document.name.clone(),
            product: spec.product.clone(),
            title: spec.title.clone(),
            price: spec.price.map(Money::from),
            period: spec.period.to_string(),
            runs: spec.runs.into(),
            parts: spec
                .components
                .iter()
                .map(|part| Part { template: part.component.clone(), replicas: part.replicas })
                .collect(),
            limits: spec.limits.clone(),
            maximum: spec.maximum.clone(),
            features: spec.features.clone(),
            add_ons: spec
                .add_ons
                .iter()
                .map(|add_on| AddOn {
                    name: add_on.name.clone(),
                    title: add_on.title.clone(),
                    price: add_on.price.into(),
                    adds: add_on.adds.clone(),
                })
                .collect(),
            address: hostname.map(|hostname| hostname.replace("{domain}", domain)),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedPackages {
    /// Only tiers of this product.
    #[param(value_type = Option<String>)]
    product: Option<Name>,
    /// Only what is made of this.
    runs: Option<RunsOn>,
}

/// The packages that can be ordered, by name.
#[utoipa::path(get, path = "/packages", tag = "catalog", operation_id = "list_packages",
    params(AskedPackages),
    responses((status = 200, description = "The packages", body = Vec<Package>)))]
async fn list_packages(
    State(api): State<Api>,
    Parameters(asked): Parameters<AskedPackages>,
) -> Result<Json<Vec<Package>>, Problem> {
    let view = api.catalog().view()?;
    let packages = view
        .configuration
        .packages
        .values()
        .filter(|package| asked.product.as_ref().is_none_or(|one| *one == package.spec.product))
        .filter(|package| asked.runs.is_none_or(|runs| runs == package.spec.runs.into()))
        .map(|package| Package::of(&view, package))
        .collect();
    Ok(Json(packages))
}

/// One package.
#[utoipa::path(get, path = "/packages/{name}", tag = "catalog", operation_id = "get_package",
    params(("name" = String, Path, description = "The package's name")),
    responses(
        (status = 200, description = "The package", body = Package, headers(("ETag" = String, description = "Changes with the package's file"))),
        (status = 304, description = "It is as `If-None-Match` says"),
    ))]
async fn get_package(
    State(api): State<Api>,
    Segment(name): Segment<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let document = view.configuration.packages.get(name.as_str());
    let document = document.ok_or(problem::NOT_FOUND)?;
    Ok(tagged(&view, &document.origin.file, &headers, || Package::of(&view, document)))
}

/// An answer with the tag of the file that it comes from; none where the reader has it.
pub(super) fn tagged<T: Serialize>(
    view: &View,
    file: &str,
    headers: &HeaderMap,
    answer: impl FnOnce() -> T,
) -> Response {
    let Some(tag) = view.digest(file).map(ETag) else {
        return Json(answer()).into_response();
    };
    let mut response = if tag.is_known(headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(answer()).into_response()
    };
    response.headers_mut().insert(header::ETAG, tag.header());
    response
}

/// How much one replica is promised and may use, in Kubernetes quantities.
#[derive(Serialize, ToSchema)]
struct Compute {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cpu: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    memory: Option<Quantity>,
}

impl From<&model::platform::Compute> for Compute {
    fn from(compute: &model::platform::Compute) -> Self {
        Self { cpu: compute.cpu.clone(), memory: compute.memory.clone() }
    }
}

/// A service that packages are made of.
#[derive(Serialize, ToSchema)]
struct Template {
    #[schema(value_type = String)]
    name: Name,
    title: String,
    requests: Compute,
    limits: Compute,
    /// The size of each of its volumes, in Kubernetes quantities.
    #[schema(value_type = BTreeMap<String, String>)]
    volumes: BTreeMap<Name, Quantity>,
    /// The packages that contain it.
    #[schema(value_type = Vec<String>)]
    packages: Vec<Name>,
}

impl Template {
    fn of(view: &View, document: &Document<Component>) -> Self {
        let spec = &document.spec;
        let contains = |package: &&Arc<Document<model::Package>>| {
            package.spec.components.iter().any(|part| part.component == document.name)
        };
        let packages = view.configuration.packages.values().filter(contains);
        Self {
            name: document.name.clone(),
            title: spec.title.clone().unwrap_or_else(|| document.name.to_string()),
            requests: (&spec.resources.requests).into(),
            limits: (&spec.resources.limits).into(),
            volumes: spec
                .volumes
                .iter()
                .map(|volume| (volume.name.clone(), volume.size.clone()))
                .collect(),
            packages: packages.map(|package| package.name.clone()).collect(),
        }
    }
}

/// The services that packages are made of, by name.
#[utoipa::path(get, path = "/templates", tag = "catalog", operation_id = "list_templates",
    responses((status = 200, description = "The services", body = Vec<Template>)))]
async fn list_templates(State(api): State<Api>) -> Result<Json<Vec<Template>>, Problem> {
    let view = api.catalog().view()?;
    let components = view.configuration.components.values();
    Ok(Json(components.map(|component| Template::of(&view, component)).collect()))
}

/// One service that packages are made of.
#[utoipa::path(get, path = "/templates/{name}", tag = "catalog", operation_id = "get_template",
    params(("name" = String, Path, description = "The service's name")),
    responses((status = 200, description = "The service", body = Template)))]
async fn get_template(
    State(api): State<Api>,
    Segment(name): Segment<String>,
) -> Result<Json<Template>, Problem> {
    let view = api.catalog().view()?;
    let component = view.configuration.components.get(name.as_str());
    Ok(Json(Template::of(&view, component.ok_or(problem::NOT_FOUND)?)))
}
