//! `missing-backup`.

use super::repository::repository;

#[test]
fn a_package_without_backups_has_none_to_take_or_to_restore() {
    for action in ["backup", "restore", "finalBackup"] {
        let said = repository().task(action, "").said();
        assert!(said.contains("error missing-backup: "), "{action}: {said}");
        assert_eq!(repository().backed_up().task(action, "").said(), repository().said());
    }
    insta::assert_snapshot!(repository().task("backup", "").said(), @"
    tenants/acme/now.yaml:8:11 error missing-backup: the package `basic` says nothing of backups
      help: add `backup` to the package, or remove the task
    held: acme; valid: globex
    ");
}
