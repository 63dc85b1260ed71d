//! The integration tests: one binary, a module per chapter.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what tests share is not itself in a test function"
)]

mod architecture;
mod cli;
mod documents;
mod model;
mod plan;
mod source;
mod sandbox;
mod support;
mod validate;
mod apply;
