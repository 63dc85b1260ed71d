//! `override-exceeds-package`.

use super::repository::repository;

#[test]
fn a_subscription_stays_within_its_package() {
    let repository = repository()
        .adding("packages/basic.yaml", "maximum: { users: 200 }")
        .adding(
            "tenants/acme/shop.yaml",
            "overrides: { quota: { limits.cpu: 3 }, limits: { users: 201 } }",
        )
        .adding("tenants/globex/shop.yaml", "overrides: { limits: { users: 200 } }");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:37 error override-exceeds-package: `limits.cpu` 3 is more than the package `basic` allows (2)
      help: lower it to 2, or choose a larger package
    tenants/acme/shop.yaml:9:59 error override-exceeds-package: `users` 201 is more than the package `basic` allows (200)
      help: lower it to 200, or choose a larger package
    held: acme; valid: globex
    ");
}
