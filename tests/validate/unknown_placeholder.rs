//! `unknown-placeholder`.

use super::repository::repository;

#[test]
fn names_in_braces_are_filled_in() {
    let repository = repository().adding(
        "components/web.yaml",
        "environment:\n  A: { value: \"https://{hots}/{host}/{0}\" }",
    );
    insta::assert_snapshot!(repository.said(), @"
    components/web.yaml:13:17 error unknown-placeholder: nothing is known as `{hots}`
      help: did you mean `host`?
    held: acme, globex; valid: nobody
    ");
}
