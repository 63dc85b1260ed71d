//! `expiry-before-start`.

use super::repository::repository;

#[test]
fn a_subscription_ends_after_it_has_begun() {
    let repository = repository().adding("tenants/acme/shop.yaml", "paidThrough: 2025-12-31");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:16 error expiry-before-start: it is paid through 2025-12-31, and starts on 2026-01-01
      tenants/acme/shop.yaml:8:11 it starts here
      help: put `paidThrough` on the last day of the first period, or later
    held: acme; valid: globex
    ");
}
