//! `missing-platform`.

use super::repository::repository;

#[test]
fn without_a_platform_nothing_is_valid() {
    let repository = repository().without("platform.yaml");
    insta::assert_snapshot!(repository.said(), @"
    platform.yaml:0:0 error missing-platform: there is no platform
      help: add a document of the kind `Platform`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_broken_platform_is_not_told_twice() {
    let repository = repository().changed("platform.yaml", "currency: USD", "currency: DOLLAR");
    insta::assert_snapshot!(repository.said(), @"
    platform.yaml:8:13 error wrong-value: `DOLLAR` is not a currency: write the three capital letters of ISO 4217, such as USD
    held: acme, globex; valid: nobody
    ");
}
