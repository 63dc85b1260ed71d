//! Every rule: what is wrong, what is not, and of what nobody knows.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::jobs::alerts::facts::Used;
use crate::jobs::alerts::restarts::Restarted;
use crate::model::Configuration;
use crate::model::node::Capacity;
use crate::model::node::Condition;
use crate::model::pod::PodPhase;
use crate::model::pod::PodStatus;
use crate::model::read::read_file;
use crate::model::snapshot::File;
use crate::model::upkeep::Certificate;
use crate::model::upkeep::ScheduledBackup;
use crate::operations::operation::LastBackup;
use crate::usage::Measure;
use crate::usage::limits::Limit;
use crate::workers::store::Seen;

const SHARED: &str = "
apiVersion: tenantry.dev/v1
kind: Cluster
metadata: { name: saigon }
spec: { kubeconfigSecret: one, kubernetesVersion: '1.33', ingress: { class: nginx, namespace: web } }
---
apiVersion: tenantry.dev/v1
kind: Package
metadata: { name: basic }
spec:
  product: school
  title: Basic
  runs: cluster
  components: [{ component: web, replicas: 2 }, { component: cache }]
  backup: { schedule: 0 2 * * *, image: backup:1, retention: 30 days }
";

const ACME: &str = "
apiVersion: tenantry.dev/v1
kind: Tenant
metadata: { name: acme }
spec: { organisation: Acme, contacts: [], language: en, cluster: saigon }
---
apiVersion: tenantry.dev/v1
kind: Subscription
metadata: { name: school }
spec: { tenant: acme, package: basic, starts: 2026-01-01 }
";

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn saigon() -> Name {
    "saigon".parse().unwrap()
}

