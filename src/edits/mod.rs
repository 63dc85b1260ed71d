//! Edits: how the portal, and the jobs that go by the clock, change people's YAML and commit it.
//!
//! ```text
//! Edit ──► Draft (a snapshot, and what changes in it) ──► validate ──► commit ──► push
//!   ▲                                                                              │
//!   └───────────────── the branch moved: everything is computed anew ◄─────────────┘
//! ```
//!
//! Where the platform wants it, an edit goes to a branch of its own instead, for people to merge.
//!
//! An [`Edit`] is a function of what the branch holds, never a patch: it is computed again when the
//! branch moved. Its `Intent-Id` trailer says that it is done, so that it is done once, whoever
//! asks how often. Nothing is committed that breaks what was right before.
//!
//! [`tenants`], [`subscriptions`] and [`tasks`] are the changes that the portal makes; [`yaml`] makes
//! them to a text without touching anything else in it; [`Editor`] commits them.

pub mod draft;
pub mod intent;
pub mod signing;
pub mod subscriptions;
pub mod tasks;
pub mod tenants;
pub mod yaml;

mod editor;
mod ground;
mod message;
mod queue;
mod settle;

pub use draft::Changes;
pub use draft::Draft;
pub use draft::Refused;
pub use editor::Committed;
pub use editor::Delivery;
pub use editor::Edit;
pub use editor::EditError;
pub use editor::Editor;
pub use editor::Made;
pub use editor::Make;
pub use editor::Reviewed;
pub use intent::IntentId;
pub use signing::SigningKey;
