//! A check that starts from an earlier one comes to the same as one from nothing, whatever was
//! committed in between, and so does everything that follows from it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use tenantry::model::Commit;
use tenantry::model::Configuration;
use tenantry::model::Snapshot;
use tenantry::reconcile::desired::Desired;
use tenantry::reconcile::desired::advance;
use tenantry::validate::Checked;
use tenantry::validate::Earlier;
use tenantry::validate::check;
use tenantry::validate::check_after;

use super::repository::Repository;
use super::repository::document;
use super::repository::repository;

/// A file, and what a commit may write in it.
type Place = (String, Vec<String>);

/// Everything that a commit may touch: the first text of each is the good one.
fn places() -> Vec<Place> {
    let mut places = vec![
        versions("platform.yaml", &good("platform.yaml"), PLATFORMS),
        versions("packages/basic.yaml", &good("packages/basic.yaml"), PACKAGES),
        versions("components/web.yaml", &good("components/web.yaml"), COMPONENTS),
        versions("clusters/one.yaml", &good("clusters/one.yaml"), CLUSTERS),
        versions("clusters/two.yaml", &good("clusters/one.yaml"), &[("name: one", "name: two")]),
        (
            "templates/shop/namespace/namespace.yaml".to_owned(),
            vec![
                "apiVersion: v1\nkind: Namespace\nmetadata: { name: {{ namespace.name }} }\n".into(),
                "apiVersion: v1\nkind: Namespace\nmetadata: { name: {{ namespace.name }}, labels: { a: {{ tenant.organisation }} } }\n".into(),
                "apiVersion: v1\nkind: Namespace\nmetadata: { name: {{ nobody }} }\n".into(),
                "{% if %}".into(),
            ],
        ),
        // What stands in no folder may be anybody's.
        ("loose.yaml".to_owned(), vec!["name: two\nname: [basic".into(), document("Tenant", "basix", "language: en\n"), document("Platform", "other", "domain: other.example\n")]),
    ];
    for (tenant, other) in [("acme", "globex"), ("globex", "initech"), ("initech", "acme")] {
        let path = |file: &str| format!("tenants/{tenant}/{file}.yaml");
        let subscription = document(
            "Subscription",
            "more",
            &format!(
                "tenant: {tenant}\npackage: basic\nstarts: 2026-06-01\nsubdomain: more-{tenant}\n"
            ),
        );
        let task = document(
            "Task",
            &format!("clean-{tenant}"),
            &format!("tenant: {tenant}\nsubscription: more\naction: backup\n"),
        );
        places.extend([
            versions(&path("tenant"), &good(&path("tenant")), TENANTS),
            versions(&path("shop"), &good(&path("shop")), SUBSCRIPTIONS),
            versions(
                &path("more"),
                &subscription,
                &[
                    (&format!("tenant: {tenant}"), &format!("tenant: {other}")),
                    (&format!("more-{tenant}"), other),
                    ("name: more", "name: shop"),
                ],
            ),
            versions(&path("task"), &task, &[("more", "shop")]),
        ]);
    }
    places
}

const PLATFORMS: &[(&str, &str)] = &[
    ("[admin]", "[acme]"),
    ("shops.example", "shops"),
    ("currency: USD", "currency: EUR"),
    ("USD", "["),
];
const PACKAGES: &[(&str, &str)] = &[
    ("10.00", "12.00"),
    ("limits.cpu: 2", "limits.cpu: 250m"),
    ("component: web", "component: wep"),
    ("namespacePrefix: shop-", "namespacePrefix: kube-"),
    ("hostname: \"{subdomain}.{domain}\"", "hostname: \"shop.{domain}\""),
    ("basic", "basix"),
    ("title:", "titel:"),
];
const COMPONENTS: &[(&str, &str)] = &[
    ("web:1.0", "web:2.0"),
    ("web:1.0", "web"),
    ("routes: [/]", "needs: [web]"),
    ("cpu: 500m", "cpu: 100m"),
    ("port", "prot"),
];
const CLUSTERS: &[(&str, &str)] = &[
    ("cpu: 10", "cpu: 1"),
    ("name: one", "name: two"),
    ("namespace: ingress-nginx", "namespace: shop-acme"),
    ("1.33", "1.02"),
    ("capacity", "capacty"),
    ("kind: Cluster", "kind: [Cluster"),
];
const TENANTS: &[(&str, &str)] = &[
    ("organisation: ", "organisation: The "),
    ("language: en", "language: en\n  cluster: one"),
    ("language: en", "language: en\n  cluster: two"),
    ("language: en", "language: en\n  branding: { primaryColor: red }"),
    ("admin@", "admin"),
    ("language", "langauge"),
    ("kind: Tenant", "kind: [Tenant"),
];
const SUBSCRIPTIONS: &[(&str, &str)] = &[
    ("starts: ", "paidThrough: 2026-12-01\n  starts: "),
    ("starts: ", "paidThrough: 2020-01-01\n  starts: "),
    ("starts: ", "subdomain: globex\n  starts: "),
    ("starts: ", "domains: [x.example]\n  starts: "),
    ("starts: ", "overrides: { limits: { users: 1000 } }\n  starts: "),
    ("starts: ", "overrides: { components: { web: { replicas: 3 } } }\n  starts: "),
    ("starts: ", "addOns: { seats: 1 }\n  starts: "),
    ("package: basic", "package: basix"),
    ("name: shop", "name: more"),
    ("spec:", "spec: ["),
];

