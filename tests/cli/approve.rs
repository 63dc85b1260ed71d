//! Approving parked deletions: the change that is shown, and the commit that is made of it.

use std::process::Command;

use crate::support::program::Program;
use crate::support::repository::TestRepo;

const PLATFORM: &str = "\
apiVersion: tenantry.dev/v1
kind: Platform
metadata: { name: example }
spec:
  domain: pods.example
  timeZone: Asia/Ho_Chi_Minh
  currency: USD
  deletions:
    # Beyond any of these, deletions are parked.
    limit: { tenants: 2 }
";
const DIGEST: &str = "77270c506301150ebc2d89bf7d9f840d";

#[test]
fn the_change_is_shown_and_nothing_is_changed() {
    let repository = TestRepo::new();
    repository.write("platform.yaml", PLATFORM).commit("a platform");
    repository.check_out();
    let told = Program::with(&format!("approve {DIGEST}")).in_folder(repository.path()).run();
    insta::assert_snapshot!(told.shown());
    let file = repository.path().join("platform.yaml");
    assert_eq!(std::fs::read_to_string(file).unwrap(), PLATFORM);
}

#[test]
fn the_change_is_committed_where_that_is_asked_for() {
    let repository = TestRepo::new();
    repository.write("platform.yaml", PLATFORM).commit("a platform");
    repository.check_out();
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").arg("-C").arg(repository.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["read-tree", "HEAD"]);
    let approve = || {
        Program::with(&format!("approve {DIGEST} --commit --output json"))
            .in_folder(repository.path())
            .variable("GIT_AUTHOR_NAME", "Ada")
            .variable("GIT_AUTHOR_EMAIL", "ada@example.test")
            .variable("GIT_COMMITTER_NAME", "Ada")
            .variable("GIT_COMMITTER_EMAIL", "ada@example.test")
            .run()
    };
    let told = approve();
    assert_eq!(
        (told.code, told.err.as_str()),
        (0, "committed; push it to the branch that is followed\n")
    );
    assert!(told.out.contains("\"committed\": true"), "{}", told.out);
    assert_eq!(
        git(&["log", "-1", "--format=%an: %B"]).trim(),
        format!("Ada: Approve parked deletions\n\nDeletions: {DIGEST}")
    );
    assert_eq!(git(&["diff", "HEAD~1", "--numstat"]).trim(), "1\t0\tplatform.yaml");

    let again = approve();
    assert_eq!((again.code, again.out.as_str()), (0, ""));
    assert_eq!(again.err, "these deletions are approved already\n");
}

#[test]
fn a_digest_that_is_none_is_refused() {
    insta::assert_snapshot!(Program::with("approve 77270c").run().shown());
}

#[test]
fn a_folder_without_documents_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let told = Program::with(&format!("approve {DIGEST}")).in_folder(empty.path()).run();
    insta::assert_snapshot!(told.shown());
}
