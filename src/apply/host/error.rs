//! What can go wrong with a host: each for what it is, with what to do about it.

use std::time::Duration;

use crate::model::Name;
use crate::plan::Retry;
use crate::plan::host::facts::Puzzling;
use crate::plan::host::inventory::Unbelievable;

/// Why a host was not looked at or not changed. No variant ever quotes a secret value.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("the key {place} cannot be used: {reason}")]
    OwnKey { place: String, reason: String },
    #[error("the host key `{key}` of `{host}` cannot be used: {reason}")]
    Pin { host: Name, key: String, reason: String },
    #[error(
        "`{host}` cannot be reached at {address}: {reason}; look whether the machine runs, and whether `spec.address` and `spec.port` are right"
    )]
    Unreachable { host: Name, address: String, reason: String },
    #[error(
        "`{host}` at {address} shows a host key that its document does not have: {fingerprint} ({algorithm}); if the machine was installed anew, compare this with what its provider tells, and commit `{line}` to `spec.hostKeys`; if not, somebody else answers"
    )]
    UnknownKey {
        host: Name,
        address: String,
        algorithm: String,
        fingerprint: String,
        /// What to commit, as it stands in a document.
        line: String,
    },
    #[error(
        "`{host}` and we have no {what} in common; it offers {theirs}: pin its ed25519 key, and let its sshd be of this decade"
    )]
    NothingInCommon { host: Name, what: String, theirs: String },
    #[error(
        "`{host}` lets nobody in as `{user}` with our key: add it to ~{user}/.ssh/authorized_keys there, or correct `spec.user`"
    )]
    Denied { host: Name, user: String },
    #[error(
        "`{user}` on `{host}` may not become root without a password: {said}; let it, with a file in /etc/sudoers.d that says `{user} ALL=(ALL) NOPASSWD: ALL`, or set `spec.user` to root"
    )]
    NoSudo { host: Name, user: String, said: String },
    #[error("`{host}` did not finish {doing} within {limit:?}")]
    Silent { host: Name, doing: &'static str, limit: Duration },
    #[error(
        "`{host}` said more than {limit} bytes while {doing}, which is more than it has to say"
    )]
    Overlong { host: Name, doing: &'static str, limit: usize },
    #[error("the connection to `{host}` was cut while {doing}: {reason}")]
    Cut { host: Name, doing: &'static str, reason: String },
    #[error("`{host}` answered something else than expected: {reason}")]
    Puzzling { host: Name, reason: String },
    #[error("the shell of `{host}` failed while {doing}, with {status}: {said}")]
    Shell { host: Name, doing: &'static str, status: u32, said: String },
    #[error("`{host}` is kept as it is: {why}")]
    Inventory { host: Name, why: Unbelievable },
    #[error(
        "`{host}` runs {found}, and only Debian and Ubuntu with systemd are known: install one of them"
    )]
    Unsupported { host: Name, found: String },
    #[error("somebody else is at work on `{host}`: {who}")]
    Busy { host: Name, who: String },
    #[error("`{host}` was changed by somebody else after it was looked at: plan again")]
    Moved { host: Name },
    #[error(
        "`{host}` let nobody in any more after it was changed, and did not come back after the {after:?} within which it undoes that by itself: open its provider's console; last said: {reason}"
    )]
    LockedOut { host: Name, after: Duration, reason: String },
    #[error(
        "the inventory on `{host}` cannot be written, so nothing was changed: look whether the disk is full (`df -h /var/lib`)"
    )]
    Unrecorded { host: Name },
}

impl HostError {
    /// When another try may succeed.
    pub fn retry(&self) -> Retry {
        match self {
            Self::OwnKey { .. }
            | Self::Pin { .. }
            | Self::UnknownKey { .. }
            | Self::NothingInCommon { .. }
            | Self::Unsupported { .. } => Retry::NextCommit,
            // Who lets us in, and what is on the host, can change without a commit.
            Self::Unreachable { .. }
            | Self::Denied { .. }
            | Self::NoSudo { .. }
            | Self::Silent { .. }
            | Self::Overlong { .. }
            | Self::Cut { .. }
            | Self::Puzzling { .. }
            | Self::Shell { .. }
            | Self::Inventory { .. }
            | Self::Busy { .. }
            | Self::Moved { .. }
            | Self::LockedOut { .. }
            | Self::Unrecorded { .. } => Retry::Later,
        }
    }

    pub(super) fn puzzling(host: &Name, why: &Puzzling) -> Self {
        Self::Puzzling { host: host.clone(), reason: why.to_string() }
    }
}
