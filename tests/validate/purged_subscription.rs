//! `purged-subscription`.

use super::repository::repository;

#[test]
fn what_is_there_is_not_purged() {
    let purged = |name: &str| {
        repository().adding("tenants/acme/tenant.yaml", &format!("purged: [{name}]")).said()
    };
    insta::assert_snapshot!(purged("shop"), @"
    tenants/acme/tenant.yaml:10:3 error purged-subscription: nothing is kept of `shop`, and there is such a subscription
      tenants/acme/shop.yaml:4:9 it is here
      help: remove `shop` from `purged`, or the subscription
    held: acme; valid: globex
    ");
    assert_eq!(purged("blog"), repository().said());
}
