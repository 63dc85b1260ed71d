//! `Task`: a thing to do once. Its name makes it unique.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de::Error as _;

use super::names::Name;

/// How long after it was asked for a task may begin. Later it never does: a revert that brings an
/// old document back, or a cluster that comes back after days, does not restore a second time.
pub const BEGINS_WITHIN: SignedDuration = SignedDuration::from_hours(2);
/// How long a task may run; the templates end it then.
pub const RUNS_FOR: SignedDuration = SignedDuration::from_hours(6);

/// In `with` of a restore: the name of the backup; the newest where absent.
pub const BACKUP: &str = "backup";
/// In `with` of a last backup: how many days it is kept; as the package says where absent.
pub const RETENTION_DAYS: &str = "retentionDays";

/// A thing to do once.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Task {
    pub tenant: Name,
    /// The subscription it is done to.
    pub subscription: Name,
    pub action: Action,
    /// When it was asked for. What did not begin within two hours of it never does.
    #[serde(deserialize_with = "moment")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub asked: Timestamp,
    /// What the action has to know: `backup` for a restore, `retentionDays` for a last backup.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
}

/// What is done. Pods are restarted by the count in their subscription.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Backup,
    Restore,
    Verify,
    /// The backup that is taken before the subscription is removed.
    FinalBackup,
}

impl Action {
    /// As file names and messages have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Verify => "verify",
            Self::FinalBackup => "final-backup",
        }
    }

    /// Whether it leaves a backup behind.
    pub fn is_backup(self) -> bool {
        matches!(self, Self::Backup | Self::FinalBackup)
    }

    /// Whether it needs what the package says of backups.
    pub fn needs_backup(self) -> bool {
        self != Self::Verify
    }

    /// What `with` may hold.
    pub fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Restore => &[BACKUP],
            Self::FinalBackup => &[RETENTION_DAYS],
            Self::Backup | Self::Verify => &[],
        }
    }
}

impl Task {
    /// From then on it does not begin any more.
    pub fn begins_before(&self) -> Timestamp {
        self.asked.checked_add(BEGINS_WITHIN).unwrap_or(Timestamp::MAX)
    }

    /// By then it is over, however it went.
    pub fn ends_before(&self) -> Timestamp {
        self.begins_before().checked_add(RUNS_FOR).unwrap_or(Timestamp::MAX)
    }

    /// What the backup that it makes is called, without the ending: by the time and by its own
    /// name. Last backups begin with a word that keeps them from being tidied up with the others.
    pub fn backup(&self, name: &Name) -> String {
        let time = self.asked.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H%MZ");
        match self.action {
            Action::FinalBackup => format!("final-{time}-{name}"),
            _ => format!("{time}-{name}"),
        }
    }
}

/// Whether a backup may be called so: such a name reaches nothing but a file among the backups.
pub fn is_backup_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=120).contains(&name.len())
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && name.bytes().all(allowed)
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "`{text}` is not a time: write one with its zone, as in `2026-01-31T09:30:00Z`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_backup_is_a_file_s_and_nothing_else() {
        for good in ["2026-11-27T0200Z.dump", "a", "final-2026-11-27T0200Z-end.tar.gz"] {
            assert!(is_backup_name(good), "{good}");
        }
        let long = "a".repeat(121);
        for bad in ["", "-rf", ".hidden", "../x", "a b", "a;b", "$(x)", "a\nb", "ü", &long] {
            assert!(!is_backup_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_backup_that_a_task_makes_may_be_named_in_a_restore() {
        let task: Task = serde_json::from_value(serde_json::json!({
            "tenant": "acme", "subscription": "school", "action": "finalBackup",
            "asked": "2026-11-27T09:30:59Z",
        }))
        .unwrap();
        let name = format!("t{}", "x".repeat(39)).parse().unwrap();
        let backup = task.backup(&name);
        assert!(backup.starts_with("final-2026-11-27T0930Z-tx"), "{backup}");
        assert!(is_backup_name(&format!("{backup}.tar.gz")));
        assert_eq!(task.begins_before(), "2026-11-27T11:30:59Z".parse().unwrap());
    }
}
