//! Records are written all or nothing, once in effect, and the newest word on what stands counts.

use tenantry::history::Record;
use tenantry::history::Recorder;
use tenantry::history::Settings;
use tenantry::history::record::Ending;
use tenantry::history::record::TaskState;
use tenantry::history::record::UnitState;
use tenantry::history::record::UnitStatus;
use tenantry::model::Digest;
use tenantry::model::Phase;
use tenantry::model::resource::Stage;
use tenantry::plan::StageState;

use super::at;
use super::drift;
use super::everything;
use super::history;
use super::parked;
use super::phase;
use super::reach;
use super::run;
use super::stage;
use super::status;
use super::story;
use super::task;
use super::unit;

#[tokio::test]
async fn writing_the_same_records_again_changes_nothing() {
    let Some(store) = history().await else {
        return;
    };
    let records = story(0);
    store.write(&records).await.unwrap();
    let once = everything(store.database().pool()).await;
    assert_eq!(once.len(), 13, "{once:#?}");
    store.write(&records).await.unwrap();
    for record in &records {
        store.write(std::slice::from_ref(record)).await.unwrap();
    }
    store.write(&[records.clone(), records].concat()).await.unwrap();
    assert_eq!(everything(store.database().pool()).await, once);
}

#[tokio::test]
async fn a_batch_with_one_bad_record_writes_nothing_and_the_recorder_saves_the_others() {
    let Some(store) = history().await else {
        return;
    };
    // PostgreSQL takes no NUL.
    let bad = reach("cluster/\0", true, 0);
    let records = [Record::Run(run("acme", 0)), bad, Record::Run(run("beta", 0))];
    store.write(&records).await.unwrap_err();
    assert_eq!(everything(store.database().pool()).await, [""; 0]);

    let recorder = Recorder::start(store.database().clone(), &Settings::default());
    for record in records {
        recorder.record(record);
    }
    assert!(recorder.flush(std::time::Duration::from_secs(30)).await);
    let (runs,): (i64,) = sqlx::query_as("select count(*) from run")
        .fetch_one(store.database().pool())
        .await
        .unwrap();
    assert_eq!(runs, 2);
}

#[tokio::test]
async fn a_restart_that_tells_everything_anew_adds_no_change() {
    let Some(store) = history().await else {
        return;
    };
    let failed = |why: &str| StageState::Failed(why.into());
    store
        .write(&[
            stage("acme", Stage::Services, StageState::Applying, 0),
            stage("acme", Stage::Services, failed("no image"), 1),
            phase("acme", Phase::Active, 0),
        ])
        .await
        .unwrap();
    store
        .write(&[
            stage("acme", Stage::Services, failed("no image"), 5),
            stage("acme", Stage::Services, failed("no image"), 6),
            phase("acme", Phase::Active, 5),
            stage("beta", Stage::Services, failed("no image"), 5),
            stage("acme", Stage::Services, failed("no memory"), 7),
            stage("acme", Stage::Services, StageState::Ready, 8),
            phase("acme", Phase::Expiring, 9),
        ])
        .await
        .unwrap();
    let changes: Vec<(String, String)> = sqlx::query_as(
        "select unit, concat_ws(': ', state, reason) from stage_change order by changed_at, unit",
    )
    .fetch_all(store.database().pool())
    .await
    .unwrap();
    let changes: Vec<String> =
        changes.iter().map(|(unit, state)| format!("{unit} {state}")).collect();
    assert_eq!(
        changes,
        [
            "acme applying",
            "acme failed: no image",
            "beta failed: no image",
            "acme failed: no memory",
            "acme ready"
        ]
    );
    let phases: Vec<(String,)> =
        sqlx::query_as("select phase from phase_change order by changed_at")
            .fetch_all(store.database().pool())
            .await
            .unwrap();
    assert_eq!(phases, [("active".to_owned(),), ("expiring".to_owned(),)]);
}

#[tokio::test]
async fn a_status_is_replaced_by_newer_ones_only_and_remembers_since_when() {
    let Some(store) = history().await else {
        return;
    };
    let now = async || store.statuses(Some(&[unit("acme")]), None, 1).await.unwrap().pop();
    store.write(&[Record::Status(status("acme", UnitState::Degraded, 10))]).await.unwrap();
    store.write(&[Record::Status(status("acme", UnitState::Degraded, 20))]).await.unwrap();
    let expected = UnitStatus { since: at(10), ..status("acme", UnitState::Degraded, 20) };
    assert_eq!(now().await, Some(expected.clone()), "a restart does not make it younger");
    store.write(&[Record::Status(status("acme", UnitState::Converged, 15))]).await.unwrap();
    assert_eq!(now().await, Some(expected), "what comes late is not news");
    store.write(&[Record::Status(status("acme", UnitState::Converged, 30))]).await.unwrap();
    assert_eq!(now().await, Some(status("acme", UnitState::Converged, 30)));

    store.write(&[Record::Gone { unit: unit("acme"), at: at(29) }]).await.unwrap();
    assert!(now().await.is_some());
    store.write(&[Record::Gone { unit: unit("acme"), at: at(31) }]).await.unwrap();
    assert_eq!(now().await, None);
}

