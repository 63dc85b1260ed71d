//! Who keeps its last good state, and why.

use std::collections::HashMap;

use super::findings::Subject;
use super::view::Customer;
use super::view::Offers;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Severity;
use crate::model::UnitName;

/// The first reason against each subject of a finding.
pub(super) struct Reasons(HashMap<Subject, String>);

impl Reasons {
    /// Of findings in the order they are shown.
    pub(super) fn of(findings: &[(Finding, Vec<Subject>)], offers: &Offers<'_>) -> Self {
        let mut reasons = HashMap::new();
        for (finding, subjects) in findings {
            if finding.severity == Severity::Error {
                for subject in subjects {
                    reasons.entry(subject.clone()).or_insert_with(|| in_words(finding));
                }
            }
        }
        let mut reasons = Self(reasons);
        if !reasons.0.is_empty() {
            reasons.spread_to_packages(offers);
        }
        reasons
    }

    /// A package is as good as the components it is made of.
    fn spread_to_packages(&mut self, offers: &Offers<'_>) {
        for offer in offers.values() {
            let package = &offer.package.spec;
            let parts = package.components.iter().map(|part| &part.component);
            let cache = package.cache.iter().map(|cache| &cache.component);
            let broken = parts
                .chain(cache)
                .find_map(|component| self.0.get(&Subject::Component(component.clone())));
            if let Some(reason) = broken.cloned() {
                self.0.entry(Subject::Package(offer.package.name.clone())).or_insert(reason);
            }
        }
    }

    /// Whether nobody is held for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of_platform(&self) -> Option<&str> {
        self.of_subject(&Subject::Platform)
    }

    fn of_subject(&self, subject: &Subject) -> Option<&str> {
        self.0.get(subject).map(String::as_str)
    }

    /// Why a customer is held: for something of their own, or for what they depend on.
    pub(super) fn of_customer(&self, customer: &Customer<'_>) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let cluster: Option<&Name> = customer
            .tenant
            .and_then(|tenant| tenant.spec.cluster.as_ref())
            .or(customer.cluster.map(|cluster| &cluster.name));
        let packages =
            customer.subscriptions.iter().map(|purchase| &purchase.document.spec.package);
        self.of_subject(&Subject::tenant(customer.name))
            .or_else(|| self.of_platform())
            .or_else(|| self.of_subject(&Subject::Cluster(cluster?.clone())))
            .or_else(|| {
                packages
                    .into_iter()
                    .find_map(|package| self.of_subject(&Subject::Package(package.clone())))
            })
    }

    /// Units that have a reason of their own, whether or not they have a document.
    pub(super) fn of_units(&self) -> impl Iterator<Item = (&UnitName, &str)> {
        self.0.iter().filter_map(|(subject, reason)| match subject {
            Subject::Unit(unit) => Some((unit, reason.as_str())),
            _ => None,
        })
    }
}

fn in_words(finding: &Finding) -> String {
    let place = &finding.place;
    match place.line {
        0 => format!("{}: {}", place.file, finding.message),
        line => format!("{}:{line}: {}", place.file, finding.message),
    }
}
