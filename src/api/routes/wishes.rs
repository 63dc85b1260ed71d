//! What somebody wishes to have, as bodies say it and as the model has it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::accounts::Person;
use crate::api::catalog::View;
use crate::api::problem::Problem;
use crate::model;
use crate::model::Name;
use crate::model::quantity::Quantity;
use crate::model::subscription::Overrides;
use crate::model::tax::Party;
use crate::model::tenant::Contact;
use crate::model::tenant::Language;
use crate::model::tenant::Role;
use crate::operations::pricing::Wish;

/// How many entries one wish has at most, of each kind.
const MOST: usize = 50;

/// More or less than the package has.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Amounts {
    /// The package's quota by its own names, such as `requests.cpu`.
    #[schema(value_type = BTreeMap<String, String>)]
    quota: BTreeMap<String, Quantity>,
    /// What is sold by number, such as `users`.
    #[schema(value_type = BTreeMap<String, String>)]
    limits: BTreeMap<String, Quantity>,
    /// How many replicas of a component run.
    #[schema(value_type = BTreeMap<String, u16>)]
    components: BTreeMap<Name, u16>,
}

impl Amounts {
    /// These in the place of those that a customer may choose; what an operator set stays.
    pub(super) fn over(self, now: Option<&Overrides>) -> Overrides {
        let mut components = now.map(|now| now.components.clone()).unwrap_or_default();
        for change in components.values_mut() {
            change.replicas = None;
        }
        for (name, replicas) in self.components {
            components.entry(name).or_default().replicas = Some(replicas);
        }
        components.retain(|_, change| {
            change.replicas.is_some() || change.image.is_some() || change.resources.is_some()
        });
        Overrides { quota: self.quota, limits: self.limits, components }
    }
}

/// A package with what is more or less than in it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    #[schema(value_type = String)]
    pub(super) package: Name,
    /// How many of each add-on.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, u16>)]
    pub(super) add_ons: BTreeMap<Name, u16>,
    #[serde(default)]
    pub(super) amounts: Amounts,
}

impl Chosen {
    /// As it is priced and written, in the place of what there is.
    pub(super) fn wish(self, now: Option<&Overrides>) -> Result<Wish, Problem> {
        let Self { package, mut add_ons, amounts } = self;
        let sizes = [
            ("add_ons", add_ons.len()),
            ("amounts.quota", amounts.quota.len()),
            ("amounts.limits", amounts.limits.len()),
            ("amounts.components", amounts.components.len()),
        ];
        if let Some((field, _)) = sizes.into_iter().find(|(_, many)| *many > MOST) {
            return Err(Problem::field(
                field,
                format!("it has more than {MOST} entries"),
                "leave some out",
            ));
        }
        add_ons.retain(|_, count| *count > 0);
        Ok(Wish { package, add_ons, overrides: amounts.over(now) })
    }
}

/// Who buys, as the invoice names them.
pub(super) fn buyer(view: &View, tenant: &Name, person: &Person) -> Party {
    let known = view.configuration.tenants.get(tenant);
    let name = known.map(|known| known.spec.organisation.clone());
    Party {
        name: name.unwrap_or_else(|| organisation(person).to_owned()),
        address: vec![person.email.clone()],
        tax_id: None,
    }
}

fn organisation(person: &Person) -> &str {
    if person.organisation.is_empty() { &person.name } else { &person.organisation }
}

/// The document of a customer who orders for the first time. Its cluster is chosen when it is
/// committed.
pub(super) fn new_tenant(person: &Person) -> model::Tenant {
    let language = match person.language.as_str() {
        "vi" => Language::Vi,
        "id" => Language::Id,
        "ru" => Language::Ru,
        _ => Language::En,
    };
    model::Tenant {
        organisation: organisation(person).to_owned(),
        contacts: vec![Contact { email: person.email.clone(), role: Role::Admin }],
        language,
        cluster: None,
        branding: None,
        billing_account: None,
        purged: BTreeSet::new(),
    }
}

/// Refuses a region that no cluster is in, and another than that where the tenant is.
pub(super) fn check_region(view: &View, tenant: &Name, region: &str) -> Result<(), Problem> {
    let clusters = &view.configuration.clusters;
    let regions: BTreeSet<&str> =
        clusters.values().filter_map(|cluster| cluster.spec.region.as_deref()).collect();
    if !regions.contains(region) {
        let known: Vec<&str> = regions.into_iter().collect();
        let help = format!("leave it out, or choose one of: {}", known.join(", "));
        return Err(Problem::field("region", "there is no such region", help));
    }
    let document = view.configuration.tenants.get(tenant);
    let own = document.and_then(|document| clusters.get(document.spec.cluster.as_ref()?));
    match own {
        Some(own) if own.spec.region.as_deref() != Some(region) => {
            let message = "what you have runs elsewhere, and does not move";
            Err(Problem::field("region", message, "leave it out"))
        }
        _ => Ok(()),
    }
}