#[tokio::test]
async fn a_roster_forgets_units_that_are_not_there_any_more() {
    let Some(store) = history().await else {
        return;
    };
    let units = ["acme", "beta", "host/kkt-1"];
    let statuses = units.map(|name| Record::Status(status(name, UnitState::Converged, 10)));
    store.write(&statuses).await.unwrap();
    let late = Record::Status(status("late", UnitState::Applying, 30));
    let roster = Record::Roster { units: vec![unit("beta")], at: at(20) };
    store.write(&[roster, late]).await.unwrap();
    let left = store.statuses(None, None, 10).await.unwrap();
    let left: Vec<String> = left.iter().map(|status| status.unit.to_string()).collect();
    assert_eq!(left, ["beta", "late"]);
}

#[tokio::test]
async fn deletions_are_parked_once_until_they_are_approved() {
    let Some(store) = history().await else {
        return;
    };
    let first = parked(10);
    store.write(&[Record::Parked(first.clone())]).await.unwrap();
    // Another run of the daemon finds them again.
    store.write(&[Record::Parked(parked(20))]).await.unwrap();
    let waiting = store.waiting_deletions(Some(&unit("beta"))).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0].parked, &waiting[0].ended), (&first, &None));
    assert!(store.waiting_deletions(Some(&unit("gamma"))).await.unwrap().is_empty());

    let approved = Record::Unparked {
        digest: Digest::of(b"what would go"),
        ending: Ending::Approved,
        at: at(30),
    };
    store.write(&[approved, Record::Parked(parked(40))]).await.unwrap();
    let waiting = store.waiting_deletions(None).await.unwrap();
    assert_eq!(waiting[0].parked.since, at(40), "parked anew after the approval");
}

#[tokio::test]
async fn drift_that_is_put_back_is_one_row_whatever_comes_first() {
    let Some(store) = history().await else {
        return;
    };
    let found = drift("acme", 0);
    let put_back = tenantry::history::record::Drift { put_back_at: Some(at(1)), ..found.clone() };
    store.write(&[Record::Drift(put_back.clone())]).await.unwrap();
    store.write(&[Record::Drift(found)]).await.unwrap();
    let rows: Vec<(bool,)> = sqlx::query_as("select put_back_at is not null from drift")
        .fetch_all(store.database().pool())
        .await
        .unwrap();
    assert_eq!(rows, [(true,)]);
}

#[tokio::test]
async fn a_password_in_a_message_is_not_stored() {
    let Some(store) = history().await else {
        return;
    };
    let mut run = run("acme", 0);
    run.message = Some("could not reach postgres://acme:hunter2@db:5432/acme".into());
    store.write(&[Record::Run(run)]).await.unwrap();
    let rows = everything(store.database().pool()).await.join("\n");
    assert!(rows.contains("postgres://acme:[hidden]@db") && !rows.contains("hunter2"), "{rows}");
}

/// What a daemon has to say that opens so many tenants at once. Printed, not asserted: it says
/// how far behind history may be.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_records_are_written_in_seconds() {
    let Some(store) = history().await else {
        return;
    };
    let recorder = Recorder::start(store.database().clone(), &Settings::default());
    let start = std::time::Instant::now();
    for number in 0..1_000 {
        let name = format!("t{number}");
        let mut run = run(&name, 0);
        run.actions = vec![run.actions; 10].concat();
        recorder.record(Record::Run(run));
        for stage_of_six in Stage::ALL {
            recorder.record(stage(&name, stage_of_six, StageState::Ready, 1));
        }
        recorder.record(phase(&name, Phase::Active, 1));
        recorder.record(Record::Status(status(&name, UnitState::Converged, 1)));
    }
    println!("handed over 9,000 records in {:?}", start.elapsed());
    assert!(recorder.flush(std::time::Duration::from_mins(2)).await);
    println!("written after {:?}", start.elapsed());
    assert_eq!(store.statuses(None, None, 10_000).await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_task_ended_as_it_ended_first_and_is_found_by_its_name() {
    let Some(store) = history().await else {
        return;
    };
    let (backup, other) = ("backup-1".parse().unwrap(), "backup-2".parse().unwrap());
    store.write(&[task("backup-1", TaskState::Running, 0)]).await.unwrap();
    let known = store.tasks(&[&backup, &other]).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!((known[&backup].state, known[&backup].at), (TaskState::Running, at(0)));
    let told = [
        task("backup-1", TaskState::Done, 5),
        // A daemon starts again, and its Job is gone by then.
        task("backup-1", TaskState::Running, 9),
        task("backup-1", TaskState::Failed, 9),
    ];
    store.write(&told).await.unwrap();
    let known = store.tasks(&[&backup]).await.unwrap();
    assert_eq!((known[&backup].state, known[&backup].at), (TaskState::Done, at(5)));
    assert_eq!(known[&backup].message.as_deref(), Some("Done"));
}
