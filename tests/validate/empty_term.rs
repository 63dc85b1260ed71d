//! `empty-term`.

use super::repository::repository;

#[test]
fn a_period_has_a_length() {
    let repository = repository().adding("packages/basic.yaml", "period: 0 days");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:19:11 error empty-term: `0 days` is no time at all
      help: write a length, such as `30 days` or `1 month`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn what_waits_for_approval_waits_for_a_while() {
    let repository = repository().adding("platform.yaml", "payments: { approveWithin: 0 days }");
    insta::assert_snapshot!(repository.said(), @"
    platform.yaml:10:30 error empty-term: `0 days` is no time at all
      help: write a length, such as `30 days` or `1 month`
    held: acme, globex; valid: nobody
    ");
}
