//! The kinds of change that the portal makes to documents, as people name them.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// A kind of change.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// A new subscription, and its tenant where it is the first.
    Open,
    /// A subscription that could not be opened is taken back.
    Close,
    /// Another package, other amounts, other add-ons.
    Scale,
    /// It is paid for further.
    Renew,
    /// It runs further, whatever is paid for.
    Extend,
    /// It ends with what is paid for.
    Cancel,
    /// It does not end with what is paid for.
    Resume,
    Remove,
    /// What is kept of a subscription that ended is deleted. Naming it here has a second person agree.
    Purge,
    Domains,
    Restart,
    Hold,
    /// What holds it is lifted.
    Lift,
    Branding,
    Preferences,
    /// A thing to do once, such as a backup.
    Task,
    /// Tasks that are over are taken out of the repository.
    Clear,
}

impl ChangeKind {
    /// As it stands in documents, in the database and in answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::Scale => "scale",
            Self::Renew => "renew",
            Self::Extend => "extend",
            Self::Cancel => "cancel",
            Self::Resume => "resume",
            Self::Remove => "remove",
            Self::Purge => "purge",
            Self::Domains => "domains",
            Self::Restart => "restart",
            Self::Hold => "hold",
            Self::Lift => "lift",
            Self::Branding => "branding",
            Self::Preferences => "preferences",
            Self::Task => "task",
            Self::Clear => "clear",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}
