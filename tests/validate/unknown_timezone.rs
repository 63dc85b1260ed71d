//! `unknown-timezone`.

use super::repository::repository;

#[test]
fn a_zone_is_one_of_the_iana_database() {
    let repository = repository().changed("platform.yaml", "Asia/Jakarta", "Asia/Jakata");
    insta::assert_snapshot!(repository.said(), @"
    platform.yaml:7:13 error unknown-timezone: there is no time zone `Asia/Jakata`
      help: did you mean `Asia/Jakarta`?
    held: acme, globex; valid: nobody
    ");
}
