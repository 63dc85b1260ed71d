//! `Component`: one service of the catalog.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::names::Name;
use super::platform::Compute;
use super::quantity::Quantity;

/// One service of the catalog: what runs, how it is reached, and what it needs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Component {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub image: String,
    /// The port it listens on; without one it gets no Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Answers 200 when the service is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    /// The paths of the public address that lead here.
    #[serde(default)]
    pub routes: Vec<String>,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, Setting>,
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// The schema it owns in the subscription's database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_schema: Option<String>,
    pub resources: Resources,
    /// Credentials generated once for each subscription.
    #[serde(default)]
    pub credentials: Vec<Credential>,
    /// The user the image runs as; `0` where it cannot do without root.
    #[serde(default = "default_user")]
    pub user: u32,
    /// Whether the image can run on a file system it cannot write to, besides its volumes and `/tmp`.
    #[serde(default)]
    pub read_only: bool,
    /// Components that must run before this one.
    #[serde(default)]
    pub needs: Vec<Name>,
    /// The template that renders it, such as `component/web.yaml`.
    #[serde(default = "default_template")]
    pub template: String,
}

fn default_user() -> u32 {
    1000
}

fn default_template() -> String {
    "component/web.yaml".into()
}

/// The names that a plain text may have filled in: `{host}` becomes the subscription's address.
pub const PLACEHOLDERS: &[&str] = &[
    "host",
    "domain",
    "subdomain",
    "tenant",
    "organisation",
    "email",
    "subscription",
    "namespace",
    "instance",
    "package",
    "product",
];

/// The value of an environment variable, or where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Setting {
    /// A plain text; `{host}`, `{domain}` and other names of the subscription are filled in.
    Value(String),
    /// A key of the subscription's generated credentials.
    Credential(String),
}

/// A volume of its own for each subscription.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Volume {
    pub name: Name,
    pub path: String,
    pub size: Quantity,
    /// One of our names for classes of storage; see `Cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// What one replica asks for and may use at most.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Resources {
    #[serde(default)]
    pub requests: Compute,
    #[serde(default)]
    pub limits: Compute,
}

/// A credential generated once and kept in a Secret.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Credential {
    pub key: String,
    #[serde(default = "default_length")]
    pub length: u8,
}

fn default_length() -> u8 {
    32
}
