//! `Subscription`: a tenant's use of a package, and the phase it is in by the clock.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de::Error as _;

use super::component::Resources;
use super::names::Name;
use super::platform::Lifecycle;
use super::quantity::Quantity;

/// A tenant's use of a package.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Subscription {
    pub tenant: Name,
    pub package: Name,
    /// The customer's part of the address; the tenant's name where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// Addresses of the customer's own.
    #[serde(default)]
    pub domains: Vec<String>,
    /// The day of the first period: every later period is counted from it.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub starts: Date,
    /// The last day that is paid for; none for what does not end by itself.
    #[serde(default, deserialize_with = "day_or_none", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub paid_through: Option<Date>,
    /// Whether it ends with what is paid for: the customer cancelled, and nobody renews it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cancel_at_period_end: bool,
    /// Reasons why it is held; it runs when none is left.
    #[serde(default)]
    pub holds: Vec<Hold>,
    #[serde(default)]
    pub overrides: Overrides,
    #[serde(default)]
    pub add_ons: BTreeMap<Name, u16>,
    /// Counting this up restarts every pod once.
    #[serde(default)]
    pub restarts: u32,
    /// Counting this up makes new credentials.
    #[serde(default)]
    pub rotations: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "`{text}` is not a day: write one of the calendar, as in `2026-01-31`"
        ))
    })
}

fn day_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    #[derive(Deserialize)]
    struct Day(#[serde(deserialize_with = "day")] Date);
    Ok(Option::<Day>::deserialize(deserializer)?.map(|day| day.0))
}

/// A reason to keep a subscription from running.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Hold {
    pub reason: HoldReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HoldReason {
    Overdue,
    Operator,
    Abuse,
}

/// Where a subscription differs from its package, within what the package allows.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Overrides {
    pub quota: BTreeMap<String, Quantity>,
    pub limits: BTreeMap<String, Quantity>,
    pub components: BTreeMap<Name, ComponentOverride>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ComponentOverride {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// Where a subscription stands in its life, by its document and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It runs.
    Active,
    /// It runs, and its end is near.
    Expiring,
    /// Its workloads are stopped; data, volumes and databases stay.
    Suspended,
    /// Grace is over: it stays as suspended until a commit removes it.
    Ending,
}

impl Phase {
    /// Whether its workloads run.
    pub fn runs(self) -> bool {
        matches!(self, Self::Active | Self::Expiring)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Active => "active",
            Self::Expiring => "expiring",
            Self::Suspended => "suspended",
            Self::Ending => "ending",
        })
    }
}

impl Subscription {
    /// The customer's part of the address.
    pub fn subdomain(&self) -> &str {
        self.subdomain.as_deref().unwrap_or(self.tenant.as_str())
    }

    /// The phase at a time, and when the clock alone will change it next.
    ///
    /// A day that is paid for ends at midnight in the platform's zone.
    pub fn phase(
        &self,
        lifecycle: &Lifecycle,
        zone: &TimeZone,
        now: Timestamp,
    ) -> (Phase, Option<Timestamp>) {
        let by_clock = self.phase_by_clock(lifecycle, zone, now);
        if self.holds.is_empty() || !by_clock.0.runs() {
            by_clock
        } else {
            (Phase::Suspended, by_clock.1)
        }
    }

    fn phase_by_clock(
        &self,
        lifecycle: &Lifecycle,
        zone: &TimeZone,
        now: Timestamp,
    ) -> (Phase, Option<Timestamp>) {
        let Some(paid_through) = self.paid_through else { return (Phase::Active, None) };
        let midnight = |day: Option<Date>| {
            let start = day?.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
            Some(start.timestamp())
        };
        let end = paid_through.tomorrow().ok();
        let warned = end.and_then(|end| end.checked_sub(lifecycle.expiring.span()).ok());
        let over = end.and_then(|end| end.checked_add(lifecycle.grace.span()).ok());
        for (limit, phase) in [
            (midnight(warned), Phase::Active),
            (midnight(end), Phase::Expiring),
            (midnight(over), Phase::Suspended),
        ] {
            // A day past the end of the calendar never comes.
            match limit {
                Some(limit) if now >= limit => {}
                _ => return (phase, limit),
            }
        }
        (Phase::Ending, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(subscription: &str, now: &str) -> (Phase, Option<String>) {
        let (documents, _) = super::super::yaml::read(subscription.as_bytes());
        let subscription: Subscription = super::super::typed::read(&documents[0]).unwrap();
        let zone = super::super::zone::zone("Asia/Ho_Chi_Minh").unwrap();
        let (phase, next) = subscription.phase(&Lifecycle::default(), &zone, now.parse().unwrap());
        (phase, next.map(|next| next.to_string()))
    }

    const PAID: &str =
        "tenant: acme\npackage: basic\nstarts: 2026-01-01\npaidThrough: 2026-03-31\n";

    #[test]
    fn a_subscription_goes_through_its_phases_at_midnight_in_the_zone() {
        let expected = [
            ("2026-03-24T16:59:59Z", Phase::Active, Some("2026-03-24T17:00:00Z")),
            ("2026-03-24T17:00:00Z", Phase::Expiring, Some("2026-03-31T17:00:00Z")),
            ("2026-03-31T16:59:59Z", Phase::Expiring, Some("2026-03-31T17:00:00Z")),
            ("2026-03-31T17:00:00Z", Phase::Suspended, Some("2026-04-30T17:00:00Z")),
            ("2026-04-30T17:00:00Z", Phase::Ending, None),
        ];
        for (now, phase, next) in expected {
            assert_eq!(at(PAID, now), (phase, next.map(str::to_owned)), "{now}");
        }
    }

    #[test]
    fn a_held_subscription_is_suspended_while_it_is_paid() {
        let held = format!("{PAID}holds: [{{reason: abuse}}]\n");
        assert_eq!(at(&held, "2026-02-01T00:00:00Z").0, Phase::Suspended);
    }

    #[test]
    fn without_an_end_it_runs_for_ever() {
        assert_eq!(
            at("tenant: a\npackage: b\nstarts: 2026-01-01\n", "9000-01-01T00:00:00Z"),
            (Phase::Active, None)
        );
    }
}
