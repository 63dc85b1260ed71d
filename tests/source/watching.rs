//! New commits are noticed: by a file watch, by a nudge, and after the repository was away.

use std::time::Duration;
use std::time::Instant;

use axum::http::StatusCode;
use tenantry::source::state::Reach;

use super::settings;
use super::soon;
use super::source_of;
use crate::support::git_server::GitServer;
use crate::support::git_server::Mood;
use crate::support::repository::TestRepo;

#[tokio::test]
async fn a_local_commit_is_seen_at_once() {
    let repository = TestRepo::new();
    let first = repository.write("a.yaml", "0").commit("start");
    let (source, _cache) = source_of(&repository).await;
    let mut watch = source.watch();
    assert_eq!(soon(&mut watch).await, first);
    let mut times = Vec::new();
    for number in 1..=10 {
        let start = Instant::now();
        let commit = repository.write("a.yaml", number.to_string()).commit("another");
        assert_eq!(soon(&mut watch).await, commit);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!("from commit to seen: median {:?}, slowest {:?}", times[5], times[9]);
}

#[tokio::test]
async fn many_commits_in_a_row_end_at_the_newest() {
    let repository = TestRepo::new();
    repository.write("a.yaml", "0").commit("start");
    let (source, _cache) = source_of(&repository).await;
    let mut watch = source.watch();
    soon(&mut watch).await;
    let mut newest = repository.head();
    for number in 0..200 {
        newest = repository.write("a.yaml", number.to_string()).commit("another");
        if number % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    while soon(&mut watch).await != newest {}
}

#[tokio::test]
async fn packing_the_references_is_seen_and_changes_nothing() {
    let repository = TestRepo::new();
    repository.write("a.yaml", "0").commit("start");
    let (source, _cache) = source_of(&repository).await;
    let mut watch = source.watch();
    soon(&mut watch).await;
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.current_dir(repository.path()).args(arguments);
        assert!(command.output().unwrap().status.success());
    };
    git(&["pack-refs", "--all"]);
    git(&["gc", "--quiet"]);
    let next = repository.write("a.yaml", "1").commit("after packing");
    assert_eq!(soon(&mut watch).await, next);
}

#[tokio::test]
async fn a_nudge_makes_it_look_at_a_remote() {
    let repository = TestRepo::new();
    let first = repository.write("a.yaml", "0").commit("start");
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    let (source, _cache) = super::source_at(&server.url()).await;
    let mut watch = source.watch();
    assert_eq!(soon(&mut watch).await, first);
    let next = repository.write("a.yaml", "1").commit("pushed");
    source.look_now();
    assert_eq!(soon(&mut watch).await, next);
}

#[tokio::test]
async fn a_remote_is_polled() {
    let repository = TestRepo::new();
    repository.write("a.yaml", "0").commit("start");
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    let mut settings = settings(&server.url());
    settings.poll = "50ms".parse().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let source = tenantry::source::Source::open(settings, cache.path()).await.unwrap();
    let mut watch = source.watch();
    soon(&mut watch).await;
    let next = repository.write("a.yaml", "1").commit("pushed");
    assert_eq!(soon(&mut watch).await, next);
}

#[tokio::test]
async fn a_remote_that_is_away_is_told_once_and_found_again() {
    let repository = TestRepo::new();
    let first = repository.write("a.yaml", "0").commit("start");
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    let (source, cache) = super::source_at(&server.url()).await;
    let mut watch = source.watch();
    soon(&mut watch).await;

    server.set_mood(Mood::Answers(StatusCode::BAD_GATEWAY));
    let mut state = source.state();
    source.look_now();
    let away = |state: &tenantry::source::State| matches!(state.reach, Reach::Unreachable { .. });
    state.wait_for(away).await.unwrap();
    let told = state.borrow_and_update().clone();
    assert!(serde_json::to_string(&told).unwrap().contains("502"), "{told:?}");
    assert_eq!(told.accepted, Some(first.clone()));
    // The same trouble again is no news.
    let looked_again = tokio::time::timeout(Duration::from_secs(3), state.changed()).await;
    assert!(looked_again.is_err(), "{:?}", state.borrow());

    // A restart meanwhile goes on with what was last taken.
    let restarted = super::source_in(&server.url(), &cache).await;
    assert_eq!(soon(&mut restarted.watch()).await, first);

    server.set_mood(Mood::Well);
    let next = repository.write("a.yaml", "1").commit("pushed meanwhile");
    assert_eq!(soon(&mut watch).await, next);
    assert!(matches!(state.borrow().reach, Reach::Reachable { .. }));
}

#[tokio::test]
async fn a_local_repository_may_come_later_and_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("tenants");
    let (source, _cache) = super::source_at(place.to_str().unwrap()).await;
    let mut watch = source.watch();
    let mut state = source.state();
    let away = |state: &tenantry::source::State| matches!(state.reach, Reach::Unreachable { .. });
    state.wait_for(away).await.unwrap();

    let repository = TestRepo::new();
    let first = repository.write("a.yaml", "0").commit("start");
    std::fs::rename(repository.path(), &place).unwrap();
    assert_eq!(soon(&mut watch).await, first);

    std::fs::rename(&place, repository.path()).unwrap();
    source.look_now();
    state.wait_for(away).await.unwrap();
    let next = repository.write("a.yaml", "1").commit("while it was away");
    std::fs::rename(repository.path(), &place).unwrap();
    assert_eq!(soon(&mut watch).await, next);
}

#[tokio::test]
async fn commits_pushed_while_a_fetch_runs_are_not_lost() {
    let repository = std::sync::Arc::new(TestRepo::new());
    repository.write("a.yaml", "0").commit("start");
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    let (source, _cache) = super::source_at(&server.url()).await;
    let mut watch = source.watch();
    soon(&mut watch).await;
    let writer = {
        let (repository, source) = (std::sync::Arc::clone(&repository), source.clone());
        tokio::task::spawn_blocking(move || {
            let mut newest = repository.head();
            for number in 0..60 {
                newest = repository.write("a.yaml", number.to_string()).commit("pushed");
                source.look_now();
                std::thread::sleep(Duration::from_millis(5));
            }
            newest
        })
    };
    let newest = writer.await.unwrap();
    while soon(&mut watch).await != newest {}
    let log = source.objects().log(None, &newest, 100).await.unwrap();
    assert_eq!(log.len(), 61);
}

#[tokio::test]
async fn two_processes_may_share_a_cache() {
    let repository = TestRepo::new();
    repository.write("a.yaml", "0").commit("start");
    let (one, cache) = source_of(&repository).await;
    let other = super::source_in(repository.path().to_str().unwrap(), &cache).await;
    for number in 0..10 {
        let commit = repository.write("a.yaml", number.to_string()).commit("another");
        let (first, second) = tokio::join!(one.look(), other.look());
        // One of them may find the reference locked, and is right the next time.
        assert!(first.is_ok() || second.is_ok());
        for source in [&one, &other] {
            source.look().await.unwrap();
            assert_eq!(source.accepted().as_ref(), Some(&commit));
        }
    }
}
