//! Figures of success, measured from what happened.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::days;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::problem::Problem;
use crate::billing::calendar::day_of;
use crate::history::store::DriftFigures;
use crate::model::spread;
use crate::operations::OperationError;
use crate::operations::figures;
use crate::operations::figures::Ended;

/// How many days figures are reckoned of at most.
const MOST_DAYS: i32 = 366;
/// How many where nobody says.
const USUAL_DAYS: i64 = 30;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The first day; thirty days in all where absent.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// The last day, that day included; today where absent.
    #[param(value_type = Option<String>, format = Date)]
    through: Option<Date>,
}

/// How long something took, in seconds; each is a time that really was.
#[derive(Serialize, ToSchema)]
struct Spread {
    count: usize,
    median_seconds: f64,
    /// 95 of a hundred stay within it.
    p95_seconds: f64,
    longest_seconds: f64,
}

impl From<spread::Spread> for Spread {
    fn from(spread: spread::Spread) -> Self {
        let seconds = |time: Duration| time.as_secs_f64();
        Self {
            count: spread.count,
            median_seconds: seconds(spread.median),
            p95_seconds: seconds(spread.p95),
            longest_seconds: seconds(spread.longest),
        }
    }
}

/// What became of what was tried.
#[derive(Serialize, ToSchema)]
struct Success {
    succeeded: u64,
    failed: u64,
    /// How many of both succeeded, in percent and rounded down, such as `99.50`; absent where nothing was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<String>,
}

impl From<Ended> for Success {
    fn from(ended: Ended) -> Self {
        let percent = ended.success().map(|points| points.to_string());
        Self { succeeded: ended.succeeded, failed: ended.failed, percent }
    }
}

/// What became of changes of one kind.
#[derive(Serialize, ToSchema)]
struct OfKind {
    /// Such as `open`, `scale` or `renew`.
    kind: String,
    #[serde(flatten)]
    success: Success,
}

/// What was changed by others than us.
#[derive(Serialize, ToSchema)]
struct Drift {
    found: u64,
    put_back: u64,
    /// From found to put back; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<Spread>,
}

impl From<DriftFigures> for Drift {
    fn from(drift: DriftFigures) -> Self {
        Self { found: drift.found, put_back: drift.put_back, took: drift.took.map(Spread::from) }
    }
}

/// How well things went on some days.
#[derive(Serialize, ToSchema)]
struct Figures {
    #[schema(value_type = String, format = Date)]
    from: Date,
    #[schema(value_type = String, format = Date)]
    through: Date,
    /// From a paid order, accepted, to an instance that is ready; of those that became ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_provision: Option<Spread>,
    /// Of new subscriptions.
    provisioning: Success,
    /// Of everything that was asked for. What was called off or overtaken was not tried.
    operations: Success,
    by_kind: Vec<OfKind>,
    drift: Drift,
}

/// How long opening takes, how much succeeds, and how much drift was put back.
#[utoipa::path(get, path = "/admin/figures", tag = "admin", operation_id = "get_figures",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "How well things went", body = Figures)))]
async fn get(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Figures>, Problem> {
    let zone = api.catalog().view()?.configuration.zone();
    let asked = days::Asked { from: asked.from, through: asked.through };
    let usual = |through: Date| {
        let first = through.checked_sub(jiff::Span::new().days(USUAL_DAYS - 1));
        first.unwrap_or(through)
    };
    let days = asked.days(day_of(context.now, &zone), usual)?;
    days.at_most(MOST_DAYS, "ask for at most a year at once")?;
    let times = days.times(&zone);
    let history = api.history()?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(OperationError::from)?;
    let figures = figures::Figures::read(&mut db, times).await?;
    let drift = history.drift_figures(times).await?;
    let opened = figures.by_kind.get("open").copied().unwrap_or_default();
    let by_kind = figures.by_kind.iter();
    let by_kind =
        by_kind.map(|(kind, ended)| OfKind { kind: kind.clone(), success: (*ended).into() });
    Ok(Json(Figures {
        from: days.first,
        through: days.last,
        time_to_provision: figures.time_to_provision.map(Spread::from),
        provisioning: opened.into(),
        operations: figures.all().into(),
        by_kind: by_kind.collect(),
        drift: drift.into(),
    }))
}
