//! What subscriptions use: measured in slots of time, added up by hour and by day, and held against
//! what their packages sell.
//!
//! ```text
//! meter (cluster) ──► samples: a slot once ──► roll-up: each sample once ──► hours, days
//!                          │                                                   │
//!                     standing: limits, near or reached                        └──► the portal
//! ```
//!
//! Whoever measures is behind a port ([`Meter`]), so that nobody who reads usage can reach a
//! cluster. What a cluster tells is CPU and memory (`metrics.k8s.io`) and the sizes of volume
//! claims; it tells nothing of the network.

// The words, and who measures.
mod measure;
mod meter;
// Pure: adding up, ranges of time, and limits.
pub mod sums;
pub mod range;
pub mod limits;
// The SQL.
pub mod store;
pub mod standing;

use jiff::SignedDuration;

pub use measure::Measure;
pub use measure::Sample;
pub use meter::Measured;
pub use meter::Meter;
pub use meter::Reading;
pub use range::Step;

/// How long a sample stands for, and how often one is taken. It divides an hour.
pub const SLOT: SignedDuration = SignedDuration::from_mins(5);

/// How long samples are kept.
pub const SAMPLES_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long sums of hours are kept: thirteen months.
pub const HOURS_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// How long sums of days are kept: five years.
pub const DAYS_KEPT: SignedDuration = SignedDuration::from_hours(1826 * 24);

/// Why usage cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error("usage is kept of a `{0}`, which nobody knows: was it written by another version?")]
    Unreadable(String),
}
