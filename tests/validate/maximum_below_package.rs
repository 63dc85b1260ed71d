//! `maximum-below-package`.

use super::repository::repository;

#[test]
fn a_maximum_is_no_less_than_the_package() {
    let repository = repository().adding("packages/basic.yaml", "maximum: { users: 50 }");
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:19:21 error maximum-below-package: the maximum 50 is less than the package's own 100
      help: raise it to at least 100, or remove it
    held: acme, globex; valid: nobody
    ");
}
