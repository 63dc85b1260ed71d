//! `Platform`: what holds for every tenant. One document per repository.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::change_kind::ChangeKind;
use super::digest::Digest;
use super::money::Currency;
use super::money::Money;
use super::quantity::Quantity;
use super::tax::Party;
use super::tax::Series;
use super::tax::Taxation;
use super::term::Term;
use super::zone::zone;

/// What holds for every tenant.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Platform {
    /// The domain under which customers get their names.
    pub domain: String,
    /// The time zone (IANA) in which days begin and end.
    pub time_zone: String,
    /// The currency of prices that the operator compares.
    pub currency: Currency,
    #[serde(default)]
    pub lifecycle: Lifecycle,
    #[serde(default)]
    pub deletions: Deletions,
    #[serde(default)]
    pub alerts: Alerts,
    #[serde(default)]
    pub pull_requests: PullRequests,
    #[serde(default)]
    pub payments: Payments,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<Support>,
    /// Who sells, and which taxes are on top; without it nothing that costs money can be ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<Billing>,
    /// Subdomains that no customer may take.
    #[serde(default)]
    pub reserved_subdomains: BTreeSet<String>,
    /// The age public keys that secrets in this repository are encrypted for.
    #[serde(default)]
    pub secret_recipients: Vec<String>,
}

impl Platform {
    /// The zone in which days begin and end.
    pub fn zone(&self) -> Option<TimeZone> {
        zone(&self.time_zone)
    }
}

/// How long each phase of a subscription lasts.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Lifecycle {
    /// How long before the end a subscription counts as expiring.
    pub expiring: Term,
    /// How long a suspended subscription keeps everything before it ends.
    pub grace: Term,
    /// How long the last backup of an ended subscription is kept.
    pub retention: Term,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { expiring: Term::days(7), grace: Term::days(30), retention: Term::days(90) }
    }
}

/// How much may be deleted at once, and what was approved beyond it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Deletions {
    pub limit: DeletionLimit,
    /// Digests of parked deletions that may go ahead; `tenantry status` prints them.
    #[schemars(with = "Vec<String>")]
    pub approved: Vec<Digest>,
}

/// The most that may be waiting for deletion at once; beyond any of these, all deletions are parked.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct DeletionLimit {
    /// Tenants that lose everything.
    pub tenants: usize,
    /// Namespaces, which is where a subscription's things are.
    pub namespaces: usize,
    /// Volume claims and databases: what customers wrote.
    pub data: usize,
    /// Objects of any kind.
    pub objects: usize,
}

impl Default for DeletionLimit {
    fn default() -> Self {
        Self { tenants: 2, namespaces: 3, data: 12, objects: 200 }
    }
}

/// When somebody should be told.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Alerts {
    /// Percent of a quota or limit.
    pub usage: u8,
    /// Percent of a disk.
    pub disk: u8,
    /// Restarts of one container within an hour.
    pub restarts: u16,
    /// How long a service may be away.
    pub downtime: Term,
    /// How long before its end a certificate that nobody renewed is told of.
    pub certificate: Term,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            usage: 90,
            disk: 80,
            restarts: 5,
            downtime: Term::minutes(5),
            certificate: Term::days(14),
        }
    }
}

/// What people review before it is done.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct PullRequests {
    /// The portal brings changes of these kinds to a branch `tenantry/<intent>` of their own, for a
    /// person to merge, and no other change to any. One whose branch is deleted is cancelled.
    pub kinds: BTreeSet<ChangeKind>,
}

/// How customers may pay. Keys and addresses of providers are the daemon's settings, not here.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Payments {
    /// Who takes money of which currency; the first that fits is taken where a customer chooses none.
    pub offers: Vec<PaymentOffer>,
    /// Payments that a person records from this amount on wait for the approval of a second person.
    pub second_person_from: Vec<Money>,
    /// How long these wait; a payment that nobody has approved by then never counts.
    pub approve_within: Term,
}

impl Default for Payments {
    fn default() -> Self {
        let (offers, second_person_from) = (Vec::new(), Vec::new());
        Self { offers, second_person_from, approve_within: Term::days(30) }
    }
}

impl Payments {
    /// Who takes money of this currency, in the order of the document.
    pub fn takers(&self, currency: Currency) -> impl Iterator<Item = PaymentProvider> + '_ {
        let offers = self.offers.iter();
        offers.filter(move |offer| offer.currencies.contains(&currency)).map(|offer| offer.provider)
    }

    /// Whether a payment that a person records waits for a second person.
    pub fn asks_a_second_person(&self, amount: Money) -> bool {
        self.second_person_from
            .iter()
            .any(|from| from.currency == amount.currency && amount.minor >= from.minor)
    }
}

/// Somebody who takes money for us.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PaymentOffer {
    pub provider: PaymentProvider,
    pub currencies: BTreeSet<Currency>,
}

/// Who takes money.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum PaymentProvider {
    Midtrans,
    Stripe,
    Vnpay,
    Momo,
    /// A transfer to the bank, which a person records.
    Manual,
    /// Nobody: it says that it was paid. For trying out, and for what is free at first.
    Dummy,
}

impl PaymentProvider {
    pub const ALL: [Self; 6] =
        [Self::Midtrans, Self::Stripe, Self::Vnpay, Self::Momo, Self::Manual, Self::Dummy];

    /// As it stands in documents, in the database and in paths.
    pub fn word(self) -> &'static str {
        match self {
            Self::Midtrans => "midtrans",
            Self::Stripe => "stripe",
            Self::Vnpay => "vnpay",
            Self::Momo => "momo",
            Self::Manual => "manual",
            Self::Dummy => "dummy",
        }
    }
}

/// Who our mail comes from.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mail {
    pub from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

/// Where customers find help.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Support {
    pub email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// What stands on every invoice.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Billing {
    /// The series that invoices are numbered in. Never give one to somebody else: its numbers
    /// have no gaps.
    pub series: Series,
    pub seller: Party,
    /// Prices are without taxes; these are added.
    #[serde(default)]
    pub taxes: Taxation,
}

/// CPU and memory, as requests, limits and capacities name them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Compute {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}
