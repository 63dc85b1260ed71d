//! The words that a host's resources are told in: each is checked when it is read, so that what
//! reaches a machine was looked at once, here.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de;

/// A text that is not what its place asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: {help}")]
pub struct Unfit {
    text: String,
    what: &'static str,
    help: &'static str,
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident: $what:literal, $help:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Unfit;

            fn from_str(text: &str) -> Result<Self, Unfit> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) {
                    return Ok(Self(text.into()));
                }
                let text = text.chars().take(80).collect();
                Err(Unfit { text, what: $what, help: $help })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

word! {
    /// Where a file or a folder stands. It never leads into what the kernel or Tenantry keeps.
    AbsolutePath: "a path",
    "write it from the root and without `.` and `..`, outside of /proc, /sys, /dev and /var/lib/tenantry",
    is_path
}
word! {
    /// The name of a user or a group, as `useradd` of Debian takes it.
    Account: "the name of an account",
    "use 1 to 32 of a-z, 0-9, `_` and `-`, starting with a letter or `_`",
    |text| {
        (1..=32).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
            && all(text, "_-", u8::is_ascii_lowercase)
    }
}
word! {
    /// The name of a Debian package (Debian Policy 5.6.1).
    PackageName: "the name of a package",
    "use what `apt-cache search` tells, such as `postgresql-15`",
    |text| {
        (2..=128).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && all(text, "+-.", u8::is_ascii_lowercase)
    }
}
word! {
    /// The version of a Debian package (Debian Policy 5.6.12).
    PackageVersion: "the version of a package",
    "write all of it, such as `1.22.1-9+deb12u1`",
    |text| {
        text.starts_with(|first: char| first.is_ascii_digit())
            && text.len() <= 128
            && all(text, "+-.:~", u8::is_ascii_alphabetic)
    }
}
word! {
    /// The name of a unit of systemd, with its type.
    UnitFileName: "the name of a unit",
    "write it with its type, such as `nginx.service` or `backup.timer`",
    |text| {
        let types = ["service", "timer", "socket", "path", "mount", "target"];
        text.len() <= 255
            && all(text, ":_.@-", u8::is_ascii_alphabetic)
            && !text.starts_with(['-', '.'])
            && text.rsplit_once('.').is_some_and(|(name, kind)| {
                !name.is_empty() && types.contains(&kind)
            })
    }
}
word! {
    /// A setting of the kernel, such as `net.ipv4.ip_forward`.
    SysctlKey: "a setting of the kernel",
    "write it as `sysctl` does, such as `net.core.somaxconn`",
    |text| {
        text.len() <= 128
            && text.contains('.')
            && text.split('.').all(|part| !part.is_empty())
            && all(text, "_.-", u8::is_ascii_alphabetic)
    }
}
word! {
    /// Who may read, write and run a file, in octal digits.
    FileMode: "a mode",
    "write three or four octal digits in quotes, such as `\"0644\"`",
    |text| {
        (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
    }
}
word! {
    /// A public key, as a line of `authorized_keys` without options.
    PublicKey: "a public key",
    "write its type and the key, such as `ssh-ed25519 AAAA…`",
    |text| is_one_line(text) && text.len() <= 16 << 10 && is_public_key(text)
}
word! {
    /// The name of a role or a database of PostgreSQL.
    SqlName: "a name for PostgreSQL",
    "use 1 to 63 of a-z, 0-9 and `_`, starting with a letter",
    |text| {
        (1..=63).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && all(text, "_", u8::is_ascii_lowercase)
            && !text.starts_with("pg_")
    }
}
word! {
    /// A variable of the environment.
    Variable: "a variable of the environment",
    "use A-Z, 0-9 and `_`, such as `DATABASE_PASSWORD`",
    |text| {
        (1..=64).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && all(text, "_", u8::is_ascii_uppercase)
    }
}
word! {
    /// A SHA-256, as `sha256sum` prints it.
    Sha256Sum: "a SHA-256",
    "write the 64 digits that `sha256sum` prints",
    |text| text.len() == 64 && all(text, "", |byte| matches!(byte, b'a'..=b'f'))
}
word! {
    /// Where somebody comes from: an address, or a network.
    Network: "an address or a network",
    "write it such as `192.0.2.7` or `192.0.2.0/24`",
    |text| {
        let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
        address.parse::<core::net::IpAddr>().is_ok_and(|address| {
            let most = if address.is_ipv4() { 32 } else { 128 };
            bits.parse::<u8>().is_ok_and(|bits| bits <= most)
        })
    }
}
word! {
    /// A text of one line.
    Line: "a text of one line", "write it on one line", is_one_line
}
word! {
    /// Where a server on the machine answers.
    HttpAddress: "an address of http",
    "write it from `http://` or `https://`, such as `http://127.0.0.1:8000/health`",
    |text| {
        text.len() <= 2048
            && (text.starts_with("http://") || text.starts_with("https://"))
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\'')
    }
}

