//! Who asks: a person or a machine, and what they may. The tenant belongs to the role of a
//! customer, so that nobody can have the one without the other.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::error::AccountError;
use crate::model::Name;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Customer,
    Operator,
    Admin,
}

impl Role {
    pub fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Customer, Self::Operator, Self::Admin]
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or(())
    }
}

/// A role with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A customer, and whose.
    Customer(Name),
    Operator,
    Admin,
}

impl Standing {
    /// Joins what the database keeps apart. None where the two do not fit.
    pub fn of(role: Role, tenant: Option<Name>) -> Option<Self> {
        match (role, tenant) {
            (Role::Customer, Some(tenant)) => Some(Self::Customer(tenant)),
            (Role::Operator, None) => Some(Self::Operator),
            (Role::Admin, None) => Some(Self::Admin),
            _ => None,
        }
    }

    pub fn role(&self) -> Role {
        match self {
            Self::Customer(_) => Role::Customer,
            Self::Operator => Role::Operator,
            Self::Admin => Role::Admin,
        }
    }

    pub fn tenant(&self) -> Option<&Name> {
        match self {
            Self::Customer(tenant) => Some(tenant),
            Self::Operator | Self::Admin => None,
        }
    }
}

/// Reads a role and a tenant as the database keeps them.
pub(super) fn standing_of(role: &str, tenant: Option<&str>) -> Result<Standing, AccountError> {
    let tenant = tenant.map(str::parse).transpose().ok();
    role.parse().ok().zip(tenant).and_then(|(role, tenant)| Standing::of(role, tenant)).ok_or_else(
        || AccountError::Internal(format!("`{role}` does not fit what the account has")),
    )
}

/// What an API token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Whatever only reads.
    Read,
    /// Whatever changes something, but who may get in.
    Write,
}

impl Scope {
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// By what somebody was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// A person who logged in.
    Session(Uuid),
    /// A machine.
    ApiToken { id: Uuid, scopes: Vec<Scope> },
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub account: Uuid,
    pub standing: Standing,
    pub means: Means,
}

impl Principal {
    /// Whether it may use this scope. Persons may use all.
    pub fn may(&self, scope: Scope) -> bool {
        match &self.means {
            Means::Session(_) => true,
            Means::ApiToken { scopes, .. } => scopes.contains(&scope),
        }
    }

    /// The session of a person; none for a machine.
    pub fn session(&self) -> Option<Uuid> {
        match self.means {
            Means::Session(session) => Some(session),
            Means::ApiToken { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_has_a_tenant_and_nobody_else_does() {
        let tenant: Option<Name> = "acme".parse().ok();
        assert!(Standing::of(Role::Customer, tenant.clone()).is_some());
        assert_eq!(Standing::of(Role::Customer, None), None);
        assert_eq!(Standing::of(Role::Operator, tenant.clone()), None);
        assert_eq!(Standing::of(Role::Admin, tenant), None);
    }
}
