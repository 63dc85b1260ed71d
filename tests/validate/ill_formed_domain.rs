//! `ill-formed-domain`.

use super::repository::repository;

#[test]
fn domains_are_what_dns_can_carry() {
    let repository = repository().adding("tenants/acme/shop.yaml", "subdomain: Big_Shop\ndomains: [https://acme.example, \"*.acme.example\", Acme.example, münchen.example, localhost]");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:14 error ill-formed-domain: `Big_Shop` is not a subdomain
      help: use 1 to 63 of a-z, 0-9 and `-`, neither first nor last
    tenants/acme/shop.yaml:10:13 error ill-formed-domain: `https://acme.example` is not a domain
      help: write the name alone, such as `school.example.com`
    tenants/acme/shop.yaml:10:35 error ill-formed-domain: `*.acme.example` is not a domain
      help: write out each name: a wildcard would take names of others
    tenants/acme/shop.yaml:10:53 error ill-formed-domain: `Acme.example` is not a domain
      help: write it in lower case
    tenants/acme/shop.yaml:10:67 error ill-formed-domain: `münchen.example` is not a domain
      help: write it as DNS has it, with `xn--…` for letters beyond a-z
    tenants/acme/shop.yaml:10:84 error ill-formed-domain: `localhost` is not a domain
      help: write a name of at least two parts, such as `school.example.com`
    held: acme; valid: globex
    ");
}

#[test]
fn the_platform_has_a_domain() {
    let repository =
        repository().changed("platform.yaml", "domain: shops.example", "domain: shops");
    insta::assert_snapshot!(repository.said(), @"
    platform.yaml:6:11 error ill-formed-domain: `shops` is not a domain
      help: write a name of at least two parts, such as `school.example.com`
    held: acme, globex; valid: nobody
    ");
}
