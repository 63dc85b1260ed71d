//! The kinds of things that a host's catalog asks for, and what each can be asked.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de;

use super::catalog::HostResourceId;
use super::words::AbsolutePath;
use super::words::Account;
use super::words::FileMode;
use super::words::HttpAddress;
use super::words::Line;
use super::words::Network;
use super::words::PackageName;
use super::words::PackageVersion;
use super::words::PublicKey;
use super::words::Sha256Sum;
use super::words::SqlName;
use super::words::SysctlKey;
use super::words::UnitFileName;
use super::words::Variable;
use crate::model::Secret;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($spec:ident) $word:literal),+ $(,)?) => {
        /// What a resource is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $kind),+
        }

        impl Kind {
            /// The kind's word in a catalog.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word),+
                }
            }

            /// The kind of a word.
            pub fn of(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$kind),)+
                    _ => None,
                }
            }
        }

        /// The words of all kinds.
        pub const WORDS: &[&str] = &[$($word),+];

        /// What is asked for.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Asked {
            $($(#[$doc])* $kind($spec)),+
        }

        impl Asked {
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind),+
                }
            }
        }
    };
}

kinds! {
    /// A regular file with its text.
    File(File) "file",
    Directory(Directory) "directory",
    /// A package of Debian.
    Package(Package) "package",
    User(User) "user",
    Group(Group) "group",
    /// A key that lets somebody in as a user.
    AuthorizedKey(AuthorizedKey) "authorized_key",
    /// A service, timer, socket or mount of systemd.
    Unit(Unit) "unit",
    /// A setting of the kernel.
    Sysctl(Sysctl) "sysctl",
    /// What may come in.
    Firewall(Firewall) "firewall",
    /// An archive that is fetched, checked, and unpacked into a folder of its own.
    Archive(Archive) "archive",
    /// A credential that is made on the host.
    GeneratedSecret(GeneratedSecret) "generated_secret",
    /// A role of the PostgreSQL on the machine.
    PostgresRole(PostgresRole) "postgres_role",
    PostgresDatabase(PostgresDatabase) "postgres_database",
    /// A program that runs as long as what it is to bring about is not there.
    Command(Command) "command",
    /// Something answers over HTTP.
    HttpCheck(HttpCheck) "http_check",
    /// Something listens on a port.
    PortCheck(PortCheck) "port_check",
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

impl Kind {
    /// Whether it is only looked at, and nothing of it stands on the host.
    pub fn is_check(self) -> bool {
        matches!(self, Self::HttpCheck | Self::PortCheck)
    }

    /// Whether the host's inventory lists it, so that it can be taken off again.
    pub fn is_listed(self) -> bool {
        !self.is_check() && self != Self::Command
    }
}

impl Asked {
    /// What tells it from others of its kind.
    pub fn name(&self) -> String {
        match self {
            Self::File(File { path, .. }) | Self::Directory(Directory { path, .. }) => {
                path.to_string()
            }
            Self::Firewall(_) => "input".to_owned(),
            Self::Archive(archive) => archive.path.to_string(),
            Self::GeneratedSecret(secret) => secret.path.to_string(),
            Self::PostgresRole(role) => role.name.to_string(),
            Self::PostgresDatabase(database) => database.name.to_string(),
            Self::Package(package) => package.name.to_string(),
            Self::User(user) => user.name.to_string(),
            Self::Group(group) => group.name.to_string(),
            Self::AuthorizedKey(AuthorizedKey { user, key }) => {
                let blob = key.blob();
                format!("{user} ..{}", &blob[blob.len().saturating_sub(12)..])
            }
            Self::Unit(unit) => unit.name.to_string(),
            Self::Sysctl(sysctl) => sysctl.key.to_string(),
            Self::Command(command) => command.name.to_string(),
            Self::HttpCheck(check) => check.url.to_string(),
            Self::PortCheck(PortCheck { address, port, .. }) => format!("{address}:{port}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct File {
    pub path: AbsolutePath,
    /// Its text. A catalog may name a template of its folder instead.
    #[serde(default, deserialize_with = "text")]
    pub content: Option<Secret>,
    /// A template beside the catalog, such as `nginx.conf.j2`.
    #[serde(default)]
    pub template: Option<Line>,
    #[serde(default = "root")]
    pub owner: Account,
    #[serde(default = "root")]
    pub group: Account,
    #[serde(default = "readable")]
    pub mode: FileMode,
    /// Whether its text is never shown.
    #[serde(default)]
    pub sensitive: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Directory {
    pub path: AbsolutePath,
    #[serde(default = "root")]
    pub owner: Account,
    #[serde(default = "root")]
    pub group: Account,
    #[serde(default = "passable")]
    pub mode: FileMode,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Package {
    pub name: PackageName,
    /// The version it is kept at; without one, whichever is there will do.
    #[serde(default)]
    pub version: Option<PackageVersion>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct User {
    pub name: Account,
    /// Where its home is; without one, where `useradd` puts it.
    #[serde(default)]
    pub home: Option<AbsolutePath>,
    #[serde(default = "no_login")]
    pub shell: AbsolutePath,
    /// Groups that it is in beside its own.
    #[serde(default)]
    pub groups: Vec<Account>,
    /// Whether it is made with a number below those of people.
    #[serde(default)]
    pub system: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Group {
    pub name: Account,
    #[serde(default)]
    pub system: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AuthorizedKey {
    pub user: Account,
    pub key: PublicKey,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Unit {
    pub name: UnitFileName,
    /// Whether it starts with the machine.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether it runs now; `null` where it comes and goes, such as what a timer starts.
    #[serde(default = "running")]
    pub running: Option<bool>,
    /// What it has to be started after again when that changes, such as `file /etc/kkt/kkt.env`.
    #[serde(default)]
    pub restarts_with: Vec<HostResourceId>,
    /// What it has to read again when that changes, without a restart.
    #[serde(default)]
    pub reloads_with: Vec<HostResourceId>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Sysctl {
    pub key: SysctlKey,
    pub value: Line,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Firewall {
    /// Everything else is dropped, but for answers and for what keeps a network working.
    pub allow: Vec<Allowed>,
}

/// Somebody who may come in somewhere.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Allowed {
    pub port: u16,
    #[serde(default)]
    pub protocol: Protocol,
    /// Whoever comes from here; without any, everybody.
    #[serde(default)]
    pub from: Vec<Network>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}

impl Protocol {
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Archive {
    /// The folder that it becomes.
    pub path: AbsolutePath,
    /// Where the host fetches it: anything that `tar` unpacks.
    pub url: HttpAddress,
    /// What it has to be.
    pub sha256: Sha256Sum,
    #[serde(default = "root")]
    pub owner: Account,
    #[serde(default = "root")]
    pub group: Account,
    /// How many folders around what is in it are left out.
    #[serde(default)]
    pub strip: u8,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GeneratedSecret {
    /// The file in which it is kept, which its owner alone reads.
    pub path: AbsolutePath,
    /// The variable under which the file has it, so that a unit's `EnvironmentFile` can be it.
    #[serde(default)]
    pub variable: Option<Variable>,
    /// How many digits (hexadecimal) it has.
    #[serde(default = "digits")]
    pub length: u8,
    #[serde(default = "root")]
    pub owner: Account,
    #[serde(default = "root")]
    pub group: Account,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PostgresRole {
    pub name: SqlName,
    /// The generated secret that is its password.
    #[serde(default)]
    pub password_from: Option<AbsolutePath>,
    #[serde(default = "yes")]
    pub login: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PostgresDatabase {
    pub name: SqlName,
    pub owner: SqlName,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Command {
    /// What it is for, in a few words: it is told in plans.
    pub name: Line,
    /// The program and what it is given, word by word; no shell reads it.
    #[serde(deserialize_with = "program")]
    pub run: Vec<Word>,
    /// A program that ends well where nothing is to do.
    #[serde(deserialize_with = "program")]
    pub unless: Vec<Word>,
    /// Who runs it.
    #[serde(default = "root")]
    pub user: Account,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpCheck {
    pub url: HttpAddress,
    #[serde(default = "ok")]
    pub status: u16,
    /// What stands in the answer.
    #[serde(default)]
    pub contains: Option<Line>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PortCheck {
    #[serde(default = "loopback")]
    pub address: core::net::IpAddr,
    pub port: u16,
    /// The program that listens, as the kernel calls it.
    #[serde(default)]
    pub process: Option<Line>,
}

/// A word of a command line: any text that a program can be given.
pub type Word = Line;

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Some(Secret::new(String::deserialize(deserializer)?)))
}

pub(super) fn program<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Word>, D::Error> {
    let words = Vec::<Word>::deserialize(deserializer)?;
    if words.is_empty() {
        return Err(de::Error::custom("a program is missing: write it and what it is given"));
    }
    Ok(words)
}

pub(super) fn root() -> Account {
    "root".parse().expect("root is the name of an account")
}

pub(super) fn readable() -> FileMode {
    "0644".parse().expect("these are octal digits")
}

fn passable() -> FileMode {
    "0755".parse().expect("these are octal digits")
}

fn no_login() -> AbsolutePath {
    "/usr/sbin/nologin".parse().expect("this is a path")
}

fn loopback() -> core::net::IpAddr {
    core::net::Ipv4Addr::LOCALHOST.into()
}

fn yes() -> bool {
    true
}

#[expect(clippy::unnecessary_wraps, reason = "this is a field's value where nobody writes one")]
fn running() -> Option<bool> {
    Some(true)
}

fn digits() -> u8 {
    32
}

fn ok() -> u16 {
    200
}
