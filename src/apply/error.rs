//! What can go wrong when the world is changed, and when it is worth another try.

use std::time::Duration;

use crate::plan::Outcome;
use crate::plan::Retry;

/// Why something was not read, written or removed. No variant ever quotes a secret value.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("the kubeconfig of cluster `{cluster}` cannot be used: {reason}")]
    Kubeconfig { cluster: String, reason: String },
    #[error("cluster `{cluster}` cannot be reached at {address}: {reason}")]
    Unreachable { cluster: String, address: String, reason: String },
    #[error("cluster `{cluster}` did not answer within {limit:?}")]
    Silent { cluster: String, limit: Duration },
    #[error("cluster `{cluster}` answered something else than expected: {reason}")]
    Puzzling { cluster: String, reason: String },
    /// An answer of the API server that says no.
    #[error("{what}: {status}")]
    Refused { what: String, status: Status },
    #[error(
        "the cluster serves no `{kind}` of `{api_version}`: install what defines it, or let `kubernetesVersion` of the Cluster say the version that runs"
    )]
    NotServed { api_version: String, kind: String },
    #[error("the annotation `{annotation}` of {what} says `{value}`: {help}")]
    Annotation { annotation: &'static str, what: String, value: String, help: String },
    #[error("{what} was changed by somebody else again and again while it was written")]
    Contended { what: String },
    #[error("the inventory of `{unit}` was written by somebody else meanwhile: read it again")]
    InventoryMoved { unit: String },
    #[error("the inventory of `{unit}` cannot be read: {reason}; restore `{place}` from a backup")]
    Inventory { unit: String, place: String, reason: String },
    #[error("{what} holds no `{key}` yet")]
    NoSecret { what: String, key: String },
    #[error("this cluster has no database server: give its Cluster document a `databaseServer`")]
    NoDatabaseServer,
    #[error("`{name}` cannot name a {thing} of PostgreSQL: {reason}")]
    DatabaseName { thing: &'static str, name: String, reason: &'static str },
    #[error(
        "the {thing} `{name}` exists and is not ours: give the subscription another name for it, or remove it"
    )]
    NotOurs { thing: &'static str, name: String },
    #[error("{what} does not say what a database needs: {reason}")]
    DatabaseSpec { what: String, reason: String },
    #[error(
        "the {thing} was made as `{was}` and cannot become `{wanted}`: call it `{was}` again, or remove the one and add the other"
    )]
    Renamed { thing: &'static str, was: String, wanted: String },
    #[error("the password in {what} cannot be used: {reason}")]
    Password { what: String, reason: &'static str },
    #[error("the database server refused {doing}: {reason}")]
    Database { doing: String, reason: String, retry: Retry },
}

impl ApplyError {
    /// When another try may succeed.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Kubeconfig { .. }
            | Self::Annotation { .. }
            | Self::NoDatabaseServer
            | Self::DatabaseName { .. }
            | Self::DatabaseSpec { .. }
            | Self::Renamed { .. }
            | Self::NotOurs { .. }
            | Self::Password { .. } => Retry::NextCommit,
            Self::Refused { status, .. } => status.retry(),
            Self::Database { retry, .. } => *retry,
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Puzzling { .. }
            | Self::NotServed { .. }
            | Self::Contended { .. }
            | Self::InventoryMoved { .. }
            | Self::Inventory { .. }
            | Self::NoSecret { .. } => Retry::Later,
        }
    }

    /// Whether the API server says that the thing is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.code == 404)
    }

    /// Whether the thing is at another version than the one that the request named.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.code == 409)
    }

    /// Whether the API server has forgotten what the request speaks of.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.code == 410)
    }

    pub(super) fn outcome(&self) -> Outcome {
        Outcome::Failed { message: self.to_string(), retry: self.retry() }
    }
}

/// What the API server says when it refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct Status {
    pub code: u16,
    pub reason: String,
    pub message: String,
    pub details: Details,
}

/// The part of a refusal that is meant for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Details {
    pub causes: Vec<FieldCause>,
    pub retry_after_seconds: u64,
}

/// A field that the refusal is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct FieldCause {
    pub reason: String,
    pub message: String,
    pub field: String,
}

impl Status {
    /// What is asked for is wrong and stays wrong, or the cluster is not in the state for it.
    fn retry(&self) -> Retry {
        let wrong_for_good = match self.code {
            400 | 405 | 413 | 415 | 422 => true,
            // Servers before 1.26 answer so when a field is not in their schema.
            500 => {
                self.message.contains("not declared in schema")
                    || self.message.contains("failed to create typed patch object")
            }
            _ => false,
        };
        if wrong_for_good { Retry::NextCommit } else { Retry::Later }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&*self.message, &*self.reason) {
            ("", "") => write!(out, "the API server answered {}", self.code),
            ("", reason) => write!(out, "the API server answered {} ({reason})", self.code),
            (message, _) => out.write_str(message),
        }
    }
}
