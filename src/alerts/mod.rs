//! Alerts: what is wrong for longer than it may be. Each is opened once, told to operators once,
//! closed when it has been well for a while, and kept.
//!
//! ```text
//! sight (what is wrong, what is well, what nobody knows) ──► turns ──► alert (PostgreSQL) ──► mail
//! ```
//!
//! What nobody knows is no alert: it opens none and closes none. What is wrong is judged elsewhere;
//! here it is decided what becomes of it.

mod turn;
pub mod store;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::accounts::AccountError;
use crate::model::Name;

pub use turn::Sight;
pub use turn::Turn;
pub use turn::turns;

/// What was wrong has to be well for so long before its alert is closed: what comes and goes is one
/// alert and one mail, and not many.
pub const QUIET: SignedDuration = SignedDuration::from_mins(10);
/// After so long in which nobody looked, nobody knows whether it was wrong all the time.
pub const GAP: SignedDuration = SignedDuration::from_mins(5);

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A node does not run pods.
    NodeDown,
    /// A container is started again and again.
    Restarts,
    /// A subscription uses nearly all that it may.
    Usage,
    /// Something of an instance that should run does not.
    Downtime,
    BackupFailed,
    /// A certificate is near its end.
    Certificate,
    /// A disk is nearly full.
    Disk,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::NodeDown,
        Self::Restarts,
        Self::Usage,
        Self::Downtime,
        Self::BackupFailed,
        Self::Certificate,
        Self::Disk,
    ];

    /// As it stands in the database, in answers and in mails.
    pub fn word(self) -> &'static str {
        match self {
            Self::NodeDown => "node-down",
            Self::Restarts => "restarts",
            Self::Usage => "usage",
            Self::Downtime => "downtime",
            Self::BackupFailed => "backup-failed",
            Self::Certificate => "certificate",
            Self::Disk => "disk",
        }
    }

    /// The kind of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    pub kind: Kind,
    /// Such as `saigon.node-1` or `acme/school`; no other of its kind has it.
    pub name: String,
    /// Where it is, if it is in a cluster.
    pub cluster: Option<Name>,
}

/// An alert as it stands, or stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    pub id: Uuid,
    pub kind: Kind,
    pub subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Name>,
    /// How it is, in a sentence; that of the last look while it stands.
    pub what: String,
    /// When it was first seen.
    pub since: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// When it had lasted long enough to be told; none before.
    pub opened_at: Option<Timestamp>,
    /// Since when it is well again.
    pub eased_at: Option<Timestamp>,
    /// When it had been well for long enough.
    pub closed_at: Option<Timestamp>,
}

impl Alert {
    fn is_about(&self, subject: &Subject) -> bool {
        self.kind == subject.kind && self.subject == subject.name
    }
}

/// Why alerts cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error("there is an alert of `{0}`, which nobody knows: was it written by another version?")]
    Unreadable(String),
    #[error(transparent)]
    Account(#[from] AccountError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_called_the_same_everywhere() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.word()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
        assert_eq!(Kind::of("moon"), None);
    }
}
