//! What happened, on a real PostgreSQL that is migrated, broken, away and back.

mod crashes;
mod explaining;
mod migrations;
mod reading;
mod retention;
mod writing;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgPool;
use tenantry::history::Record;
use tenantry::history::Store;
use tenantry::history::fresh_id;
use tenantry::history::record::ActionOutcome;
use tenantry::history::record::ActionRecord;
use tenantry::history::record::CommitSeen;
use tenantry::history::record::Drift;
use tenantry::history::record::Parked;
use tenantry::history::record::PhaseChange;
use tenantry::history::record::Reach;
use tenantry::history::record::Run;
use tenantry::history::record::RunCause;
use tenantry::history::record::RunResult;
use tenantry::history::record::StageChange;
use tenantry::history::record::TaskOutcome;
use tenantry::history::record::TaskState;
use tenantry::history::record::UnitState;
use tenantry::history::record::UnitStatus;
use tenantry::model::Commit;
use tenantry::model::Digest;
use tenantry::model::Phase;
use tenantry::model::ResourceId;
use tenantry::model::UnitName;
use tenantry::model::resource::Stage;
use tenantry::plan::StageState;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;

use crate::support::postgres::database;

/// An empty history on a database of its own; nothing where the test is skipped.
async fn history() -> Option<Store> {
    let database = Database::start(Settings::of(&database().await?)).unwrap();
    database.usable().await;
    Some(Store::over(database))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn unit(name: &str) -> UnitName {
    name.parse().unwrap()
}

fn commit(letter: char) -> Commit {
    Commit::new(&letter.to_string().repeat(40))
}

fn web() -> ResourceId {
    ResourceId::new("apps", "Deployment", "kiteclass-acme", "web")
}

fn run(name: &str, second: i64) -> Run {
    Run {
        id: fresh_id(),
        unit: unit(name),
        commit: commit('a'),
        cause: RunCause::Commit,
        started_at: at(second),
        finished_at: at(second + 2),
        result: RunResult::Failed,
        message: Some("one thing could not be done".into()),
        actions: vec![
            ActionRecord {
                id: ResourceId::new("", "Namespace", "", "kiteclass-acme"),
                verb: "create".into(),
                outcome: ActionOutcome::Created,
                message: None,
                duration: Duration::from_micros(1_234),
            },
            ActionRecord {
                id: web(),
                verb: "update".into(),
                outcome: ActionOutcome::Failed,
                message: Some("exceeded quota".into()),
                duration: Duration::from_millis(12),
            },
        ],
    }
}

fn stage(name: &str, stage: Stage, state: StageState, second: i64) -> Record {
    Record::Stage(StageChange {
        id: fresh_id(),
        unit: unit(name),
        subscription: Some("school".parse().unwrap()),
        stage,
        state,
        at: at(second),
    })
}

fn phase(name: &str, phase: Phase, second: i64) -> Record {
    Record::Phase(PhaseChange {
        id: fresh_id(),
        unit: unit(name),
        subscription: "school".parse().unwrap(),
        phase,
        at: at(second),
    })
}

fn drift(name: &str, second: i64) -> Drift {
    Drift {
        id: fresh_id(),
        unit: unit(name),
        resource: web(),
        what: "`spec.replicas` changed from 2 to 5".into(),
        by: Some("kubectl".into()),
        found_at: at(second),
        put_back_at: None,
    }
}

fn parked(second: i64) -> Parked {
    Parked {
        id: fresh_id(),
        digest: Digest::of(b"what would go"),
        units: vec![unit("acme"), unit("beta")],
        ids: vec![web()],
        reason: "5 tenants would be deleted at once, and the limit is 2".into(),
        since: at(second),
    }
}

fn status(name: &str, state: UnitState, second: i64) -> UnitStatus {
    UnitStatus {
        unit: unit(name),
        state,
        commit: Some(commit('a')),
        since: at(second),
        reason: None,
        next_try: None,
        updated_at: at(second),
    }
}

fn seen(letter: char, refused_from: Option<char>, second: i64) -> CommitSeen {
    CommitSeen {
        id: commit(letter),
        author: "Ada Operator".into(),
        email: "ada@example.test".into(),
        subject: "acme: open a school".into(),
        written_at: at(second),
        seen_at: at(second),
        refused_from: refused_from.map(commit),
    }
}

fn reach(name: &str, reachable: bool, second: i64) -> Record {
    Record::Reach(Reach {
        name: name.into(),
        reachable,
        since: at(second),
        why: (!reachable).then(|| "connection refused".into()),
        updated_at: at(second),
    })
}

/// One record of every kind, a minute after another.
fn task(name: &str, state: TaskState, second: i64) -> Record {
    Record::Task(TaskOutcome {
        unit: unit("acme"),
        task: name.parse().unwrap(),
        state,
        message: (state != TaskState::Running).then(|| format!("{state:?}")),
        at: at(second),
    })
}

fn story(second: i64) -> Vec<Record> {
    let found = drift("acme", second + 4);
    let put_back = Drift { put_back_at: Some(at(second + 5)), ..found.clone() };
    vec![
        Record::Commit(seen('a', None, second)),
        Record::Run(run("acme", second + 1)),
        stage("acme", Stage::Namespace, StageState::Ready, second + 2),
        stage("acme", Stage::Database, StageState::Progressing("starting".into()), second + 2),
        stage("acme", Stage::Database, StageState::Ready, second + 3),
        phase("acme", Phase::Active, second + 3),
        task("backup-1", TaskState::Running, second + 3),
        task("backup-1", TaskState::Done, second + 4),
        Record::Drift(found),
        Record::Drift(put_back),
        Record::Parked(parked(second + 6)),
        Record::Status(status("acme", UnitState::Degraded, second + 7)),
        reach("source", false, second + 8),
    ]
}

/// Every row of every table, in an order that does not depend on how it was written.
async fn everything(pool: &PgPool) -> Vec<String> {
    let mut rows = Vec::new();
    for table in [
        "commit_seen",
        "run",
        "action",
        "stage_change",
        "phase_change",
        "task_outcome",
        "drift",
        "parked",
        "unit_status",
        "reach",
        "gap",
    ] {
        let statement = format!("select to_jsonb(row) from {table} as row");
        let found: Vec<(Value,)> =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(pool).await.unwrap();
        rows.extend(found.into_iter().map(|(row,)| format!("{table} {row}")));
    }
    rows.sort();
    rows
}
