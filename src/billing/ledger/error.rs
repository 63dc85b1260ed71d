//! What the ledger refuses, and what can go wrong with it.

use uuid::Uuid;

use super::HoldState;
use crate::billing::keys::OperationKey;
use crate::model::arithmetic::ArithmeticError;
use crate::model::money::Money;

/// Why something was not booked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{account} holds {available}, {needed} are needed: top it up by the difference")]
    Insufficient { account: String, available: Money, needed: Money },
    #[error("{0} cannot be booked here: give an amount above zero")]
    Amount(Money),
    #[error(
        "the operation {key} was booked with another content: use a key of its own for this one"
    )]
    KeyReused { key: OperationKey },
    #[error("there is no transaction {0}: look up its id")]
    NoTransaction(Uuid),
    #[error("there is no hold {0}: look up its id")]
    NoHold(Uuid),
    #[error("the hold {id} is {state} already and cannot be used again: make a new one")]
    HoldEnded { id: Uuid, state: HoldState },
    #[error("{asked} are more than the hold of {held}: take at most what was set aside")]
    AboveHold { asked: Money, held: Money },
    #[error("the transaction {0} is a reversal itself: book anew what it took back")]
    ReversalOfReversal(Uuid),
    #[error("{asked} cannot be taken back of the transaction {transaction}: {left} of it are left")]
    AboveOriginal { transaction: Uuid, asked: Money, left: Money },
    #[error("the books are closed for that time: book it later than what was closed")]
    Closed,
    #[error("a transaction does not balance in {currency}: {left} minor units are left over")]
    Unbalanced { currency: String, left: i128 },
    #[error("an adjustment needs evidence and a reason in words: give both")]
    NoEvidence,
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
    #[error(
        "the ledger holds `{text}` where {expected} belongs: was it written by another version?"
    )]
    Unreadable { text: String, expected: &'static str },
    #[error("the ledger cannot be used: {0}")]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        let closed = error
            .as_database_error()
            .is_some_and(|refusal| refusal.constraint() == Some("ledger_closed"));
        if closed { Self::Closed } else { Self::Database(error) }
    }
}

impl LedgerError {
    /// Whether the same may be tried again in a new transaction: the database was away, or chose
    /// this one of two that waited for each other.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database(error) if crate::postgres::is_away(error))
    }
}
