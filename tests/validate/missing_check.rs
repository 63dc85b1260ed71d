//! `missing-check`.

use super::repository::repository;

#[test]
fn where_nothing_verifies_nothing_can_be_verified() {
    insta::assert_snapshot!(repository().task("verify", "").said(), @"
    tenants/acme/now.yaml:8:11 error missing-check: the package `basic` has no jobs that verify anything
      help: add a job with `stage: verify` to the package, or remove the task
    held: acme; valid: globex
    ");
    let verified = repository().adding(
        "packages/basic.yaml",
        "jobs:\n  - { name: look, stage: verify, image: \"example/look:1.0\" }",
    );
    assert_eq!(verified.task("verify", "").said(), repository().said());
}
