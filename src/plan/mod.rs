//! Desired against observed: what has to be done, in which order, and what must wait.
//!
//! A plan is a value. It leaves no choice to whoever carries it out.

pub mod observed;
pub mod outcome;

use std::sync::Arc;

use crate::model::Resource;
use crate::model::ResourceId;
use crate::model::resource::OnDelete;

pub use observed::Entry;
pub use observed::Health;
pub use observed::Inventory;
pub use observed::Live;
pub use observed::Observed;
pub use outcome::Done;
pub use outcome::Outcome;
pub use outcome::Retry;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The thing is not there.
    Create { resource: Arc<Resource>, cause: Cause },
    /// The thing is there and differs. `foreign_labels` are taken off it.
    Update { resource: Arc<Resource>, cause: Cause, foreign_labels: Vec<Box<str>> },
    /// No document asks for it any more.
    Delete { id: ResourceId, api_version: Box<str>, uid: Box<str> },
    /// No document asks for it, and its policy lets it go free: our marks are taken off.
    Orphan { id: ResourceId, api_version: Box<str> },
}

/// Why a thing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What is asked for is new or has changed.
    Asked,
    /// Whether it is as we left it is not known: a run was cut short.
    Unsure,
    /// Somebody changed or deleted it.
    Drift { what: String, by: Option<Box<str>> },
}

impl Action {
    pub fn id(&self) -> &ResourceId {
        match self {
            Self::Create { resource, .. } | Self::Update { resource, .. } => &resource.id,
            Self::Delete { id, .. } | Self::Orphan { id, .. } => id,
        }
    }
}

/// What becomes of data that no document asks for.
pub(crate) fn keeps(entry: &Entry) -> bool {
    entry.on_delete == OnDelete::Keep
}
