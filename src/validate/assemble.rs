//! From a customer without findings to a tenant that may converge.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sold::sold_limits;
use super::sold::sold_quota;
use super::valid::ValidComponent;
use super::valid::ValidNamespace;
use super::valid::ValidSubscription;
use super::valid::ValidTenant;
use super::view::Customer;
use super::view::Offer;
use super::view::OfferedPart;
use super::view::Purchase;
use crate::model::Document;
use crate::model::Name;
use crate::model::Platform;
use crate::model::Subscription;
use crate::model::UnitName;
use crate::model::package::Runs;
use crate::model::subscription::ComponentOverride;

/// Makes the tenant, or says what it lacks.
pub(super) fn tenant(
    customer: &Customer<'_>,
    platform: Option<&Arc<Document<Platform>>>,
) -> Result<ValidTenant, String> {
    let missing = |kind: &str, name: &Name| format!("the {kind} `{name}` could not be read");
    let mut namespaces: BTreeMap<&str, Vec<ValidSubscription>> = BTreeMap::new();
    for purchase in &customer.subscriptions {
        let package = &purchase.document.spec.package;
        let offer = purchase.offer.ok_or_else(|| missing("package", package))?;
        if let Some(component) = offer.missing {
            return Err(missing("component", component));
        }
        if offer.package.spec.runs == Runs::Cluster {
            let namespace =
                purchase.namespace.as_deref().ok_or_else(|| missing("package", package))?;
            namespaces.entry(namespace).or_default().push(subscription(purchase, offer));
        }
    }
    let chosen = customer.tenant.and_then(|tenant| tenant.spec.cluster.as_ref());
    Ok(ValidTenant {
        unit: UnitName::Tenant(customer.name.clone()),
        platform: Arc::clone(platform.ok_or("there is no platform")?),
        tenant: Arc::clone(customer.tenant.ok_or_else(|| missing("tenant", customer.name))?),
        cluster: Arc::clone(customer.cluster.ok_or_else(|| match chosen {
            Some(chosen) => missing("cluster", chosen),
            None => "there is no cluster".to_owned(),
        })?),
        namespaces: namespaces
            .into_iter()
            .map(|(name, subscriptions)| ValidNamespace { name: name.to_owned(), subscriptions })
            .collect(),
    })
}

fn subscription(purchase: &Purchase<'_>, offer: &Offer<'_>) -> ValidSubscription {
    let package = &offer.package.spec;
    let bought = &purchase.document.spec;
    ValidSubscription {
        document: Arc::clone(purchase.document),
        package: Arc::clone(offer.package),
        hosts: purchase.hosts.clone(),
        components: components(bought, offer),
        cache: offer.cache.map(Arc::clone),
        quota: sold_quota(package, bought),
        limits: sold_limits(package, bought),
    }
}

/// The package's components as this subscription runs them.
fn components(bought: &Subscription, offer: &Offer<'_>) -> Vec<Arc<ValidComponent>> {
    let changes = &bought.overrides.components;
    let shared = offer.parts.iter().zip(&offer.components);
    shared
        .map(|(part, shared)| match changes.get(&part.component.name) {
            None => Arc::clone(shared),
            change => Arc::new(component_of(part, change)),
        })
        .collect()
}

/// A component as it runs, with what a subscription changes.
pub(super) fn component_of(
    part: &OfferedPart<'_>,
    change: Option<&ComponentOverride>,
) -> ValidComponent {
    let component = &part.component.spec;
    let image = change.and_then(|change| change.image.as_ref()).unwrap_or(&component.image);
    let resources =
        change.and_then(|change| change.resources.as_ref()).unwrap_or(&component.resources);
    ValidComponent {
        document: Arc::clone(part.component),
        replicas: change.and_then(|change| change.replicas).unwrap_or(part.replicas),
        image: image.clone(),
        resources: resources.clone(),
    }
}
