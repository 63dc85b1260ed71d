//! Edits: how the portal, and the jobs that go by the clock, change people's YAML and commit it.
//!
//! [`yaml`] makes changes to a text without touching anything else in it.

pub mod yaml;
