//! `ill-formed-hostname`.

use super::repository::repository;

#[test]
fn a_hostname_makes_a_domain() {
    let repository =
        repository().changed("packages/basic.yaml", "{subdomain}.{domain}", "{subdomain}.{zone}");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:13:15 error ill-formed-hostname: `{subdomain}.{zone}` does not make a domain
      help: write it such as `{subdomain}.shop.{domain}`: `{subdomain}`, `{tenant}` and `{domain}` are filled in
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_hostname_is_each_customers_own() {
    let repository =
        repository().changed("packages/basic.yaml", "{subdomain}.{domain}", "shop.{domain}");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:13:15 error ill-formed-hostname: `shop.{domain}` gives several subscriptions one address
      help: put `{subdomain}` into it
    tenants/globex/shop.yaml:6:11 error domain-taken: `shop.shops.example` leads to subscription `shop` of `acme`
      tenants/acme/shop.yaml:6:11 taken here
      help: choose another `subdomain` or domain
    held: acme, globex; valid: nobody
    ");
}
