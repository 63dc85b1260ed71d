//! Clusters: looked at again and again, so that the portal can tell of them, and somebody watches
//! over them.

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use crate::model::Name;
use crate::workers::EVERY;
use crate::workers::store;

pub(super) fn jobs() -> Vec<Job> {
    let purpose =
        "Look at every cluster: its nodes, disks and certificates, and how its backups went";
    vec![Job::new("survey-workers", purpose, Schedule::Each(EVERY), survey).with_documents()]
}

/// What cannot be seen is said, and what was seen of it before stays.
async fn survey(ground: Ground) -> Result<Report, JobError> {
    let surveyor = ground.surveyor.clone().ok_or(JobError::NoMeter)?;
    let pool = ground.database().pool();
    let (mut nodes, mut findings) = (0, Vec::new());
    for surveyed in surveyor.survey().await {
        nodes += surveyed.nodes.as_ref().map_or(0, Vec::len);
        findings.extend(surveyed.troubles().cloned());
        store::record(pool, &surveyed, ground.now).await?;
    }
    let clusters = &ground.documents()?.configuration.clusters;
    let known: Vec<&str> = clusters.keys().map(Name::as_str).collect();
    store::forget_others(pool, &known).await?;
    Ok(Report { summary: format!("nodes seen: {nodes}"), findings })
}
