//! The backups that the cluster makes by the clock, as their `CronJob`s tell how they went.

use jiff::Timestamp;
use serde::Deserialize;

use crate::apply::error::ApplyError;
use crate::model::upkeep::ScheduledBackup;

use super::Cluster;

/// Clusters before 1.21 serve them otherwise, and do not say when one went well.
const CRON_JOBS: &str = "/apis/batch/v1/cronjobs";
/// What a pod that makes a backup says of itself, in `app.kubernetes.io/name`.
const BACKUP: &str = "backup";

#[derive(Deserialize)]
struct CronJob {
    metadata: Metadata,
    spec: CronJobSpec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CronJobSpec {
    job_template: JobTemplate,
}

#[derive(Deserialize)]
struct JobTemplate {
    spec: JobSpec,
}

#[derive(Deserialize)]
struct JobSpec {
    template: PodTemplate,
}

#[derive(Deserialize)]
struct PodTemplate {
    #[serde(default)]
    metadata: PodMetadata,
}

#[derive(Default, Deserialize)]
struct PodMetadata {
    #[serde(default)]
    labels: Labels,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(rename = "app.kubernetes.io/name")]
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    active: Option<Vec<serde::de::IgnoredAny>>,
    last_schedule_time: Option<Timestamp>,
    last_successful_time: Option<Timestamp>,
}

impl Cluster {
    /// The scheduled backups of subscriptions; none where the cluster does not say how they go.
    pub async fn scheduled_backups(&self) -> Result<Option<Vec<ScheduledBackup>>, ApplyError> {
        let mut backups = Vec::new();
        let read = self.each_labelled(CRON_JOBS, |of, job: CronJob| {
            let CronJob { metadata, spec, status } = job;
            let label = spec.job_template.spec.template.metadata.labels.name;
            if label.is_some_and(|label| label == BACKUP) {
                backups.push(ScheduledBackup {
                    of,
                    name: metadata.name,
                    begun: status.last_schedule_time,
                    done: status.last_successful_time,
                    running: status.active.is_some_and(|active| !active.is_empty()),
                });
            }
        });
        match read.await {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(Some(backups)),
        }
    }
}
