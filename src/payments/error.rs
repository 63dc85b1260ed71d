//! Why something about payments was refused, and what can go wrong with providers.

use uuid::Uuid;

use crate::accounts::AccountError;
use crate::billing::ledger::LedgerError;
use crate::billing::wire::WireError;
use crate::model::money::Currency;
use crate::model::money::Money;
use crate::model::platform::PaymentProvider;
use crate::postgres::is_away;

/// What went wrong at a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// Nobody knows whether it was done: the same may be asked again under the same name.
    #[error("{0}: try again in a moment")]
    Away(String),
    /// It was understood, and is not done.
    #[error("the provider refuses: {0}")]
    Refused(String),
    #[error("the provider's answer is not what its documents say: {0}")]
    Unreadable(String),
    #[error("{0} cannot do this: do it by hand there, and record it")]
    Unable(&'static str),
    #[error(transparent)]
    Amount(#[from] WireError),
}

impl GatewayError {
    /// Whether the same may be asked again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Unreadable(_))
    }
}

/// Why something about payments was refused.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    #[error("the database is away: try again in a moment")]
    Away,
    #[error("the database refused: {0}")]
    Database(#[source] sqlx::Error),
    #[error(transparent)]
    Ledger(LedgerError),
    #[error(transparent)]
    Account(AccountError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error("{} does not take {currency} here: choose another way to pay", .provider.word())]
    NotTaken { provider: PaymentProvider, currency: Currency },
    #[error("{} is not set up here: give its keys in --payments-file, or pay in another way", .0.word())]
    NotSet(PaymentProvider),
    #[error("there is no payment {0}")]
    Missing(Uuid),
    #[error("the payment {0} was made with another content: use an id of its own for this one")]
    Reused(Uuid),
    #[error("{asked} cannot go back of this payment: {left} of it are left")]
    AboveLeft { asked: Money, left: Money },
    #[error("{0}")]
    Conflict(&'static str),
    #[error("the table `payment` holds something that this version cannot read: {0}")]
    Unreadable(String),
}

impl PaymentError {
    /// Whether the same may be tried again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Ledger(error) => error.is_passing(),
            Self::Account(error) => matches!(error, AccountError::Away),
            Self::Gateway(error) => error.is_passing(),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for PaymentError {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) { Self::Away } else { Self::Database(error) }
    }
}

impl From<LedgerError> for PaymentError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Database(error) => error.into(),
            other => Self::Ledger(other),
        }
    }
}

impl From<AccountError> for PaymentError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Away => Self::Away,
            other => Self::Account(other),
        }
    }
}
