//! Why something about accounts was refused.

use std::time::Duration;

use crate::postgres::is_away;

/// A field that was filled in wrongly, and how it would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The name of the field in the request.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Invalid {
    pub fn new(field: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { field, message: message.into(), help: help.into() }
    }
}

/// Why something about accounts was refused. None of them tells a stranger who is known here.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("the database is away: try again in a moment")]
    Away,
    #[error("the database refused: {0}")]
    Database(#[source] sqlx::Error),
    #[error("{0}")]
    Internal(String),
    #[error("fields are filled in wrongly: {}", .0.iter().map(|one| one.message.as_str()).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Invalid>),
    #[error("the address or the password is wrong")]
    Credentials,
    #[error("the address is not verified yet: follow the link in the mail")]
    Unverified,
    #[error("too many logins failed: wait {} seconds", .retry_after.as_secs())]
    Limited { retry_after: Duration },
    #[error("the token is not known, was used, or has expired")]
    Token,
    #[error("the refresh token was used before: the session is ended, log in again")]
    Reused,
    #[error("there is no such thing")]
    Missing,
    #[error("{0}")]
    Conflict(&'static str),
}

impl AccountError {
    pub(super) fn of(error: sqlx::Error) -> Self {
        if is_away(&error) { Self::Away } else { Self::Database(error) }
    }
}

impl From<Invalid> for AccountError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(vec![invalid])
    }
}