fn start() -> Repository {
    repository().tenant("initech", "2026-03-03")
}

fn good(path: &str) -> String {
    start().snapshot().text(path).unwrap().to_owned()
}

/// A good text, and others that differ from it in one thing.
fn versions(path: &str, good: &str, changes: &[(&str, &str)]) -> Place {
    let changed = changes.iter().map(|(from, to)| {
        assert!(good.contains(from), "{path} has no `{from}`");
        good.replace(from, to)
    });
    (path.to_owned(), [good.to_owned()].into_iter().chain(changed).collect())
}

/// The place of a file and the text it gets, both counted around; or it is removed. Most edits
/// are of tenants' files, which stand last, and half of them good, so that few things are broken.
fn edit() -> impl Strategy<Value = (usize, Option<usize>)> {
    let text = prop_oneof![5 => Just(Some(0)), 5 => (1..12_usize).prop_map(Some), 1 => Just(None)];
    (prop_oneof![1 => 0..7_usize, 2 => 7..19_usize], text)
}

/// What must be the same, however one came to it: all but who was rendered on the way.
fn outcome(desired: &Desired) -> (String, BTreeMap<String, String>) {
    let units = desired.units.iter().filter(|(name, _)| !desired.held.contains_key(name));
    let units = units.map(|(name, unit)| {
        (
            name.to_string(),
            format!("{} {:?} {:?} {:?}", unit.digest, unit.cluster, unit.phases, unit.next_change),
        )
    });
    let rest = format!(
        "{:?} {:?} {:?} {:?}",
        desired.platform, desired.held, desired.unsure, desired.findings
    );
    (rest, units.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_check_after_an_earlier_one_comes_to_the_same_as_one_from_nothing(
        commits in prop::collection::vec(prop::collection::vec(edit(), 1..3), 1..10)
    ) {
        let places = places();
        let now: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
        let mut files: BTreeMap<String, String> =
            places.iter().take(7 + 1).map(|(path, texts)| (path.clone(), texts[0].clone())).collect();
        let mut earlier: Option<(Configuration, Checked, Desired)> = None;
        for (number, edits) in commits.into_iter().enumerate() {
            for (place, text) in edits {
                let (path, texts) = &places[place % places.len()];
                match text {
                    Some(text) => files.insert(path.clone(), texts[text % texts.len()].clone()),
                    None => files.remove(path),
                };
            }
            let snapshot = Snapshot::of(Commit::new(&number.to_string()), &files);
            let before = earlier.as_ref();
            let desired = advance(before.map(|(.., desired)| desired), &snapshot, now);
            prop_assert_eq!(outcome(&desired), outcome(&advance(None, &snapshot, now)));

            let templates = desired.templates.names();
            let configuration = Configuration::read(before.map(|(configuration, ..)| configuration), &snapshot);
            let from_nothing = check(&Configuration::read(None, &snapshot), &snapshot, &templates);
            let start = before.map(|(configuration, checked, _)| Earlier { configuration, checked });
            let after = check_after(start, &configuration, &snapshot, &templates);
            prop_assert_eq!(format!("{:#?}", after), format!("{:#?}", from_nothing));
            earlier = Some((configuration, after, desired));
        }
    }
}
