//! Names that are valid by construction: a value of these types needs no second look.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de;

/// The name of a document: 1 to 40 of `a-z`, `0-9` and `-`, starting with a letter.
///
/// Forty leaves room for a prefix and a suffix inside the 63 characters of a DNS label.
/// A copy shares the text: with many tenants, every map of them has their names.
#[derive(Clone, Debug, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

/// What was written where a [`Name`] belongs.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a name: use 1 to 40 of a-z, 0-9 and `-`, starting with a letter and not ending with `-`"
)]
pub struct InvalidName(String);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Copies need no look at the text: maps of the same tenants are compared with each other at every
// commit.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = text.len() <= 40
            && is_dns_label(text)
            && text.starts_with(|first: char| first.is_ascii_lowercase());
        if fits { Ok(Self(text.into())) } else { Err(InvalidName(text.to_owned())) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "1 to 40 of a-z, 0-9 and `-`, starting with a letter",
            "pattern": "^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
        })
    }
}

/// Says whether the text is one label of a domain name (RFC 1123, lower case).
pub fn is_dns_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Says whether the text is a domain name of at least two labels (RFC 1123, lower case).
pub fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_dns_label)
}

/// What converges as one: a tenant with all its subscriptions, or a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub enum UnitName {
    Tenant(Name),
    Host(Name),
}

impl UnitName {
    /// The name of the tenant or host, without its kind.
    pub fn name(&self) -> &Name {
        match self {
            Self::Tenant(name) | Self::Host(name) => name,
        }
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(name) => write!(out, "{name}"),
            Self::Host(name) => write!(out, "host/{name}"),
        }
    }
}

impl From<UnitName> for String {
    fn from(unit: UnitName) -> Self {
        unit.to_string()
    }
}

impl FromStr for UnitName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.strip_prefix("host/") {
            Some(host) => Ok(Self::Host(host.parse()?)),
            None => Ok(Self::Tenant(text.strip_prefix("tenant/").unwrap_or(text).parse()?)),
        }
    }
}

/// A subscription by its tenant and its name, which is its own only within the tenant:
/// `acme/school`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SubscriptionId {
    pub tenant: Name,
    pub name: Name,
}

/// What was given where a [`SubscriptionId`] belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a subscription: write its tenant and its name, such as `acme/school`")]
pub struct InvalidSubscription(String);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.tenant, self.name)
    }
}

impl From<SubscriptionId> for String {
    fn from(id: SubscriptionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for SubscriptionId {
    type Error = InvalidSubscription;

    fn try_from(text: String) -> Result<Self, InvalidSubscription> {
        text.parse()
    }
}

impl FromStr for SubscriptionId {
    type Err = InvalidSubscription;

    fn from_str(text: &str) -> Result<Self, InvalidSubscription> {
        let wrong = || InvalidSubscription(text.to_owned());
        let (tenant, name) = text.split_once('/').ok_or_else(wrong)?;
        match (tenant.parse(), name.parse()) {
            (Ok(tenant), Ok(name)) => Ok(Self { tenant, name }),
            _ => Err(wrong()),
        }
    }
}

/// The full id of a Git commit, in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Commit(Arc<str>);

impl Commit {
    /// Takes the id as Git prints it.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten characters: what people read.
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_dns_label_that_starts_with_a_letter() {
        for good in ["a", "acme", "acme-corp-2"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "Acme", "2fast", "-a", "a-", "a_b", "a.b", &"a".repeat(41)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_unit_reads_as_it_prints() {
        for text in ["acme", "host/kkt-1"] {
            assert_eq!(text.parse::<UnitName>().unwrap().to_string(), text);
        }
    }
}
