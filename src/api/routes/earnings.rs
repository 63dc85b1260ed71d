//! What the business earns, for operators: revenue as the ledger has it, and the margin of each
//! package. Amounts of two currencies are never added up.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::catalog::Money;
use super::days;
use super::days::Days;
use crate::api::Api;
use crate::api::body::Parameters;
use crate::api::extract::Context;
use crate::api::extract::Operator;
use crate::api::problem::Problem;
use crate::billing::calendar::day_of;
use crate::billing::ledger::LedgerError;
use crate::billing::margin;
use crate::billing::margin::Months;
use crate::billing::price::Choice;
use crate::billing::price::PriceError;
use crate::billing::price::price;
use crate::billing::price::total;
use crate::billing::revenue;
use crate::billing::revenue::Earned;
use crate::model;
use crate::model::Document;
use crate::model::Name;
use crate::model::Phase;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money;
use crate::model::money::Currency;

/// How many days of revenue are told at most: a leap year.
const MOST_DAYS: i32 = 366;
/// How many years of it by month.
const MOST_YEARS: i32 = 10;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get_revenue)).routes(routes!(get_margin))
}

/// By what revenue is added up.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RevenueStep)]
enum Step {
    Day,
    Month,
}

impl From<Step> for revenue::Step {
    fn from(step: Step) -> Self {
        match step {
            Step::Day => Self::Day,
            Step::Month => Self::Month,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// By the month where absent.
    #[param(inline)]
    per: Option<Step>,
    /// The first day; that of the month eleven months ago where absent, of this month by the day.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// The last day, that day included; today where absent.
    #[param(value_type = Option<String>, format = Date)]
    through: Option<Date>,
}

/// What was earned with one package.
#[derive(Serialize, ToSchema)]
struct OfPackage {
    /// Its name; there may be no such package any more.
    package: String,
    recognised: Money,
}

/// What was earned in a month or on a day, in one currency.
#[derive(Serialize, ToSchema)]
struct Period {
    /// The day, or the first of the month.
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// What was delivered and is ours.
    recognised: Money,
    packages: Vec<OfPackage>,
}

/// What was earned on some days.
#[derive(Serialize, ToSchema)]
struct Revenue {
    per: Step,
    #[schema(value_type = String, format = Date)]
    from: Date,
    #[schema(value_type = String, format = Date)]
    through: Date,
    /// Where days begin and end, by its IANA name.
    time_zone: String,
    /// By day and currency; a period in which nothing was earned is left out.
    periods: Vec<Period>,
    /// What was earned in all of them, by currency.
    total: Vec<Money>,
}

impl Asked {
    fn days(&self, per: Step, today: Date) -> Result<Days, Problem> {
        let usual = |through: Date| {
            let first = through.first_of_month();
            match per {
                Step::Day => first,
                Step::Month => first.checked_sub(jiff::Span::new().months(11)).unwrap_or(first),
            }
        };
        let days = days::Asked { from: self.from, through: self.through }.days(today, usual)?;
        match per {
            Step::Day => days.at_most(MOST_DAYS, "ask for at most a year, or `per=month`")?,
            Step::Month => {
                days.at_most(MOST_DAYS * MOST_YEARS, "ask for at most ten years at once")?;
            }
        }
        Ok(days)
    }
}

/// What was earned, by month or by day: what was paid in advance is earned as its days go by.
#[utoipa::path(get, path = "/admin/revenue", tag = "admin", operation_id = "get_revenue",
    security(("token" = [])), params(Asked),
    responses((status = 200, description = "What was earned", body = Revenue)))]
