//! The only chapter that changes the world: a cluster, its customers' database server, and hosts.

pub mod error;
pub mod secret;
pub mod cluster;
pub mod database;
pub mod targets;
pub mod host;

pub use cluster::Cluster;
pub use database::Databases;
pub use error::ApplyError;
pub use secret::Secret;
pub use targets::Targets;
