//! `duplicate-entry`.

use super::repository::repository;

#[test]
fn a_package_has_each_component_once() {
    let repository = repository()
        .changed("packages/basic.yaml", "  quota:", "    - { component: web }\n  quota:")
        .changed("packages/basic.yaml", "limits.cpu: 2", "limits.cpu: 4");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:16:20 error duplicate-entry: the component `web` stands here twice
      help: rename or remove one of the two
    held: acme, globex; valid: nobody
    ");
}

#[test]
fn a_component_has_each_credential_once() {
    let repository = repository()
        .adding("components/web.yaml", "credentials: [{ key: a }, { key: a }]\nvolumes: []\n");
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:12:36 error duplicate-entry: the credential `a` stands here twice
      help: rename or remove one of the two
    held: acme, globex; valid: nobody
    ");
}
