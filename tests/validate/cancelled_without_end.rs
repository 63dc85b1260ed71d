//! `cancelled-without-end`.

use super::repository::repository;

#[test]
fn what_is_cancelled_at_the_end_of_its_period_has_such_an_end() {
    let endless = repository().adding("tenants/acme/shop.yaml", "cancelAtPeriodEnd: true");
    insta::assert_snapshot!(endless.said(), @"
    tenants/acme/shop.yaml:9:22 error cancelled-without-end: it is cancelled at the end of its period, and has no end
      help: add `paidThrough`, the last day of the period
    held: acme; valid: globex
    ");
    let with_end = "paidThrough: 2026-12-31\ncancelAtPeriodEnd: true";
    let ended = repository().adding("tenants/acme/shop.yaml", with_end);
    insta::assert_snapshot!(ended.said(), @"held: nobody; valid: acme, globex");
}
