//! The order of documents and files does not matter.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tenantry::reconcile::desired::Desired;
use tenantry::reconcile::desired::advance;

use super::desired;
use super::snapshot;
use super::time;
use crate::support::business::Business;
use crate::support::business::any_business;

/// Where a document may stand: what is a tenant's in the tenant's folder, the rest anywhere.
const PLACES: &[&str] = &["a.yaml", "m.yml", "z.yaml", "0/b.yaml", "z/deep/er/c.yaml"];

/// The same documents, in other files and in another order.
fn shuffled(business: &Business, order: &[usize], places: &[usize]) -> Business {
    let mut documents: Vec<(&String, &String)> = business.files.iter().collect();
    let mut order = order.iter().cycle().copied();
    documents.sort_by_cached_key(|_| order.next());
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for ((path, text), place) in documents.into_iter().zip(places.iter().cycle()) {
        let folder = match path.split('/').collect::<Vec<_>>()[..] {
            ["tenants", tenant, ..] => format!("tenants/{tenant}/"),
            _ => String::new(),
        };
        let place = PLACES[place % PLACES.len()];
        files.entry(format!("{folder}{place}")).or_default().push(text);
    }
    let files = files.into_iter().map(|(path, texts)| (path, texts.join("---\n"))).collect();
    let mut shuffled = business.clone();
    shuffled.files = files;
    shuffled
}

/// Everything that may come of it, but places.
fn outcome(desired: &Desired) -> impl PartialEq + std::fmt::Debug + use<> {
    let units = desired.units.values().map(|unit| {
        (
            unit.unit.clone(),
            unit.cluster.clone(),
            unit.digest,
            unit.outlines.to_vec(),
            unit.phases.clone(),
            unit.next_change,
        )
    });
    units.collect::<Vec<_>>()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_documents_and_files_does_not_matter(
        business in any_business(),
        order in Just((0..64).collect::<Vec<usize>>()).prop_shuffle(),
        places in proptest::collection::vec(0..PLACES.len(), 64),
    ) {
        let there = desired(&business);
        let elsewhere = shuffled(&business, &order, &places);
        prop_assert_eq!(outcome(&desired(&elsewhere)), outcome(&there));
        // A commit that moves documents about asks for nothing else.
        let moved = advance(Some(&there), &snapshot(&elsewhere), time(&elsewhere));
        prop_assert_eq!(outcome(&moved), outcome(&there));
        prop_assert!(moved.held.is_empty(), "{:?}", moved.held);
    }
}
