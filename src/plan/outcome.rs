//! What became of an action. Plain data, so that history need not know who carried it out.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::ResourceId;

use super::observed::Live;

/// What became of one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub id: ResourceId,
    pub outcome: Outcome,
    /// What the thing looked like just after, where the answer told.
    pub live: Option<Live>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Outcome {
    Created,
    Changed,
    /// It was sent, and nothing had to change.
    Unchanged,
    /// It is gone, or on its way out.
    Deleted,
    /// It stays, and is no longer ours.
    Orphaned,
    Failed {
        message: String,
        retry: Retry,
    },
}

/// When a failed action is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// After a while that grows: the target is away, busy, or waits for something else.
    Later,
    /// Not before a commit changes what is asked for.
    NextCommit,
}

impl Outcome {
    pub fn failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => out.write_str("created"),
            Self::Changed => out.write_str("changed"),
            Self::Unchanged => out.write_str("unchanged"),
            Self::Deleted => out.write_str("deleted"),
            Self::Orphaned => out.write_str("orphaned"),
            Self::Failed { message, .. } => write!(out, "failed: {message}"),
        }
    }
}
