//! Money: what things cost, what was paid, and what is due in the life of a subscription.
//!
//! ```text
//!  Package, add-ons ──► price ──► quote ──► invoice ──► ledger (PostgreSQL)
//!                         ▲ proration, tax, calendar        ▲
//!  documents, clock, wallet ──► lifecycle ──► what is due ──┘ and as commits, mails
//! ```
//!
//! Rules are pure: the time and all facts are arguments. What writes takes the connection of its
//! caller's transaction, so that money and what must follow from it are written together or not
//! at all; the transaction is at PostgreSQL's usual level, READ COMMITTED.

// What everything happens once by.
pub mod keys;
// Amounts as others write them.
pub mod wire;
// Rules.
pub mod calendar;
pub mod proration;
pub mod tax;
pub mod price;
pub mod quote;
pub mod margin;
// Records.
mod cursor;
pub mod ledger;
pub mod invoice;
pub mod terms;
pub mod recognition;
pub mod revenue;
// What is due when.
pub mod lifecycle;

pub use cursor::Cursor;
pub use cursor::InvalidCursor;
pub use keys::OperationKey;
pub use quote::Quote;
