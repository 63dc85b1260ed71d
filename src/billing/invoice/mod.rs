//! Invoices: a quote becomes a draft, a draft becomes final under a number without gaps, and a
//! final invoice is undone only by a credit note. The tables keep these promises themselves
//! (`migrations/0005_invoices.sql`). Payments in advance: an invoice that is not paid does not
//! touch the ledger.

mod pdf;
mod read;
mod write;

pub use pdf::PdfError;
pub use pdf::pdf;
pub use read::Invoice;
pub use read::InvoiceLine;
pub use read::find;
pub use read::of_period;
pub use read::page;
pub use write::Draft;
pub use write::draft;
pub use write::finalise;
pub use write::mark_delivered;
pub use write::mark_paid;
pub use write::pay;
pub use write::undo;

pub use crate::model::tax::Party;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::keys::OperationKey;
use super::ledger::LedgerError;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Money;

/// What an invoice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Invoice,
    /// Undoes an invoice as a whole.
    CreditNote,
}

/// Why something was not done with an invoice.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    #[error("there is no invoice {0}: look up its id")]
    Unknown(Uuid),
    #[error("the quote comes to {0}: what is below zero is credited to the wallet, not invoiced")]
    Negative(Money),
    #[error("`{0}` cannot issue invoices: name the series by 1 to 12 of A-Z and 0-9")]
    Issuer(String),
    #[error("the operation {key} made another invoice: use a key of its own for this one")]
    KeyReused { key: OperationKey },
    #[error("the invoice {0} is a draft: finalise it first")]
    NotFinal(Uuid),
    #[error("the invoice {0} was undone by a credit note: make a new one")]
    Undone(Uuid),
    #[error("the invoice {0} is paid already, by another transaction")]
    Paid(Uuid),
    #[error("{0} is a credit note: choose the invoice that it undoes")]
    CreditNote(Uuid),
    #[error("the invoice {0} is about no subscription: pay it by a charge and mark it as paid")]
    NoSubscription(Uuid),
    #[error(
        "the invoice holds `{text}` where {expected} belongs: was it written by another version?"
    )]
    Unreadable { text: String, expected: &'static str },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
    #[error("the invoices cannot be used: {0}")]
    Database(#[from] sqlx::Error),
}
