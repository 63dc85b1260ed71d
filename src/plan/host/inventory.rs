//! The inventory on a host: what is on it that is ours, and as what we left it there.
//!
//! It lives with the thing, in `/var/lib/tenantry/inventory.json`. Before anything is changed, it
//! lists all that will be; after that, what is. Whoever has root on the host can write it, so it is
//! read like a stranger's letter: names are checked as those of a catalog are, and what it says is
//! only ever a reason to leave something alone or to take off what is just as it says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;

use super::facts::InventoryFile;
use super::facts::Properties;
use crate::model::Name;
use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::model::host::OnRemove;
use crate::model::host::words::AbsolutePath;
use crate::model::host::words::Account;
use crate::model::host::words::PackageName;
use crate::model::host::words::SqlName;
use crate::model::host::words::SysctlKey;
use crate::model::host::words::UnitFileName;

/// Where it stands on the host.
pub const PLACE: &str = "/var/lib/tenantry/inventory.json";
/// The form that this program writes.
const FORM: u32 = 1;
/// How many things it may list.
const MOST_ENTRIES: usize = 5000;

/// What is on a host that is ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// How many times it was written with a change.
    pub generation: u64,
    pub entries: BTreeMap<HostResourceId, Entry>,
}

/// One thing that is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// What it was when it was last known to be as asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Properties>,
    /// What it was to become when something was last done to it. Whether that was done, only a
    /// look at the host tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended: Option<Properties>,
    /// Whether it was there before us: then it is not taken off when nobody asks for it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    pub on_remove: OnRemove,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<HostResourceId>,
}

/// Why an inventory is not believed. Nothing is changed on its host meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbelievable {
    #[error("{PLACE} cannot be read: {0}; restore it from a backup, or move it away to start anew")]
    Unreadable(String),
    #[error(
        "{PLACE} was written for the host `{0}`: this is another machine, or a copy of one; correct `spec.address`, or move the file away to start anew"
    )]
    OtherHost(String),
    #[error(
        "{PLACE} was written on another machine: this one is a copy, or was installed anew; move the file away to start anew"
    )]
    OtherMachine,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    form: u32,
    host: String,
    machine_id: String,
    generation: u64,
    entries: Vec<Listed>,
}

#[derive(Serialize, Deserialize)]
struct Listed {
    resource: HostResourceId,
    #[serde(flatten)]
    entry: Entry,
}

impl Inventory {
    /// Reads what a host says is on it.
    pub fn read(file: &InventoryFile, host: &Name, machine_id: &str) -> Result<Self, Unbelievable> {
        let unreadable = |why: String| Unbelievable::Unreadable(why);
        let text = match file {
            InventoryFile::Absent => return Ok(Self::default()),
            InventoryFile::Strange(what) => {
                return Err(unreadable(format!("it is no file of some size but {what}")));
            }
            InventoryFile::There { text, .. } => text,
        };
        let written: Written =
            serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
        if written.form != FORM {
            return Err(unreadable(format!("it is of form {}, and {FORM} is known", written.form)));
        }
        if written.host != host.as_str() {
            return Err(Unbelievable::OtherHost(written.host.chars().take(40).collect()));
        }
        if written.machine_id != machine_id {
            return Err(Unbelievable::OtherMachine);
        }
        if written.entries.len() > MOST_ENTRIES {
            return Err(unreadable(format!("it lists more than {MOST_ENTRIES} things")));
        }
        if let Some(odd) = written.entries.iter().find(|listed| !is_name(&listed.resource)) {
            let told: String = odd.resource.to_string().chars().take(80).collect();
            return Err(unreadable(format!("it lists `{told}`, which no catalog could ask for")));
        }
        let entries = written.entries.into_iter().map(|listed| (listed.resource, listed.entry));
        Ok(Self { generation: written.generation, entries: entries.collect() })
    }

