//! What was written is read back as it was, and told in order.

use std::collections::BTreeMap;

use tenantry::history::Asked;
use tenantry::history::Record;
use tenantry::history::record::ActionOutcome;
use tenantry::history::record::UnitState;

use super::at;
use super::commit;
use super::history;
use super::run;
use super::seen;
use super::status;
use super::story;
use super::unit;
use super::web;

fn all(name: Option<&str>) -> Asked {
    Asked { unit: name.map(unit), since: None, most: 100 }
}

#[tokio::test]
async fn a_run_is_read_back_with_its_actions() {
    let Some(store) = history().await else {
        return;
    };
    let mut written = run("acme", 0);
    // Of a time, PostgreSQL keeps microseconds.
    written.started_at = "2026-01-01T00:00:00.123456Z".parse().unwrap();
    store.write(&[Record::Run(written.clone())]).await.unwrap();
    assert_eq!(store.run(written.id).await.unwrap(), Some(written.clone()));
    let (last, action) = store.last_of_resource(&web()).await.unwrap().unwrap();
    assert_eq!((last, action.outcome), (written, ActionOutcome::Failed));
}

#[tokio::test]
async fn the_timeline_of_a_unit_is_newest_first_with_its_stages() {
    let Some(store) = history().await else {
        return;
    };
    store.write(&story(0)).await.unwrap();
    let told = async |asked: Asked| {
        let events = store.timeline(&asked).await.unwrap();
        events
            .iter()
            .map(|event| format!("{} {event}", event.at.strftime("%S")))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(all(Some("acme"))).await,
        [
            "06 deletions parked: 5 tenants would be deleted at once, and the limit is 2 [bfd7f3f5e631aa28eb6e7202ec828b24]",
            "04 Deployment/kiteclass-acme/web drifted: `spec.replicas` changed from 2 to 5 by kubectl, put back after 1.0 s",
            "03 school: active",
            "03 school: Database ready",
            "02 school: Database progressing for 1.0 s: starting",
            "02 school: Namespace ready",
            "01 failed at aaaaaaaaaa in 2.0 s: 1 created, 1 failed: one thing could not be done",
        ]
    );
    assert_eq!(
        told(all(None)).await.last().unwrap(),
        "00 commit aaaaaaaaaa by Ada Operator: acme: open a school"
    );
    assert_eq!(told(all(Some("beta"))).await.len(), 1, "parked with acme");
    assert_eq!(told(Asked { since: Some(at(4)), ..all(Some("acme")) }).await.len(), 2);
    assert_eq!(told(Asked { most: 3, ..all(Some("acme")) }).await.len(), 3);
}

#[tokio::test]
async fn the_overview_counts_units_and_shows_the_troubled_ones() {
    let Some(store) = history().await else {
        return;
    };
    store.write(&story(0)).await.unwrap();
    let fine = ["beta", "gamma"].map(|name| Record::Status(status(name, UnitState::Converged, 9)));
    store.write(&fine).await.unwrap();
    let overview = store.overview(10).await.unwrap();
    assert_eq!(
        overview.counts,
        BTreeMap::from([(UnitState::Converged, 2), (UnitState::Degraded, 1)])
    );
    assert_eq!(overview.troubled, [status("acme", UnitState::Degraded, 7)]);
    assert_eq!(overview.parked.len(), 1);
    assert!(!overview.reach[0].reachable);
    assert_eq!(overview.head, Some(seen('a', None, 0)));
    serde_json::to_string(&overview).unwrap();
}

#[tokio::test]
async fn the_last_taken_commit_is_known_though_a_later_one_was_refused() {
    let Some(store) = history().await else {
        return;
    };
    assert_eq!(store.last_taken().await.unwrap(), None);
    let commits = [seen('a', None, 0), seen('b', None, 1), seen('c', Some('b'), 2)];
    store.write(&commits.map(Record::Commit)).await.unwrap();
    assert_eq!(store.last_taken().await.unwrap(), Some(commit('b')));
    // Somebody accepted it.
    store.write(&[Record::Commit(seen('c', None, 3))]).await.unwrap();
    assert_eq!(store.last_taken().await.unwrap(), Some(commit('c')));
    // The branch was reset, and that accepted: an old commit is the newest word.
    store.write(&[Record::Commit(seen('a', None, 4))]).await.unwrap();
    assert_eq!(store.last_taken().await.unwrap(), Some(commit('a')));
}

#[tokio::test]
async fn units_are_known_by_what_they_did() {
    let Some(store) = history().await else {
        return;
    };
    let records =
        [Record::Run(run("gone", 0)), Record::Status(status("acme", UnitState::Converged, 0))];
    store.write(&records).await.unwrap();
    assert_eq!(store.unit_names().await.unwrap(), [unit("acme"), unit("gone")]);
    let known = store.unit(&unit("gone")).await.unwrap();
    assert!(known.status.is_none() && known.last_run.is_some());
}
