//! A host that the daemon keeps: every commit comes to it, and what somebody changed is put back.

use std::collections::BTreeMap;
use std::time::Duration;

use tenantry::history::Recorder;
use tenantry::model::UnitName;
use tenantry::plan::Cause;
use tenantry::reconcile::daemon::Daemon;
use tenantry::reconcile::daemon::Parts;
use tenantry::reconcile::hosts::Keeping;
use tenantry::reconcile::note::Note;
use tenantry::reconcile::note::State;
use tenantry::reconcile::targets::Kubeconfigs;
use tenantry::reconcile::world::Clock;
use tenantry::source;
use tenantry::source::Source;
use tokio::sync::mpsc;

use super::Story;
use crate::support::repository::TestRepo;

/// A daemon that follows a repository, and everything that it says.
struct Kept {
    repository: TestRepo,
    daemon: Daemon,
    said: mpsc::UnboundedReceiver<Note>,
    _cache: tempfile::TempDir,
}

const CATALOG: &str = "templates/host/box/catalog.yaml.j2";

impl Kept {
    async fn begin(story: &Story, catalog: &str, clock: Clock) -> Self {
        let repository = TestRepo::new();
        for (file, text) in story.files(catalog) {
            repository.write(&file, text);
        }
        repository.commit("a box");
        let cache = tempfile::tempdir().unwrap();
        let url = repository.path().to_str().unwrap().to_owned();
        let source = Source::open(source::Settings::of(url.parse().unwrap()), cache.path());
        let (listener, said) = mpsc::unbounded_channel();
        let daemon = Daemon::start(Parts {
            source: source.await.unwrap(),
            kubeconfigs: Kubeconfigs { files: BTreeMap::new(), default: None },
            recorder: Recorder::to_nowhere(),
            clock,
            hosts: Some(Keeping { key: story.vds.key.clone(), every: Duration::from_secs(1) }),
            verify_every: Duration::from_hours(1),
            clusters: tokio::sync::watch::Sender::default(),
            listener: Some(listener),
        })
        .await;
        Self { repository, daemon, said, _cache: cache }
    }

    /// Waits until the host is in a state, and tells why.
    async fn until(&self, state: State) -> String {
        let unit: UnitName = "host/box-1".parse().unwrap();
        let mut overview = self.daemon.overview();
        let there = overview.wait_for(|overview| {
            overview.units.get(&unit).is_some_and(|status| status.state == state)
        });
        let there = tokio::time::timeout(Duration::from_mins(1), there).await;
        let overview = there.unwrap_or_else(|_| panic!("it never is {state:?}")).unwrap();
        overview.units[&unit].reason.clone().unwrap_or_default()
    }

    /// Waits for the next run that did something, and tells what.
    async fn next_run(&mut self) -> Vec<String> {
        loop {
            let note = tokio::time::timeout(Duration::from_mins(1), self.said.recv()).await;
            let Note::Run(run) = note.expect("a run in time").expect("the daemon runs") else {
                continue;
            };
            if !run.deeds.is_empty() {
                let told = |deed: &tenantry::reconcile::run::Deed| {
                    let drift = matches!(deed.cause, Some(Cause::Drift { .. }));
                    format!("{}{} {}", deed.verb, if drift { " back" } else { "" }, deed.done.id)
                };
                return run.deeds.iter().map(told).collect();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_follows_commits_and_what_somebody_changed_is_put_back() {
    let Some(story) = Story::begin() else { return };
    let motd = |text: &str| format!("- file: {{path: /srv/motd, content: \"{text}\\n\"}}\n");
    let mut kept = Kept::begin(&story, &motd("one"), Clock::system()).await;
    assert_eq!(kept.next_run().await, ["create file//srv/motd"]);
    kept.until(State::Converged).await;

    kept.repository.write(CATALOG, motd("two"));
    kept.repository.commit("two");
    assert_eq!(kept.next_run().await, ["change file//srv/motd"]);
    assert_eq!(story.vds.shell("cat /srv/motd"), "two");

    story.vds.shell("echo mine > /srv/motd");
    assert_eq!(kept.next_run().await, ["change back file//srv/motd"]);
    assert_eq!(story.vds.shell("cat /srv/motd"), "two");

    // What is broken leaves it as it is, and says where.
    kept.repository.write(CATALOG, "- fil: {path: /srv/motd}\n");
    kept.repository.commit("a typing error");
    let why = kept.until(State::Held).await;
    assert!(why.contains("catalog.yaml.j2:1"), "{why}");
    kept.repository.write(CATALOG, motd("three"));
    kept.repository.commit("three");
    assert_eq!(kept.next_run().await, ["change file//srv/motd"]);

    // It cannot be reached for a while.
    story.vds.shell("systemctl stop ssh.socket ssh.service 2>/dev/null; systemctl mask --runtime --now ssh; (sleep 6; systemctl unmask --runtime ssh; systemctl start ssh) >/dev/null 2>&1 &");
    let why = kept.until(State::Failing).await;
    assert!(why.contains("cannot be reached"), "{why}");
    kept.until(State::Converged).await;

    // A commit that takes its document away takes nothing off it.
    kept.repository.remove("tenants/kassa-plus/box.yaml");
    kept.repository.commit("no box");
    kept.until(State::Retired).await;
    assert_eq!(story.vds.shell("cat /srv/motd"), "three");
    assert!(kept.daemon.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_changed_in_its_window_alone_once_it_is_set_up() {
    let Some(mut story) = Story::begin() else { return };
    story.more =
        "  maintenance: {days: [sat], from: \"02:00\", to: \"05:00\", timeZone: Europe/Moscow}\n";
    // A Wednesday, and then a Saturday at three.
    let now = std::sync::Arc::new(std::sync::Mutex::new("2026-11-25T12:00:00Z".parse().unwrap()));
    let clock = {
        let now = now.clone();
        Clock::of(move || *now.lock().unwrap())
    };
    let motd = |text: &str| format!("- file: {{path: /srv/motd, content: \"{text}\\n\"}}\n");
    let mut kept = Kept::begin(&story, &motd("one"), clock).await;
    assert_eq!(kept.next_run().await, ["create file//srv/motd"]);
    kept.repository.write(CATALOG, motd("two"));
    kept.repository.commit("two");
    let why = kept.until(State::Waiting).await;
    assert!(
        why.contains("it waits for its window, sat from 02:00 to 05:00 Europe/Moscow"),
        "{why}"
    );
    assert_eq!(story.vds.shell("cat /srv/motd"), "one");
    *now.lock().unwrap() = "2026-11-28T00:00:00Z".parse().unwrap();
    assert_eq!(kept.next_run().await, ["change file//srv/motd"]);
    assert!(kept.daemon.stop().await);
}
