//! Figures of drift: how much was changed by others, and how soon it was put back.

use std::time::Duration;

use jiff::Timestamp;

use super::HistoryError;
use super::Store;
use crate::model::spread::Spread;
use crate::postgres::stamp;

/// The drift that was found in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriftFigures {
    pub found: u64,
    pub put_back: u64,
    /// From found to put back; none where nothing was.
    pub took: Option<Spread>,
}

impl Store {
    /// Of the drift that was found from one moment up to, and without, another.
    pub async fn drift_figures(
        &self,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<DriftFigures, HistoryError> {
        let rows: Vec<(Option<i64>,)> = sqlx::query_as(
            "select (extract(epoch from put_back_at - found_at) * 1000)::bigint from drift
             where found_at >= $1 and found_at < $2",
        )
        .bind(stamp(from))
        .bind(stamp(to))
        .fetch_all(self.database().pool())
        .await
        .map_err(self.failed())?;
        let took = || rows.iter().filter_map(|(took,)| *took);
        let times = took().map(|took| Duration::from_millis(u64::try_from(took).unwrap_or(0)));
        Ok(DriftFigures {
            found: rows.len() as u64,
            put_back: took().count() as u64,
            took: Spread::of(times),
        })
    }
}
