//! Why a job failed, or could not be run.

use jiff::Timestamp;

use crate::accounts::AccountError;
use crate::alerts::AlertError;
use crate::billing::calendar::CalendarError;
use crate::billing::invoice::InvoiceError;
use crate::billing::ledger::LedgerError;
use crate::billing::terms::TermError;
use crate::history::HistoryError;
use crate::operations::OperationError;
use crate::payments::PaymentError;
use crate::pods::PodError;
use crate::postgres::is_away;
use crate::usage::UsageError;
use crate::workers::WorkersError;

/// Why a job failed, or could not be run.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("there is no job `{0}`: `tenantry jobs list` shows them")]
    Unknown(String),
    #[error("{by} is running {job} already, until {until} at the latest: wait until it is done")]
    Taken { job: &'static str, by: String, until: Timestamp },
    #[error("somebody else runs it now, because this run did not say for too long that it goes on")]
    Lost,
    #[error("no commit was read yet: it runs once the documents are known")]
    NoDocuments,
    #[error("no cluster is reached from here: run it where clusters are, with their kubeconfigs")]
    NoMeter,
    #[error("it broke off: {0}")]
    BrokenOff(String),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    #[error(transparent)]
    Term(#[from] TermError),
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    #[error(transparent)]
    Payment(#[from] PaymentError),
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Pods(#[from] PodError),
    #[error(transparent)]
    Workers(#[from] WorkersError),
    #[error(transparent)]
    Alert(#[from] AlertError),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Operation(#[from] OperationError),
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
}

impl JobError {
    /// Whether something was away, so that it fails for everybody alike.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Database(error)
            | Self::Usage(UsageError::Database(error))
            | Self::Pods(PodError(error))
            | Self::Workers(WorkersError::Database(error))
            | Self::Alert(AlertError::Database(error))
            | Self::Invoice(InvoiceError::Database(error))
            | Self::Term(TermError::Database(error)) => is_away(error),
            Self::Ledger(error) | Self::Invoice(InvoiceError::Ledger(error)) => error.is_passing(),
            Self::Account(AccountError::Away)
            | Self::Alert(AlertError::Account(AccountError::Away))
            | Self::Payment(PaymentError::Away) => true,
            Self::Operation(error) => error.is_passing(),
            _ => false,
        }
    }
}
