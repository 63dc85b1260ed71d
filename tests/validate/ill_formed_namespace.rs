//! `ill-formed-namespace`.

use super::repository::repository;

#[test]
fn a_prefix_can_begin_a_name() {
    let repository = repository().changed("packages/basic.yaml", "shop-", "Shop_");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:12:22 error ill-formed-namespace: `Shop_` cannot be what a namespace's name begins with
      help: use a-z, 0-9 and `-`, not first, such as `customer-`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_prefix_is_there() {
    let repository = repository().changed("packages/basic.yaml", "shop-", "\"\"");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:12:22 error ill-formed-namespace: without a prefix a customer's namespace could be anybody's
      help: write one, such as `customer-`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_namespace_has_at_most_63_characters() {
    let repository = repository()
        .changed("packages/basic.yaml", "shop-", "a-prefix-that-is-rather-long-already-")
        .adding("tenants/acme/shop.yaml", "subdomain: a-subdomain-that-is-longer-than-it-should");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:14 error ill-formed-namespace: the namespace `a-prefix-that-is-rather-long-already-a-subdomain-that-is-longer-than-it-should` has 78 characters, and 63 fit
      help: choose a `subdomain` of at most 26 characters
    held: acme; valid: globex
    ");
}

#[test]
fn a_shared_namespace_has_at_most_63_characters() {
    let prefix = "namespacePrefix: a-prefix-that-is-rather-long-already-\n    namespacePer: tenant";
    let repository = repository()
        .changed("packages/basic.yaml", "namespacePrefix: shop-", prefix)
        .tenant("a-tenant-with-a-name-that-is-long", "2026-03-03");
    insta::assert_snapshot!(repository.said(), @"
    tenants/a-tenant-with-a-name-that-is-long/shop.yaml:7:12 error ill-formed-namespace: the namespace `a-prefix-that-is-rather-long-already-a-tenant-with-a-name-that-is-long` has 70 characters, and 63 fit
      help: shorten the `namespacePrefix` of the package `basic`
    held: a-tenant-with-a-name-that-is-long; valid: acme, globex
    ");
}
