//! Jobs: what is done again and again without anybody asking.
//!
//! ```text
//! registry ──► row (PostgreSQL): due ──► taken by one daemon ──► work ──► result, next run
//!                  ▲                        │ the lease is renewed            │ or error, wait
//!                  └────────────────────────┴─────────────────────────────────┘
//! ```
//!
//! Each runs once across all daemons. Whoever dies leaves a lease that ends. One that fails waits
//! longer each time, and holds up no other. `tenantry jobs` lists them, and runs one by hand.

// The words.
mod error;
mod job;
mod schedule;
// Who runs what.
mod row;
mod runner;
// What is done.
mod alert;
mod alerts;
mod cleaning;
mod lifecycle;
mod money;
mod payments;
mod usage;
mod own;
mod tasks;
mod workers;

pub use error::JobError;
pub use job::Ground;
pub use job::Job;
pub use job::Report;
pub use row::Holder;
pub use row::Standing;
pub use row::standings;
pub use runner::Runner;
pub use schedule::Schedule;
pub use usage::MEASURES;

/// The jobs of a business.
pub fn of_a_business() -> Vec<Job> {
    [
        cleaning::jobs(),
        money::jobs(),
        payments::jobs(),
        lifecycle::jobs(),
        tasks::jobs(),
        usage::jobs(),
        workers::jobs(),
        alerts::jobs(),
    ]
    .concat()
}
