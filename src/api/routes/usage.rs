//! What a subscription used, and where it stands with what its package sells.

use axum::extract::OriginalUri;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::body::Segment;
use crate::api::catalog;
use crate::api::catalog::View;
use crate::api::extract::Context;
use crate::api::extract::Viewer;
use crate::api::pages;
use crate::api::pages::Page;
use crate::api::problem;
use crate::api::problem::Problem;
use crate::model;
use crate::model::SubscriptionId;
use crate::usage::Measure;
use crate::usage::Step;
use crate::usage::limits::Limit;
use crate::usage::limits::Standing;
use crate::usage::limits::limits_of;
use crate::usage::range::Range;
use crate::usage::standing;
use crate::usage::standing::JUDGED_OVER;
use crate::usage::store;
use crate::usage::sums;
use crate::usage::sums::Measures;
use crate::usage::sums::Sums;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(usage))
}

/// How finely it is told.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Steps {
    /// Each sample; kept for days.
    Raw,
    /// Each hour; kept for months.
    Hour,
    /// Each day of the platform's zone; kept for years.
    Day,
}

impl From<Steps> for Step {
    fn from(steps: Steps) -> Self {
        match steps {
            Steps::Raw => Self::Raw,
            Steps::Hour => Self::Hour,
            Steps::Day => Self::Day,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Steps that begin from here on, such as `2026-11-27T00:00:00Z`. Where absent: six hours, a
    /// day or thirty days before `to`, by the step.
    from: Option<Timestamp>,
    /// Steps that begin before this; now where absent.
    to: Option<Timestamp>,
    /// Hours where absent.
    #[param(inline)]
    step: Option<Steps>,
    /// How many entries; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How much of something was used.
#[derive(Serialize, ToSchema)]
struct Used {
    /// Over the time that was measured.
    average: i64,
    maximum: i64,
    /// The unit times seconds: of any ranges that follow one another, the sum is that of the whole.
    total: i64,
    /// How much time was measured.
    seconds: i64,
}

impl From<Sums> for Used {
    fn from(sums: Sums) -> Self {
        let Sums { seconds, total, maximum } = sums;
        Self { average: sums.average(), maximum, total, seconds }
    }
}

/// How much of everything was used. What was not measured is absent.
#[derive(Default, Serialize, ToSchema)]
struct Everything {
    /// In thousandths of a core.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Used>,
    /// In MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Used>,
    /// The size of volumes, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<Used>,
}

impl From<&Measures> for Everything {
    fn from(measures: &Measures) -> Self {
        let of = |measure| measures.get(&measure).copied().map(Used::from);
        Self { cpu: of(Measure::Cpu), memory: of(Measure::Memory), storage: of(Measure::Storage) }
    }
}

/// What was used in one step.
#[derive(Serialize, ToSchema)]
struct Stretch {
    /// When it begins.
    at: Timestamp,
    #[serde(flatten)]
    used: Everything,
}

/// What is measured.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Measured {
    Cpu,
    Memory,
    Storage,
}

impl From<Measure> for Measured {
    fn from(measure: Measure) -> Self {
        match measure {
            Measure::Cpu => Self::Cpu,
            Measure::Memory => Self::Memory,
            Measure::Storage => Self::Storage,
        }
    }
}

/// Where a subscription stands with a limit.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LimitState {
    Within,
    /// Over the percentage from which the platform warns. Whoever comes here is told by mail.
    Near,
    /// All of it is used. It is not stopped, but may become slow or fail.
    Reached,
}

impl From<Standing> for LimitState {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Within => Self::Within,
            Standing::Near => Self::Near,
            Standing::Reached => Self::Reached,
        }
    }
}

/// A limit of the package, as it was bought.
#[derive(Serialize, ToSchema)]
struct LimitOf {
    measure: Measured,
    /// In thousandths of a core, or in MiB.
    limit: i64,
    /// The average of the last hour; absent where nothing was measured in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<i64>,
    /// How much of it that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<i64>,
    state: LimitState,
    /// Since when it is near, or has reached it.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

/// What a subscription used.
#[derive(Serialize, ToSchema)]
struct Usage {
    /// `tenant.subscription`.
    subscription: String,
    from: Timestamp,
    to: Timestamp,
    step: Steps,
    /// Of the whole range, on every page of it.
    totals: Everything,
    /// As it stands now, whatever the range.
    limits: Vec<LimitOf>,
    /// Steps in which something was measured, in order.
    items: Vec<Stretch>,
    /// Send it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What a subscription used of CPU, memory and storage, by the hour or the day, and where it stands
/// with the limits of its package.
#[utoipa::path(get, path = "/subscriptions/{id}/usage", tag = "subscriptions", operation_id = "get_usage",
    security(("token" = [])),
    params(("id" = String, Path, description = "`tenant.subscription`"), Asked),
    responses(
        (status = 200, description = "What it used", body = Usage),
        (status = 422, description = "There is no such range", body = problem::Document, content_type = "application/problem+json"),
    ))]
