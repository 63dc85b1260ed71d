//! Findings as others read them: people, programs, code scanners and GitHub. Pure functions.

mod github;
mod json;
mod plain;
mod sarif;

pub use github::github;
pub use json::json;
pub use plain::plain;
pub use plain::summary;
pub use sarif::sarif;
