//! What a commit is read into, and what is not read and says so.

use std::os::unix::ffi::OsStrExt as _;

use tenantry::model::Snapshot;
use tenantry::model::read::read_file;
use tenantry::model::yaml::LARGEST_FILE;
use tenantry::source;
use tenantry::source::SourceError;

use super::settings;
use super::source_of;
use crate::support::repository::TestRepo;

/// Every file of a snapshot, with its text or with why it was not read.
fn told(snapshot: &Snapshot) -> Vec<String> {
    let tell = |file: &tenantry::model::snapshot::File| match &file.unread {
        Some(unread) => format!("{}! {}", file.path, unread.message),
        None => format!("{}: {}", file.path, String::from_utf8_lossy(&file.content)),
    };
    snapshot.files.values().map(tell).collect()
}

#[tokio::test]
async fn a_snapshot_holds_documents_and_templates_of_the_commit_and_nothing_else() {
    let repository = TestRepo::new();
    let commit = repository
        .write("platform.yaml", "a")
        .write("tenants/acme/tenant.yml", "b")
        .write("templates/component/web.yaml.j2", "c")
        .write("README.md", "no")
        .write(".github/workflows/check.yaml", "no")
        .write("notes/templates/list.txt", "no")
        .commit("the first files");
    repository.check_out();
    std::fs::write(repository.path().join("platform.yaml"), "changed and not committed").unwrap();

    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    let snapshot = source.snapshot(&commit).await.unwrap();
    assert_eq!(snapshot.commit, commit);
    assert_eq!(
        told(&snapshot),
        ["platform.yaml: a", "templates/component/web.yaml.j2: c", "tenants/acme/tenant.yml: b"]
    );
}

#[tokio::test]
async fn what_is_not_read_is_there_and_says_why() {
    let repository = TestRepo::new();
    let commit = repository
        .symlink("tenants/acme/link.yaml", "../shared.yaml")
        .symlink("tenants/beta", "acme")
        .symlink("README.md", "docs/README.md")
        .submodule("vendor/theme")
        .write("large.yaml", vec![b'a'; LARGEST_FILE + 1])
        .write("largest.yaml", vec![b'#'; LARGEST_FILE])
        .write("tab\there.yaml", "a: 1")
        .commit("odd files");
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    let snapshot = source.snapshot(&commit).await.unwrap();
    let unread: Vec<String> =
        told(&snapshot).into_iter().filter(|line| !line.starts_with("largest")).collect();
    assert_eq!(
        unread,
        [
            "large.yaml! the file has 1048577 bytes; at most 1048576 are read",
            "tab\\x09here.yaml! the name of the file is not UTF-8, or holds a control character",
            "tenants/acme/link.yaml! symbolic links are not followed",
            "tenants/beta! symbolic links are not followed",
            "vendor/theme! files of a submodule are not read",
        ]
    );
    let findings: usize =
        snapshot.document_files().map(|file| read_file(file).findings.len()).sum();
    assert_eq!(findings, 5, "each of them is a finding, and the largest file that is read is not");
}

#[tokio::test]
async fn only_the_sub_folder_is_read_and_a_commit_without_it_is_not_an_empty_one() {
    let repository = TestRepo::new();
    let with = repository
        .write("hosting/tenants/acme/tenant.yaml", "a")
        .write("hosting/templates/x.yaml", "t")
        .write("tenants/other/tenant.yaml", "b")
        .commit("with the folder");
    let without = repository
        .remove("hosting/tenants/acme/tenant.yaml")
        .remove("hosting/templates/x.yaml")
        .commit("without the folder");

    let mut settings = settings(repository.path().to_str().unwrap());
    settings.path = "hosting/".parse().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let source = source::Source::open(settings, cache.path()).await.unwrap();
    source.look().await.unwrap();
    let snapshot = source.snapshot(&with).await.unwrap();
    assert_eq!(told(&snapshot), ["templates/x.yaml: t", "tenants/acme/tenant.yaml: a"]);
    let error = source.snapshot(&without).await.unwrap_err();
    assert!(matches!(error, SourceError::NoFolder { .. }), "{error}");
    assert!(error.to_string().contains("there is no folder `hosting` in commit"), "{error}");
}

#[tokio::test]
async fn a_folder_reads_like_the_commit_that_would_be_made_of_it() {
    let repository = TestRepo::new();
    let commit = repository
        .write("platform.yaml", "a")
        .write("tenants/acme/tenant.yaml", "b")
        .write("templates/x.txt", "c")
        .write(".hidden/no.yaml", "no")
        .write("large.yaml", vec![b'a'; LARGEST_FILE + 1])
        .symlink("tenants/beta.yaml", "acme/tenant.yaml")
        .symlink("tenants/gone", "/etc")
        .commit("the first files");
    repository.check_out();
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    let committed = source.snapshot(&commit).await.unwrap();
    let uncommitted = source::folder(repository.path()).unwrap();
    assert_eq!(told(&uncommitted), told(&committed));

    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9.yaml");
    std::fs::write(repository.path().join(odd), "a: 1").unwrap();
    let uncommitted = source::folder(repository.path()).unwrap();
    assert_eq!(uncommitted.files.values().filter(|file| file.unread.is_some()).count(), 4);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_with_its_name() {
    let error = source::folder("/nowhere/at/all".as_ref()).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/at/all could not be read");
}
