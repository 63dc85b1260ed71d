//! A unit of systemd: whether it starts with the machine, whether it runs, and whether it runs
//! with what it should have read.
//!
//! That it owes a restart is seen from the host, and not remembered: what it reads was written
//! after it started. So no restart is lost, whoever died between the writing and the restart.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::host::HostResourceId;
use crate::model::host::kinds::Unit;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::properties;

/// Where units of the machine's owner stand.
const FOLDER: &str = "/etc/systemd/system/";
/// What neither can nor need be enabled.
const STATIC: &str = "static";

/// What a unit has to do to run with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan::host) enum Debt {
    Reload,
    Restart,
}

/// Something that a unit reads.
pub(in crate::plan::host) struct Input<'a> {
    pub(in crate::plan::host) id: &'a HostResourceId,
    /// Whether this plan changes it.
    pub(in crate::plan::host) changes: bool,
    /// What the host says of it.
    pub(in crate::plan::host) facts: &'a Properties,
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

impl Behaviour for Unit {
    fn wanted(&self) -> Properties {
        let mut wanted = properties([("enabled", yes_or_no(self.enabled))]);
        if let Some(running) = self.running {
            wanted.insert("running".into(), yes_or_no(running).into());
        }
        wanted
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.units.extend([index.to_string(), self.name.to_string()]);
    }

    fn apply(&self, found: &Found<'_>) -> Call {
        let seen = seen(found.facts);
        let is = |property: &str, value: &str| {
            seen.as_ref().and_then(|seen| seen.get(property)).is_some_and(|seen| **seen == *value)
        };
        let enabled = match self.enabled {
            _ if is("enabled", STATIC) || is("enabled", yes_or_no(self.enabled)) => "leave",
            true => "enable",
            false => "disable",
        };
        let action = match (self.running, found.debt) {
            (Some(false), _) if is("running", "yes") || seen.is_none() => "stop",
            (Some(true), _) if seen.is_none() => "restart",
            (Some(true), _) if !is("running", "yes") => "start",
            (Some(true) | None, Some(Debt::Restart)) if is("running", "yes") => "restart",
            (Some(true) | None, Some(Debt::Reload)) if is("running", "yes") => "reload",
            _ => "leave",
        };
        Call::new("apply_unit", [self.name.as_str(), enabled, action])
    }

    fn follows(&self) -> Vec<HostResourceId> {
        self.restarts_with.iter().chain(&self.reloads_with).cloned().collect()
    }

    fn fits(&self, property: &str, wanted: &str, seen: Option<&str>) -> bool {
        seen == Some(wanted) || (property == "enabled" && seen == Some(STATIC))
    }
}

pub(super) fn seen(facts: &Properties) -> Option<Properties> {
    let fact = |name: &str| facts.get(name).map_or("", |value| value);
    if !["loaded", "masked"].contains(&fact("LoadState")) {
        return None;
    }
    let enabled = match fact("UnitFileState") {
        "enabled" => "yes",
        "static" | "indirect" | "generated" | "alias" | "transient" => STATIC,
        _ => "no",
    };
    // What is on its way up has been started.
    let running = matches!(fact("ActiveState"), "active" | "activating" | "reloading");
    Some(properties([("enabled", enabled), ("running", yes_or_no(running))]))
}

/// Whether a file says what a unit is.
pub(in crate::plan::host) fn describes(file: &str, unit: &str) -> bool {
    file.strip_prefix(FOLDER).and_then(|file| file.strip_prefix(unit)).is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix(".d/").is_some_and(|name| !name.contains('/'))
    })
}

/// What a running unit owes, and why, in words.
pub(in crate::plan::host) fn debts(
    unit: &Unit,
    facts: &Properties,
    inputs: &[Input<'_>],
) -> Option<(Debt, String)> {
    let running = seen(facts).is_some_and(|seen| &*seen["running"] == "yes");
    if !running || unit.running == Some(false) {
        return None;
    }
    let started =
        ["ExecMainStartTimestamp", "InactiveExitTimestamp"].into_iter().filter_map(|name| {
            let said = facts.get(name)?;
            systemd_time(said)
        });
    let started = started.max()?;
    let read = facts.get("reloaded").and_then(|said| stat_time(said)).unwrap_or(started);
    let owed = |input: &Input<'_>| {
        let (debt, since) = if unit.reloads_with.contains(input.id) {
            (Debt::Reload, started.max(read))
        } else {
            (Debt::Restart, started)
        };
        let changed = input.facts.get("changed").and_then(|said| stat_time(said));
        let owed = input.changes || changed.is_some_and(|changed| changed > since);
        owed.then(|| (debt, input.id.to_string()))
    };
    let file = (facts.get("NeedDaemonReload").is_some_and(|said| &**said == "yes"))
        .then(|| (Debt::Restart, "what its file says".to_owned()));
    inputs.iter().filter_map(owed).chain(file).max_by_key(|(debt, _)| *debt)
}

