//! `ill-formed-email`.

use super::repository::repository;

#[test]
fn an_address_can_be_written_to() {
    let repository = repository()
        .changed("tenants/acme/tenant.yaml", "admin@acme.example", "admin at acme")
        .adding("platform.yaml", "mail: { from: \"\" }");
    insta::assert_snapshot!(repository.said(), @"
    platform.yaml:10:17 error ill-formed-email: `` is not an address
      help: write the address alone, such as `admin@example.com`
    tenants/acme/tenant.yaml:8:14 error ill-formed-email: `admin at acme` is not an address
      help: write the address alone, such as `admin@example.com`
    held: acme, globex; valid: nobody
    ");
}
