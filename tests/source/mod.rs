//! Where commits come from: real repositories, a real Git server, a real SSH server.

mod commits;
mod https;
mod incremental;
mod rewritten;
mod snapshots;
mod ssh;
mod watching;

use std::time::Duration;

use tempfile::TempDir;
use tenantry::model::Commit;
use tenantry::source::Settings;
use tenantry::source::Source;
use tenantry::source::settings::Interval;

use crate::support::repository::TestRepo;

/// A source over a local repository, and the folder of its cache.
async fn source_of(repository: &TestRepo) -> (Source, TempDir) {
    source_at(repository.path().to_str().unwrap()).await
}

async fn source_at(address: &str) -> (Source, TempDir) {
    let cache = tempfile::tempdir().unwrap();
    (source_in(address, &cache).await, cache)
}

async fn source_in(address: &str, cache: &TempDir) -> Source {
    Source::open(settings(address), cache.path()).await.unwrap()
}

/// Settings that never poll within a test: what is seen was seen by other means.
fn settings(address: &str) -> Settings {
    let mut settings = Settings::of(address.parse().unwrap());
    settings.poll = Interval(Duration::from_hours(1));
    settings
}

/// The next head, within a time that no working watch needs.
async fn soon(watch: &mut tenantry::source::Watch) -> Commit {
    tokio::time::timeout(Duration::from_secs(30), watch.next()).await.expect("a head comes soon")
}
