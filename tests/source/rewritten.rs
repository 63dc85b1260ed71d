//! Rewritten history is refused until somebody accepts exactly what it was rewritten to.

use tenantry::source::Head;
use tenantry::source::Rewritten;
use tenantry::source::Source;
use tenantry::source::SourceError;

use super::soon;
use super::source_in;
use super::source_of;
use crate::support::repository::TestRepo;

/// A repository whose branch was taken at its second commit and then rewritten after the first.
async fn rewritten() -> (TestRepo, Source, tempfile::TempDir, Rewritten) {
    let repository = TestRepo::new();
    let first = repository.write("a.yaml", "1").commit("one");
    let from = repository.write("a.yaml", "2").commit("two");
    let (source, cache) = source_of(&repository).await;
    assert_eq!(source.look().await.unwrap(), Head::Taken(from.clone()));
    let to = repository.force_to(&first).write("a.yaml", "3").commit("another two");
    (repository, source, cache, Rewritten { from, to })
}

#[tokio::test]
async fn a_rewritten_branch_is_refused_and_the_last_commit_stays() {
    let (_repository, source, _cache, rewritten) = rewritten().await;
    assert_eq!(source.look().await.unwrap(), Head::Refused(rewritten.clone()));
    assert_eq!(source.accepted(), Some(rewritten.from.clone()));
    assert_eq!(source.state().borrow().refused, Some(rewritten.clone()));
    let snapshot = source.snapshot(&rewritten.from).await.unwrap();
    assert_eq!(snapshot.text("a.yaml"), Some("2"));
}

#[tokio::test]
async fn the_refusal_survives_a_restart_and_the_loss_of_the_cache() {
    let (repository, source, cache, rewritten) = rewritten().await;
    drop(source);
    let address = repository.path().to_str().unwrap().to_owned();
    let restarted = source_in(&address, &cache).await;
    assert_eq!(restarted.look().await.unwrap(), Head::Refused(rewritten.clone()));

    let (elsewhere, _other_cache) = super::source_at(&address).await;
    elsewhere.remember(&rewritten.from).await.unwrap();
    assert_eq!(elsewhere.look().await.unwrap(), Head::Refused(rewritten.clone()));
}

#[tokio::test]
async fn only_the_very_commit_that_waits_can_be_accepted() {
    let (repository, source, cache, rewritten) = rewritten().await;
    let mut watch = source.watch();
    assert_eq!(soon(&mut watch).await, rewritten.from);

    let error = source.accept(&rewritten.from).await.unwrap_err();
    assert!(matches!(error, SourceError::NothingToAccept { .. }), "{error}");
    assert!(error.to_string().contains(rewritten.to.as_str()), "{error}");

    let newer = repository.write("a.yaml", "4").commit("three");
    let error = source.accept(&rewritten.to).await.unwrap_err();
    assert!(error.to_string().contains(newer.as_str()), "the branch has moved on: {error}");

    source.accept(&newer).await.unwrap();
    assert_eq!(soon(&mut watch).await, newer);
    assert_eq!(source.state().borrow().refused, None);
    let restarted = source_in(repository.path().to_str().unwrap(), &cache).await;
    assert_eq!(restarted.accepted(), Some(newer));
}

#[tokio::test]
async fn another_process_may_accept_it() {
    let (repository, daemon, cache, rewritten) = rewritten().await;
    let mut watch = daemon.watch();
    assert_eq!(soon(&mut watch).await, rewritten.from);
    let command = source_in(repository.path().to_str().unwrap(), &cache).await;
    command.accept(&rewritten.to).await.unwrap();
    assert_eq!(soon(&mut watch).await, rewritten.to);
    let mut state = daemon.state();
    state.wait_for(|state| state.refused.is_none()).await.unwrap();
}

#[tokio::test]
async fn going_back_to_what_was_taken_needs_no_acceptance() {
    let (repository, source, _cache, rewritten) = rewritten().await;
    source.look().await.unwrap();
    repository.force_to(&rewritten.from);
    assert_eq!(source.look().await.unwrap(), Head::Taken(rewritten.from));
    assert_eq!(source.state().borrow().refused, None);
}

#[tokio::test]
async fn a_branch_that_is_reset_to_an_earlier_commit_is_refused_as_well() {
    let repository = TestRepo::new();
    let first = repository.write("a.yaml", "1").commit("one");
    let second = repository.write("a.yaml", "2").commit("two");
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    repository.force_to(&first);
    let refused = Rewritten { from: second, to: first };
    assert_eq!(source.look().await.unwrap(), Head::Refused(refused));
}

#[tokio::test]
async fn a_merge_of_another_branch_is_not_a_rewriting() {
    let repository = TestRepo::new();
    repository.write("a.yaml", "1").commit("one");
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    let other = repository.switch_to("other").write("b.yaml", "b").commit("a branch");
    repository.switch_to("main").write("c.yaml", "c").commit("two");
    let merged = repository.merge(&other, "both");
    assert_eq!(source.look().await.unwrap(), Head::Taken(merged));
}

#[tokio::test]
async fn a_deleted_branch_is_no_commit_and_the_last_one_stays() {
    let repository = TestRepo::new();
    let commit = repository.write("a.yaml", "1").commit("one");
    let (source, _cache) = source_of(&repository).await;
    source.look().await.unwrap();
    repository.switch_to("other").delete_branch("main");
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::BranchMissing { .. }), "{error}");
    assert_eq!(source.accepted(), Some(commit.clone()));
    assert_eq!(source.snapshot(&commit).await.unwrap().text("a.yaml"), Some("1"));
}
