//! The port behind which logs are read. Whoever reaches clusters implements it.

use std::fmt;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::Name;

/// Reads logs of pods.
pub trait Logs: fmt::Debug + Send + Sync {
    /// Reads what is wanted of a log, for whoever may see what belongs to the tenant.
    fn read(&self, wish: Wish) -> BoxFuture<'_, Result<LogText, LogError>>;
}

/// What is wanted of which log.
#[derive(Clone, Debug)]
pub struct Wish {
    pub cluster: Name,
    pub tenant: Name,
    pub pod: Uuid,
    pub container: String,
    /// Of the container before its last restart.
    pub previous: bool,
    /// At most so many lines, the newest.
    pub tail: u32,
    pub since: Option<Timestamp>,
    /// At most so many bytes.
    pub most: u32,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogText {
    pub text: String,
    /// Whether there would have been more than so many bytes.
    pub truncated: bool,
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("the pod is gone")]
    Gone,
    /// Such as of a container that has not started.
    #[error("{0}")]
    NotThere(String),
    #[error("the cluster cannot be asked now: {0}")]
    Away(String),
}
