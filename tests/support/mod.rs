//! What tests of several chapters share: real servers, started once for all of them.
#![allow(dead_code, reason = "not every chapter uses everything")]

use std::io::Write as _;

pub(crate) mod example;
pub(crate) mod postgres;
pub(crate) mod real_api_server;
pub(crate) mod repository;

/// Says on the terminal itself, past the test runner's capture, that tests did not run and why.
pub(crate) fn skipped(what: &str, why: impl std::fmt::Display) {
    writeln!(std::io::stderr(), "SKIPPED: {what}: {why}")
        .expect("because standard error is open in tests");
}
