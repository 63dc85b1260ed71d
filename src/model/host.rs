//! `Host`: a client VDS. Its convergence is not built yet; the document may stand in the repository.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::names::Name;

/// A client's virtual server.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Host {
    /// The tenant whose server it is.
    pub tenant: Name,
    /// A name or an address.
    pub address: String,
    #[serde(default = "ssh_port")]
    pub port: u16,
    #[serde(default = "root")]
    pub user: String,
    /// Public host keys, as `ssh-keyscan` prints them without the name; several while one is replaced.
    pub host_keys: Vec<String>,
    /// What runs on it, such as `kkt`.
    pub roles: Vec<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Values encrypted with age for the platform's recipients.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceWindow>,
    /// The version it is kept at; its channel decides where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Name>,
    #[serde(default)]
    pub mode: Mode,
}

fn ssh_port() -> u16 {
    22
}

fn root() -> String {
    "root".into()
}

/// When a host may be changed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MaintenanceWindow {
    /// Days of the week, such as `sat`.
    pub days: Vec<String>,
    /// When it opens, such as `02:00`.
    pub from: String,
    /// When it closes.
    pub to: String,
    /// The time zone (IANA) of the host.
    pub time_zone: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    #[default]
    Production,
    /// Beside production on the same machine.
    Test,
}