/// `Sat 2026-11-28 02:34:35.123456 UTC`
fn systemd_time(said: &str) -> Option<Timestamp> {
    let (_, rest) = said.split_once(' ')?;
    let time: DateTime = rest.strip_suffix(" UTC")?.parse().ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// `1764297275.123456789`
fn stat_time(said: &str) -> Option<Timestamp> {
    let (seconds, nanoseconds) = said.split_once('.').unwrap_or((said, "0"));
    let nanoseconds = format!("{nanoseconds:0<9}");
    Timestamp::new(seconds.parse().ok()?, nanoseconds.get(..9)?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Unit {
        serde_json::from_str(text).unwrap()
    }

    fn running(started: &str) -> Properties {
        properties([
            ("LoadState", "loaded"),
            ("ActiveState", "active"),
            ("UnitFileState", "enabled"),
            ("NeedDaemonReload", "no"),
            ("ExecMainStartTimestamp", started),
        ])
    }

    #[test]
    fn both_clocks_are_the_same() {
        let systemd = systemd_time("Sat 2026-11-28 02:34:35.123456 UTC").unwrap();
        assert_eq!(stat_time("1795833275.123456000"), Some(systemd));
        assert_eq!(systemd_time("n/a"), None);
        assert_eq!(systemd_time(""), None);
    }

    #[test]
    fn what_was_written_after_the_start_is_owed_whoever_wrote_it() {
        let unit = unit(
            r#"{"name": "kkt.service", "restartsWith": ["file /etc/kkt.env"], "reloadsWith": ["file /etc/kkt.yaml"]}"#,
        );
        let facts = running("Sat 2026-11-28 02:34:35.000000 UTC");
        let debt = |file: &str, changed: &str| {
            let id: HostResourceId = file.parse().unwrap();
            let said = properties([("changed", changed)]);
            debts(&unit, &facts, &[Input { id: &id, changes: false, facts: &said }])
        };
        assert_eq!(debt("file /etc/kkt.env", "1795833274.9"), None);
        assert_eq!(
            debt("file /etc/kkt.env", "1795833275.1"),
            Some((Debt::Restart, "file /etc/kkt.env".into()))
        );
        assert_eq!(
            debt("file /etc/kkt.yaml", "1795833275.1"),
            Some((Debt::Reload, "file /etc/kkt.yaml".into()))
        );
    }

    #[test]
    fn a_reload_is_owed_until_it_was_done() {
        let unit = unit(r#"{"name": "a.service", "reloadsWith": ["file /a"]}"#);
        let id: HostResourceId = "file /a".parse().unwrap();
        let said = properties([("changed", "1795833280.0")]);
        let mut facts = running("Sat 2026-11-28 02:34:35.000000 UTC");
        let owes = |facts: &Properties| {
            debts(&unit, facts, &[Input { id: &id, changes: false, facts: &said }]).is_some()
        };
        assert!(owes(&facts));
        facts.insert("reloaded".into(), "1795833281.0".into());
        assert!(!owes(&facts));
    }

    #[test]
    fn a_unit_runs_with_what_its_file_says() {
        let unit = unit(r#"{"name": "a.service"}"#);
        let mut facts = running("Sat 2026-11-28 02:34:35.000000 UTC");
        assert_eq!(debts(&unit, &facts, &[]), None);
        facts.insert("NeedDaemonReload".into(), "yes".into());
        assert_eq!(debts(&unit, &facts, &[]).map(|(debt, _)| debt), Some(Debt::Restart));
        facts.insert("ActiveState".into(), "inactive".into());
        assert_eq!(debts(&unit, &facts, &[]), None);
    }

    #[test]
    fn a_file_says_what_a_unit_is_by_its_place() {
        assert!(describes("/etc/systemd/system/a.service", "a.service"));
        assert!(describes("/etc/systemd/system/a.service.d/limits.conf", "a.service"));
        assert!(!describes("/etc/systemd/system/a.service.d/x/limits.conf", "a.service"));
        assert!(!describes("/etc/systemd/system/aa.service", "a.service"));
        assert!(!describes("/etc/a.service", "a.service"));
    }
}
