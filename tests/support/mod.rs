//! What tests of several chapters share: real servers, started once for all of them.
#![allow(dead_code, reason = "not every chapter uses everything")]

use std::io::Write as _;

pub(crate) mod daemon;
pub(crate) mod business;
pub(crate) mod example;
pub(crate) mod git_server;
pub(crate) mod kubelet;
pub(crate) mod mail;
pub(crate) mod post_office;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod pypi;
pub(crate) mod real_api_server;
pub(crate) mod repository;
pub(crate) mod ssh_server;
pub(crate) mod vds;

/// Says on the terminal itself, past the test runner's capture, that this test did not run and why.
/// `.ci/run` counts these lines.
pub(crate) fn skipped(what: &str, why: impl std::fmt::Display) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    writeln!(std::io::stderr(), "skipped: {test}: {what}: {why}")
        .expect("because standard error is open in tests");
}