fn school() -> SubscriptionId {
    "acme/school".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn seen<T>(all: Vec<T>) -> ByCluster<T> {
    ByCluster::from([(saigon(), Seen { all, seen_at: Some(ago(1)), trouble: None })])
}

/// One cluster and one subscription, of which all is well.
fn facts() -> Facts {
    let read = |(path, text): (&str, &str)| {
        let read = read_file(&File::new(path.into(), text.as_bytes().into()));
        assert!(read.findings.is_empty(), "{:?}", read.findings);
        Arc::new(read)
    };
    let files = [("shared.yaml", SHARED), ("tenants/acme/acme.yaml", ACME)].map(read);
    let configuration = Configuration::of(files.to_vec());
    let scheduled = ScheduledBackup {
        of: school(),
        name: "school-backup".to_owned(),
        begun: Some(ago(600)),
        done: Some(ago(590)),
        running: false,
    };
    Facts {
        now: now(),
        thresholds: crate::model::platform::Alerts::default(),
        configuration: Arc::new(configuration),
        nodes: seen(vec![node("True")]),
        disks: seen(vec![]),
        certificates: seen(vec![]),
        scheduled: seen(vec![scheduled]),
        away: BTreeSet::new(),
        pods: vec![pod(1, "web", true), pod(2, "web", true), pod(3, "cache", true)],
        restarted: vec![],
        used: vec![],
        opening: BTreeSet::new(),
        backups: BTreeMap::new(),
        open: BTreeSet::new(),
    }
}

fn node(ready: &str) -> Node {
    let condition = Condition {
        kind: "Ready".to_owned(),
        status: ready.to_owned(),
        reason: "NodeStatusUnknown".to_owned(),
        message: "Kubelet stopped posting node status.".to_owned(),
        since: None,
    };
    Node {
        name: "node-1".to_owned(),
        created_at: None,
        version: "v1.33.1".to_owned(),
        cordoned: false,
        allocatable: Capacity::default(),
        requested: Capacity::default(),
        conditions: vec![condition],
    }
}

fn pod(number: u128, component: &str, ready: bool) -> Row {
    Row {
        id: Uuid::from_u128(number),
        cluster: saigon(),
        of: school(),
        name: format!("{component}-{number}"),
        status: PodStatus {
            component: Some(component.into()),
            phase: PodPhase::Running,
            ready,
            reason: (!ready).then(|| "it ended again and again".to_owned()),
            ending: false,
            started_at: None,
            containers: Vec::new(),
        },
        changed_at: ago(60),
    }
}

/// What is wrong: kind, subject and sentence, one a line.
fn wrong(facts: &Facts) -> String {
    let judged = judge(facts);
    let line = |(subject, what): (&Subject, &String)| {
        format!("{} {}: {what}", subject.kind.word(), subject.name)
    };
    judged.sight.wrong.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn where_all_is_well_and_known_nothing_is_said() {
    let judged = judge(&facts());
    assert_eq!((judged.sight, judged.unknown), (Sight::default(), Vec::new()));
}

#[test]
fn a_node_that_does_not_run_pods_is_down_and_nobody_knows_its_disk() {
    let facts = Facts { nodes: seen(vec![node("Unknown")]), ..facts() };
    assert_eq!(
        wrong(&facts),
        "node-down saigon.node-1: node `node-1` of cluster `saigon` does not run pods: Kubelet stopped posting node status."
    );
    let judged = judge(&facts);
    assert!(judged.sight.unknown.contains(&(Kind::Disk, "saigon.node-1".to_owned())));
}

#[test]
fn what_was_not_seen_is_unknown_and_no_alert() {
    let trouble = Seen {
        all: vec![node("False")],
        seen_at: Some(ago(6)),
        trouble: Some("the nodes of cluster `saigon` are not known: it is away".to_owned()),
    };
    let stale = Seen { all: vec![node("False")], seen_at: Some(ago(30)), trouble: None };
    for (nodes, why) in [
        (ByCluster::from([(saigon(), trouble)]), "it is away"),
        (ByCluster::from([(saigon(), stale)]), "nobody has looked for a while"),
        (ByCluster::new(), "nobody has looked yet"),
    ] {
        let facts = Facts { nodes, ..facts() };
        let judged = judge(&facts);
        assert_eq!(judged.sight.wrong, BTreeMap::new());
        assert!(judged.sight.blind.contains(&(Kind::NodeDown, saigon())));
        let expected = format!("the nodes of cluster `saigon` are not known: {why}");
        assert_eq!(judged.unknown, [expected]);
    }
}

#[test]
fn a_disk_is_full_from_its_threshold_on_and_well_again_well_below_it() {
    let disk = |used| Disk { of: DiskOf::Node("node-1".to_owned()), used, size: 1000 };
    let claim = DiskOf::Claim { namespace: "acme".to_owned(), name: "data".to_owned() };
    let claim = |used| Disk { of: claim.clone(), used, size: 1000 };
    let full = Facts { disks: seen(vec![disk(800), claim(799)]), ..facts() };
    assert_eq!(
        wrong(&full),
        "disk saigon.node-1: the disk of node `node-1` in cluster `saigon` is 80 % full: 800 of 1000 MiB"
    );
    let full = Facts { disks: seen(vec![disk(799), claim(950)]), ..facts() };
    assert_eq!(
        wrong(&full),
        "disk saigon.acme/data: the volume `acme/data` in cluster `saigon` is 95 % full: 950 of 1000 MiB"
    );
    let open = BTreeSet::from([(Kind::Disk, "saigon.node-1".to_owned())]);
    let still = Facts { disks: seen(vec![disk(750)]), open, ..facts() };
    assert!(wrong(&still).contains("75 % full"));
    assert_eq!(wrong(&Facts { disks: seen(vec![disk(749)]), ..still }), "");
}

#[test]
fn a_certificate_is_told_of_before_its_end_and_one_that_is_not_there_is_unknown() {
    let certificate = |days: Option<i64>| Certificate {
        of: school(),
        namespace: "acme".to_owned(),
        secret: "tls".to_owned(),
        hosts: vec!["acme.example".to_owned()],
        ends: days.map(|days| now() + SignedDuration::from_hours(24 * days)),
    };
    let with = |days| Facts { certificates: seen(vec![certificate(days)]), ..facts() };
    assert_eq!(wrong(&with(Some(15))), "");
    assert_eq!(
        wrong(&with(Some(14))),
        "certificate saigon.acme/tls: the certificate of acme.example (acme/school) ends at 2026-12-08T12:00:00Z, and is not renewed"
    );
    assert!(wrong(&with(Some(-1))).contains("has ended at 2026-11-23T12:00:00Z"));
    let judged = judge(&with(None));
    assert_eq!(judged.sight.wrong, BTreeMap::new());
    assert_eq!(
        judged.unknown,
        ["the end of certificates is not known of 1, such as saigon.acme/tls"]
    );
}

#[test]
fn a_container_that_starts_again_more_often_than_it_may_is_told_once_for_all_pods() {
    let restarted = |pod: u128, times| Restarted {
        pod: Uuid::from_u128(pod),
        container: "web".to_owned(),
        times,
    };
    let with = |restarted| Facts { restarted, ..facts() };
    assert_eq!(wrong(&with(vec![restarted(1, 5), restarted(2, 4)])), "");
    let often = with(vec![restarted(2, 9), restarted(1, 6), restarted(99, 50)]);
    assert_eq!(
        wrong(&often),
        "restarts acme/school/web/web: `web` in pod `web-2` of acme/school was started again 9 times within an hour"
    );
    let away = Facts { away: BTreeSet::from([saigon()]), ..often };
    assert_eq!(wrong(&away), "", "nobody knows how it is now");
}

#[test]
fn an_instance_is_down_where_nothing_of_a_component_is_ready() {
    let one_of_two = vec![pod(1, "web", false), pod(2, "web", true), pod(3, "cache", true)];
    assert_eq!(wrong(&Facts { pods: one_of_two, ..facts() }), "");
    let down = Facts { pods: vec![pod(1, "web", false), pod(3, "cache", true)], ..facts() };
    let expected = "downtime acme/school: acme/school is down: no pod of `web` is ready: it ended again and again";
    assert_eq!(wrong(&down), expected);
    let gone = Facts { pods: vec![pod(1, "web", true)], ..facts() };
    assert_eq!(wrong(&gone), "downtime acme/school: acme/school is down: `cache` has no pod");
    // What is being opened was never there.
    let opening = Facts { opening: BTreeSet::from([school()]), ..down.clone() };
    assert_eq!(wrong(&opening), "");
    // Of what nobody sees, nobody knows.
    let away = Facts { away: BTreeSet::from([saigon()]), ..down };
    assert_eq!(wrong(&away), "");
    assert!(judge(&away).sight.blind.contains(&(Kind::Downtime, saigon())));
    let nowhere = judge(&Facts { pods: vec![], ..facts() });
    assert_eq!(nowhere.sight.wrong, BTreeMap::new());
    assert!(nowhere.unknown[0].ends_with("such as acme/school"), "{:?}", nowhere.unknown);
}

#[test]
fn what_does_not_have_to_run_is_not_down() {
    let mut facts = Facts { pods: vec![pod(1, "web", false)], ..facts() };
    let mut configuration = Configuration::clone(&facts.configuration);
    let mut all = (*configuration.subscriptions[&school().tenant]).clone();
    let mut document = (*all[&school().name]).clone();
    document.spec.paid_through = "2026-11-01".parse().ok();
    all.insert(school().name, Arc::new(document));
    configuration.subscriptions.insert(school().tenant, Arc::new(all));
    facts.configuration = Arc::new(configuration);
    assert_eq!(wrong(&facts), "", "it is suspended");
}

#[test]
fn usage_near_a_limit_is_told_and_what_was_not_measured_is_unknown() {
    let used = |average, is_near| {
        let limit = Limit { measure: Measure::Memory, most: 8192 };
        Facts { used: vec![Used { of: school(), limit, average, is_near }], ..facts() }
    };
    assert_eq!(wrong(&used(Some(7000), false)), "");
    assert_eq!(
        wrong(&used(Some(7537), true)),
        "usage acme/school/memory: acme/school uses 92 % of its memory: 7537 of 8192 MiB"
    );
    let judged = judge(&used(None, true));
    assert_eq!(judged.sight.wrong, BTreeMap::new());
    assert!(judged.sight.unknown.contains(&(Kind::Usage, "acme/school/memory".to_owned())));
}

#[test]
fn the_last_backup_counts_whoever_asked_for_it() {
    let asked = |minutes, failed: Option<&str>, is_last| {
        let failed = failed.map(str::to_owned);
        BTreeMap::from([(school(), LastBackup { at: ago(minutes), is_last, failed })])
    };
    let scheduled = |begun, done: Option<i64>| {
        let (begun, done) = (Some(ago(begun)), done.map(ago));
        let name = "school-backup".to_owned();
        seen(vec![ScheduledBackup { of: school(), name, begun, done, running: false }])
    };
    let why = "the disk is full";
    let failed = Facts { backups: asked(10, Some(why), false), ..facts() };
    assert_eq!(
        wrong(&failed),
        "backup-failed acme/school: the backup of acme/school failed: the disk is full"
    );
    let last = Facts { backups: asked(10, Some(why), true), ..facts() };
    assert!(wrong(&last).contains("the last backup of acme/school failed, so it is not removed"));
    // One that went well since.
    assert_eq!(wrong(&Facts { scheduled: scheduled(9, Some(5)), ..failed }), "");
    let by_clock = Facts { scheduled: scheduled(60, Some(1500)), ..facts() };
    assert_eq!(
        wrong(&by_clock),
        "backup-failed acme/school: the scheduled backup of acme/school that was begun at 2026-11-24T11:00:00Z did not go well: see its job of `school-backup`"
    );
    assert_eq!(wrong(&Facts { backups: asked(10, None, false), ..by_clock }), "");
    let never = judge(&Facts { scheduled: seen(vec![]), ..facts() });
    assert_eq!(never.sight.wrong, BTreeMap::new());
    assert!(never.sight.unknown.contains(&(Kind::BackupFailed, "acme/school".to_owned())));
}
