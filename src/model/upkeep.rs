//! What a cluster tells of that fills up, runs out, or has to go well every night: disks,
//! certificates and scheduled backups. Plain data, as it was last seen.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::names::SubscriptionId;

/// How full a disk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    pub of: DiskOf,
    /// MiB that cannot be written to any more.
    pub used: i64,
    /// MiB.
    pub size: i64,
}

/// Whose a disk is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DiskOf {
    /// A node's own.
    Node(String),
    /// A volume claim's.
    Claim { namespace: String, name: String },
}

impl Disk {
    /// How much of it is used, in percent, rounded down; none of a disk of no size.
    pub fn percent(&self) -> Option<i64> {
        let percent = (i128::from(self.used) * 100).checked_div(i128::from(self.size))?;
        i64::try_from(percent).ok()
    }
}

/// The certificate with which an ingress of a subscription answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub of: SubscriptionId,
    pub namespace: String,
    /// The secret that it is in.
    pub secret: String,
    pub hosts: Vec<String>,
    /// From then on nobody believes it; none while there is none that could be read.
    pub ends: Option<Timestamp>,
}

/// A backup that the cluster makes by the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledBackup {
    pub of: SubscriptionId,
    /// The name of its `CronJob`.
    pub name: String,
    /// When it was last begun.
    pub begun: Option<Timestamp>,
    /// When one last went well.
    pub done: Option<Timestamp>,
    /// Whether one is being made.
    pub running: bool,
}

impl ScheduledBackup {
    /// Whether the last one failed; none where none has ended yet.
    pub fn failed(&self) -> Option<bool> {
        let begun = self.begun.filter(|_| !self.running)?;
        Some(self.done.is_none_or(|done| done < begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_of_no_size_is_not_full() {
        let disk = |used, size| Disk { of: DiskOf::Node("a".to_owned()), used, size };
        assert_eq!(disk(799, 1000).percent(), Some(79));
        assert_eq!(disk(1, 0).percent(), None);
    }

    #[test]
    fn a_backup_failed_that_was_begun_after_the_last_that_went_well() {
        let backup = |begun: Option<&str>, done: Option<&str>, running| {
            let time = |time: Option<&str>| time.map(|time| time.parse().unwrap());
            let of = "acme/school".parse().unwrap();
            let name = "school-backup".to_owned();
            ScheduledBackup { of, name, begun: time(begun), done: time(done), running }.failed()
        };
        let (monday, later) = (Some("2026-11-23T02:00:00Z"), Some("2026-11-23T02:07:00Z"));
        let tuesday = Some("2026-11-24T02:00:00Z");
        assert_eq!(backup(None, None, false), None, "there was none yet");
        assert_eq!(backup(monday, None, true), None, "nobody knows how it ends");
        assert_eq!(backup(monday, later, false), Some(false));
        assert_eq!(backup(tuesday, later, false), Some(true));
        assert_eq!(backup(monday, None, false), Some(true));
    }
}
