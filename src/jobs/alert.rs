//! Telling operators of what does not hold: one mail for each fact and day.

use serde_json::json;

use super::Ground;
use super::JobError;
use crate::accounts;
use crate::billing::calendar::day_of;
use crate::model::Digest;

/// Mails each finding of a job to everybody who works for the operator, once a day while it stands.
pub(super) async fn tell(ground: &Ground, job: &str, findings: &[String]) -> Result<(), JobError> {
    if findings.is_empty() {
        return Ok(());
    }
    let day = day_of(ground.now, &ground.zone());
    let mut transaction = ground.accounts.begin().await?;
    for finding in findings {
        // A key has no room for sentences.
        let digest = Digest::of(finding.as_bytes());
        let values = json!({ "job": job, "what": finding, "day": day });
        let fact = format!("{job}:{digest}:{day}");
        accounts::tell_operators(&mut transaction, "alert", &fact, &values, ground.now).await?;
    }
    transaction.commit().await?;
    Ok(())
}
