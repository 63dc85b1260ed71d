//! `Channel`: where an application's releases come from and how they roll out.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::names::Name;
use super::term::Term;

/// Where an application's releases come from and how they roll out.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Channel {
    pub application: Name,
    /// The GitHub repository, `owner/name`.
    pub repository: String,
    /// Which file of a release is taken, with `*` for anything.
    pub asset: String,
    /// Severities that go out by themselves.
    #[serde(default)]
    pub automatic: Vec<Severity>,
    /// Hosts to reach, in percent, one stage after the other.
    #[serde(default)]
    pub stages: Vec<u8>,
    /// How long a stage is watched before the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Term>,
    /// The version in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The stage it has reached, counted from zero.
    #[serde(default)]
    pub reached: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
}
