//! What the benchmarks share. Real servers and the daemon as a process are those of the tests.

pub(crate) mod changes;
pub(crate) mod hosting;
pub(crate) mod measure;
pub(crate) mod portal;
pub(crate) mod repository;

#[path = "../../tests/support/daemon.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests use the rest of it")]
pub(crate) mod daemon;
#[path = "../../tests/support/real_api_server.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests use the rest of it")]
pub(crate) mod real_api_server;
#[path = "../../tests/support/repository.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests use the rest of it")]
pub(crate) mod git;

/// Says that something is not measured, and why.
pub(crate) fn skipped(what: &str, why: impl std::fmt::Display) {
    println!("  skipped: {what}: {why}");
}
