//! `document-outside-folder`.

use super::repository::document;
use super::repository::repository;

#[test]
fn a_document_that_was_moved_out_of_its_folder_does_not_let_its_tenant_vanish() {
    let repository = repository().moved("tenants/acme/shop.yaml", "shops/acme.yaml");
    insta::assert_snapshot!(repository.said(), @"
    shops/acme.yaml:6:11 error document-outside-folder: this subscription of `acme` stands outside of its folder
      help: move it to `tenants/acme/`
    held: acme; valid: globex
    ");
}

#[test]
fn a_document_that_was_moved_to_another_folder_holds_both() {
    let repository = repository().moved("tenants/acme/shop.yaml", "tenants/globex/acme.yaml");
    insta::assert_snapshot!(repository.said(), @"
    tenants/globex/acme.yaml:6:11 error document-outside-folder: this subscription of `acme` stands outside of its folder
      help: move it to `tenants/acme/`
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn nobody_holds_others_from_their_own_folder() {
    let repository = repository().with(
        "tenants/globex/acme.yaml",
        &document("Tenant", "acme", "organisation: A\ncontacts: [{ email: a@a.example }]\n"),
    );
    insta::assert_snapshot!(repository.said(), @"
    tenants/globex/acme.yaml:4:9 error document-outside-folder: the tenant `acme` stands outside of its folder
      help: move it to `tenants/acme/`
    tenants/globex/acme.yaml:4:9 error duplicate-name: there is another tenant `acme`
      tenants/acme/tenant.yaml:4:9 the other one
      help: rename or remove one of the two
    held: globex; valid: acme
    ");
}

#[test]
fn what_serves_everybody_is_not_put_into_a_customers_folder() {
    let repository = repository().moved("packages/basic.yaml", "tenants/acme/basic.yaml");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/basic.yaml:2:7 warning document-outside-folder: a package serves everybody, and stands in the folder of `acme`
      help: move it out of `tenants/`: whoever may change that folder may change this package
    held: nobody; valid: acme, globex
    ");
}
