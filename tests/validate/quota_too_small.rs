//! `quota-too-small`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_quota_has_room_for_an_update() {
    let repository = repository().changed(
        "packages/basic.yaml",
        "limits.cpu: 2",
        "limits.cpu: 1\n    requests.memory: 512Mi\n    pods: 2",
    );
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:17:17 error quota-too-small: `limits.cpu` is 1, and the components ask for 1, and 500m more while they are updated
      help: raise it to at least 1500m, or lower what the components ask for
    packages/basic.yaml:18:22 error quota-too-small: `requests.memory` is 512Mi, and the components ask for 512Mi, and 256Mi more while they are updated
      help: raise it to at least 768Mi, or lower what the components ask for
    packages/basic.yaml:19:11 error quota-too-small: `pods` is 2, and the components ask for 2, and 1 more while they are updated
      help: raise it to at least 3, or lower what the components ask for
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_quota_has_room_for_what_is_overridden() {
    let repository = repository()
        .adding("tenants/acme/shop.yaml", "overrides: { components: { web: { replicas: 4 } } }");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:3 error quota-too-small: `limits.cpu` is 2, and the components ask for 2, and 500m more while they are updated
      help: raise it to at least 2500m, or lower what the components ask for
    held: acme; valid: globex
    ");
}

#[test]
fn who_shares_a_namespace_adds_to_its_quota() {
    let two = "product: shop\ntitle: Two\nruns: cluster\nplacement: { templates: shop, namespacePrefix: shop-, namespacePer: tenant, hostname: \"{subdomain}.two.{domain}\" }\ncomponents: [{ component: web }]\n";
    let repository = repository()
        .changed("packages/basic.yaml", "shop-", "shop-\n    namespacePer: tenant")
        .with("packages/two.yaml", &document("Package", "two", two))
        .with(
            "tenants/acme/two.yaml",
            &document("Subscription", "two", "tenant: acme\npackage: two\nstarts: 2026-02-02\n"),
        );
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/two.yaml:7:12 error quota-too-small: the quota of `shop-acme` has `limits.cpu`, and `two` adds nothing to it
      help: add `limits.cpu` to the `quota` of the package `two`
    held: acme; valid: globex
    ");
}
