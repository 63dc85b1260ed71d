//! Telling operators of what does not hold: one mail for each fact and day.

use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

use super::Ground;
use super::JobError;
use crate::accounts;
use crate::billing::calendar::day_of;

/// Mails each finding of a job to everybody who works for the operator, once a day while it stands.
pub(super) async fn tell(ground: &Ground, job: &str, findings: &[String]) -> Result<(), JobError> {
    if findings.is_empty() {
        return Ok(());
    }
    let day = day_of(ground.now, &ground.zone());
    let mut transaction = ground.accounts.begin().await?;
    for finding in findings {
        // A key is no longer than what it names is short.
        let digest = Sha256::digest(finding);
        let short: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let values = json!({ "job": job, "what": finding, "day": day });
        let fact = format!("{job}:{short}:{day}");
        accounts::tell_operators(&mut transaction, "alert", &fact, &values, ground.now).await?;
    }
    transaction.commit().await?;
    Ok(())
}
