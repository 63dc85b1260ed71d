//! `domain-taken`.

use super::repository::repository;

#[test]
fn who_started_first_keeps_an_address() {
    let repository = repository()
        .adding("tenants/acme/shop.yaml", "subdomain: store")
        .adding("tenants/globex/shop.yaml", "subdomain: store");
    insta::assert_snapshot!(repository.said(), @"
    tenants/globex/shop.yaml:9:14 error domain-taken: `store.shops.example` leads to subscription `shop` of `acme`
      tenants/acme/shop.yaml:9:14 taken here
      help: choose another `subdomain` or domain
    tenants/globex/shop.yaml:9:14 error foreign-namespace: the namespace `shop-store` belongs to `acme`
      tenants/acme/shop.yaml:9:14 it belongs to this one
      help: choose another `subdomain`, or have the operator change the package's `namespacePrefix`
    held: globex; valid: acme
    ");
}

#[test]
fn a_custom_domain_leads_to_one_subscription() {
    let repository = repository()
        .adding("tenants/acme/shop.yaml", "domains: [www.acme.example]")
        .adding("tenants/globex/shop.yaml", "domains: [globex.example, www.acme.example]");
    insta::assert_snapshot!(repository.said(), @"
    tenants/globex/shop.yaml:9:29 error domain-taken: `www.acme.example` leads to subscription `shop` of `acme`
      tenants/acme/shop.yaml:9:13 taken here
      help: choose another `subdomain` or domain
    held: globex; valid: acme
    ");
}

#[test]
fn of_two_who_start_on_one_day_none_gets_it() {
    let repository = repository()
        .adding("tenants/acme/shop.yaml", "domains: [a.example]")
        .tenant("zeta", "2026-01-01")
        .adding("tenants/zeta/shop.yaml", "domains: [a.example]");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:13 error domain-taken: `a.example` leads to subscription `shop` of `zeta`
      tenants/zeta/shop.yaml:9:13 taken here
      help: choose another `subdomain` or domain
    tenants/zeta/shop.yaml:9:13 error domain-taken: `a.example` leads to subscription `shop` of `acme`
      tenants/acme/shop.yaml:9:13 taken here
      help: choose another `subdomain` or domain
    held: acme, zeta; valid: globex
    ");
}

#[test]
fn an_address_stands_once_in_a_list() {
    let repository =
        repository().adding("tenants/acme/shop.yaml", "domains: [a.example, a.example]");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:24 error domain-taken: `a.example` stands here twice
      tenants/acme/shop.yaml:9:13 taken here
      help: choose another `subdomain` or domain
    held: acme; valid: globex
    ");
}
