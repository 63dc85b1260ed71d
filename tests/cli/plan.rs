//! What would be done, told before it is done: between revisions of a repository and folders.

use std::path::Path;

use serde_json::Value;

use crate::support::program::Program;
use crate::support::program::Told;
use crate::support::repository::TestRepo;

/// The time of every plan here: nobody of the example changes by the clock.
const AT: &str = "--at 2026-11-21T00:00:00Z";

/// A repository with the example in it, checked out.
fn example() -> TestRepo {
    let repository = TestRepo::seeded_from(&folder());
    repository.check_out();
    repository
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example")
}

fn plan(repository: &TestRepo, arguments: &str) -> Told {
    Program::with(&format!("plan {AT} {arguments}")).in_folder(repository.path()).run()
}

/// Changes a file of the head in the next commit.
fn edit(repository: &TestRepo, file: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    repository.write(file, text.replace(from, to));
}

#[test]
fn without_a_change_there_is_nothing_to_do() {
    let told = plan(&example(), "--from HEAD");
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (0, "Plan: no changes\n", ""));
}

#[test]
fn a_changed_package_changes_whoever_has_it() {
    let repository = example();
    edit(&repository, "packages/kiteclass/standard.yaml", "cmc, replicas: 2", "cmc, replicas: 3");
    repository.commit("more of it");
    insta::assert_snapshot!(plan(&repository, "--from HEAD~1 --to HEAD").shown());
}

#[test]
fn what_is_not_committed_can_be_planned() {
    let repository = example();
    let before = plan(&repository, "--from HEAD");
    std::fs::remove_dir_all(repository.path().join("tenants/siti")).unwrap();
    let after = plan(&repository, "--from HEAD");
    assert_eq!((before.code, after.code), (0, 2));
    insta::assert_snapshot!(after.shown());
}

#[test]
fn a_tenant_that_is_broken_keeps_its_last_good_state_and_the_others_go_on() {
    let repository = example();
    edit(&repository, "tenants/acme/school.yaml", "package: kiteclass-standard", "package: gold");
    edit(&repository, "packages/paas/n8n.yaml", "limits.memory: 2Gi", "limits.memory: 3Gi");
    repository.commit("a slip");
    insta::assert_snapshot!(plan(&repository, "--from HEAD~1 --to HEAD").shown());
}

#[test]
fn removing_too_much_at_once_is_parked() {
    let repository = example();
    for tenant in ["budi", "rizky", "siti"] {
        for entry in std::fs::read_dir(folder().join("tenants").join(tenant)).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            repository.remove(&format!("tenants/{tenant}/{file}"));
        }
    }
    repository.commit("a clean sweep");
    insta::assert_snapshot!(plan(&repository, "--from HEAD~1 --to HEAD").shown());
}

#[test]
fn two_folders_can_be_compared() {
    let repository = example();
    let arguments = format!("--from {} --to .", folder().display());
    let told = plan(&repository, &arguments);
    assert_eq!((told.code, told.out.as_str()), (0, "Plan: no changes\n"), "{}", told.err);
}

#[test]
fn a_folder_inside_a_repository_is_compared_with_itself() {
    let repository = TestRepo::new();
    repository.write_folder(&folder(), "hosting/tenants").commit("the example");
    repository.check_out();
    std::fs::remove_dir_all(repository.path().join("hosting/tenants/tenants/siti")).unwrap();
    let told = plan(&repository, "hosting/tenants --from HEAD");
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.out.contains("- Ingress/customer-siti/blog-ingress"), "{}", told.out);
}

#[test]
fn for_machines_it_is_json_with_the_same_exit_code() {
    let repository = example();
    edit(&repository, "packages/kiteclass/standard.yaml", "cmc, replicas: 2", "cmc, replicas: 3");
    repository.commit("more of it");
    let told = plan(&repository, "--from HEAD~1 --to HEAD --output json");
    let preview: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told.code, 2);
    assert_eq!(preview["totals"]["change"], 1);
    assert_eq!(preview["units"][0]["unit"], "acme");
}

#[test]
fn a_revision_that_is_none_is_an_error() {
    let repository = example();
    insta::assert_snapshot!(plan(&repository, "--from mian").shown());
    let told = plan(&repository, "--from 0123456789abcdef0123456789abcdef01234567");
    assert!(
        told.err.contains("name a commit, branch or tag that the repository has"),
        "{}",
        told.err
    );
}

#[test]
fn a_folder_that_is_in_no_repository_has_no_revisions() {
    let lonely = tempfile::tempdir().unwrap();
    std::fs::write(lonely.path().join("a.yaml"), "kind: Tenant").unwrap();
    let told = Program::with("plan --from HEAD").in_folder(lonely.path()).run();
    insta::assert_snapshot!(told.shown());
}
