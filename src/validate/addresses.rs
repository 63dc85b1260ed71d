//! Which addresses lead somewhere already: whether a subdomain is free is answered by the same
//! names, and the same rules, by which a commit that takes it would be checked.

use std::collections::HashSet;

use super::rules::is_system;
use super::view::address;
use super::view::namespace;
use crate::model::Configuration;
use crate::model::Package;
use crate::model::Subscription;
use crate::model::names::is_dns_label;
use crate::model::package::NamespacePer;
use crate::model::package::Runs;

/// What becomes of a wish for a subdomain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    Free,
    /// It leads to somebody's subscription.
    Taken,
    /// It is the operator's.
    Reserved,
    /// It is no subdomain, or too long for what is made of it.
    IllFormed,
}

/// The addresses and namespaces of all subscriptions of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    hosts: HashSet<Box<str>>,
    namespaces: HashSet<Box<str>>,
}

impl Addresses {
    pub fn of(configuration: &Configuration) -> Self {
        let mut addresses = Self::default();
        let subscriptions = configuration.subscriptions.values().flat_map(|of| of.values());
        for subscription in subscriptions.map(|document| &document.spec) {
            addresses
                .hosts
                .extend(hosts(configuration, subscription).into_iter().map(String::into_boxed_str));
            let package = configuration.packages.get(&subscription.package);
            if let Some(placement) = package.and_then(|package| package.spec.placement.as_ref()) {
                let (subdomain, tenant) = (subscription.subdomain(), subscription.tenant.as_str());
                addresses.namespaces.insert(namespace(placement, subdomain, tenant).into());
            }
        }
        addresses
    }

    /// Whether a subdomain is free for a package; without one, whether it is for every package.
    pub fn subdomain(
        &self,
        configuration: &Configuration,
        package: Option<&Package>,
        subdomain: &str,
    ) -> Availability {
        if !is_dns_label(subdomain) {
            return Availability::IllFormed;
        }
        let packages: Vec<&Package> = match package {
            Some(package) => vec![package],
            None => configuration.packages.values().map(|package| &package.spec).collect(),
        };
        packages
            .into_iter()
            .map(|package| self.for_package(configuration, package, subdomain))
            .find(|availability| *availability != Availability::Free)
            .unwrap_or(Availability::Free)
    }

    fn for_package(
        &self,
        configuration: &Configuration,
        package: &Package,
        subdomain: &str,
    ) -> Availability {
        if package.runs != Runs::Cluster {
            return Availability::Free;
        }
        let platform = configuration.platform.as_ref().map(|platform| &platform.spec);
        if platform.is_some_and(|platform| platform.reserved_subdomains.contains(subdomain)) {
            return Availability::Reserved;
        }
        let Some(placement) = &package.placement else { return Availability::Free };
        // Whose tenant it will be is not known here; where a name needs it, the tenant's own name
        // is what makes it unique.
        if let Some(pattern) = &placement.hostname {
            let host = address(pattern, subdomain, subdomain, domain(configuration));
            if host.len() > 253 {
                return Availability::IllFormed;
            }
            if self.hosts.contains(host.as_str()) {
                return Availability::Taken;
            }
        }
        if placement.namespace_per == NamespacePer::Subdomain {
            let namespace = namespace(placement, subdomain, subdomain);
            if namespace.len() > 63 {
                return Availability::IllFormed;
            }
            if configuration
                .clusters
                .values()
                .any(|cluster| is_system(&namespace, Some(&cluster.spec)))
            {
                return Availability::Reserved;
            }
            if self.namespaces.contains(namespace.as_str()) {
                return Availability::Taken;
            }
        }
        Availability::Free
    }
}

/// The addresses of a subscription: the public one first, then the customer's own.
pub fn hosts(configuration: &Configuration, subscription: &Subscription) -> Vec<String> {
    let placement = configuration
        .packages
        .get(&subscription.package)
        .and_then(|package| package.spec.placement.as_ref());
    let public = placement.and_then(|placement| placement.hostname.as_ref()).map(|pattern| {
        let tenant = subscription.tenant.as_str();
        address(pattern, subscription.subdomain(), tenant, domain(configuration))
    });
    public.into_iter().chain(subscription.domains.iter().cloned()).collect()
}

fn domain(configuration: &Configuration) -> &str {
    configuration.platform.as_ref().map_or("", |platform| &platform.spec.domain)
}
