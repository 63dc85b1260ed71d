//! Cleaning up: what counts no more is removed, so that tables do not grow for ever. History cleans
//! itself (`history::recorder`), for it is kept without a portal, too.

use jiff::SignedDuration;

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use crate::outbox;

/// How long it can be looked up what was sent and to whom.
const SENT_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
const HOURLY: Schedule = Schedule::Every(SignedDuration::from_hours(1));
const SOMETIMES: Schedule = Schedule::Every(SignedDuration::from_hours(6));

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new(
            "clean-accounts",
            "Forget limits that are over, and links and sessions that ended long ago",
            HOURLY,
            accounts,
        ),
        Job::new(
            "clean-outbox",
            "Forget what mails said that were sent long ago, and commits that were made",
            SOMETIMES,
            sent,
        ),
        Job::new(
            "clean-payments",
            "Forget notifications of payments that were refused long ago",
            SOMETIMES,
            refused,
        ),
    ]
}

async fn accounts(ground: Ground) -> Result<Report, JobError> {
    Ok(gone(ground.accounts.clean(ground.now).await?))
}

async fn sent(ground: Ground) -> Result<Report, JobError> {
    let pool = ground.database().pool();
    Ok(gone(outbox::clean(pool, ground.now - SENT_KEPT).await?))
}

async fn refused(ground: Ground) -> Result<Report, JobError> {
    Ok(gone(ground.payments.clean(ground.now).await?))
}

/// What a job says that forgets rows.
pub(super) fn gone(rows: u64) -> Report {
    Report::of(match rows {
        0 => "nothing to forget".to_owned(),
        1 => "1 row forgotten".to_owned(),
        rows => format!("{rows} rows forgotten"),
    })
}
