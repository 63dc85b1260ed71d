//! `reserved-domain`.

use super::repository::repository;

#[test]
fn some_names_are_the_operators() {
    let repository = repository().adding(
        "tenants/acme/shop.yaml",
        "subdomain: admin\ndomains: [login.shops.example, shops.example, acme.example]",
    );
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:14 error reserved-domain: the subdomain `admin` is reserved
      platform.yaml:9:3 reserved here
      help: choose another `subdomain`
    tenants/acme/shop.yaml:10:13 error reserved-domain: `login.shops.example` is under `shops.example`, which is not the customer's
      help: names under our domains come from `subdomain` alone
    tenants/acme/shop.yaml:10:34 error reserved-domain: `shops.example` is under `shops.example`, which is not the customer's
      help: names under our domains come from `subdomain` alone
    held: acme; valid: globex
    ");
}
