//! `Host`: a client VDS, and what it should be.
//!
//! The document says where the machine is and what runs on it. Templates make of it a [`Catalog`]:
//! typed resources, each of which can be observed, compared, applied and removed.

pub mod words;
pub mod kinds;
pub mod catalog;
mod cron;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::names::Name;
use super::zone::zone;

pub use catalog::Catalog;
pub use catalog::HostResource;
pub use catalog::HostResourceId;
pub use catalog::OnRemove;
pub use kinds::Asked;
pub use kinds::Kind;

/// A client's virtual server.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Host {
    /// The tenant whose server it is.
    pub tenant: Name,
    /// A name or an address.
    pub address: String,
    #[serde(default = "ssh_port")]
    pub port: u16,
    #[serde(default = "root")]
    pub user: String,
    /// Public host keys, as `ssh-keyscan` prints them without the name; several while one is replaced.
    pub host_keys: Vec<String>,
    /// What runs on it, such as `kkt`.
    pub roles: Vec<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Values encrypted with age for the platform's recipients.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceWindow>,
    /// The version it is kept at; its channel decides where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Name>,
    #[serde(default)]
    pub mode: Mode,
}

fn ssh_port() -> u16 {
    22
}

fn root() -> String {
    "root".into()
}

/// When a host may be changed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MaintenanceWindow {
    /// Days of the week, such as `sat`.
    pub days: Vec<String>,
    /// When it opens, such as `02:00`.
    pub from: String,
    /// When it closes.
    pub to: String,
    /// The time zone (IANA) of the host.
    pub time_zone: String,
}

/// The days of the week, as windows name them.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl MaintenanceWindow {
    /// Whether it is open. One that closes before it opens closes on the next day. What cannot be
    /// read is never open: validation tells.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let Some(zone) = zone(&self.time_zone) else { return false };
        let (Some(from), Some(to)) = (minute(&self.from), minute(&self.to)) else { return false };
        let here = now.to_zoned(zone);
        let minute = i32::from(here.hour()) * 60 + i32::from(here.minute());
        let today = usize::from(here.weekday().to_monday_zero_offset().unsigned_abs());
        let opens = |day: usize| self.days.iter().any(|name| name == DAYS[day % 7]);
        if from < to {
            return opens(today) && (from..to).contains(&minute);
        }
        (opens(today) && minute >= from) || (opens(today + 6) && minute < to)
    }
}

/// The minute of the day of a time such as `02:30`.
fn minute(time: &str) -> Option<i32> {
    let (hour, minute) = time.split_once(':')?;
    Some(hour.parse::<i32>().ok()? * 60 + minute.parse::<i32>().ok()?)
}

/// `sat, sun from 02:00 to 05:00 Europe/Moscow`
impl fmt::Display for MaintenanceWindow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, from, to, time_zone } = self;
        write!(out, "{} from {from} to {to} {time_zone}", days.join(", "))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    #[default]
    Production,
    /// Beside production on the same machine.
    Test,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_by_the_clock_of_its_zone() {
        let window = |days: &[&str], from: &str, to: &str| MaintenanceWindow {
            days: days.iter().map(ToString::to_string).collect(),
            from: from.into(),
            to: to.into(),
            time_zone: "Europe/Moscow".into(),
        };
        // 28 November 2026 is a Saturday; Moscow is three hours ahead.
        let open = |window: &MaintenanceWindow, at: &str| window.is_open(at.parse().unwrap());
        let early = window(&["sat"], "02:00", "05:00");
        assert!(open(&early, "2026-11-27T23:00:00Z"));
        assert!(open(&early, "2026-11-28T01:59:59Z"));
        assert!(!open(&early, "2026-11-28T02:00:00Z"));
        assert!(!open(&early, "2026-11-28T23:30:00Z"), "it is Sunday there");
        let over_night = window(&["sat"], "23:00", "01:00");
        assert!(open(&over_night, "2026-11-28T20:30:00Z"));
        assert!(open(&over_night, "2026-11-28T21:30:00Z"), "the night of Saturday goes on");
        assert!(!open(&over_night, "2026-11-27T21:30:00Z"), "the night of Friday does not");
        let nowhere = MaintenanceWindow { time_zone: "Mars/Base".into(), ..early };
        assert!(!open(&nowhere, "2026-11-27T23:00:00Z"));
    }
}
