//! The routes, a file per subject: what is asked, what is answered, and the handler between.
#![allow(unused_qualifications, reason = "utoipa writes out the paths of parameters")]

mod auth;
mod tokens;
mod catalog;
mod regions;
mod subdomains;
mod wishes;
mod quotes;
mod orders;
mod operations;
mod events;
mod subscriptions;
mod usage;
mod pods;
mod changes;
mod settings;
mod instances;
mod verification;
mod hands;
mod wallet;
mod payment;
mod payments;
mod money;
mod hooks;
mod invoices;
mod audit;
mod users;
mod deployment;
mod days;
mod earnings;
mod figures;
mod onboarding;
mod workers;
mod capacity;
mod alerts;

use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::ROOT;
use super::openapi;

/// Every route, each described by its handler.
pub(super) fn all() -> OpenApiRouter<Api> {
    let reference =
        OpenApiRouter::new().routes(routes!(openapi::problems)).routes(routes!(openapi::openapi));
    let routes = OpenApiRouter::new()
        .merge(auth::routes())
        .merge(tokens::routes())
        .merge(catalog::routes())
        .merge(regions::routes())
        .merge(subdomains::routes())
        .merge(quotes::routes())
        .merge(orders::routes())
        .merge(operations::routes())
        .merge(events::routes())
        .merge(subscriptions::routes())
        .merge(usage::routes())
        .merge(pods::routes())
        .merge(changes::routes())
        .merge(settings::routes())
        .merge(instances::routes())
        .merge(verification::routes())
        .merge(hands::routes())
        .merge(wallet::routes())
        .merge(payments::routes())
        .merge(money::routes())
        .merge(hooks::routes())
        .merge(invoices::routes())
        .merge(users::routes())
        .merge(audit::routes())
        .merge(deployment::routes())
        .merge(earnings::routes())
        .merge(figures::routes())
        .merge(onboarding::routes())
        .merge(workers::routes())
        .merge(capacity::routes())
        .merge(alerts::routes())
        .merge(reference);
    OpenApiRouter::with_openapi(openapi::Base::openapi()).nest(ROOT, routes)
}
