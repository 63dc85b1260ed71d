//! Figures of success: how long it takes from an accepted order to an instance that is ready, and
//! how many of the changes that people asked for came about.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgConnection;

use super::OperationError;
use crate::model::basis_points::BasisPoints;
use crate::model::spread::Spread;
use crate::postgres::stamp;

/// What became of the changes of one kind that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    pub succeeded: u64,
    pub failed: u64,
}

impl Ended {
    /// How many of those that were tried succeeded, rounded down; none where none was. What was called off or overtaken was not tried to its end.
    pub fn success(self) -> Option<BasisPoints> {
        BasisPoints::of_all(self.succeeded, self.succeeded.saturating_add(self.failed))
    }
}

/// What is known of the operations that ended in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// By kind, such as `open` or `scale`.
    pub by_kind: BTreeMap<String, Ended>,
    /// From accepted to ready, of new subscriptions; none where none was opened.
    pub time_to_provision: Option<Spread>,
}

impl Figures {
    /// All kinds together.
    pub fn all(&self) -> Ended {
        self.by_kind.values().fold(Ended::default(), |all, ended| Ended {
            succeeded: all.succeeded + ended.succeeded,
            failed: all.failed + ended.failed,
        })
    }

    /// Of the operations that ended from one moment up to, and without, another.
    pub async fn read(
        db: &mut PgConnection,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Self, OperationError> {
        let counts: Vec<(String, i64, i64)> = sqlx::query_as(
            "select kind, count(*) filter (where state = 'succeeded'), count(*) filter (where state = 'failed')
             from operation where ended_at >= $1 and ended_at < $2 group by kind",
        )
        .bind(stamp(from))
        .bind(stamp(to))
        .fetch_all(&mut *db)
        .await?;
        let times: Vec<i64> = sqlx::query_scalar(
            "select (extract(epoch from ended_at - greatest(created_at, due_at)) * 1000)::bigint from operation
             where ended_at >= $1 and ended_at < $2 and kind = 'open' and state = 'succeeded'",
        )
        .bind(stamp(from))
        .bind(stamp(to))
        .fetch_all(&mut *db)
        .await?;
        let count = |many: i64| u64::try_from(many).unwrap_or(0);
        let ended = |(kind, succeeded, failed)| {
            (kind, Ended { succeeded: count(succeeded), failed: count(failed) })
        };
        let times = times.into_iter().map(|time| Duration::from_millis(count(time)));
        Ok(Self {
            by_kind: counts.into_iter().map(ended).collect(),
            time_to_provision: Spread::of(times),
        })
    }
}
