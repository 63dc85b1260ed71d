//! `Task`: a thing to do once. Its name makes it unique.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::names::Name;

/// A thing to do once.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Task {
    pub tenant: Name,
    /// The subscription it is done to; the whole tenant where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Name>,
    pub action: Action,
    #[serde(default)]
    pub with: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Backup,
    Restore,
    Restart,
    Verify,
    FinalBackup,
}
