//! Pricing: from the configuration, the clock and what was bought before to what something costs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::Serialize;
use sqlx::PgConnection;

use super::OperationError;
use super::prepaid;
use crate::billing::calendar::Anchor;
use crate::billing::calendar::Period;
use crate::billing::calendar::Stretch;
use crate::billing::calendar::day_of;
use crate::billing::lifecycle::Timing;
use crate::billing::lifecycle::timing;
use crate::billing::price::Choice;
use crate::billing::price::price;
use crate::billing::price::total;
use crate::billing::proration::Line;
use crate::billing::quote::PaidDays;
use crate::billing::quote::Purpose;
use crate::billing::quote::Quote;
use crate::billing::quote::Tariff;
use crate::billing::terms;
use crate::billing::terms::BoughtTerm;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::Package;
use crate::model::Platform;
use crate::model::Subscription;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::model::platform::Lifecycle;
use crate::model::subscription::Overrides;
use crate::model::tax::Party;
use crate::model::tax::Series;
use crate::model::tax::Taxation;

/// What somebody wants to have.
#[derive(Clone, Debug)]
pub struct Wish {
    pub package: Name,
    pub add_ons: BTreeMap<Name, u16>,
    pub overrides: Overrides,
}

impl Wish {
    /// What somebody has.
    pub fn of(spec: &Subscription) -> Self {
        Self {
            package: spec.package.clone(),
            add_ons: spec.add_ons.clone(),
            overrides: spec.overrides.clone(),
        }
    }
}

/// What is sold, with all that is needed to conclude it later, whatever has changed by then.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sale {
    pub package: Name,
    pub quote: Quote,
    /// Who sells, and in which series; none where nothing is to be paid.
    pub seller: Option<Seller>,
    pub buyer: Party,
    /// The day that the subscription's periods are counted from.
    pub anchor: Date,
    pub lifecycle: Lifecycle,
    /// By its IANA name.
    pub zone: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seller {
    pub series: Series,
    pub party: Party,
}

impl Sale {
    /// Whether days are sold, and not only what differs in days that were.
    pub fn sells_days(&self) -> bool {
        matches!(self.quote.purpose, Purpose::Order | Purpose::Renewal)
    }

    /// The last day that is sold.
    pub fn through(&self) -> Date {
        self.quote.period.last_day()
    }

    /// The same for days that begin later: the price was promised, the days begin when it is paid.
    pub fn beginning(&self, day: Date, package: &Package) -> Result<Self, OperationError> {
        let anchor = Anchor::new(day, package.period)?;
        let period = anchor.period(0)?;
        let quote = Quote { effective: period.start, period, ..self.quote.clone() };
        Ok(Self { quote, anchor: day, ..self.clone() })
    }
}

/// A priced wish.
#[derive(Clone, Debug)]
pub struct Priced {
    pub sale: Sale,
    /// When it takes effect.
    pub timing: Timing,
}

/// What is sold on a day, by the documents as they are.
pub struct Shop<'a> {
    configuration: &'a Configuration,
    platform: &'a Platform,
    taxation: Taxation,
    zone: TimeZone,
    today: Date,
}

impl<'a> Shop<'a> {
    pub fn open(configuration: &'a Configuration, now: Timestamp) -> Result<Self, OperationError> {
        let platform = configuration.platform.as_ref().ok_or_else(|| {
            OperationError::Conflict("nothing is sold here yet: there is no platform".to_owned())
        })?;
        let platform = &platform.spec;
        let zone = platform.zone().unwrap_or(TimeZone::UTC);
        let today = day_of(now, &zone);
        let taxation =
            platform.billing.as_ref().map(|billing| billing.taxes.clone()).unwrap_or_default();
        Ok(Self { configuration, platform, taxation, zone, today })
    }

    /// Today, where days begin and end.
    pub fn today(&self) -> Date {
        self.today
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub fn package(&self, name: &Name) -> Result<&'a Package, OperationError> {
        let document = self.configuration.packages.get(name);
        document.map(|document| &document.spec).ok_or_else(|| {
            let message = format!("there is no package `{name}`");
            OperationError::invalid("package", message, "name one of `GET /api/v1/packages`")
        })
    }

    /// By which rules what has this package ends.
    pub fn lifecycle(&self, package: &Package) -> Lifecycle {
        package.lifecycle.clone().unwrap_or_else(|| self.platform.lifecycle.clone())
    }

    fn sale(
        &self,
        wish: &Wish,
        quote: Quote,
        anchor: Date,
        buyer: Party,
    ) -> Result<Sale, OperationError> {
        let package = self.package(&wish.package)?;
        let billing = self.platform.billing.as_ref();
        let seller = billing.map(|billing| Seller {
            series: billing.series.clone(),
            party: billing.seller.clone(),
        });
        let seller = seller.filter(|_| quote.total.minor != 0);
        if quote.total.minor > 0 && seller.is_none() {
            let why = "what costs money cannot be sold yet: the platform does not say who sells, in `billing`";
            return Err(OperationError::Conflict(why.to_owned()));
        }
        Ok(Sale {
            package: wish.package.clone(),
            quote,
            seller,
            buyer,
            anchor,
            lifecycle: self.lifecycle(package),
            zone: self.platform.time_zone.clone(),
        })
    }

