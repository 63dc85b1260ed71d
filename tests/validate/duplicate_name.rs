//! `duplicate-name`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_name_stands_for_one_document() {
    let repository = repository().with(
        "packages/other.yaml",
        &document("Package", "basic", "product: shop\ntitle: Other\nruns: entitlement\n"),
    );
    insta::assert_snapshot!(repository.said(), @"
    packages/other.yaml:4:9 error duplicate-name: there is another package `basic`
      packages/basic.yaml:4:9 the other one
      help: rename or remove one of the two
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_subscription_has_its_name_within_its_tenant() {
    let repository = repository().with(
        "tenants/acme/zweitens.yaml",
        &document("Subscription", "shop", "tenant: acme\npackage: basic\nstarts: 2026-01-01\n"),
    );
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/zweitens.yaml:4:9 error duplicate-name: `acme` has another subscription `shop`
      tenants/acme/shop.yaml:4:9 the other one
      help: rename or remove one of the two
    held: acme; valid: globex
    ");
}

#[test]
fn there_is_one_platform() {
    let repository = repository().with(
        "second.yaml",
        &document(
            "Platform",
            "second",
            "domain: a.example\ntimeZone: Asia/Jakarta\ncurrency: USD\n",
        ),
    );
    insta::assert_snapshot!(repository.said(), @"
    second.yaml:4:9 error duplicate-name: there is another platform
      platform.yaml:4:9 the other one
      help: join the two: a repository has one
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_second_platform_in_a_customers_folder_holds_only_that_customer() {
    let repository = repository().with(
        "tenants/acme/platform.yaml",
        &document("Platform", "mine", "domain: a.example\ntimeZone: Asia/Jakarta\ncurrency: USD\n"),
    );
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/platform.yaml:2:7 warning document-outside-folder: a platform serves everybody, and stands in the folder of `acme`
      help: move it out of `tenants/`: whoever may change that folder may change this platform
    tenants/acme/platform.yaml:4:9 error duplicate-name: there is another platform
      platform.yaml:4:9 the other one
      help: join the two: a repository has one
    held: acme; valid: globex
    ");
}
