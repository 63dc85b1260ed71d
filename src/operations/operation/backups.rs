//! How the last backup of each subscription went that somebody asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::read::subscription;
use crate::model::SubscriptionId;
use crate::operations::OperationError;

/// A backup that somebody asked for, and that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastBackup {
    /// When it ended.
    pub at: Timestamp,
    /// Whether it is the one before a removal.
    pub is_last: bool,
    /// Why it failed, where it did.
    pub failed: Option<String>,
}

/// Of every subscription that has one, the last.
pub async fn last_backups(
    db: &mut PgConnection,
) -> Result<BTreeMap<SubscriptionId, LastBackup>, OperationError> {
    type Row = (Uuid, String, String, bool, bool, Option<String>, jiff_sqlx::Timestamp);
    let rows: Vec<Row> = sqlx::query_as(
        "select distinct on (tenant, subscription) id, tenant, subscription,
             change #>> '{task,action}' = 'finalBackup', state = 'failed', message, ended_at
         from operation
         where kind = 'task' and ended_at is not null and state in ('succeeded', 'failed')
             and change #>> '{task,action}' in ('backup', 'finalBackup')
         order by tenant, subscription, ended_at desc",
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(id, tenant, name, is_last, failed, message, at)| {
            let failed = failed.then(|| message.unwrap_or_default());
            let last = LastBackup { at: at.to_jiff(), is_last, failed };
            Ok((subscription(id, &tenant, &name)?, last))
        })
        .collect()
}
