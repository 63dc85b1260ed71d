//! What each kind of resource is made of: how it is looked at, what of it is compared, what makes
//! it as it should be, and what takes it off. A kind is one file here, with the functions of the
//! shell that it calls beside it.

mod account;
mod archive;
mod check;
mod command;
mod directory;
mod firewall;
mod file;
mod package;
mod postgres;
mod secret;
mod sysctl;
mod unit;

use crate::model::host::Asked;
use crate::model::host::HostResource;
use crate::model::host::HostResourceId;
use crate::model::host::Kind;

use super::facts::Properties;
use super::script::Call;
use super::step::HostDifference;

pub(super) use firewall::PATIENCE;
pub(super) use unit::Debt;
pub(super) use unit::Input;
pub(super) use unit::debts;
pub(super) use unit::describes;

/// The questions that are asked of a host. Those that can be asked together are.
#[derive(Default)]
pub(super) struct Looks {
    calls: Vec<Call>,
    packages: Vec<String>,
    units: Vec<String>,
}

impl Looks {
    fn ask<'a>(
        &mut self,
        function: &'static str,
        index: usize,
        arguments: impl IntoIterator<Item = &'a str>,
    ) {
        let call = Call::new(function, [index.to_string().as_str()]);
        self.calls.push(arguments.into_iter().fold(call, Call::with));
    }

    pub(super) fn calls(self) -> Vec<Call> {
        let together = [("observe_packages", self.packages), ("observe_units", self.units)];
        let together = together.into_iter().filter(|(_, pairs)| !pairs.is_empty());
        let together =
            together.map(|(name, pairs)| Call::new(name, pairs.iter().map(String::as_str)));
        self.calls.into_iter().chain(together).collect()
    }
}

/// What a step has to know of what it finds.
pub(super) struct Found<'a> {
    /// What the host said of the thing; nothing where it is not there.
    pub(super) facts: &'a Properties,
    /// Whether it may be taken over whatever it is.
    pub(super) adopt: bool,
    /// Whether somebody changed it since we left it, so that it is put by.
    pub(super) drifted: bool,
    /// What it owes, beside being as it should be.
    pub(super) debt: Option<Debt>,
}

/// What can be done with a resource that is asked for.
pub(super) trait Behaviour {
    /// What it should be, property by property.
    fn wanted(&self) -> Properties;

    /// Asks the host about it.
    fn look(&self, index: usize, looks: &mut Looks);

    /// Makes it what it should be.
    fn apply(&self, found: &Found<'_>) -> Call;

    /// What has to be there before it, where the catalog asks for that as well.
    fn follows(&self) -> Vec<HostResourceId> {
        Vec::new()
    }

    /// Whether a property is as it should be.
    fn fits(&self, _property: &str, wanted: &str, seen: Option<&str>) -> bool {
        seen == Some(wanted)
    }

    /// How a property that differs is told.
    fn told(
        &self,
        property: &str,
        wanted: &str,
        seen: Option<&str>,
        _facts: &Properties,
    ) -> HostDifference {
        HostDifference::changed(property, seen, wanted)
    }

    /// For what is only looked at: why it is not well. For others: why nothing is done about it.
    fn complaint(&self, _facts: &Properties) -> Option<String> {
        None
    }

    /// Whether what it prints may be kept.
    fn is_quiet(&self) -> bool {
        false
    }
}

/// What can be done with a resource.
pub(super) fn behaviour(asked: &Asked) -> &dyn Behaviour {
    match asked {
        Asked::File(file) => file,
        Asked::Directory(directory) => directory,
        Asked::Package(package) => package,
        Asked::User(user) => user,
        Asked::Group(group) => group,
        Asked::AuthorizedKey(key) => key,
        Asked::Unit(unit) => unit,
        Asked::Sysctl(sysctl) => sysctl,
        Asked::Archive(archive) => archive,
        Asked::GeneratedSecret(secret) => secret,
        Asked::PostgresRole(role) => role,
        Asked::PostgresDatabase(database) => database,
        Asked::Firewall(firewall) => firewall,
        Asked::Command(command) => command,
        Asked::HttpCheck(check) => check,
        Asked::PortCheck(check) => check,
    }
}

/// What a thing is, in the properties that are compared; none where it is not there.
pub(super) fn seen(kind: Kind, facts: &Properties) -> Option<Properties> {
    if facts.is_empty() {
        return None;
    }
    match kind {
        Kind::Package => package::seen(facts),
        Kind::User => Some(account::seen(facts)),
        Kind::Unit => unit::seen(facts),
        Kind::Sysctl => Some(sysctl::seen(facts)),
        Kind::Firewall => firewall::seen(facts),
        Kind::GeneratedSecret => Some(secret::seen(facts)),
        Kind::PostgresRole | Kind::PostgresDatabase => postgres::seen(facts),
        _ => Some(facts.clone()),
    }
}

/// Whether what is there is something of ours: a setting of the kernel is there anyway.
pub(super) fn was_made(kind: Kind, seen: &Properties) -> bool {
    kind != Kind::Sysctl || seen.contains_key("written")
}

/// Whether a thing is as we left it: whatever we set is still so.
pub(super) fn is_as_left(kind: Kind, left: &Properties, seen: &Properties) -> bool {
    left.iter().all(|(property, value)| match kind {
        // A key was found by itself, and whoever stops a unit does not make it theirs.
        Kind::AuthorizedKey | Kind::Unit => true,
        // Whether a password fits is asked with the file that has it, and that may be gone.
        Kind::PostgresRole if &**property == "password" => true,
        _ => seen.get(property) == Some(value),
    })
}

/// How late things of a kind are made, among those that need nothing that is missing: what can lock
/// us out comes when all else is done, and checks come last.
pub(super) fn lateness(kind: Kind) -> u8 {
    match kind {
        Kind::Firewall => 1,
        kind if kind.is_check() => 2,
        _ => 0,
    }
}

/// Whether a thing of this kind that is there already can be somebody else's.
pub(super) fn can_be_foreign(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::File
            | Kind::Directory
            | Kind::User
            | Kind::Group
            | Kind::Archive
            | Kind::GeneratedSecret
            | Kind::PostgresRole
            | Kind::PostgresDatabase
    )
}

