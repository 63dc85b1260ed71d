//! The integration tests: one binary, a module per chapter.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what tests share is not itself in a test function"
)]

mod api;
mod apply;
mod cluster;
mod architecture;
mod billing;
mod cli;
mod documents;
mod edits;
mod model;
mod history;
mod hosts;
mod jobs;
mod notify;
mod payments;
mod plan;
mod properties;
mod render;
mod sandbox;
mod source;
mod support;
mod usage;
mod validate;
