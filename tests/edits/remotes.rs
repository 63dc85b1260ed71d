//! Pushing over the wires that there are.

use tenantry::edits::EditError;
use tenantry::model::Secret;
use tenantry::source::Settings;
use tenantry::source::SourceError;

use super::Desk;
use super::example;
use super::git;
use super::order;
use crate::support::git_server::GitServer;
use crate::support::repository::TestRepo;
use crate::support::ssh_server::SshServer;

fn served() -> TestRepo {
    let repository = example();
    git(&repository.git_folder(), &["config", "http.receivepack", "true"]).unwrap();
    repository
}

#[tokio::test]
async fn over_http_with_a_token() {
    let repository = served();
    let server = GitServer::with_token(&repository.git_folder(), "x-access-token", "t0ken").await;
    let mut settings = Settings::of(server.url().parse().unwrap());
    settings.login.token = Some(Secret::new("t0ken"));
    let desk = Desk::with(settings, None).await;
    let (one, two) =
        tokio::join!(desk.editor.commit(order("initech")), desk.editor.commit(order("hooli")),);
    let (one, two) = (one.unwrap().commit, two.unwrap().commit);
    assert!([one, two].contains(&repository.head()));
    repository.write("readme.md", "by a person").commit("moved");
    let last = desk.editor.commit(order("umbrella")).await.unwrap();
    assert_eq!(last.commit, repository.head());
}

#[tokio::test]
async fn a_token_that_may_only_read_is_told_what_it_lacks() {
    let repository = example();
    let server = GitServer::open_to_all(&repository.git_folder()).await;
    let desk = Desk::with(Settings::of(server.url().parse().unwrap()), None).await;
    let error = desk.editor.commit(order("initech")).await.unwrap_err();
    let EditError::Source(source) = &error else { panic!("{error}") };
    assert!(matches!(**source, SourceError::Login { .. }), "{error}");
    assert!(error.to_string().contains("give a token or a key that may write it"), "{error}");
}

#[tokio::test]
async fn over_ssh_with_a_key() {
    let Some(server) = SshServer::start().await else { return };
    let repository = example();
    let mut settings = Settings::of(server.url(repository.path()).parse().unwrap());
    settings.login.ssh_key_file = Some(server.at("client key"));
    settings.login.known_hosts_file = Some(server.at("known hosts"));
    let desk = Desk::with(settings, None).await;
    let done = desk.editor.commit(order("initech")).await.unwrap();
    assert_eq!(done.commit, repository.head());
}
