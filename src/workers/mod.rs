//! The worker nodes of every cluster, as they were last seen.
//!
//! ```text
//! surveyor (cluster) ──► what was seen, and when ──► the portal
//! ```
//!
//! Whoever looks is behind a port ([`Surveyor`]), so that nobody who reads about nodes can reach a
//! cluster. What was seen stays when a cluster cannot be reached any more; it then says how old it
//! is.

mod surveyor;
pub mod store;

use jiff::SignedDuration;

pub use surveyor::Surveyed;
pub use surveyor::Surveyor;

/// How often nodes are looked at: every pod of the cluster is read for it.
pub const EVERY: SignedDuration = SignedDuration::from_mins(5);
/// From when on what was seen may be otherwise by now: two looks were missed.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_mins(12);

/// Why nodes cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum WorkersError {
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error(
        "nodes are kept of `{0}`, which is no name of a cluster: was it written by another version?"
    )]
    Unreadable(String),
}
