//! The only chapter that changes the world: a cluster and its customers' database server.

pub mod error;
pub mod secret;
pub mod cluster;

pub use cluster::Cluster;
pub use error::ApplyError;
pub use secret::Secret;
