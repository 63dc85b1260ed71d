//! Who is held, who is not, and what absence proves.

use super::repository::document;
use super::repository::repository;

#[test]
fn where_nothing_is_wrong_everybody_is_valid() {
    insta::assert_snapshot!(repository().said(), @"held: nobody; valid: acme, globex");
}

#[test]
fn a_tenant_whose_files_cannot_be_read_is_held_and_not_gone() {
    let repository = repository()
        .with("tenants/acme/tenant.yaml", "apiVersion: [\n")
        .with("tenants/acme/shop.yaml", "a: 1\na: 2\n");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:2:1 error unreadable-yaml: the key `a` stands twice in one map
      help: remove one of the two
    tenants/acme/tenant.yaml:1:13 error unreadable-yaml: unclosed bracket '['
      help: check the indentation, the colons and the quotes around here
    held: acme; valid: globex
    ");
}

#[test]
fn a_broken_file_of_one_tenant_leaves_the_others_alone() {
    let repository = repository().changed("tenants/acme/shop.yaml", "package:", "packet:");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:7:3 error unknown-field: there is no field `packet` here
      help: use one of `tenant`, `package`, `subdomain`, `domains`, `starts`, `paidThrough`, `cancelAtPeriodEnd`, `holds`, `overrides`, `addOns`, `restarts`, `rotations`
    held: acme; valid: globex
    ");
}

#[test]
fn while_a_file_that_could_be_anybodys_is_not_read_absence_proves_nothing() {
    let repository = repository().with("more.yaml", "kind: [\n");
    insta::assert_snapshot!(repository.said(), @"
    more.yaml:1:7 error unreadable-yaml: unclosed bracket '['
      help: check the indentation, the colons and the quotes around here
    held: nobody; valid: acme, globex; absence proves nothing
    ");
}

#[test]
fn a_broken_document_that_names_its_tenant_holds_it() {
    let elsewhere =
        document("Subscription", "blog", "tenant: acme\npackage: basic\nstart: 2026-01-01\n");
    let repository = repository().with("more.yaml", &elsewhere);
    insta::assert_snapshot!(repository.said(), @"
    more.yaml:8:3 error unknown-field: there is no field `start` here
      help: did you mean `starts`?
    held: acme; valid: globex
    ");
}

#[test]
fn a_broken_host_leaves_its_tenant_alone() {
    let host = document("Host", "h1", "tenant: acme\naddress: 203.0.113.1\n");
    let repository = repository().with("tenants/acme/host.yaml", &host);
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/host.yaml:6:3 error missing-field: the field `hostKeys` is missing
      help: add `hostKeys`
    held: host/h1; valid: acme, globex
    ");
}

#[test]
fn what_nobody_subscribed_to_holds_nobody() {
    let spare = document("Package", "spare", "product: shop\ntitle: Spare\nruns: cluster\n");
    let repository = repository().with("packages/spare.yaml", &spare);
    insta::assert_snapshot!(repository.said(), @"
    packages/spare.yaml:8:9 error placement-mismatch: a package that runs on a cluster says where
      help: add `placement`, with `templates` and `namespacePrefix`
    packages/spare.yaml:8:9 warning placement-mismatch: nothing runs for this package
      help: add `components`, or write `runs: entitlement`
    held: nobody; valid: acme, globex
    ");
}

#[test]
fn the_reason_is_the_first_finding_in_words() {
    let checked = repository().changed("packages/basic.yaml", "cluster", "claster").checked();
    let reasons: Vec<String> =
        checked.held.iter().map(|(unit, reason)| format!("{unit}: {reason}")).collect();
    insta::assert_snapshot!(reasons.join("\n"), @"
    acme: packages/basic.yaml:9: `claster` is not known here
    globex: packages/basic.yaml:9: `claster` is not known here
    ");
}
