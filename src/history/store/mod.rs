//! The SQL. Every statement of history stands in this folder, with typed functions around it.

mod clean;
mod figures;
mod read;
mod timeline;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::postgres::Database;

pub use clean::Cleaned;
pub use figures::DriftFigures;
pub use timeline::Asked;

pub(super) use write::Lost;
pub(super) use write::Writer;

/// What can go wrong with reading history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("the history in {name} cannot be read: {source}")]
    Database { name: String, source: sqlx::Error },
    #[error(
        "the history holds `{text}` where {expected} belongs: was it written by another version?"
    )]
    Unreadable { text: String, expected: &'static str },
}

/// History as it is stored.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

impl Store {
    pub fn over(database: Database) -> Self {
        Self { database }
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    fn failed(&self) -> impl Fn(sqlx::Error) -> HistoryError {
        |source| {
            self.database.doubt(&source);
            HistoryError::Database { name: self.database.name().to_owned(), source }
        }
    }
}

/// A value that serialises as one word, as the tables hold it.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The value of a word.
fn value<T: DeserializeOwned>(text: &str, expected: &'static str) -> Result<T, HistoryError> {
    serde_json::from_value(text.into())
        .map_err(|_| HistoryError::Unreadable { text: text.to_owned(), expected })
}

fn parsed<T: std::str::FromStr>(text: &str, expected: &'static str) -> Result<T, HistoryError> {
    text.parse().map_err(|_| HistoryError::Unreadable { text: text.to_owned(), expected })
}
