//! How a script gets to a host and its answer back. SSH does it; tests have a host of their own.

use std::time::Duration;

use crate::model::Name;
use crate::plan::host::Script;

use super::error::HostError;

/// How much of a host's answer is read, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What is done, for whoever hears that it took too long: `looking`.
    pub doing: &'static str,
    pub bytes: usize,
    pub time: Duration,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// None where the host did not say: it was cut short.
    pub status: Option<u32>,
    /// The begin of what the shell complained about.
    pub complaint: String,
}

/// What runs a script on a host as root.
pub trait Transport: Sync {
    fn host(&self) -> &Name;

    /// Runs a script, and hands over what it prints as it comes.
    fn run(
        &self,
        script: &Script,
        limits: Limits,
        hear: &mut (dyn FnMut(&[u8]) + Send),
    ) -> impl Future<Output = Result<Exit, HostError>> + Send;
}
