//! The wire over HTTP: logging in, being refused, being sent elsewhere, and a mirror that breaks.

use axum::http::StatusCode;
use tenantry::model::Secret;
use tenantry::source::Head;
use tenantry::source::Settings;
use tenantry::source::Source;
use tenantry::source::SourceError;

use super::settings;
use crate::support::git_server::GitServer;
use crate::support::git_server::Mood;
use crate::support::repository::TestRepo;

const TOKEN: &str = "gh-token-0123456789";

async fn open(settings: Settings) -> (Source, tempfile::TempDir) {
    let cache = tempfile::tempdir().unwrap();
    (Source::open(settings, cache.path()).await.unwrap(), cache)
}

fn one_commit() -> TestRepo {
    let repository = TestRepo::new();
    repository.write("a.yaml", "a").commit("one");
    repository
}

#[tokio::test]
async fn a_token_opens_the_door_and_a_rotated_one_needs_no_restart() {
    let repository = one_commit();
    let server = GitServer::with_token(&repository.git_folder(), "x-access-token", TOKEN).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let mut settings = settings(&server.url());
    settings.login.token_file = Some(file.clone());
    let (source, _cache) = open(settings).await;
    assert_eq!(source.look().await.unwrap(), Head::Taken(repository.head()));

    std::fs::write(&file, "an old one").unwrap();
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::Login { .. }), "{error}");
    std::fs::write(&file, TOKEN).unwrap();
    source.look().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::TokenFile { .. }), "{error}");
}

#[tokio::test]
async fn the_user_of_the_url_logs_in() {
    let repository = one_commit();
    let server = GitServer::with_token(&repository.git_folder(), "oauth2", TOKEN).await;
    let mut settings = settings(&server.url().replace("http://", "http://oauth2@"));
    settings.login.token = Some(Secret::new(TOKEN));
    let (source, _cache) = open(settings).await;
    source.look().await.unwrap();
}

#[tokio::test]
async fn without_a_token_or_with_a_wrong_one_the_fix_is_told_and_no_prompt_waits() {
    let repository = one_commit();
    let server = GitServer::with_token(&repository.git_folder(), "x-access-token", TOKEN).await;
    for token in [None, Some(Secret::new("wrong-token-value"))] {
        let mut settings = settings(&server.url());
        settings.login.token = token;
        let (source, _cache) = open(settings).await;
        let error = source.look().await.unwrap_err();
        let text = format!("{error} {error:?} {:?}", source.state().borrow());
        assert!(text.contains("give a token that may read it with --token-file"), "{text}");
        assert!(!text.contains("wrong-token-value"), "{text}");
    }
}

#[tokio::test]
async fn a_token_does_not_follow_a_redirection() {
    let repository = one_commit();
    let server = GitServer::with_token(&repository.git_folder(), "x-access-token", TOKEN).await;
    let thief = GitServer::open_to_all(&repository.git_folder()).await;
    server.set_mood(Mood::Redirects(thief.url().replace("/tenants.git", "")));
    let mut settings = settings(&server.url());
    settings.login.token = Some(Secret::new(TOKEN));
    let (source, _cache) = open(settings).await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::Moved { .. }), "{error}");
}

#[tokio::test]
async fn each_refusal_of_a_server_is_told_for_what_it_is() {
    let repository = one_commit();
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    let (source, _cache) = open(settings(&server.url())).await;
    for (status, expected) in [
        (StatusCode::NOT_FOUND, "there is no repository at"),
        (StatusCode::FORBIDDEN, "may not read this repository"),
        (StatusCode::INTERNAL_SERVER_ERROR, "cannot be reached"),
        (StatusCode::TOO_MANY_REQUESTS, "cannot be reached"),
    ] {
        server.set_mood(Mood::Answers(status));
        let error = source.look().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{status}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let repository = one_commit();
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    server.set_mood(Mood::Silent);
    let mut settings = settings(&server.url());
    settings.fetch_timeout = "300ms".parse().unwrap();
    let (source, _cache) = open(settings).await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::TimedOut { .. }), "{error}");
    server.set_mood(Mood::Well);
    // A slow machine needs longer than that for a fetch; what is shown is that it can be tried again.
    while source.look().await.is_err() {}
}

#[tokio::test]
async fn nobody_s_configuration_takes_part() {
    let repository = one_commit();
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    let (source, cache) = open(settings(&server.url())).await;
    source.look().await.unwrap();
    // A hook in the mirror would run at each fetch.
    let mirror = std::fs::read_dir(cache.path().join("repositories")).unwrap();
    let mirror = mirror.map(|entry| entry.unwrap().path()).next().unwrap().join("mirror.git");
    let hooks = mirror.join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    let trace = cache.path().join("hook-ran");
    let hook = hooks.join("reference-transaction");
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", trace.display())).unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repository.write("a.yaml", "b").commit("two");
    assert_eq!(source.look().await.unwrap(), Head::Taken(repository.head()));
    assert!(!trace.exists());
}

#[tokio::test]
async fn a_mirror_that_breaks_is_made_anew_and_keeps_its_guard() {
    let repository = one_commit();
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    let (source, cache) = open(settings(&server.url())).await;
    source.look().await.unwrap();
    let first = repository.head();
    let folder = std::fs::read_dir(cache.path().join("repositories")).unwrap();
    let mirror = folder.map(|entry| entry.unwrap().path()).next().unwrap().join("mirror.git");

    let mut objects = vec![mirror.join("objects")];
    while let Some(path) = objects.pop() {
        if path.is_dir() {
            objects.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
                .unwrap();
            std::fs::write(&path, "").unwrap();
        }
    }
    let second = repository.write("a.yaml", "b").commit("two");
    assert_eq!(source.look().await.unwrap(), Head::Taken(second.clone()));
    assert_eq!(source.snapshot(&second).await.unwrap().text("a.yaml"), Some("b"));

    std::fs::remove_dir_all(&mirror).unwrap();
    let restarted = super::source_in(&server.url(), &cache).await;
    repository.force_to(&first);
    assert!(matches!(restarted.look().await.unwrap(), Head::Refused(_)));
}

#[tokio::test]
async fn a_lock_that_was_left_behind_is_removed() {
    let repository = one_commit();
    let (source, cache) = super::source_of(&repository).await;
    source.look().await.unwrap();
    let folder = std::fs::read_dir(cache.path().join("repositories")).unwrap();
    let mirror = folder.map(|entry| entry.unwrap().path()).next().unwrap().join("mirror.git");
    let lock = mirror.join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let next = repository.write("a.yaml", "b").commit("two");
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::Locked), "{error}");
    let old = std::time::SystemTime::now() - std::time::Duration::from_mins(2);
    std::fs::File::options().write(true).open(&lock).unwrap().set_modified(old).unwrap();
    assert_eq!(source.look().await.unwrap(), Head::Taken(next));
}
