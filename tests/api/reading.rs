//! What is read: the catalog by anybody, subscriptions by whose they are, instances by operators.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;
use tenantry::history::Record;
use tenantry::history::Recorder;
use tenantry::history::fresh_id;
use tenantry::history::record::StageChange;
use tenantry::history::record::TaskOutcome;
use tenantry::history::record::TaskState;
use tenantry::history::record::UnitState;
use tenantry::history::record::UnitStatus;
use tenantry::history::recorder;
use tenantry::model::Commit;
use tenantry::model::Finding;
use tenantry::model::Snapshot;
use tenantry::model::resource::Stage;
use tenantry::plan::StageState;
use tenantry::validate::addresses::Addresses;
use tenantry::validate::addresses::Availability;
use tenantry::validate::check;

use super::Portal;
use crate::support::example;

#[tokio::test]
async fn anybody_sees_what_can_be_ordered_and_not_what_it_costs_us() {
    let Some(portal) = Portal::open().await else { return };
    let packages = portal.get("/packages", "").await;
    let names: Vec<&str> = packages
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"kiteclass-standard") && names.contains(&"n8n"), "{names:?}");
    insta::assert_json_snapshot!(portal.get("/packages/kiteclass-standard", "").await.json);
    insta::assert_json_snapshot!(portal.get("/templates/n8n", "").await.json);
    let everything = format!("{}{}", packages.text, portal.get("/templates", "").await.text);
    for ours in ["cost", "credential", "image", "environment"] {
        assert!(!everything.contains(&format!("\"{ours}\"")), "{ours}");
    }
    let kkt = portal.get("/packages?product=kkt&runs=host", "").await;
    assert!(kkt.json.as_array().unwrap().iter().all(|package| package["product"] == "kkt"));
    assert_eq!(portal.get("/packages/nothing", "").await.code(), "not-found");
}

#[tokio::test]
async fn an_unchanged_file_is_not_sent_again() {
    let Some(portal) = Portal::open().await else { return };
    let token = portal.customer_of("acme").await.access;
    for (path, token) in [("/packages/n8n", ""), ("/subscriptions/acme.school", token.as_str())] {
        let first = portal.get(path, token).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"'), "{tag}");
        let known = [("if-none-match", tag.as_str())];
        let again = portal.client.send("GET", path, token, None, &known).await;
        assert_eq!(
            (again.status, again.text.as_str(), again.header("etag")),
            (304, "", tag.as_str())
        );
    }
}

#[tokio::test]
async fn a_wish_for_a_subdomain_is_answered_as_its_commit_would_be_checked() {
    let Some(portal) = Portal::open().await else { return };
    for (path, state) in [
        ("new-school?package=kiteclass-basic", "free"),
        ("acme?package=kiteclass-basic", "taken"),
        ("acme?package=n8n", "free"),
        ("acme", "taken"),
        ("admin?package=kiteclass-basic", "reserved"),
        ("admin", "reserved"),
        ("-x", "ill-formed"),
        ("a.b", "ill-formed"),
        ("ACME", "ill-formed"),
    ] {
        let answer = portal.get(&format!("/subdomains/{path}"), "").await;
        assert_eq!(answer.json["state"], state, "{path}: {}", answer.text);
        assert_eq!(answer.json["help"].is_string(), state != "free");
    }
    let unknown = portal.get("/subdomains/acme?package=nothing", "").await;
    assert_eq!(unknown.json["errors"][0]["field"], "package");
}

/// The same wishes, put into a commit and checked.
#[test]
fn what_is_said_of_a_subdomain_is_what_the_rules_say_of_its_commit() {
    let example = example::snapshot();
    let (configuration, templates) = (example::configuration(&example), BTreeSet::new());
    let addresses = Addresses::of(&configuration);
    let faults = |snapshot: &Snapshot| -> Vec<String> {
        let checked = check(&example::configuration(snapshot), snapshot, &templates);
        let of_subdomains = |finding: &&Finding| {
            &*finding.place.file == "tenants/newcomer/wish.yaml"
                && ["ill-formed", "reserved", "domain-taken", "foreign-namespace"]
                    .iter()
                    .any(|rule| finding.rule.starts_with(rule))
        };
        checked.findings.iter().filter(of_subdomains).map(|one| one.rule.to_string()).collect()
    };
    let (long, longest) = ("a".repeat(56), "a".repeat(64));
    let mut told = BTreeSet::new();
    for package in ["kiteclass-basic", "n8n", "wordpress"] {
        for wish in
            ["fresh", "acme", "sunrise", "admin", "a_b", "-a", "Acme", "x.y", &long, &longest]
        {
            let text = format!(
                "apiVersion: tenantry.dev/v1\nkind: Subscription\nmetadata: {{ name: wish }}\nspec:\n  \
                 tenant: newcomer\n  package: {package}\n  starts: 2030-01-01\n  subdomain: \"{wish}\"\n"
            );
            let files =
                example.files.values().map(|file| (file.path.to_string(), file.content.to_vec()));
            let more = [("tenants/newcomer/wish.yaml".to_owned(), text.into_bytes())];
            let faults = faults(&Snapshot::of(example.commit.clone(), files.chain(more)));
            let package = &configuration.packages.get(package).unwrap().spec;
            let said = addresses.subdomain(&configuration, Some(package), wish);
            assert_eq!(
                said == Availability::Free,
                faults.is_empty(),
                "{wish}: {said:?} {faults:?}"
            );
            told.insert(format!("{said:?}"));
        }
    }
    assert_eq!(told.len(), 4, "{told:?}");
}

