//! What commits say of themselves, and by which names they are found.

use tenantry::source::CommitFacts;
use tenantry::source::Head;
use tenantry::source::SourceError;

use super::source_of;
use crate::support::repository::TestRepo;

#[tokio::test]
async fn a_commit_tells_who_when_why_and_its_trailers() {
    let repository = TestRepo::new();
    let first = repository.write("a.yaml", "a").commit("start");
    let message = "acme: open a school\n\nBecause they paid.\n\nIntent-Id: 42\nActor: portal\n";
    let second = repository.write("a.yaml", "b").commit(message);
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    let facts: CommitFacts = source.objects().facts(&second).await.unwrap();
    assert_eq!(facts.subject, "acme: open a school");
    assert_eq!(facts.author.name, "Ada Operator");
    assert_eq!(facts.written.to_string(), "2026-01-01T00:01:00Z");
    assert_eq!(facts.parents, [first]);
    assert_eq!((facts.trailer("intent-id"), facts.trailer("Actor")), (Some("42"), Some("portal")));
}

#[tokio::test]
async fn the_log_between_two_commits_is_newest_first() {
    let repository = TestRepo::new();
    let commits = ["one", "two", "three"].map(|name| repository.write("a.yaml", name).commit(name));
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    let subjects = async |from: Option<&_>, most| {
        let log = source.objects().log(from, &commits[2], most).await.unwrap();
        log.into_iter().map(|facts| facts.subject).collect::<Vec<_>>()
    };
    assert_eq!(subjects(Some(&commits[0]), 100).await, ["three", "two"]);
    assert_eq!(subjects(None, 100).await, ["three", "two", "one"]);
    assert_eq!(subjects(None, 1).await, ["three"]);
}

#[tokio::test]
async fn changed_paths_are_told_with_what_became_of_them() {
    let repository = TestRepo::new();
    let before =
        repository.write("a.yaml", "a").write("b/c.yaml", "c").write("d.md", "d").commit("one");
    let after = repository.write("a.yaml", "b").remove("b/c.yaml").write("b", "file").commit("two");
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    let changed = source.objects().changed_paths(Some(&before), &after).await.unwrap();
    assert_eq!(
        serde_json::to_string(&changed).unwrap(),
        r#"[{"path":"a.yaml","change":"changed"},{"path":"b","change":"added"},{"path":"b/c.yaml","change":"removed"}]"#
    );
}

#[tokio::test]
async fn commits_are_found_by_branch_tag_short_id_and_position() {
    let repository = TestRepo::new();
    let first = repository.write("a.yaml", "a").commit("one");
    let second = repository.write("a.yaml", "b").commit("two");
    repository.tag("v1", &first);
    let feature = repository.switch_to("feature/x").write("a.yaml", "c").commit("three");
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    for (name, expected) in [
        ("main", &second),
        ("HEAD", &second),
        ("HEAD~1", &first),
        (second.short(), &second),
        ("v1", &first),
        ("feature/x", &feature),
        ("feature/x~2", &first),
    ] {
        assert_eq!(source.resolve(name).await.unwrap(), *expected, "{name}");
    }
    let error = source.resolve("featrue/x").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no commit `featrue/x`; did you mean `feature/x`");
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_told_with_the_fix() {
    let empty = TestRepo::new();
    let (source, _cache) = source_of(&empty).await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::Empty { .. }), "{error}");
    assert!(error.to_string().ends_with("has no commit yet: push one to `main`"), "{error}");

    let other = TestRepo::new();
    other.switch_to("mian").write("a.yaml", "a").commit("one");
    let (source, _cache) = source_of(&other).await;
    let error = source.look().await.unwrap_err();
    assert!(
        error.to_string().ends_with("has no branch `main`; its branches are `mian`"),
        "{error}"
    );

    let folder = tempfile::tempdir().unwrap();
    let (source, _cache) = super::source_at(folder.path().to_str().unwrap()).await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::NotARepository { .. }), "{error}");

    let (source, _cache) = super::source_at("/nowhere/at/all").await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_branch_may_become_a_folder_of_branches() {
    let repository = TestRepo::new();
    repository.write("a.yaml", "a").commit("one");
    repository.switch_to("release");
    let (source, cache) = source_of(&repository).await;
    source.look().await.unwrap();
    source.resolve("release").await.unwrap();
    let next = repository
        .delete_branch("release")
        .switch_to("main")
        .switch_to("release/1")
        .write("a.yaml", "b")
        .commit("two");
    assert_eq!(source.resolve("release/1").await.unwrap(), next);

    let mut settings = super::settings(repository.path().to_str().unwrap());
    settings.branch = "release/1".parse().unwrap();
    let follower = tenantry::source::Source::open(settings, cache.path()).await.unwrap();
    follower.look().await.unwrap();
    let back = repository
        .switch_to("main")
        .delete_branch("release/1")
        .switch_to("release")
        .write("a.yaml", "c")
        .commit("three");
    let mut settings = super::settings(repository.path().to_str().unwrap());
    settings.branch = "release".parse().unwrap();
    let follower = tenantry::source::Source::open(settings, cache.path()).await.unwrap();
    // What was last taken, on the other branch, does not come before it; that is told as well.
    assert!(
        matches!(follower.look().await.unwrap(), Head::Refused(rewritten) if rewritten.to == back)
    );
}
