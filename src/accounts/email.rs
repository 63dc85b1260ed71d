//! Mail addresses.

use std::fmt;
use std::str::FromStr;

use super::error::Invalid;
use crate::model::names::is_dns_label;

/// An address that mail can be sent to, as far as its form tells: RFC 5321 without quoting and
/// without address literals, which nobody uses to buy anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// As the person wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes it one address. The part before the `@` may differ by case in theory; two people
    /// who differ by that are the same person in practice.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// The part before the `@`.
    pub fn local(&self) -> &str {
        self.0.split_once('@').map_or(&self.0, |(local, _)| local)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for Email {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let local_fits = |local: &str| {
            (1..=64).contains(&local.len())
                && local.split('.').all(|atom| {
                    !atom.is_empty()
                        && atom.chars().all(|letter| {
                            letter.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(letter)
                        })
                })
        };
        let domain_fits = |domain: &str| {
            domain.len() <= 253
                && domain.contains('.')
                && domain.to_ascii_lowercase().split('.').all(is_dns_label)
        };
        let fits = text.len() <= 254
            && text
                .rsplit_once('@')
                .is_some_and(|(local, domain)| local_fits(local) && domain_fits(domain));
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(
            "email",
            "this is not a mail address",
            "write it as in `ada@example.com`, in ASCII, with at most 254 characters",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_is_none() {
        for good in ["a@b.co", "Ada.Lovelace+school@Example.COM", "o'neil@mail.example"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            ".ada@example.com",
            "ada@exa_mple.com",
            "ada@example.com\r\nBcc: all@example.com",
            "\"ada\"@example.com",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        assert!(long.parse::<Email>().is_err());
    }

    #[test]
    fn case_makes_no_second_address() {
        let key = |text: &str| text.parse::<Email>().unwrap().key();
        assert_eq!(key("Ada@Example.com"), key("ada@example.COM"));
    }
}