    /// What is written to the host.
    pub fn text(&self, host: &Name, machine_id: &str) -> String {
        let entries = self
            .entries
            .iter()
            .map(|(resource, entry)| Listed { resource: resource.clone(), entry: entry.clone() });
        let written = Written {
            form: FORM,
            host: host.to_string(),
            machine_id: machine_id.to_owned(),
            generation: self.generation,
            entries: entries.collect(),
        };
        let text = serde_json::to_string_pretty(&written);
        text.expect("texts and maps of texts can be written as JSON") + "\n"
    }
}

impl InventoryFile {
    /// What the file has to be for a plan made of it to be carried out.
    pub(super) fn sum(&self) -> &str {
        match self {
            Self::Absent => "none",
            Self::There { sum, .. } => sum,
            Self::Strange(_) => "strange",
        }
    }
}

/// The SHA-256 of a text, as `sha256sum` prints it.
pub(super) fn sum(text: &str) -> Box<str> {
    use std::fmt::Write as _;
    let mut printed = String::with_capacity(64);
    for byte in sha2::Sha256::digest(text.as_bytes()) {
        let _ = write!(printed, "{byte:02x}");
    }
    printed.into()
}

fn is_name(id: &HostResourceId) -> bool {
    let name = &*id.name;
    match id.kind {
        Kind::File | Kind::Directory | Kind::Archive | Kind::GeneratedSecret => {
            name.parse::<AbsolutePath>().is_ok()
        }
        Kind::PostgresRole | Kind::PostgresDatabase => name.parse::<SqlName>().is_ok(),
        Kind::Package => name.parse::<PackageName>().is_ok(),
        Kind::User | Kind::Group => name.parse::<Account>().is_ok(),
        Kind::AuthorizedKey => {
            name.split_once(' ').is_some_and(|(user, _)| user.parse::<Account>().is_ok())
        }
        Kind::Unit => name.parse::<UnitFileName>().is_ok(),
        Kind::Sysctl => name.parse::<SysctlKey>().is_ok(),
        Kind::Firewall => name == "input",
        Kind::Command | Kind::HttpCheck | Kind::PortCheck => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there(text: impl Into<Vec<u8>>) -> InventoryFile {
        InventoryFile::There { sum: "0".into(), text: text.into() }
    }

    fn host() -> Name {
        "web-1".parse().unwrap()
    }

    fn example() -> Inventory {
        let entry = Entry {
            applied: Some(Properties::from([("mode".into(), "644".into())])),
            intended: None,
            adopted: false,
            on_remove: OnRemove::Remove,
            needs: vec!["package nginx".parse().unwrap()],
        };
        let entries = BTreeMap::from([("file /etc/motd".parse().unwrap(), entry)]);
        Inventory { generation: 3, entries }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = example().text(&host(), "f00");
        assert_eq!(Inventory::read(&there(text), &host(), "f00"), Ok(example()));
        assert_eq!(Inventory::read(&InventoryFile::Absent, &host(), ""), Ok(Inventory::default()));
    }

    #[test]
    fn a_strange_inventory_is_refused_for_what_it_is() {
        let text = example().text(&host(), "f00");
        let told = |text: &str, machine: &str| {
            Inventory::read(&there(text), &host(), machine).unwrap_err().to_string()
        };
        assert!(told(&text, "bar").contains("on another machine"));
        assert!(told(&text.replace("web-1", "web-2"), "f00").contains("the host `web-2`"));
        assert!(told(&text[..40], "f00").contains("EOF"));
        assert!(told(&text.replace("\"form\": 1", "\"form\": 2"), "f00").contains("form 2"));
        let escaping = text.replace("/etc/motd", "/etc/../root/.ssh/authorized_keys");
        assert!(told(&escaping, "f00").contains("no catalog could ask for"));
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        assert!(sum("hello\n").starts_with("5891b5b522d5df08"));
    }

    proptest! {
        #[test]
        fn no_inventory_is_a_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Inventory::read(&there(text), &host(), "f00");
        }

        #[test]
        fn no_inventory_that_was_tampered_with_is_a_panic(
            at in 0_usize..300, with in any::<u8>()
        ) {
            let mut text = example().text(&host(), "f00").into_bytes();
            let at = at % text.len();
            text[at] = with;
            let _ = Inventory::read(&there(text), &host(), "f00");
        }
    }
}
