//! Suspension stops what runs, and takes nothing away.

use std::collections::BTreeSet;

use serde_json::Value;
use tenantry::model::Phase;

use super::fixture::Files;
use super::fixture::Rendered as _;

fn held() -> Files {
    Files::example().edit(
        "tenants/acme/school.yaml",
        "  subdomain: acme\n",
        "  subdomain: acme\n  holds: [{ reason: overdue }]\n",
    )
}

/// The places in which two values differ.
fn differences(one: &Value, other: &Value, path: &str, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                let path = format!("{path}.{key}");
                let null = Value::Null;
                let (one, other) = (one.get(key), other.get(key));
                differences(one.unwrap_or(&null), other.unwrap_or(&null), &path, found);
            }
        }
        _ if one == other => {}
        _ => {
            found.insert(format!("{path}: {one} -> {other}"));
        }
    }
}

#[test]
fn a_suspended_instance_stops_and_keeps_everything() {
    let (active, suspended) = (Files::example().render("acme"), held().render("acme"));
    assert_eq!(suspended.phases.values().collect::<Vec<_>>(), [&Phase::Suspended]);
    assert_eq!(active.ids(), suspended.ids(), "the clock deletes nothing");
    let mut found = BTreeSet::new();
    for (one, other) in active.rendered.resources.iter().zip(&suspended.rendered.resources) {
        assert_eq!(one.id, other.id);
        differences(&one.body, &other.body, &one.id.kind, &mut found);
    }
    let expected = [
        "CronJob.spec.suspend: false -> true",
        "Database.login: true -> false",
        "Deployment.spec.replicas: 2 -> 0",
        "Ingress.metadata.annotations.nginx.ingress.kubernetes.io/temporal-redirect: null -> \"https://pods.example/suspended?host=acme.kiteclass.com\"",
        "Job.spec.parallelism: 1 -> 0",
        "StatefulSet.spec.replicas: 1 -> 0",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

#[test]
fn an_expired_subscription_is_suspended_by_the_clock_alone() {
    let repository = Files::example().read();
    let before = repository.render("rizky", "2026-11-10T16:59:59Z").unwrap();
    let after = repository.render("rizky", "2026-11-10T17:00:00Z").unwrap();
    assert_eq!(before.next_change.unwrap().to_string(), "2026-11-10T17:00:00Z");
    assert_eq!(before.named("Deployment", "automation-n8n").body["spec"]["replicas"], 1);
    assert_eq!(after.named("Deployment", "automation-n8n").body["spec"]["replicas"], 0);
    assert_eq!(before.ids(), after.ids());
}

#[test]
fn one_subscription_of_a_customer_is_suspended_and_the_other_runs() {
    let files = Files::example().edit(
        "tenants/toko-batik/journal.yaml",
        "spec:\n",
        "spec:\n  holds: [{ reason: operator }]\n",
    );
    let rendering = files.render("toko-batik");
    assert_eq!(rendering.named("Deployment", "automation-n8n").body["spec"]["replicas"], 1);
    assert_eq!(rendering.named("Deployment", "journal-ghost").body["spec"]["replicas"], 0);
}

#[test]
fn a_job_is_another_job_only_when_it_runs_something_else() {
    let job = |files: Files| {
        let ids = files.render("acme").ids();
        ids.into_iter().find(|id| id.contains("acme-migrate")).unwrap()
    };
    let before = job(Files::example());
    let standard = "packages/kiteclass/standard.yaml";
    let newer = Files::example().edit(standard, "migrator:1.0.0", "migrator:1.1.0");
    assert_ne!(job(newer), before);
    let others = Files::example()
        .edit(standard, "replicas: 2", "replicas: 3")
        .edit(standard, "limits.cpu: 14", "limits.cpu: 40")
        .edit(standard, "limits.memory: 16Gi", "limits.memory: 32Gi")
        .edit(standard, "requests.cpu: 4", "requests.cpu: 6")
        .edit("tenants/acme/tenant.yaml", "ACME Corp", "ACME Corporation");
    assert_eq!(job(others), before);
}
