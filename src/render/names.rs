//! The names that follow from a subscription, and how a name is kept short.

use crate::model::Digest;
use crate::model::package::NamespacePer;
use crate::validate::ValidSubscription;

/// The longest name that leaves room for what Kubernetes appends to the names of stateful sets,
/// cron jobs and their pods.
pub(super) const LONGEST_NAME: usize = 50;
/// The longest identifier of PostgreSQL.
pub(super) const LONGEST_IDENTIFIER: usize = 63;

/// The names that follow from a subscription.
pub(super) struct Names {
    /// What tells it from others in labels: the subdomain, or its own name where a customer's
    /// subscriptions share a namespace.
    pub(super) instance: String,
    pub(super) shared: bool,
    pub(super) secret: String,
}

impl Names {
    pub(super) fn of(subscription: &ValidSubscription) -> Self {
        let package = &subscription.package.spec;
        let shared = package
            .placement
            .as_ref()
            .is_some_and(|placement| placement.namespace_per == NamespacePer::Tenant);
        let instance = if shared {
            subscription.name().as_str().to_owned()
        } else {
            subscription.document.spec.subdomain().to_owned()
        };
        let what = if package.database.is_some() { "db-credentials" } else { "credentials" };
        let secret = shortened(&format!("{instance}-{what}"), LONGEST_NAME);
        Self { instance, shared, secret }
    }

    /// The name of a component's objects. A cache carries the instance's name, as does everything
    /// in a namespace that several subscriptions share.
    pub(super) fn service(&self, component: &str, cache: bool) -> String {
        if self.shared || cache {
            shortened(&format!("{}-{component}", self.instance), LONGEST_NAME)
        } else {
            component.to_owned()
        }
    }
}

/// The text itself, or its beginning and a digest of the whole where it is too long.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let digest = Digest::of(text.as_bytes()).to_string();
    let between = if text.contains('_') { '_' } else { '-' };
    let beginning = text[..longest - 9].trim_end_matches(between);
    format!("{beginning}{between}{}", &digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_shortened_and_stays_unlike_others() {
        let long = format!("{}-backup", "a".repeat(60));
        let short = shortened(&long, 50);
        assert_eq!(short.len(), 50);
        assert!(short.starts_with("aaaa"), "{short}");
        assert_ne!(short, shortened(&format!("{}-backups", "a".repeat(60)), 50));
        assert_eq!(shortened("acme-backup", 50), "acme-backup");
    }
}
