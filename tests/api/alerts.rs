//! Alerts: opened once by what is recorded, told once, closed when all is well, and read back.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;
use tenantry::alerts;
use tenantry::jobs::Report;
use tenantry::jobs::Runner;
use tenantry::jobs::of_a_business;
use tenantry::model::Name;
use tenantry::model::pod::Container;
use tenantry::model::pod::ContainerState;
use tenantry::model::pod::Pod;
use tenantry::model::pod::PodPhase;
use tenantry::model::pod::PodStatus;
use tenantry::operations::follow::Taken;
use tenantry::payments::Payments;
use tenantry::pods;
use tokio::sync::watch;
use uuid::Uuid;

use super::Portal;
use super::capacity::node;
use crate::jobs::Told;
use crate::support::example;
use crate::support::mail;

impl Portal {
    /// Looks at everything once, as the daemon does each minute, a minute later.
    async fn watch(&self) -> Report {
        self.wait(SignedDuration::from_mins(1));
        let snapshot = example::snapshot();
        let configuration = Arc::new(example::configuration(&snapshot));
        let database = self.api.accounts().database().clone();
        let runner = Runner {
            jobs: of_a_business().into(),
            name: "daemon".to_owned(),
            accounts: self.api.accounts().clone(),
            payments: Payments::by_hand(database),
            meter: None,
            surveyor: None,
            taken: watch::channel(Some(Taken { commit: snapshot.commit, configuration })).1,
            clock: Arc::new(Told(Arc::clone(&self.clock))),
        };
        runner.by_hand("alerts").await.unwrap()
    }

    async fn alerts(&self, query: &str) -> Vec<Value> {
        // An access token is good for minutes.
        let operator = self.log_in("operator@operator.example").await.access;
        let answer = self.get(&format!("/admin/alerts{query}"), &operator).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json["items"].as_array().unwrap().clone()
    }

    /// The pod of `acme/school` as the watch tells of it.
    async fn has_pod(&self, ready: bool, restarts: u32) {
        let container = Container {
            name: "main-class".into(),
            state: ContainerState::Running,
            ready,
            restarts,
            reason: None,
        };
        let now = *self.clock.lock().unwrap();
        let pod = Pod {
            id: Uuid::from_u128(7),
            of: "acme/school".parse().unwrap(),
            namespace: "kiteclass-acme".into(),
            name: "main-class-1".into(),
            status: PodStatus {
                component: Some("main-class".into()),
                phase: PodPhase::Running,
                ready,
                reason: (!ready).then(|| "its check fails".to_owned()),
                ending: false,
                started_at: "2026-11-20T00:00:00Z".parse().ok(),
                containers: vec![container],
            },
        };
        let store = pods::Store::over(self.api.accounts().database().clone());
        let saigon: Name = "saigon".parse().unwrap();
        store.write(&saigon, &HashMap::from([(pod.id, Some(pod))]), now).await.unwrap();
    }

    async fn told(&self) -> i64 {
        self.mails("alert", "operator@operator.example").await
    }
}

#[tokio::test]
async fn a_node_that_goes_down_is_told_once_and_closed_when_it_has_been_well_for_a_while() {
    let Some(portal) = Portal::open().await else { return };
    portal.staff(Role::Operator).await;
    portal.seen("saigon", Ok(vec![node("a", "True", 1, 0), node("b", "True", 1, 0)])).await;
    portal.watch().await;
    assert_eq!((portal.alerts("").await, portal.told().await), (vec![], 0));

    portal.seen("saigon", Ok(vec![node("a", "Unknown", 1, 0), node("b", "True", 1, 0)])).await;
    let report = portal.watch().await;
    assert_eq!(report.summary, "open: 1; opened: 1; closed: 0");
    let open = portal.alerts("?state=open&kind=node-down").await;
    let [alert] = &open[..] else { panic!("{open:?}") };
    assert_eq!(
        (&alert["subject"], &alert["cluster"], &alert["state"]),
        (&json!("saigon.a"), &json!("saigon"), &json!("open"))
    );
    assert!(alert["what"].as_str().unwrap().contains("does not run pods"), "{alert}");
    assert_eq!(portal.told().await, 1);

    // It stays down, comes and goes, and cannot be seen for a while: that is no news.
    portal.watch().await;
    portal.seen("saigon", Ok(vec![node("a", "True", 1, 0)])).await;
    portal.watch().await;
    portal.seen("saigon", Ok(vec![node("a", "False", 1, 0)])).await;
    portal.watch().await;
    portal
        .seen("saigon", Err("the nodes of cluster `saigon` are not known: it is away".into()))
        .await;
    for _ in 0..20 {
        let report = portal.watch().await;
        let said = |finding: &String| finding.ends_with("are not known: it is away");
        assert!(report.findings.iter().any(said), "{report:?}");
    }
    assert_eq!((portal.alerts("?state=open").await.len(), portal.told().await), (1, 1));

    portal.seen("saigon", Ok(vec![node("a", "True", 1, 0)])).await;
    for minute in 0..10 {
        portal.watch().await;
        assert_eq!(portal.alerts("?state=closed").await, Vec::<Value>::new(), "minute {minute}");
    }
    let open = portal.alerts("").await;
    assert!(open[0]["eased_at"].is_string(), "{open:?}");
    portal.seen("saigon", Ok(vec![node("a", "True", 1, 0)])).await;
    assert_eq!(portal.watch().await.summary, "open: 0; opened: 0; closed: 1");
    let closed = portal.alerts("?state=closed").await;
    assert_eq!(closed[0]["id"], alert["id"]);
    assert!(closed[0]["closed_at"].is_string(), "{closed:?}");

    // Down again is another alert, and another mail.
    portal.seen("saigon", Ok(vec![node("a", "False", 1, 0)])).await;
    portal.watch().await;
    assert_eq!((portal.alerts("").await.len(), portal.told().await), (2, 2));
}

