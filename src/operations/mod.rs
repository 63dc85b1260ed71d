//! Operations: the life of a change. What somebody asks for is priced, paid for where it costs
//! something, written down with the commit that has to follow, committed, and followed until it is
//! there or not; only then the money is taken or given back.
//!
//! ```text
//! order ──(hold)──► operation: accepted ──► committed ──► observed ──► applying ──► verifying ──► succeeded
//!                      │ outbox               ▲ edits        ▲ history                     │        capture, days, invoice
//!                      └──► commit worker ────┤              └───────── follower ──────────┴─► failed, superseded: void
//!                               └──► proposed: a branch, merged by a person ─► or cancelled: void
//! ```
//!
//! Every step is one transaction of PostgreSQL, or the one commit whose `Intent-Id` trailer is the
//! operation's id. So it may be killed between any two, and is done once.

// What is asked for, and what it costs.
pub mod change;
mod prepaid;
pub mod pricing;
// What is written down.
pub mod operation;
pub mod order;
pub mod refusal;
mod error;
// What is carried out.
pub mod commit;
pub mod review;
pub mod paid;
pub mod follow;
pub mod work;
// What it all came to.
pub mod figures;
pub mod onboarding;
// What is told as it happens.
pub mod live;
mod settle;
mod tell;

pub use change::Change;
pub use error::OperationError;
pub use operation::Asker;
pub use operation::Intent;
pub use operation::Operation;
pub use order::Order;
