//! Alerts: what is recorded of nodes, pods, usage, backups, certificates and disks is held against
//! the platform's thresholds, once a minute. Nothing is asked of a cluster here; what could not be
//! seen is a finding, and never an alert.

mod facts;
mod restarts;
mod rules;

use jiff::SignedDuration;

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use crate::alerts::Kind;
use crate::alerts::store;
use crate::alerts::turns;
use crate::model::platform::Alerts;

pub(super) fn jobs() -> Vec<Job> {
    let job = Job::new(
        "alerts",
        "Tell operators once of what is wrong for longer than it may be, and close what is well again",
        Schedule::Every(SignedDuration::from_mins(1)),
        watch,
    );
    vec![job.with_documents()]
}

async fn watch(ground: Ground) -> Result<Report, JobError> {
    let facts = facts::gather(&ground).await?;
    let judged = rules::judge(&facts);
    let pool = ground.database().pool();
    let standing = store::standing(pool).await?;
    let patience = |kind| patience(kind, &facts.thresholds);
    let turns = turns(&standing, &judged.sight, patience, ground.now);
    let became = store::take(pool, &turns, ground.now).await?;
    let open = store::open(pool).await?.len();
    let summary = format!("open: {open}; opened: {}; closed: {}", became.opened, became.closed);
    Ok(Report { summary, findings: judged.unknown })
}

/// How long something may be wrong before it is told.
fn patience(kind: Kind, thresholds: &Alerts) -> SignedDuration {
    match kind {
        Kind::Downtime => {
            let seconds = i64::try_from(thresholds.downtime.about_seconds()).unwrap_or(i64::MAX);
            SignedDuration::from_secs(seconds)
        }
        // What is seen of these has lasted already, or is reckoned over an hour.
        Kind::NodeDown
        | Kind::Restarts
        | Kind::Usage
        | Kind::BackupFailed
        | Kind::Certificate
        | Kind::Disk => SignedDuration::ZERO,
    }
}
