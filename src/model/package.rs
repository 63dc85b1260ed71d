//! `Package`: a tier that customers buy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::money::Money;
use super::names::Name;
use super::platform::Lifecycle;
use super::quantity::Quantity;
use super::term::Term;

/// A tier that customers buy: its price, what runs for it, and how much of everything.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Package {
    /// The product it is a tier of, such as `kiteclass`.
    pub product: Name,
    pub title: String,
    /// The price of one period; none where it is agreed with each customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    #[serde(default = "one_month")]
    pub period: Term,
    pub runs: Runs,
    /// Where a subscription runs; for packages that run on a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    #[serde(default)]
    pub components: Vec<Part>,
    /// The namespace's `ResourceQuota`, by its own names: `requests.cpu: 4`.
    #[serde(default)]
    pub quota: BTreeMap<String, Quantity>,
    /// What is sold by number: users, classes, storage, devices. Absent means without limit.
    #[serde(default)]
    pub limits: BTreeMap<String, Quantity>,
    /// How far a subscription may raise `quota` and `limits`; absent means not at all.
    #[serde(default)]
    pub maximum: BTreeMap<String, Quantity>,
    /// What it costs to raise `quota` and `limits`; what is not named here is raised for free.
    #[serde(default)]
    pub raises: RaisePrices,
    /// What the customer may use, as the application knows it.
    #[serde(default)]
    pub features: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    /// Jobs that run once, in this order, when their image or the package changes.
    #[serde(default)]
    pub jobs: Vec<Job>,
    #[serde(default)]
    pub add_ons: Vec<AddOn>,
    /// What one subscription costs us in a period, by item.
    #[serde(default)]
    pub cost: BTreeMap<String, Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// What becomes of volumes and databases when a commit removes the subscription.
    #[serde(default)]
    pub data_on_removal: OnRemoval,
}

impl Package {
    /// Whether there is anything to back up of a subscription, and it is said how: then none is
    /// removed without a last backup.
    pub fn is_backed_up(&self) -> bool {
        self.runs == Runs::Cluster && self.backup.is_some()
    }
}

fn one_month() -> Term {
    "1 month".parse().expect("a term by its own grammar")
}

/// What a package is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Runs {
    /// Pods in a Kubernetes cluster.
    Cluster,
    /// A client's own VDS.
    Host,
    /// Nothing that runs: rights that an application asks for.
    Entitlement,
}

/// Where a subscription runs and how it is reached.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Placement {
    /// The folder of templates that render a subscription, such as `kiteclass`.
    pub templates: String,
    /// What the namespace's name begins with, such as `kiteclass-`.
    pub namespace_prefix: String,
    /// Whose name follows the prefix: each subscription has its own namespace, or all of a tenant share one.
    #[serde(default)]
    pub namespace_per: NamespacePer,
    /// The public address, with `{subdomain}`, `{tenant}` and `{domain}`, such as `{subdomain}.kiteclass.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NamespacePer {
    /// The subscription's subdomain follows the prefix.
    #[default]
    Subdomain,
    /// The tenant's name follows the prefix.
    Tenant,
}

/// A component as a package uses it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Part {
    pub component: Name,
    #[serde(default = "one")]
    pub replicas: u16,
}

fn one() -> u16 {
    1
}

/// The database of a subscription on the cluster's server.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Database {
    pub size: Quantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    #[serde(default)]
    pub extensions: Vec<String>,
    /// How many connections its role may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u16>,
}

/// The Redis of a subscription.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cache {
    /// The component that renders it.
    pub component: Name,
    pub size: Quantity,
    /// As Redis writes it, such as `1gb`.
    pub max_memory: String,
}

/// When the subscription's data is saved.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Backup {
    /// A cron expression of five fields.
    pub schedule: String,
    pub retention: Term,
    /// What it runs in: with `pg_dump` and `pg_restore` where a database is saved, with `tar` where
    /// volumes are.
    pub image: String,
    /// How large the volume of backups is; as large as the database, or ten
    /// gibibytes, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Quantity>,
}

/// A job that runs once.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Job {
    pub name: Name,
    pub stage: JobStage,
    pub image: String,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub args: Vec<String>,
}

/// When a job runs: to prepare data, or to check that all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobStage {
    Data,
    Verify,
}

/// Something more that a customer may buy.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AddOn {
    pub name: Name,
    pub title: String,
    pub price: Money,
    /// What one of it adds to `limits`.
    #[serde(default)]
    pub adds: BTreeMap<String, Quantity>,
}

/// What raising a quota or a limit above the package's costs in a period.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RaisePrice {
    /// How much of it the price buys; what is begun counts whole.
    pub per: Quantity,
    pub price: Money,
}

/// Prices of raised quotas and limits by their names.
pub type RaisePrices = BTreeMap<String, RaisePrice>;

/// What becomes of data when a commit removes what holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnRemoval {
    /// Volumes and databases stay, with the namespace around them.
    #[default]
    Keep,
    /// They go with the rest.
    Delete,
}
