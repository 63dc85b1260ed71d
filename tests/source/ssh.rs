//! The wire over SSH, with a real server where one is installed.

use tempfile::TempDir;
use tenantry::source::Head;
use tenantry::source::Source;
use tenantry::source::SourceError;

use super::settings;
use crate::support::repository::TestRepo;
use crate::support::ssh_server::SshServer;

async fn source_behind(
    server: &SshServer,
    repository: &TestRepo,
    key: &str,
    known_hosts: &str,
) -> (Source, TempDir) {
    let mut settings = settings(&server.url(repository.path()));
    settings.login.ssh_key_file = Some(server.at(key));
    settings.login.known_hosts_file = Some(server.at(known_hosts));
    let cache = tempfile::tempdir().unwrap();
    (Source::open(settings, cache.path()).await.unwrap(), cache)
}

#[tokio::test]
async fn a_key_opens_the_door_of_a_known_host_and_of_no_other() {
    let Some(server) = SshServer::start().await else {
        return;
    };
    let repository = TestRepo::new();
    let commit = repository.write("a.yaml", "a").commit("one");

    let (source, _cache) = source_behind(&server, &repository, "client key", "known hosts").await;
    assert_eq!(source.look().await.unwrap(), Head::Taken(commit));

    let (source, _cache) = source_behind(&server, &repository, "stranger key", "known hosts").await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::Login { .. }), "{error}");

    std::fs::write(server.at("nobody known"), "").unwrap();
    let (source, _cache) = source_behind(&server, &repository, "client key", "nobody known").await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::HostKeyUnknown { .. }), "{error}");
    assert!(error.to_string().contains(&format!("ssh-keyscan -p {} 127.0.0.1", server.port)));

    let other = std::fs::read_to_string(server.at("stranger key.pub")).unwrap();
    std::fs::write(server.at("another host"), format!("[127.0.0.1]:{} {other}", server.port))
        .unwrap();
    let (source, _cache) = source_behind(&server, &repository, "client key", "another host").await;
    let error = source.look().await.unwrap_err();
    assert!(matches!(error, SourceError::HostKeyChanged { .. }), "{error}");
}