    /// What a new subscription costs that begins today.
    pub fn order(&self, wish: &Wish, buyer: Party) -> Result<Priced, OperationError> {
        let package = self.package(&wish.package)?;
        let anchor = Anchor::new(self.today, package.period)?;
        let quote = self.tariff(package).order(choice(wish, package), &anchor)?;
        let sale = self.sale(wish, quote, self.today, buyer)?;
        Ok(Priced { sale, timing: Timing::Now })
    }

    /// What the next days of a subscription cost: from the end of what is paid for, or, where it
    /// does not run any more, from today.
    pub async fn renewal(
        &self,
        db: &mut PgConnection,
        id: &SubscriptionId,
        spec: &Subscription,
        wish: &Wish,
        buyer: Party,
    ) -> Result<Priced, OperationError> {
        let term = terms::last(db, id).await?;
        let Some(paid_until) = paid_until(term.as_ref(), spec) else {
            let why = format!("{id} does not end by itself: there is nothing to renew");
            return Err(OperationError::Conflict(why));
        };
        let package = self.package(&wish.package)?;
        let first = anchor_day(term.as_ref(), spec);
        let anchor = Anchor::new(first, package.period)?;
        let overdue = self.today > paid_until;
        let (from, notice) = if overdue {
            let notice = self.lifecycle(package).expiring.about_seconds() / 86_400;
            (self.today, i64::try_from(notice).unwrap_or(0))
        } else {
            (paid_until, 0)
        };
        let stretch = anchor.stretch_from(from.max(first), notice)?;
        let sale = self.days(wish, &stretch, first, buyer)?;
        Ok(Priced { sale, timing: Timing::Now })
    }

    /// What certain days cost of a subscription whose periods are counted from a first day.
    pub fn days(
        &self,
        wish: &Wish,
        stretch: &Stretch,
        first: Date,
        buyer: Party,
    ) -> Result<Sale, OperationError> {
        let package = self.package(&wish.package)?;
        let quote = self.tariff(package).renewal(choice(wish, package), stretch)?;
        self.sale(wish, quote, first, buyer)
    }

    /// What it costs that a subscription becomes something else: more at once, less when what is
    /// paid for ends.
    pub async fn change(
        &self,
        db: &mut PgConnection,
        id: &SubscriptionId,
        spec: &Subscription,
        wish: &Wish,
        buyer: Party,
    ) -> Result<Priced, OperationError> {
        let (old, new) = (self.package(&spec.package)?, self.package(&wish.package)?);
        if old.product != new.product {
            let message =
                format!("`{}` is of another product than `{}`", wish.package, spec.package);
            let help = "order it beside, and cancel what you have";
            return Err(OperationError::invalid("package", message, help));
        }
        let now = Wish::of(spec);
        let term = terms::last(db, id).await?;
        let paid_until = paid_until(term.as_ref(), spec);
        let first = anchor_day(term.as_ref(), spec);
        let anchor = Anchor::new(first, new.period)?;
        let list = total(&price(choice(&now, old), &old.raises)?)?;
        let tariff = self.tariff(new);
        let paid = match &term {
            Some(_) => {
                prepaid::days(db, id, &Anchor::new(first, old.period)?, list, self.today).await?
            }
            None => vec![self.elsewhere(&anchor, first, list)?],
        };
        let paid_until = paid_until.filter(|until| *until > self.today);
        let (Some(paid_until), Some(PaidDays { line: current, .. })) = (paid_until, paid.first())
        else {
            let why = format!("{id} is not paid for today: renew it first");
            return Err(OperationError::Conflict(why));
        };
        let wanted = total(&price(choice(wish, new), &new.raises)?)?;
        let at_end = timing(current.price, wanted, false)? == Timing::AtEnd;
        if at_end || old.period != new.period {
            let quote = tariff.change_at_end(choice(wish, new), &anchor, paid_until.max(first))?;
            let sale = self.sale(wish, quote, first, buyer)?;
            return Ok(Priced { sale, timing: Timing::AtEnd });
        }
        let quote = tariff.change_now(choice(&now, old), choice(wish, new), &paid)?;
        let sale = self.sale(wish, quote, first, buyer)?;
        Ok(Priced { sale, timing: Timing::Now })
    }

    /// What is left of the period of today, where nothing was sold here: what was never paid here
    /// gives nothing back.
    fn elsewhere(
        &self,
        anchor: &Anchor,
        first: Date,
        price: Money,
    ) -> Result<PaidDays, OperationError> {
        let (_, whole) = anchor.containing(self.today.max(first))?;
        let days = Period { start: self.today.max(first), end: whole.end };
        Ok(PaidDays { days, whole, line: Line { price, paid: Money::zero(price.currency) } })
    }

    fn tariff<'b>(&'b self, package: &'b Package) -> Tariff<'b> {
        Tariff { raises: &package.raises, taxation: &self.taxation }
    }
}

fn choice<'a>(wish: &'a Wish, package: &'a Package) -> Choice<'a> {
    Choice { name: &wish.package, package, add_ons: &wish.add_ons, overrides: &wish.overrides }
}

/// The first day that is not paid for: by the days that were sold, or, of what was sold elsewhere,
/// by its document.
fn paid_until(term: Option<&BoughtTerm>, spec: &Subscription) -> Option<Date> {
    let written = spec.paid_through.and_then(|through| through.tomorrow().ok());
    match term {
        Some(term) => Some(term.period.end),
        None => written,
    }
}

fn anchor_day(term: Option<&BoughtTerm>, spec: &Subscription) -> Date {
    term.map_or(spec.starts, |term| term.anchor)
}
