//! `unknown-credential`.

use super::repository::repository;

#[test]
fn a_credential_is_made_somewhere() {
    let repository = repository().adding("components/web.yaml", "environment:\n  A: { credential: web-kye }\n  B: { credential: web-key }\ncredentials: [{ key: web-key }]");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:13:22 error unknown-credential: nothing in the package `basic` makes the credential `web-kye`
      help: did you mean `web-key`?
    held: acme, globex; valid: nobody
    ");
}
