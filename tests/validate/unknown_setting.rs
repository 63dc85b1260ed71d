//! `unknown-setting`.

use super::repository::repository;

#[test]
fn a_task_is_told_only_what_it_asks_for() {
    let backup = repository().backed_up().task("backup", "with: { backup: a }");
    insta::assert_snapshot!(backup.said(), @"
    tenants/acme/now.yaml:10:19 error unknown-setting: `backup` knows no `backup`
      help: remove it: it asks for nothing
    held: acme; valid: globex
    ");
    let last = repository().backed_up().task("finalBackup", "with: { days: \"30\" }");
    insta::assert_snapshot!(last.said(), @"
    tenants/acme/now.yaml:10:17 error unknown-setting: `final-backup` knows no `days`
      help: remove it, or write `retentionDays`
    held: acme; valid: globex
    ");
    let long =
        repository().backed_up().task("finalBackup", "with: { retentionDays: \"for ever\" }");
    insta::assert_snapshot!(long.said(), @"
    tenants/acme/now.yaml:10:26 error unknown-setting: `for ever` is no number of days
      help: write 1 to 3650 in quotes
    held: acme; valid: globex
    ");
    let good = repository().backed_up().task("finalBackup", "with: { retentionDays: \"30\" }");
    assert_eq!(good.said(), repository().said());
}
