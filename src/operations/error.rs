//! Why a change or an order was refused, and what can go wrong with them.

use uuid::Uuid;

use crate::accounts::AccountError;
use crate::billing::calendar::CalendarError;
use crate::billing::invoice::InvoiceError;
use crate::billing::ledger::LedgerError;
use crate::billing::lifecycle::ChangeRefused;
use crate::billing::price::PriceError;
use crate::billing::quote::QuoteError;
use crate::billing::terms::TermError;
use crate::edits::EditError;
use crate::history::HistoryError;
use crate::model::arithmetic::ArithmeticError;

/// Why something about operations was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// What is asked for is wrong in itself; the field of the request, what is wrong, what to do.
    #[error("{message}: {help}")]
    Invalid { field: &'static str, message: String, help: String },
    /// It cannot be done as things stand.
    #[error("{0}")]
    Conflict(String),
    /// There is not enough in the wallet.
    #[error("{0}")]
    Unpaid(String),
    #[error("there is no such operation or order")]
    Missing,
    #[error(transparent)]
    Quote(#[from] QuoteError),
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    #[error(transparent)]
    Term(#[from] TermError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(
        "the operation {id} holds `{text}` where {expected} belongs: was it written by another version?"
    )]
    Unreadable { id: Uuid, text: String, expected: &'static str },
    #[error("the operations cannot be used: {0}")]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for OperationError {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().and_then(|refusal| refusal.constraint());
        if constraint == Some("customer_order_at_once") {
            return Self::Conflict(
                "another order for this subscription is under way: pay it, cancel it, or wait until it is done"
                    .to_owned(),
            );
        }
        Self::Database(error)
    }
}

impl From<PriceError> for OperationError {
    fn from(error: PriceError) -> Self {
        Self::Quote(QuoteError::Price(error))
    }
}

impl From<ChangeRefused> for OperationError {
    fn from(refused: ChangeRefused) -> Self {
        match refused {
            ChangeRefused::Arithmetic(error) => Self::Arithmetic(error),
            refused @ ChangeRefused::RenewalUnpaid => Self::Conflict(refused.to_string()),
        }
    }
}

impl OperationError {
    /// Whether the same may be tried again: something was away, or others were quicker.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Database(error)
            | Self::Invoice(InvoiceError::Database(error))
            | Self::Term(TermError::Database(error)) => crate::postgres::is_away(error),
            Self::Ledger(error) | Self::Invoice(InvoiceError::Ledger(error)) => error.is_passing(),
            Self::Account(error) => matches!(error, AccountError::Away),
            Self::Edit(error) => error.is_passing(),
            Self::History(HistoryError::Database { source, .. }) => {
                crate::postgres::is_away(source)
            }
            _ => false,
        }
    }

    /// A field of the request that is filled in wrongly.
    pub fn invalid(
        field: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Invalid { field, message: message.into(), help: help.into() }
    }
}