async fn usage(
    State(api): State<Api>,
    context: Context,
    viewer: Viewer,
    Segment(id): Segment<String>,
    OriginalUri(uri): OriginalUri,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let view = api.catalog().view()?;
    let id = catalog::named(&id).ok_or(problem::NOT_FOUND)?;
    let document = view.subscription(&id).filter(|_| viewer.sees(&id.tenant));
    let document = document.ok_or(problem::NOT_FOUND)?;
    let limit = pages::limit(asked.limit)?;
    let step = asked.step.unwrap_or(Steps::Hour);
    let keys = api.accounts().keys(context.now).await?;
    let list = format!("usage {id} {:?}", (Step::from(step), asked.from, asked.to));
    let place = pages::after(&keys, &list, asked.cursor.as_deref(), Place::read)?;
    // The pages of a range that ends now are those of when the first was read.
    let (from, to) = match &place {
        Some(place) => (Some(place.from), Some(place.to)),
        None => (asked.from, asked.to),
    };
    let zone = view.configuration.zone();
    let range = Range::of(from, to, step.into(), &zone, context.now)
        .map_err(|error| Problem::field("from", error.to_string(), error.help()))?;

    let pool = api.accounts().pool()?;
    let steps = store::steps(pool, &id, range, &zone).await?;
    let mut totals = Measures::new();
    for (measure, sums) in steps.values().flatten() {
        sums::add(&mut totals, *measure, *sums);
    }
    let after = place.map(|place| place.at);
    let rest = steps.iter().filter(|(at, _)| after.is_none_or(|after| **at > after));
    let stretch = |(at, used): (&Timestamp, &Measures)| Stretch { at: *at, used: used.into() };
    let found: Vec<Stretch> = rest.take(limit + 1).map(stretch).collect();
    let next = |last: &Stretch| {
        let place = Place { from: range.from, to: range.to, at: last.at };
        pages::cursor(&keys, &list, &place.written())
    };
    let page = Page::of(found, limit, next);
    let usage = Usage {
        subscription: catalog::written(&id),
        from: range.from,
        to: range.to,
        step,
        totals: (&totals).into(),
        limits: limits(&api, &view, &id, &document.spec, context.now).await?,
        items: page.items,
        next_cursor: page.next_cursor,
    };
    Ok(pages::linked(&usage, usage.next_cursor.as_deref(), &uri))
}

/// Where a page ends, and of which range it is.
struct Place {
    from: Timestamp,
    to: Timestamp,
    at: Timestamp,
}

impl Place {
    fn written(&self) -> String {
        format!("{} {} {}", self.from, self.to, self.at)
    }

    fn read(text: &str) -> Option<Self> {
        let mut times = text.split(' ').map(|time| time.parse().ok());
        Some(Self { from: times.next()??, to: times.next()??, at: times.next()?? })
    }
}

/// Where a subscription stands with each of its limits.
async fn limits(
    api: &Api,
    view: &View,
    id: &SubscriptionId,
    bought: &model::Subscription,
    now: Timestamp,
) -> Result<Vec<LimitOf>, Problem> {
    let Some(package) = view.configuration.packages.get(&bought.package) else {
        return Ok(Vec::new());
    };
    let pool = api.accounts().pool()?;
    let used = store::since(pool, Some(id), now - JUDGED_OVER).await?;
    let standings = standing::standings(pool, Some(id)).await?;
    let of = |limit: Limit| {
        let key = (id.clone(), limit.measure);
        let used = used.get(&key).map(|sums| sums.average());
        let stands = standings.get(&key);
        LimitOf {
            measure: limit.measure.into(),
            limit: limit.most,
            used,
            percent: used.map(|used| limit.percent(used)),
            state: stands.map(|stands| stands.standing).unwrap_or_default().into(),
            since: stands.map(|stands| stands.since),
        }
    };
    Ok(limits_of(&package.spec, bought).into_iter().map(of).collect())
}
