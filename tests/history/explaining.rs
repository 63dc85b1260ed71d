//! Why a unit is in its state, in sentences.

use tenantry::history::explain;
use tenantry::history::record::Drift;
use tenantry::history::record::PhaseChange;
use tenantry::history::record::Reach;
use tenantry::history::record::UnitState;
use tenantry::history::record::UnitStatus;
use tenantry::history::told::ParkedSeen;
use tenantry::history::told::StageSpan;
use tenantry::history::told::UnitHistory;
use tenantry::model::Phase;
use tenantry::model::resource::Stage;

use super::at;
use super::drift;
use super::fresh_id;
use super::parked;
use super::run;
use super::status;
use super::unit;

fn known(state: UnitState) -> UnitHistory {
    UnitHistory {
        unit: unit("acme"),
        status: Some(status("acme", state, 0)),
        last_run: None,
        phases: Vec::new(),
        stages: Vec::new(),
        drift: Vec::new(),
        parked: Vec::new(),
        unreachable: Vec::new(),
    }
}

fn span(stage: Stage, state: &str, reason: Option<&str>, second: i64) -> StageSpan {
    StageSpan {
        unit: unit("acme"),
        subscription: Some("school".parse().unwrap()),
        stage,
        state: state.into(),
        reason: reason.map(str::to_owned),
        started_at: at(second),
        ended_at: None,
    }
}

#[test]
fn a_degraded_unit_is_explained_from_its_state_to_the_failing_object() {
    let told = UnitHistory {
        status: Some(UnitStatus {
            reason: Some("Deployment/kiteclass-acme/web: the image cannot be pulled".into()),
            next_try: Some(at(330)),
            ..status("acme", UnitState::Degraded, 0)
        }),
        last_run: Some(run("acme", 240)),
        phases: vec![PhaseChange {
            id: fresh_id(),
            unit: unit("acme"),
            subscription: "school".parse().unwrap(),
            phase: Phase::Active,
            at: at(0),
        }],
        stages: vec![
            span(Stage::Namespace, "ready", None, 1),
            span(Stage::Database, "ready", None, 3),
            span(Stage::Services, "failed", Some("the image cannot be pulled"), 60),
            span(Stage::Network, "waiting", None, 1),
        ],
        drift: vec![Drift { put_back_at: Some(at(202)), ..drift("acme", 200) }, drift("acme", 100)],
        unreachable: vec![Reach {
            name: "source".into(),
            reachable: false,
            since: at(180),
            why: Some("could not resolve host".into()),
            updated_at: at(180),
        }],
        ..known(UnitState::Degraded)
    };
    assert_eq!(
        explain(&told, at(300)),
        [
            "At commit aaaaaaaaaa `acme` is not as its documents say, since 2026-01-01 00:00 UTC (5 min ago): Deployment/kiteclass-acme/web: the image cannot be pulled.",
            "It is tried again in 30 s.",
            "source cannot be reached since 2026-01-01 00:03 UTC (2 min ago): could not resolve host.",
            "Subscription `school` is active since 2026-01-01 00:00 UTC (5 min ago).",
            "Subscription `school` has come to stage Services, which is failed since 2026-01-01 00:01 UTC (4 min ago): the image cannot be pulled; Namespace and Database ready.",
            "Its last run, for a commit at 2026-01-01 00:04 UTC (60 s ago), failed after 2.0 s: 1 created, 1 failed.",
            "Could not update Deployment/kiteclass-acme/web: exceeded quota.",
            "2 times in the last day something of it drifted, last: Deployment/kiteclass-acme/web drifted: `spec.replicas` changed from 2 to 5 by kubectl, put back after 2.0 s, 2026-01-01 00:03 UTC (100 s ago).",
        ]
    );
}

#[test]
fn parked_deletions_are_explained_with_what_to_do() {
    let seen = ParkedSeen { parked: parked(0), ended: None };
    let told = UnitHistory { parked: vec![seen], ..known(UnitState::Parked) };
    let said = explain(&told, at(60));
    assert!(said[0].contains("because deletions wait for an approval"), "{said:?}");
    assert!(said[1].starts_with("1 deletions wait for an approval since"), "{said:?}");
    assert!(
        said[2].contains("commit `bfd7f3f5e631aa28eb6e7202ec828b24` under `deletions.approved`"),
        "{said:?}"
    );
}

#[test]
fn who_is_fine_gone_or_unknown_is_told_so() {
    let first = |told: &UnitHistory| explain(told, at(60)).remove(0);
    assert_eq!(
        first(&known(UnitState::Converged)),
        "At commit aaaaaaaaaa `acme` is as its documents say, since 2026-01-01 00:00 UTC (60 s ago)."
    );
    let gone =
        UnitHistory { status: None, last_run: Some(run("acme", 0)), ..known(UnitState::Converged) };
    assert_eq!(first(&gone), "`acme` is gone: no document asks for it any more.");
    let unknown = UnitHistory { status: None, ..known(UnitState::Converged) };
    assert_eq!(
        first(&unknown),
        "Nothing is known of `acme`: no run of it was recorded, and no document asks for it."
    );
}