impl FileMode {
    /// As `stat -c %a` prints it: without a zero before it.
    pub fn digits(&self) -> &str {
        let digits = self.0.trim_start_matches('0');
        if digits.is_empty() { "0" } else { digits }
    }
}

impl PublicKey {
    /// The key itself, in base64.
    pub fn blob(&self) -> &str {
        self.0.split_ascii_whitespace().nth(1).unwrap_or_default()
    }
}

fn all(text: &str, others: &str, letter: fn(&u8) -> bool) -> bool {
    text.bytes()
        .all(|byte| letter(&byte) || byte.is_ascii_digit() || others.as_bytes().contains(&byte))
}

fn is_one_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= 32 << 10 && !text.contains(char::is_control)
}

fn is_path(text: &str) -> bool {
    const FOREIGN: [&str; 4] = ["/proc", "/sys", "/dev", "/var/lib/tenantry"];
    let inside = |folder: &str| {
        text.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let Some(parts) = text.strip_prefix('/') else { return false };
    text.len() <= 1024
        && !text.contains(char::is_control)
        && parts.split('/').all(|part| !matches!(part, "" | "." | "..") && part.len() <= 200)
        && !FOREIGN.iter().any(|folder| inside(folder))
}

fn is_public_key(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let known = words.next().is_some_and(|kind| {
        ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| kind.starts_with(start))
    });
    known
        && words.next().is_some_and(|key| {
            key.starts_with("AAAA") && key.len() >= 68 && all(key, "+/=", u8::is_ascii_alphabetic)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr<Err = Unfit>>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(text.parse::<T>().is_ok(), "{text}");
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_what_a_machine_can_be_told() {
        check::<AbsolutePath>(
            &["/etc/nginx/nginx.conf", "/srv/it's here", "/procedures"],
            &["etc", "/", "/etc/", "/a//b", "/a/../etc/shadow", "/proc/1", "/dev", "/a\nb"],
        );
        check::<AbsolutePath>(&[], &["/var/lib/tenantry/inventory.json"]);
        check::<Account>(&["kkt", "_apt", "a-1"], &["", "-a", "Root", "1a", "a b", "a;b"]);
        check::<PackageName>(&["nginx", "g++-12"], &["-y", "n", "nginx=1", "Nginx"]);
        check::<PackageVersion>(&["1:2.3~rc1-4+deb12u1"], &["v1", "1 2", "-1"]);
        check::<UnitFileName>(
            &["nginx.service", "kkt@2.timer"],
            &["nginx", ".service", "-a.service", "a/b.service", "a.conf"],
        );
        check::<SysctlKey>(&["net.ipv4.ip_forward"], &["net", "net..a", "-w.a=1", "a.b c"]);
        check::<FileMode>(&["0644", "755", "4755"], &["0999", "64", "u+x", "01777x"]);
        check::<HttpAddress>(&["http://127.0.0.1:8000/a?b=c"], &["ftp://a", "http://a b", "a"]);
    }

    #[test]
    fn a_mode_is_compared_as_stat_prints_it() {
        let digits = |text: &str| text.parse::<FileMode>().unwrap().digits().to_owned();
        assert_eq!([digits("0644"), digits("0000"), digits("1777")], ["644", "0", "1777"]);
    }
}
