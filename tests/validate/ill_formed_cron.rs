//! `ill-formed-cron`.

use super::repository::repository;

#[test]
fn a_schedule_has_five_fields() {
    let repository = repository().adding(
        "packages/basic.yaml",
        "backup: { schedule: \"0 25 * * *\", retention: 30 days, image: \"postgres:15\" }",
    );
    insta::assert_snapshot!(repository.said(), @"
    packages/basic.yaml:19:23 error ill-formed-cron: `0 25 * * *` has `25` for the hour
      help: write minute, hour, day, month and day of the week, such as `0 2 * * *`
    held: acme, globex; valid: nobody
    ");
}