#[tokio::test]
async fn a_customer_sees_what_is_theirs_and_an_operator_everything() {
    let Some(portal) = Portal::open().await else { return };
    let (acme, operator) = (portal.customer_of("acme").await, portal.staff(Role::Operator).await);
    let one = portal.get("/subscriptions/acme.school", &acme.access).await;
    insta::assert_json_snapshot!(one.json);
    let ids = async |path: &str, token: &str| -> Vec<String> {
        let page = portal.get(path, token).await;
        let items = page.json["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("/subscriptions", &acme.access).await, ["acme.school"]);
    let all = ids("/subscriptions", &operator.access).await;
    assert!(all.len() > 5 && all.is_sorted(), "{all:?}");
    assert_eq!(ids("/subscriptions?tenant=globex", &operator.access).await, ["globex.campus"]);
    for path in ["/subscriptions?tenant=globex", "/subscriptions/globex.campus"] {
        assert_eq!(portal.get(path, &acme.access).await.code(), "not-found", "{path}");
    }
    let mut read = Vec::new();
    let mut path = "/subscriptions?limit=3".to_owned();
    loop {
        let page = portal.get(&path, &operator.access).await;
        let items = page.json["items"].as_array().unwrap();
        read.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page.json["next_cursor"].as_str() {
            Some(cursor) => path = format!("/subscriptions?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(read, all);
    // A cursor of one list is none of another.
    let page = portal.get("/subscriptions?limit=3", &operator.access).await;
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let other = format!("/admin/instances?cursor={cursor}");
    let refused = portal.get(&other, &operator.access).await;
    assert_eq!(refused.json["errors"][0]["field"], "cursor");
}

#[tokio::test]
async fn an_operator_sees_how_an_instance_was_opened_and_verified() {
    let Some(portal) = Portal::open().await else { return };
    let operator = portal.staff(Role::Operator).await.access;
    let database = portal.api.accounts().database().clone();
    let recorder = Recorder::start(database, &recorder::Settings::default());
    let now = *portal.clock.lock().unwrap();
    let at = |second: i64| now + jiff::SignedDuration::from_secs(second);
    let stage = |subscription: Option<&str>, stage, state, second| {
        Record::Stage(StageChange {
            id: fresh_id(),
            unit: "acme".parse().unwrap(),
            subscription: subscription.map(|name| name.parse().unwrap()),
            stage,
            state,
            at: at(second),
        })
    };
    for record in [
        stage(None, Stage::Namespace, StageState::Ready, 1),
        stage(Some("school"), Stage::Services, StageState::Progressing("starting".into()), 2),
        stage(Some("school"), Stage::Services, StageState::Ready, 9),
        stage(Some("other"), Stage::Services, StageState::Ready, 9),
        stage(Some("school"), Stage::Verify, StageState::Progressing("checking".into()), 10),
        stage(Some("school"), Stage::Verify, StageState::Ready, 12),
        Record::Status(UnitStatus {
            unit: "acme".parse().unwrap(),
            state: UnitState::Converged,
            commit: Some(Commit::new(&"e".repeat(40))),
            since: at(12),
            reason: None,
            next_try: None,
            updated_at: at(12),
        }),
        Record::Task(TaskOutcome {
            unit: "acme".parse().unwrap(),
            task: "acme-verify-2026-11".parse().unwrap(),
            state: TaskState::Failed,
            message: Some("the health check answered 502".into()),
            at: at(20),
        }),
    ] {
        recorder.record(record);
    }
    assert!(recorder.stop(std::time::Duration::from_secs(20)).await);
    insta::assert_json_snapshot!([
        portal.get("/admin/instances/acme.school", &operator).await.json,
        portal.get("/admin/instances/acme.school/timeline", &operator).await.json,
        portal.get("/admin/instances/acme.school/verification", &operator).await.json,
    ]);
    let never = portal.get("/admin/instances/globex.campus/verification", &operator).await;
    assert_eq!(never.json, json!({ "checks": [], "tasks": [] }));
    let listed = portal.get("/admin/instances?limit=200", &operator).await;
    let standing = |id: &str| -> Value {
        let items = listed.json["items"].as_array().unwrap();
        items.iter().find(|item| item["id"] == id).unwrap()["standing"]["state"].clone()
    };
    assert_eq!(
        (standing("acme.school"), standing("globex.campus")),
        (json!("converged"), Value::Null)
    );
    // Nothing of ours runs for a licence.
    assert_eq!(portal.get("/admin/instances/kassa-plus.licence", &operator).await.status, 404);
}
