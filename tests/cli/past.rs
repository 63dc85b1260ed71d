//! What `status`, `history` and `explain` tell of a history that a daemon left.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use tenantry::alerts;
use tenantry::history::Record;
use tenantry::history::Recorder;
use tenantry::history::Store;
use tenantry::history::fresh_id;
use tenantry::history::record::ActionOutcome;
use tenantry::history::record::ActionRecord;
use tenantry::history::record::CommitSeen;
use tenantry::history::record::Drift;
use tenantry::history::record::Parked;
use tenantry::history::record::Reach;
use tenantry::history::record::Run;
use tenantry::history::record::RunCause;
use tenantry::history::record::RunResult;
use tenantry::history::record::StageChange;
use tenantry::history::record::UnitState;
use tenantry::history::record::UnitStatus;
use tenantry::history::recorder;
use tenantry::model::Commit;
use tenantry::model::Digest;
use tenantry::model::Finding;
use tenantry::model::Place;
use tenantry::model::ResourceId;
use tenantry::model::UnitName;
use tenantry::model::resource::Stage;
use tenantry::plan::StageState;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use tenantry::reconcile::chronicle::Chronicle;
use tenantry::reconcile::note;

use crate::support::postgres::database;
use crate::support::program::Program;

/// The URL of a database with a history in it; nothing where the test is skipped.
async fn a_history() -> Option<String> {
    let url = database().await?;
    let database = Database::start(Settings::of(&url)).unwrap();
    database.usable().await;
    Store::over(database).write(&records()).await.unwrap();
    Some(url)
}

/// Some minutes ago, and some seconds more.
fn ago(minutes: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(minutes) - SignedDuration::from_secs(10)
}

fn unit(name: &str) -> UnitName {
    name.parse().unwrap()
}

fn commit() -> Commit {
    Commit::new(&"a".repeat(40))
}

fn web() -> ResourceId {
    ResourceId::new("apps", "Deployment", "kiteclass-acme", "web")
}

fn records() -> Vec<Record> {
    let commit_seen = CommitSeen {
        id: commit(),
        author: "Ada".into(),
        email: "ada@example.test".into(),
        subject: "open acme".into(),
        written_at: ago(11),
        seen_at: ago(10),
        refused_from: None,
    };
    let status = |name: &str, state, minutes, reason: Option<&str>| {
        Record::Status(UnitStatus {
            unit: unit(name),
            state,
            commit: Some(commit()),
            since: ago(minutes),
            reason: reason.map(str::to_owned),
            next_try: None,
            updated_at: ago(minutes),
        })
    };
    let run = Run {
        id: fresh_id(),
        unit: unit("acme"),
        commit: commit(),
        cause: RunCause::Commit,
        started_at: ago(9),
        finished_at: ago(9) + SignedDuration::from_millis(2_200),
        result: RunResult::Failed,
        message: Some("one thing could not be done".into()),
        actions: vec![ActionRecord {
            id: web(),
            verb: "create".into(),
            outcome: ActionOutcome::Failed,
            message: Some("exceeded quota".into()),
            duration: Duration::from_millis(12),
        }],
    };
    let stage = StageChange {
        id: fresh_id(),
        unit: unit("acme"),
        subscription: Some("school".parse().unwrap()),
        stage: Stage::Services,
        state: StageState::Failed("Deployment/kiteclass-acme/web: exceeded quota".into()),
        at: ago(8),
    };
    let drift = Drift {
        id: fresh_id(),
        unit: unit("beta"),
        resource: web(),
        what: "`spec.replicas` changed from 2 to 5".into(),
        by: Some("kubectl".into()),
        found_at: ago(5),
        put_back_at: Some(ago(5) + SignedDuration::from_millis(340)),
    };
    let parked = Parked {
        id: fresh_id(),
        digest: Digest::of(b"what would go"),
        units: vec![unit("gamma")],
        ids: vec![web()],
        reason: "5 tenants would be deleted at once, and the limit is 2".into(),
        since: ago(4),
    };
    let reach = Reach {
        name: "cluster/saigon".into(),
        reachable: false,
        since: ago(3),
        why: Some("connection refused".into()),
        updated_at: ago(3),
    };
    vec![
        Record::Commit(commit_seen),
        Record::Run(run),
        Record::Stage(stage),
        Record::Drift(drift),
        Record::Parked(parked),
        Record::Reach(reach),
        status(
            "acme",
            UnitState::Degraded,
            8,
            Some("Deployment/kiteclass-acme/web: exceeded quota"),
        ),
        status("beta", UnitState::Converged, 7, None),
        status("gamma", UnitState::Parked, 4, Some("deletions wait for an approval")),
    ]
}

/// What the operator sees, without the time of day and the password.
fn shown(url: &str, arguments: &str) -> String {
    let told = Program::with(arguments).quiet_variable("DATABASE_URL", url).run().shown();
    let server = url.split(['@', '/']).nth(3).unwrap_or_default();
    let name = url.rsplit('/').next().unwrap_or_default();
    let name = name.split('?').next().unwrap_or_default();
    told.replace(server, "[SERVER]").replace(name, "[DATABASE]")
}

