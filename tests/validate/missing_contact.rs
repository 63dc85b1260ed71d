//! `missing-contact`.

use super::repository::repository;

#[test]
fn somebody_gets_a_tenants_mail() {
    let repository = repository().changed(
        "tenants/acme/tenant.yaml",
        "contacts:\n    - email: admin@acme.example\n",
        "contacts: []\n",
    );
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/tenant.yaml:7:3 error missing-contact: the tenant has nobody to write to
      help: add a contact with an `email`
    held: acme; valid: globex
    ");
}
