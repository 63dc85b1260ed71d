//! `unknown-value`, of the kinds of change that a platform wants reviewed.

use super::repository::repository;

#[test]
fn a_kind_of_change_that_there_is_none_of_is_told_with_the_nearest() {
    let repository = repository().adding("platform.yaml", "pullRequests: { kinds: [open, scael] }");
    insta::assert_snapshot!(repository.said(), @"
    platform.yaml:10:33 error unknown-value: `scael` is not known here
      help: did you mean `scale`?
    held: acme, globex; valid: nobody
    ");
}