/// Asks the host about a thing that the inventory lists and nobody asks for.
pub(super) fn look_at_leaving(
    id: &HostResourceId,
    applied: &Properties,
    index: usize,
    looks: &mut Looks,
) {
    let name = &*id.name;
    match id.kind {
        Kind::File | Kind::GeneratedSecret => looks.ask("observe_file", index, [name, "", "hide"]),
        Kind::Directory => looks.ask("observe_directory", index, [name]),
        Kind::Package => looks.packages.extend([index.to_string(), name.to_owned()]),
        Kind::User => looks.ask("observe_user", index, [name]),
        Kind::Group => looks.ask("observe_group", index, [name]),
        Kind::AuthorizedKey => {
            let user = name.split(' ').next().unwrap_or_default();
            looks.ask("observe_authorized_key", index, [user, key_of(applied)]);
        }
        Kind::Unit => looks.units.extend([index.to_string(), name.to_owned()]),
        Kind::Sysctl => looks.ask("observe_sysctl", index, [name]),
        Kind::Firewall => looks.ask("observe_firewall", index, []),
        Kind::Archive => looks.ask("observe_archive", index, [name]),
        Kind::PostgresRole => looks.ask("observe_postgres_role", index, [name, ""]),
        Kind::PostgresDatabase => looks.ask("observe_postgres_database", index, [name]),
        Kind::Command | Kind::HttpCheck | Kind::PortCheck => {}
    }
}

/// Takes a thing off the host.
pub(super) fn remove(id: &HostResourceId, applied: &Properties, facts: &Properties) -> Call {
    let name = &*id.name;
    match id.kind {
        Kind::File | Kind::GeneratedSecret => {
            let sum = facts.get("sha256").map_or("", |sum| sum);
            Call::new("remove_file", [name, sum])
        }
        Kind::Directory => Call::new("remove_directory", [name]),
        Kind::Package => Call::new("remove_package", [name]),
        Kind::User => Call::new("remove_user", [name]),
        Kind::Group => Call::new("remove_group", [name]),
        Kind::AuthorizedKey => {
            let user = name.split(' ').next().unwrap_or_default();
            Call::new("remove_authorized_key", [user, key_of(applied)])
        }
        Kind::Unit => Call::new("remove_unit", [name]),
        Kind::Sysctl => Call::new("remove_sysctl", [name]),
        Kind::Firewall => Call::new("remove_firewall", []),
        Kind::Archive => Call::new("remove_archive", [name]),
        Kind::PostgresRole => Call::new("remove_postgres_role", [name]),
        // No plan takes off a database, and of the others nothing stands on a host.
        Kind::PostgresDatabase | Kind::Command | Kind::HttpCheck | Kind::PortCheck => {
            Call::new("true", [])
        }
    }
}

fn key_of(applied: &Properties) -> &str {
    applied.get("key").map_or("", |key| key)
}

/// The resources that have to be there before one, among those that are asked for.
pub(super) fn needs(resource: &HostResource) -> Vec<HostResourceId> {
    let mut needs = resource.needs.clone();
    needs.extend(behaviour(&resource.asked).follows());
    needs
}

fn id(kind: Kind, name: &str) -> HostResourceId {
    HostResourceId { kind, name: name.into() }
}

fn properties<const N: usize>(pairs: [(&str, &str); N]) -> Properties {
    pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// The folders that a path leads through.
fn folders(path: &str) -> impl Iterator<Item = HostResourceId> {
    path.match_indices('/')
        .filter(|(at, _)| *at > 0)
        .map(move |(at, _)| id(Kind::Directory, &path[..at]))
}

/// Who owns something has to be there before it.
fn owners(owner: &str, group: &str) -> [HostResourceId; 2] {
    [id(Kind::User, owner), id(Kind::Group, group)]
}
