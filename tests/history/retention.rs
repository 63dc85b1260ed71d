//! What is old goes; what still stands stays, however old it is.

use tenantry::history::Record;
use tenantry::history::record::Ending;
use tenantry::history::record::TaskState;
use tenantry::history::record::UnitState;
use tenantry::model::Digest;
use tenantry::model::Phase;
use tenantry::model::resource::Stage;
use tenantry::plan::StageState;

use super::at;
use super::commit;
use super::drift;
use super::everything;
use super::history;
use super::parked;
use super::phase;
use super::run;
use super::seen;
use super::stage;
use super::status;
use super::task;

#[tokio::test]
async fn only_what_is_over_is_removed() {
    let Some(store) = history().await else {
        return;
    };
    let mut old: Vec<Record> = (0..5).map(|second| Record::Run(run("acme", second))).collect();
    let put_back =
        tenantry::history::record::Drift { put_back_at: Some(at(1)), ..drift("acme", 0) };
    let approved = Record::Unparked {
        digest: Digest::of(b"what would go"),
        ending: Ending::Approved,
        at: at(5),
    };
    old.extend([
        Record::Commit(seen('a', None, 0)),
        Record::Commit(seen('b', None, 1)),
        stage("acme", Stage::Services, StageState::Applying, 0),
        stage("acme", Stage::Services, StageState::Ready, 1),
        phase("acme", Phase::Active, 0),
        phase("acme", Phase::Expiring, 1),
        task("backup-1", TaskState::Running, 0),
        task("backup-1", TaskState::Done, 1),
        task("backup-2", TaskState::Running, 0),
        Record::Drift(put_back),
        Record::Drift(drift("acme", 0)),
        Record::Parked(parked(0)),
        approved,
        Record::Parked(parked(10)),
        Record::Status(status("acme", UnitState::Degraded, 0)),
    ]);
    store.write(&old).await.unwrap();

    let nothing = store.clean_up(at(0)).await.unwrap();
    assert_eq!(nothing, tenantry::history::store::Cleaned::default());
    let cleaned = store.clean_up(at(1_000)).await.unwrap();
    assert_eq!(
        serde_json::to_value(cleaned).unwrap(),
        serde_json::json!({"runs": 4, "stages": 1, "phases": 1, "tasks": 1, "drift": 1, "parked": 1, "commits": 1, "gaps": 0, "daemons": 0})
    );
    // The last run with two actions, a stage, a phase, a task, a drift, a parked, a commit, a status.
    assert_eq!(everything(store.database().pool()).await.len(), 10);
    assert_eq!(store.last_taken().await.unwrap(), Some(commit('b')));
    assert_eq!(store.clean_up(at(1_000)).await.unwrap(), nothing);
}
