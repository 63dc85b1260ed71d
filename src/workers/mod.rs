//! Every cluster as it was last seen: its worker nodes, how full disks are, until when certificates
//! are good, and how scheduled backups went.
//!
//! ```text
//! surveyor (cluster) ──► what was seen, and when ──► the portal, and who watches over it
//! ```
//!
//! Whoever looks is behind a port ([`Surveyor`]), so that nobody who reads about clusters can reach
//! one. What was seen stays when it cannot be seen any more; it then says how old it is.

mod surveyor;
pub mod store;

use jiff::SignedDuration;

pub use surveyor::Sight;
pub use surveyor::Surveyed;
pub use surveyor::Surveyor;

/// How often clusters are looked at: every pod of each is read for it.
pub const EVERY: SignedDuration = SignedDuration::from_mins(5);
/// From when on what was seen may be otherwise by now: two looks were missed.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_mins(12);

/// Why what was seen cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum WorkersError {
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error(
        "`{0}` was looked at, which is no name of a cluster: was it written by another version?"
    )]
    Unreadable(String),
}