async fn get_revenue(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Revenue>, Problem> {
    let zone = api.catalog().view()?.configuration.zone();
    let per = asked.per.unwrap_or(Step::Month);
    let days = asked.days(per, day_of(context.now, &zone))?;
    let mut db = api.accounts().pool()?.acquire().await.map_err(LedgerError::from)?;
    let earned = revenue::earned(&mut db, days.times(&zone), per.into(), &zone).await?;
    let amounts = earned.iter().map(|earned| earned.amount);
    let total = by_currency(amounts)?.into_values().map(Money::from).collect();
    let time_zone = zone.iana_name().unwrap_or("UTC").to_owned();
    let (from, through) = (days.first, days.last);
    Ok(Json(Revenue { per, from, through, time_zone, periods: periods(earned)?, total }))
}

fn by_currency(
    amounts: impl IntoIterator<Item = money::Money>,
) -> Result<BTreeMap<Currency, money::Money>, LedgerError> {
    let mut sums = BTreeMap::new();
    for amount in amounts {
        let zero = money::Money::zero(amount.currency);
        let sum = sums.entry(amount.currency).or_insert(zero);
        *sum = sum.checked_add(amount).map_err(LedgerError::from)?;
    }
    Ok(sums)
}

/// What was earned, as it comes by day, currency and package: one period for each day and currency.
fn periods(earned: Vec<Earned>) -> Result<Vec<Period>, LedgerError> {
    let mut grouped: BTreeMap<(Date, Currency), Vec<Earned>> = BTreeMap::new();
    for earned in earned {
        grouped.entry((earned.from, earned.amount.currency)).or_default().push(earned);
    }
    let period = |((from, currency), earned): (_, Vec<Earned>)| {
        let recognised = money::Money::sum(currency, earned.iter().map(|earned| earned.amount))?;
        let packages = earned
            .into_iter()
            .map(|earned| OfPackage { package: earned.package, recognised: earned.amount.into() });
        Ok(Period { from, recognised: recognised.into(), packages: packages.collect() })
    };
    grouped.into_iter().map(period).collect()
}

/// What is left of a price.
#[derive(Serialize, ToSchema)]
struct Margin {
    /// The price without the cost; below zero where it costs more.
    amount: Money,
    /// In percent of what it costs, such as `-18.57`; absent where it costs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_of_cost: Option<String>,
    /// In percent of the price, such as `-22.81`; absent where it is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_of_price: Option<String>,
}

impl From<margin::Margin> for Margin {
    fn from(margin: margin::Margin) -> Self {
        Self {
            amount: margin.left.into(),
            percent_of_cost: margin.of_cost().map(|points| points.to_string()),
            percent_of_price: margin.of_price().map(|points| points.to_string()),
        }
    }
}

/// What a package brings in a period, and what it costs us.
#[derive(Serialize, ToSchema)]
struct PackageMargin {
    #[schema(value_type = String)]
    package: Name,
    #[schema(value_type = String)]
    product: Name,
    title: String,
    /// How long its price and its cost are for, such as `1 month`.
    period: String,
    /// Absent where it is agreed with each customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
    /// What one subscription costs us, by item.
    costs: BTreeMap<String, Money>,
    /// Their sum, by currency.
    cost: Vec<Money>,
    /// Absent where there is no price, or where it is of another currency than the cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    margin: Option<Margin>,
    /// How many subscriptions of it run.
    subscriptions: u32,
}

/// What all that runs brings in a month, in one currency.
#[derive(Serialize, ToSchema)]
struct MonthlyMargin {
    subscriptions: u32,
    price: Money,
    cost: Money,
    margin: Margin,
}

/// The margin of every package, and of all that runs.
#[derive(Serialize, ToSchema)]
struct Margins {
    packages: Vec<PackageMargin>,
    /// What all that runs brings in a month by its price, with add-ons and what is raised, and what
    /// it costs by the cost tables; by currency. A year has twelve months and 365 days.
    monthly: Vec<MonthlyMargin>,
    /// How many that run are in no sum: their price is agreed with the customer, or is of another
    /// currency than their cost.
    left_out: u32,
}

/// What is left of the price of each package, and of all that runs.
#[utoipa::path(get, path = "/admin/margin", tag = "admin", operation_id = "get_margin",
    security(("token" = [])),
    responses((status = 200, description = "Every package, and what all that runs brings in a month", body = Margins)))]
async fn get_margin(
    State(api): State<Api>,
    context: Context,
    _operator: Operator,
) -> Result<Json<Margins>, Problem> {
    let view = api.catalog().view()?;
    let mut running: BTreeMap<&Name, u32> = BTreeMap::new();
    let mut months = Months::default();
    for (_, document) in view.subscriptions(None, None) {
        let spec = &document.spec;
        let Some(package) = view.configuration.packages.get(&spec.package) else { continue };
        if !matches!(view.configuration.phase(spec, context.now).0, Phase::Active | Phase::Expiring)
        {
            continue;
        }
        *running.entry(&package.name).or_default() += 1;
        months.add(&package.spec, paid(spec, package)).map_err(LedgerError::from)?;
    }
    let packages = view.configuration.packages.values().map(|package| {
        let subscriptions = running.get(&package.name).copied().unwrap_or_default();
        of_package(package, subscriptions)
    });
    let monthly = months.by_currency.into_values().map(|month| MonthlyMargin {
        subscriptions: month.subscriptions,
        price: month.sum.price.into(),
        cost: month.sum.cost.into(),
        margin: month.sum.into(),
    });
    Ok(Json(Margins {
        packages: packages.collect::<Result<_, ArithmeticError>>().map_err(LedgerError::from)?,
        monthly: monthly.collect(),
        left_out: months.left_out,
    }))
}

/// What somebody pays for a period; none where nobody can say, as where it is agreed by hand.
fn paid(spec: &model::Subscription, package: &Document<model::Package>) -> Option<money::Money> {
    let (name, add_ons, overrides) = (&package.name, &spec.add_ons, &spec.overrides);
    let choice = Choice { name, package: &package.spec, add_ons, overrides };
    let lines = price(choice, &package.spec.raises).ok()?;
    total(&lines).map_err(PriceError::from).ok()
}

fn of_package(
    document: &Document<model::Package>,
    subscriptions: u32,
) -> Result<PackageMargin, ArithmeticError> {
    let package = &document.spec;
    let costs = package.cost.iter().map(|(what, cost)| (what.clone(), Money::from(*cost)));
    let margin = package.price.map(|price| margin::margin(package, price)).transpose()?.flatten();
    Ok(PackageMargin {
        package: document.name.clone(),
        product: package.product.clone(),
        title: package.title.clone(),
        period: package.period.to_string(),
        price: package.price.map(Money::from),
        costs: costs.collect(),
        cost: margin::costs(package)?.into_values().map(Money::from).collect(),
        margin: margin.map(Margin::from),
        subscriptions,
    })
}
