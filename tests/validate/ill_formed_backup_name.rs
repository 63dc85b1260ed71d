//! `ill-formed-backup-name`.

use super::repository::repository;

#[test]
fn a_backup_is_named_and_no_path_and_no_command() {
    for name in ["../../etc/passwd", "a; rm -rf /data", "-rf", "$(reboot)"] {
        let said = repository()
            .backed_up()
            .task("restore", &format!("with: {{ backup: \"{name}\" }}"))
            .said();
        assert!(said.contains("error ill-formed-backup-name: `"), "{name}: {said}");
        assert!(said.contains("held: acme; valid: globex"), "{name}: {said}");
    }
    let repository = repository().backed_up().task("restore", "with: { backup: \"a b\" }");
    insta::assert_snapshot!(repository.said(), @"
    tenants/acme/now.yaml:10:19 error ill-formed-backup-name: `a b` is not the name of a backup
      help: use letters, digits, `.`, `_` and `-`, as the result of the backup names it
    held: acme; valid: globex
    ");
}

#[test]
fn what_a_backup_is_called_can_be_restored() {
    let named = "with: { backup: \"2026-11-27T0200Z.dump\" }";
    assert_eq!(repository().backed_up().task("restore", named).said(), repository().said());
    assert_eq!(repository().backed_up().task("restore", "").said(), repository().said());
}