#[tokio::test]
async fn an_instance_that_is_away_for_five_minutes_and_a_container_that_starts_again_are_told() {
    let Some(portal) = Portal::open().await else { return };
    portal.staff(Role::Operator).await;
    // What it did before anybody looked counts for nothing.
    portal.has_pod(false, 40).await;
    for _ in 0..5 {
        portal.watch().await;
        portal.has_pod(false, 42).await;
    }
    assert_eq!(portal.alerts("?kind=downtime").await, Vec::<Value>::new());
    portal.watch().await;
    let down = portal.alerts("?kind=downtime").await;
    let [alert] = &down[..] else { panic!("{down:?}") };
    assert_eq!(alert["subject"], "acme/school");
    assert!(alert["what"].as_str().unwrap().starts_with("acme/school is down: "), "{alert}");
    assert!(alert["since"].as_str() < alert["opened_at"].as_str(), "{alert}");

    portal.has_pod(false, 45).await;
    portal.watch().await;
    assert_eq!(portal.alerts("?kind=restarts").await, Vec::<Value>::new(), "five are allowed");
    portal.has_pod(false, 46).await;
    portal.watch().await;
    let often = portal.alerts("?kind=restarts").await;
    assert!(often[0]["what"].as_str().unwrap().contains("6 times within an hour"), "{often:?}");
    assert_eq!(portal.told().await, 2);

    // An hour later they are over.
    portal.wait(SignedDuration::from_hours(1));
    portal.watch().await;
    let over = portal.alerts("?kind=restarts").await;
    assert!(over[0]["eased_at"].is_string(), "{over:?}");
}

#[tokio::test]
async fn two_who_look_at_once_open_one_alert_and_tell_of_it_once() {
    let Some(portal) = Portal::open().await else { return };
    portal.staff(Role::Operator).await;
    let now = *portal.clock.lock().unwrap();
    let subject = |number: u8| alerts::Subject {
        kind: alerts::Kind::Disk,
        name: format!("saigon.node-{number}"),
        cluster: "saigon".parse().ok(),
    };
    let wrong = (0..30).map(|number| (subject(number), "it is full".to_owned())).collect();
    let sight = alerts::Sight { wrong, ..alerts::Sight::default() };
    let turns = alerts::turns(&[], &sight, |_| SignedDuration::ZERO, now);
    let taking = (0..4).map(|_| alerts::store::take(&portal.pool, &turns, now));
    let became = futures_util::future::join_all(taking).await;
    let opened: usize = became.into_iter().map(|became| became.unwrap().opened).sum();
    assert_eq!(opened, 30);
    assert_eq!(portal.told().await, 1, "all of a kind that open at once are one mail");
    assert_eq!(
        mail::write_all(&portal.pool).await.iter().filter(|name| *name == "alert").count(),
        1
    );

    // Page by page, each once.
    let operator = portal.log_in("operator@operator.example").await.access;
    let (mut subjects, mut path) = (Vec::new(), "/admin/alerts?limit=7".to_owned());
    loop {
        let page = portal.get(&path, &operator).await.json;
        let items = page["items"].as_array().unwrap();
        subjects.extend(items.iter().map(|item| item["subject"].to_string()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/admin/alerts?limit=7&cursor={cursor}");
    }
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 30);
    for bad in ["?kind=moon", "?state=half", "?cursor=none", "?limit=0", "?of=me"] {
        let answer = portal.get(&format!("/admin/alerts{bad}"), &operator).await;
        assert!((400..500).contains(&answer.status), "{bad}: {}", answer.text);
    }
    let customer = portal.customer_of("acme").await.access;
    assert_eq!(portal.get("/admin/alerts", &customer).await.status, 403);
    assert_eq!(portal.get("/admin/alerts", "").await.status, 401);
}
