//! `foreign-namespace`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_prefix_and_a_name_do_not_come_to_anothers_namespace() {
    let repository = repository().with("packages/two.yaml", &document("Package", "two", "product: shop\ntitle: Two\nruns: cluster\nplacement: { templates: shop, namespacePrefix: shop-ac, hostname: \"{subdomain}.two.{domain}\" }\ncomponents: [{ component: web }]\n")).tenant("me", "2026-03-03").changed("tenants/me/shop.yaml", "package: basic", "package: two");
    insta::assert_snapshot!(repository.said(), @"
    tenants/me/shop.yaml:6:11 error foreign-namespace: the namespace `shop-acme` belongs to `acme`
      tenants/acme/shop.yaml:6:11 it belongs to this one
      help: choose another `subdomain`, or have the operator change the package's `namespacePrefix`
    held: me; valid: acme, globex
    ");
}

#[test]
fn two_subscriptions_share_a_namespace_only_where_their_packages_say_so() {
    let repository = repository().with("packages/two.yaml", &document("Package", "two", "product: shop\ntitle: Two\nruns: cluster\nplacement: { templates: shop, namespacePrefix: shop-, hostname: \"{subdomain}.two.{domain}\" }\ncomponents: [{ component: web }]\n")).with("tenants/acme/two.yaml", &document("Subscription", "two", "tenant: acme\npackage: two\nstarts: 2026-02-02\n"));
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/two.yaml:6:11 error foreign-namespace: subscription `shop` is in the namespace `shop-acme` already
      tenants/acme/shop.yaml:6:11 it belongs to this one
      help: choose another `subdomain`
    tenants/acme/two.yaml:7:12 error quota-too-small: the quota of `shop-acme` has `limits.cpu`, and `two` adds nothing to it
      help: add `limits.cpu` to the `quota` of the package `two`
    held: acme; valid: globex
    ");
}

#[test]
fn a_shared_namespace_is_one_tenants() {
    let repository = repository()
        .changed(
            "packages/basic.yaml",
            "namespacePrefix: shop-",
            "namespacePrefix: shop-\n    namespacePer: tenant",
        )
        .with(
            "tenants/acme/two.yaml",
            &document(
                "Subscription",
                "two",
                "tenant: acme\npackage: basic\nsubdomain: two\nstarts: 2026-02-02\n",
            ),
        );
    insta::assert_snapshot!(repository.said(), @"held: nobody; valid: acme, globex");
}

#[test]
fn namespaces_of_the_cluster_are_nobodys() {
    let repository = repository().changed("packages/basic.yaml", "shop-", "data").adding("tenants/acme/shop.yaml", "subdomain: bases").with("packages/k.yaml", &document("Package", "k", "product: shop\ntitle: K\nruns: cluster\nplacement: { templates: shop, namespacePrefix: kube-, hostname: \"{subdomain}.k.{domain}\" }\ncomponents: [{ component: web }]\n")).changed("tenants/globex/shop.yaml", "package: basic", "package: k\n  subdomain: system");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:14 error foreign-namespace: the namespace `databases` belongs to the cluster
      help: choose another `subdomain`, or have the operator change the package's `namespacePrefix`
    tenants/globex/shop.yaml:8:14 error foreign-namespace: the namespace `kube-system` belongs to the cluster
      help: choose another `subdomain`, or have the operator change the package's `namespacePrefix`
    held: acme, globex; valid: nobody
    ");
}
