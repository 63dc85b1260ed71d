//! Worker nodes: looked at again and again, so that the portal can tell of them.

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
        "Look at the nodes of every cluster, what they can give and what is asked of them";
    vec![Job::new("survey-workers", purpose, Schedule::Each(EVERY), survey).with_documents()]
}

/// What cannot be seen is said, and what was seen of it before stays.
async fn survey(ground: Ground) -> Result<Report, JobError> {
    let surveyor = ground.surveyor.clone().ok_or(JobError::NoMeter)?;
    let pool = ground.database().pool();
    let (mut nodes, mut findings) = (0, Vec::new());
    for surveyed in surveyor.survey().await {
        match &surveyed.nodes {
            Ok(seen) => nodes += seen.len(),
            Err(trouble) => findings.push(trouble.clone()),
        }
        store::record(pool, &surveyed, ground.now).await?;
    }
    let clusters = &ground.documents()?.configuration.clusters;
    let known: Vec<&str> = clusters.keys().map(Name::as_str).collect();
    store::forget_others(pool, &known).await?;
    Ok(Report { summary: format!("nodes seen: {nodes}"), findings })
}
