//! Where a page of a list ended. There are no offsets: a list that grows while it is read is read
//! whole, and no entry comes twice.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use uuid::Uuid;

/// Where a page of a list ended that has the latest first: the next one begins after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) created_at: Timestamp,
    pub(super) id: Uuid,
}

/// What was given where a [`Cursor`] belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cursor: pass on what the page before returned, or nothing")]
pub struct InvalidCursor(String);

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.created_at.as_microsecond(), self.id.simple())
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let wrong = || InvalidCursor(text.to_owned());
        let (time, id) = text.split_once('.').ok_or_else(wrong)?;
        let time: i64 = time.parse().map_err(|_| wrong())?;
        let created_at = Timestamp::from_microsecond(time).map_err(|_| wrong())?;
        Ok(Self { created_at, id: id.parse().map_err(|_| wrong())? })
    }
}