/// Compares with times of day left out.
macro_rules! assert_shown {
    ($shown:expr) => {
        insta::with_settings!({filters => vec![(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( UTC)?", "[TIME]")]}, {
            insta::assert_snapshot!($shown);
        });
    };
}

#[tokio::test]
async fn status_tells_who_needs_help_and_what_waits() {
    let Some(url) = a_history().await else { return };
    assert_shown!(shown(&url, "status"));
    assert_shown!(shown(&url, "status --all"));
}

#[tokio::test]
async fn status_tells_what_is_wrong_for_longer_than_it_may_be() {
    let Some(url) = database().await else { return };
    let database = Database::start(Settings::of(&url)).unwrap();
    database.usable().await;
    let subject = alerts::Subject {
        kind: alerts::Kind::NodeDown,
        name: "saigon.node-1".into(),
        cluster: "saigon".parse().ok(),
    };
    let what = "node `node-1` of cluster `saigon` does not run pods";
    let wrong = [(subject, what.to_owned())].into();
    let sight = alerts::Sight { wrong, ..alerts::Sight::default() };
    let turns = alerts::turns(&[], &sight, |_| SignedDuration::ZERO, ago(8));
    alerts::store::take(database.pool(), &turns, ago(8)).await.unwrap();
    let told = shown(&url, "status");
    assert!(told.contains(&format!("alert[node-down] for 8 min: {what}")), "{told}");
    let told = Program::with("status -o json").quiet_variable("DATABASE_URL", &url).run().out;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["alerts"][0]["kind"], "node-down", "{told}");
}

#[tokio::test]
async fn a_removed_tenant_of_which_something_is_kept_is_told_as_retired() {
    let Some(url) = database().await else { return };
    let database = Database::start(Settings::of(&url)).unwrap();
    database.usable().await;
    let recorder = Recorder::start(database, &recorder::Settings::default());
    let removed = note::UnitStatus {
        unit: unit("acme"),
        cluster: Some("saigon".parse().unwrap()),
        state: note::State::Retired,
        reason: Some("3 objects are kept by their policy".into()),
        commit: None,
        since: ago(8),
        next_try: None,
    };
    let mut chronicle = Chronicle::new(recorder.clone());
    chronicle.take(&note::Note::Status(removed.clone()), ago(8));
    assert!(recorder.stop(Duration::from_secs(20)).await);
    let told = shown(&url, "status");
    assert!(told.contains("retired  acme  8 min    3 objects are kept by their policy"), "{told}");
    assert!(told.ends_with("1 retired\n"), "{told}");
    let explained = shown(&url, "explain acme");
    assert!(explained.contains("is asked for by no document, and something of it is kept, since"));
}

#[tokio::test]
async fn a_cluster_that_is_not_what_its_document_says_is_told_until_it_is() {
    let Some(url) = database().await else { return };
    let tell = async |findings: Vec<Finding>| {
        let database = Database::start(Settings::of(&url)).unwrap();
        database.usable().await;
        let recorder = Recorder::start(database, &recorder::Settings::default());
        let cluster = "saigon".parse().unwrap();
        let mut chronicle = Chronicle::new(recorder.clone());
        chronicle.take(&note::Note::Answered { cluster, findings }, Timestamp::now());
        assert!(recorder.stop(Duration::from_secs(20)).await);
    };
    let place = Place { file: "clusters/saigon.yaml".into(), line: 9, column: 3 };
    let message = "the cluster `saigon` runs Kubernetes 1.20, and `1.33` is written";
    let finding = Finding::warning("version-differs", place, message);
    tell(vec![finding.help("write `kubernetesVersion: \"1.20\"`")]).await;
    let told = shown(&url, "status");
    let line = format!(
        "warning[version-differs] clusters/saigon.yaml:9:3: {message}\n  write `kubernetesVersion: \"1.20\"`\n"
    );
    assert!(told.contains(&line), "{told}");
    tell(Vec::new()).await;
    assert!(!shown(&url, "status").contains("version-differs"));
}

#[tokio::test]
async fn status_in_colour_paints_the_states() {
    let Some(url) = a_history().await else { return };
    assert_shown!(shown(&url, "status --color always").replace('\u{1b}', "ESC"));
}

#[tokio::test]
async fn history_tells_what_happened() {
    let Some(url) = a_history().await else { return };
    assert_shown!(shown(&url, "history"));
    assert_shown!(shown(&url, "history acme"));
    assert_shown!(shown(&url, "history --since 6m --limit 1"));
}

#[tokio::test]
async fn explain_says_why_in_sentences() {
    let Some(url) = a_history().await else { return };
    assert_shown!(shown(&url, "explain acme"));
    assert_shown!(shown(&url, "explain acne"));
}

#[tokio::test]
async fn for_machines_all_of_it_is_json() {
    let Some(url) = a_history().await else { return };
    let json = |arguments: &str| -> Value {
        let told = Program::with(arguments).quiet_variable("DATABASE_URL", &url).run();
        assert_eq!((told.code, told.err.as_str()), (0, ""));
        serde_json::from_str(&told.out).unwrap()
    };
    assert_eq!(json("status -o json")["counts"]["degraded"], 1);
    assert_eq!(json("history -o json")[0]["event"], "parked");
    assert_eq!(json("explain beta -o json")["status"]["state"], "converged");
}

#[tokio::test]
async fn a_database_without_history_says_how_it_comes_about() {
    let Some(url) = database().await else { return };
    assert_shown!(shown(&url, "status"));
}

#[test]
fn without_a_database_there_is_no_history() {
    insta::assert_snapshot!(Program::with("status").run().shown());
}
