//! The order of files and documents changes nothing but places.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use tenantry::model::Configuration;
use tenantry::model::Snapshot;
use tenantry::model::read;
use tenantry::validate::check;

use super::repository::Repository;
use super::repository::document;
use super::repository::repository;
use super::repository::templates;

/// Something of everything: good tenants, broken ones, and findings that concern several.
fn mixed() -> Repository {
    repository()
        .tenant("initech", "2026-03-03")
        .adding("tenants/initech/shop.yaml", "subdomain: acme")
        .tenant("umbrella", "2026-01-01")
        .adding("tenants/umbrella/shop.yaml", "domains: [x.example, x.example]")
        .tenant("hooli", "2026-04-04")
        .changed("tenants/hooli/shop.yaml", "package: basic", "package: basix")
        .tenant("vandelay", "2026-05-05")
        .changed("tenants/vandelay/tenant.yaml", "language: en", "language: xx")
        .with(
            "packages/spare.yaml",
            &document("Package", "spare", "product: shop\ntitle: Spare\nruns: cluster\n"),
        )
        .with(
            "tenants/acme/notes.yaml",
            &document(
                "Subscription",
                "notes",
                "tenant: globex\npackage: basic\nstarts: 2026-01-01\nsubdomain: notes\n",
            ),
        )
}

/// What must not depend on the order: findings without their places, and who is what.
fn outcome(
    snapshot: &Snapshot,
    files: Vec<Arc<read::FileDocuments>>,
) -> impl PartialEq + std::fmt::Debug {
    let checked = check(&Configuration::of(files), snapshot, &templates());
    let mut findings: Vec<_> = checked
        .findings
        .into_iter()
        .map(|finding| (finding.rule, finding.severity, finding.message, finding.help))
        .collect();
    findings.sort();
    let valid: Vec<_> = checked
        .valid
        .values()
        .flat_map(|tenant| {
            tenant.namespaces.iter().flat_map(|namespace| {
                namespace.subscriptions.iter().map(|subscription| {
                    let digests: Vec<_> = subscription
                        .components
                        .iter()
                        .map(|component| (component.document.digest, component.replicas))
                        .collect();
                    (
                        tenant.unit.clone(),
                        namespace.name.clone(),
                        subscription.hosts.clone(),
                        digests,
                    )
                })
            })
        })
        .collect();
    let held: BTreeSet<_> = checked.held.into_keys().collect();
    (findings, valid, held, checked.complete)
}

fn read_all(snapshot: &Snapshot) -> Vec<Arc<read::FileDocuments>> {
    snapshot.document_files().map(|file| Arc::new(read::read_file(file))).collect()
}

/// The folder in which a file stands: documents are shuffled within it.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_files_changes_nothing(order in Just((0..30).collect::<Vec<usize>>()).prop_shuffle()) {
        let snapshot = mixed().snapshot();
        let read = read_all(&snapshot);
        let mut shuffled: Vec<_> = order.iter().filter_map(|index| read.get(*index).cloned()).collect();
        prop_assert_eq!(shuffled.len(), read.len());
        let there = outcome(&snapshot, read);
        shuffled.reverse();
        prop_assert_eq!(outcome(&snapshot, shuffled), there);
    }

    #[test]
    fn the_order_of_documents_changes_no_more_than_places(
        order in Just((0..30).collect::<Vec<usize>>()).prop_shuffle(),
        files in proptest::collection::vec(0..3_u8, 30),
    ) {
        let snapshot = mixed().snapshot();
        let mut documents: Vec<(&str, &str)> = snapshot
            .files
            .iter()
            .map(|(path, file)| (folder(path), std::str::from_utf8(&file.content).unwrap()))
            .collect();
        documents.sort_by_key(|document| order[documents_hash(document.1) % 30]);
        let mut shuffled: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for ((folder, text), file) in documents.into_iter().zip(files) {
            let path = if folder.is_empty() { format!("{file}.yaml") } else { format!("{folder}/{file}.yaml") };
            shuffled.entry(path).or_default().push(text);
        }
        let again = Snapshot::of(
            snapshot.commit.clone(),
            shuffled.into_iter().map(|(path, texts)| (path, texts.join("---\n"))),
        );
        prop_assert_eq!(
            outcome(&again, read_all(&again)),
            outcome(&snapshot, read_all(&snapshot))
        );
    }
}

/// Any number that depends on the text alone.
fn documents_hash(text: &str) -> usize {
    text.bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
}
