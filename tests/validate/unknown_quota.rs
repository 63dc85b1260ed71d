//! `unknown-quota`.

use super::repository::repository;

#[test]
fn a_quota_that_nobody_knows_limits_nothing() {
    let repository = repository()
        .changed("packages/basic.yaml", "limits.cpu: 2", "limit.cpu: 2")
        .adding("packages/basic.yaml", "maximum: { user: 200 }");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:17:16 error unknown-quota: there is no quota `limit.cpu`
      help: did you mean `limits.cpu`?
    packages/basic.yaml:19:20 error unknown-quota: there is no limit `user`
      help: did you mean `users`?
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn an_override_has_the_name_of_a_limit() {
    let repository = repository().adding(
        "tenants/acme/shop.yaml",
        "overrides: { quota: { limits.cpus: 1 }, limits: { user: 50 } }",
    );
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/shop.yaml:9:38 error unknown-quota: there is no quota `limits.cpus`
      help: did you mean `limits.cpu`?
    tenants/acme/shop.yaml:9:59 error unknown-quota: there is no limit `user`
      help: did you mean `users`?
    held: acme; valid: globex
    ");
}
