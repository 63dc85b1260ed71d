//! The ledger in PostgreSQL: double entry, append-only, each operation once.
//!
//! The tables keep the promises themselves (`migrations/0004_ledger.sql`); these functions make
//! good requests, and give typed refusals before the database has to refuse. All of them work
//! inside the caller's transaction: what must be true together is written together. A refusal
//! leaves that transaction usable, an error of the database does not.
//!
//! ```text
//! top_up:  cash ──► customer_credit          hold:    customer_credit ──► hold
//! charge:  customer_credit ──► deferred_revenue, tax_payable       (capture = release + charge)
//! recognise:  deferred_revenue ──► revenue   reverse: whatever it was, backwards
//! ```

mod account;
mod error;
mod flows;
mod hold;
mod post;
mod read;
mod reversal;
mod verify;

pub use account::Account;
pub use account::Customer;
pub use account::InvalidCustomer;
pub use error::LedgerError;
pub use flows::Sale;
pub use flows::adjust;
pub use flows::charge;
pub use flows::charge_back;
pub use flows::close_books;
pub use flows::credit;
pub use flows::gateway_fee;
pub use flows::pay_out;
pub use flows::pay_tax;
pub use flows::recognise;
pub use flows::top_up;
pub use hold::Hold;
pub use hold::HoldState;
pub use hold::capture;
pub use hold::expire_holds;
pub use hold::find as find_hold;
pub use hold::hold;
pub use hold::void;
pub use post::Booking;
pub use post::Posted;
pub use post::Reason;
pub use post::booked_by;
pub use read::AsOf;
pub use read::Entry;
pub use read::Wallet;
pub use read::balance;
pub use read::entries;
pub use read::wallet;
pub use read::wallets;
pub use reversal::Extent;
pub use reversal::reverse;
pub use verify::Discrepancy;
pub use verify::verify;
