//! Where a repository is: a folder of this machine, or a remote reached by HTTPS or SSH.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a repository is. It holds no secret, so it may be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A folder of this machine, bare or with a work tree.
    Folder(PathBuf),
    /// `https://…`; also `http://…` to this machine itself.
    Https { url: String, user: Option<String> },
    /// `ssh://…` or `user@host:path`.
    Ssh { url: String, host: String, port: Option<u16> },
}

/// What was written where an [`Address`] belongs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    #[error("a repository is a folder, file://…, https://…, ssh://… or user@host:path")]
    Empty,
    #[error(
        "`{0}://` is not a way to reach a repository: use a folder, file://…, https://…, ssh://… or user@host:path"
    )]
    UnknownScheme(String),
    #[error(
        "the URL of the repository holds a password: put it into a file and name it with --token-file"
    )]
    HoldsPassword,
    #[error("`{0}` sends everything in the clear: use https://…")]
    Plain(String),
    #[error("`{0}` names no host: write it as in ssh://git@example.com/tenants.git")]
    NoHost(String),
    #[error("`{0}` starts with `-`, as only options do: put `./` before a folder's name")]
    LooksLikeOption(String),
    #[error("`{0}` is on another machine: file:// reaches this one only, use ssh:// or https://")]
    OtherMachine(String),
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if text.is_empty() || text.contains(char::is_control) {
            return Err(InvalidAddress::Empty);
        }
        if text.starts_with('-') {
            return Err(InvalidAddress::LooksLikeOption(text.to_owned()));
        }
        match text.split_once("://") {
            Some(("file", rest)) => file(text, rest),
            Some(("https", rest)) => https(text, rest),
            Some(("http", rest)) if is_loopback(host_and_port(rest).0) => https(text, rest),
            Some(("http", _)) => Err(InvalidAddress::Plain(text.to_owned())),
            Some(("ssh", rest)) => ssh(text, rest),
            Some((scheme, _)) => Err(InvalidAddress::UnknownScheme(scheme.to_owned())),
            None => match text.split_once(':') {
                Some((host, _)) if !host.contains('/') => ssh_by_host(text, host, None),
                _ => Ok(Self::Folder(PathBuf::from(text))),
            },
        }
    }
}

fn file(text: &str, rest: &str) -> Result<Address, InvalidAddress> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if path.starts_with('/') {
        Ok(Address::Folder(PathBuf::from(path)))
    } else {
        Err(InvalidAddress::OtherMachine(text.to_owned()))
    }
}

fn https(text: &str, rest: &str) -> Result<Address, InvalidAddress> {
    let (host, _) = host_and_port(rest);
    let user = user_of(rest)?.map(str::to_owned);
    if host.is_empty() {
        return Err(InvalidAddress::NoHost(text.to_owned()));
    }
    // The user goes into the header with the token; in the URL it would make `git` ask for more.
    let url = match (&user, text.split_once("://")) {
        (Some(user), Some((scheme, rest))) => format!("{scheme}://{}", &rest[user.len() + 1..]),
        _ => text.to_owned(),
    };
    Ok(Address::Https { url, user })
}

fn ssh(text: &str, rest: &str) -> Result<Address, InvalidAddress> {
    user_of(rest)?;
    let (host, port) = host_and_port(rest);
    ssh_by_host(text, host, port.parse().ok())
}

fn ssh_by_host(text: &str, host: &str, port: Option<u16>) -> Result<Address, InvalidAddress> {
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if host.is_empty() || host.starts_with('-') {
        return Err(InvalidAddress::NoHost(text.to_owned()));
    }
    Ok(Address::Ssh { url: text.to_owned(), host: host.to_owned(), port })
}

fn authority(rest: &str) -> &str {
    rest.split_once('/').map_or(rest, |(authority, _)| authority)
}

fn user_of(rest: &str) -> Result<Option<&str>, InvalidAddress> {
    match authority(rest).rsplit_once('@') {
        Some((user, _)) if user.contains(':') => Err(InvalidAddress::HoldsPassword),
        Some((user, _)) => Ok(Some(user)),
        None => Ok(None),
    }
}

