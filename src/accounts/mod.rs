//! People and machines: who they are, what lets them in, and what they did.
//!
//! A person registers, proves that the mail address is theirs, and logs in: that opens a *session*,
//! which is a short access token (a JWT that says role and tenant) and a refresh token that changes
//! with every use. Whoever uses an old one ends the session, because two people have it. Machines
//! have API tokens. Tokens are random and stand in the database as hashes only.
//!
//! Every change writes its line of audit in the same transaction, and what has to follow from it
//! (a mail) into the [`crate::outbox`]. Time is an argument everywhere.

// The words.
pub mod principal;
pub mod email;
pub mod password;
pub mod token;
pub mod error;
// What access tokens are signed with, and what they say.
pub mod keys;
pub mod access;
// What people do.
mod limits;
mod login;
mod registration;
mod reset;
mod sessions;
mod mails;
mod me;
pub mod tickets;
// What machines use.
pub mod api_tokens;
pub mod deployment;
// What operators see and change.
pub mod users;
pub mod first_steps;
pub mod audit;

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::PgPool;
use sqlx::Postgres;
use sqlx::Transaction;
use tokio::sync::OnceCell;

use crate::postgres::Database;

pub use error::AccountError;
pub use error::Invalid;
pub use keys::Keys;
pub use login::LoggedIn;
pub use mails::hand_over;
pub use mails::tell_account;
pub use mails::tell_operators;
pub use mails::tell_tenant;
pub use me::Person;
pub use principal::Means;
pub use principal::Principal;
pub use principal::Role;
pub use principal::Scope;
pub use principal::Standing;
pub use registration::Registration;

use keys::KeySource;
use password::Hashing;

/// People and machines, as our database has them. Clones are the same.
#[derive(Clone, Debug)]
pub struct Accounts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    hashing: Hashing,
    keys: OnceCell<Arc<Keys>>,
    key_source: KeySource,
}

impl Accounts {
    /// Accounts over a database, which need not be there yet.
    pub fn over(database: Database, key_source: KeySource) -> Self {
        let inner =
            Inner { database, hashing: Hashing::default(), keys: OnceCell::new(), key_source };
        Self { inner: Arc::new(inner) }
    }

    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// What access tokens are signed with: read once, made where there is none yet.
    pub async fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, AccountError> {
        let load = || async { keys::load(self, &self.inner.key_source, now).await.map(Arc::new) };
        self.inner.keys.get_or_try_init(load).await.map(Arc::clone)
    }

    /// The connections; refused at once while the database is known to be away.
    pub fn pool(&self) -> Result<&PgPool, AccountError> {
        if self.inner.database.state().borrow().is_reachable() {
            Ok(self.inner.database.pool())
        } else {
            Err(AccountError::Away)
        }
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, AccountError> {
        self.pool()?.begin().await.map_err(self.failed())
    }

    /// What an error of the database means; the database is looked at again.
    pub fn failed(&self) -> impl Fn(sqlx::Error) -> AccountError {
        |error| {
            self.inner.database.doubt(&error);
            AccountError::of(error)
        }
    }
}
