//! Hosts over SSH: one connection for a run, one script that looks, one that changes.
//!
//! A host is somebody else's machine: whoever has root on it can answer anything. Everything that
//! is read of it has a limit in bytes and in time, and is believed as far as it has to be.

pub mod error;
pub mod ssh;
pub mod transport;
pub mod observe;
pub mod carry;

pub use carry::Carried;
pub use carry::StepOutcome;
pub use carry::carry_out;
pub use carry::confirm;
pub use error::HostError;
pub use observe::Observation;
pub use observe::observe;
pub use ssh::Access;
pub use ssh::Ssh;
pub use transport::Transport;