fn host_and_port(rest: &str) -> (&str, &str) {
    let authority = authority(rest);
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    if let Some((host, after)) = address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, after.trim_start_matches(':'));
    }
    address.split_once(':').unwrap_or((address, ""))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Address {
    /// The folder, where it is one of this machine.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Https { .. } | Self::Ssh { .. } => None,
        }
    }

    /// The only protocol that may be spoken to it, in the words of `GIT_ALLOW_PROTOCOL`.
    pub(super) fn protocol(&self) -> &'static str {
        match self {
            Self::Folder(_) => "file",
            Self::Https { url, .. } if url.starts_with("http:") => "http",
            Self::Https { .. } => "https",
            Self::Ssh { .. } => "ssh",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(out, "{}", path.display()),
            Self::Https { url, .. } | Self::Ssh { url, .. } => out.write_str(url),
        }
    }
}

/// Reads an [`Address`] from a command line. Unlike clap's own way it does not repeat what was
/// written: that may hold a password, and comes from the environment as well.
#[derive(Clone, Debug)]
pub struct AddressParser;

impl clap::builder::ValueParserFactory for Address {
    type Parser = AddressParser;

    fn value_parser() -> AddressParser {
        AddressParser
    }
}

impl clap::builder::TypedValueParser for AddressParser {
    type Value = Address;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Address, clap::Error> {
        let parsed = value.to_str().ok_or(InvalidAddress::Empty).and_then(str::parse);
        parsed.map_err(|error| {
            let message = format!("{error} (from --repository or TENANTRY_REPOSITORY)\n");
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(url: &str, host: &str, port: Option<u16>) -> Address {
        Address::Ssh { url: url.into(), host: host.into(), port }
    }

    fn https(url: &str, user: Option<&str>) -> Address {
        Address::Https { url: url.into(), user: user.map(str::to_owned) }
    }

    #[test]
    fn each_way_to_write_an_address_is_understood() {
        for (text, expected) in [
            ("/srv/tenants", Address::Folder("/srv/tenants".into())),
            ("./a:b", Address::Folder("./a:b".into())),
            ("tenants", Address::Folder("tenants".into())),
            ("file:///srv/tenants", Address::Folder("/srv/tenants".into())),
            ("file://localhost/srv/t", Address::Folder("/srv/t".into())),
            ("https://example.com/t.git", https("https://example.com/t.git", None)),
            ("https://bot@example.com/t", https("https://example.com/t", Some("bot"))),
            ("http://127.0.0.1:80/t", https("http://127.0.0.1:80/t", None)),
            ("http://[::1]:80/t", https("http://[::1]:80/t", None)),
            (
                "ssh://git@example.com:2222/t",
                ssh("ssh://git@example.com:2222/t", "example.com", Some(2222)),
            ),
            ("git@example.com:t.git", ssh("git@example.com:t.git", "example.com", None)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, expected) in [
            ("", InvalidAddress::Empty),
            ("ext::sh -c id", InvalidAddress::NoHost(String::new())),
            ("ftp://example.com/t", InvalidAddress::UnknownScheme("ftp".into())),
            ("https://bot:secret@example.com/t", InvalidAddress::HoldsPassword),
            ("ssh://bot:secret@example.com/t", InvalidAddress::HoldsPassword),
            ("http://example.com/t", InvalidAddress::Plain("http://example.com/t".into())),
            ("--upload-pack=id", InvalidAddress::LooksLikeOption("--upload-pack=id".into())),
            (
                "ssh://-oProxyCommand=id/t",
                InvalidAddress::NoHost("ssh://-oProxyCommand=id/t".into()),
            ),
            ("file://server/t", InvalidAddress::OtherMachine("file://server/t".into())),
        ] {
            match text.parse::<Address>() {
                Err(error) => assert_eq!(
                    std::mem::discriminant(&error),
                    std::mem::discriminant(&expected),
                    "{text}: {error}"
                ),
                // `ext::…` reads as a host called `ext`: only SSH is ever spoken to it.
                Ok(address) => assert_eq!(address.protocol(), "ssh", "{text}"),
            }
        }
    }

    #[test]
    fn an_error_about_an_address_does_not_show_the_password_in_it() {
        let error = "https://bot:hunter2@example.com/t".parse::<Address>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
