//! The example repository is what it says it is.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tenantry::model::Phase;
use tenantry::render::Templates;
use tenantry::validate::Checked;
use tenantry::validate::check;

use crate::support::example;

fn checked() -> Checked {
    let snapshot = example::snapshot();
    let templates = Templates::built_in().names();
    check(&example::configuration(&snapshot), &snapshot, &templates)
}

#[test]
fn the_example_has_no_finding_and_everybody_in_it_is_valid() {
    let checked = checked();
    assert_eq!(checked.findings, []);
    assert_eq!(checked.held.len(), 0, "{:?}", checked.held);
    assert!(checked.complete);
    let namespaces: Vec<String> = checked
        .valid
        .values()
        .flat_map(|tenant| {
            tenant.namespaces.iter().map(|namespace| {
                let of = |subscription: &tenantry::validate::ValidSubscription| {
                    format!("{} at {}", subscription.package.name, subscription.hosts.join(" and "))
                };
                let subscriptions: Vec<String> = namespace.subscriptions.iter().map(of).collect();
                format!("{}: {}", namespace.name, subscriptions.join("; "))
            })
        })
        .collect();
    insta::assert_snapshot!(namespaces.join("\n"), @r"
    kiteclass-acme: kiteclass-standard at acme.kiteclass.com
    customer-budi: n8n at budi.n8n.pods.example
    kiteclass-globex: kiteclass-premium at globex.kiteclass.com and learn.globex.example
    customer-rizky: n8n at rizky.n8n.pods.example
    customer-siti: ghost at siti.ghost.pods.example
    kiteclass-sunrise: kiteclass-basic at sunrise.kiteclass.com
    customer-toko-batik: n8n at toko-batik.n8n.pods.example; ghost at batik.ghost.pods.example
    customer-warung-kopi: wordpress at warung-kopi.wordpress.pods.example and warungkopi.example
    ");
}

#[test]
fn one_subscription_of_the_example_is_in_its_grace() {
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let checked = checked();
    let mut phases = Vec::new();
    for tenant in checked.valid.values() {
        let zone = TimeZone::get(&tenant.platform.spec.time_zone).unwrap();
        for subscription in tenant.namespaces.iter().flat_map(|namespace| &namespace.subscriptions)
        {
            let lifecycle = subscription.package.spec.lifecycle.as_ref();
            let lifecycle = lifecycle.unwrap_or(&tenant.platform.spec.lifecycle);
            let (phase, _) = subscription.document.spec.phase(lifecycle, &zone, now);
            phases.push((tenant.tenant.name.to_string(), phase));
        }
    }
    let stopped: Vec<_> = phases.iter().filter(|(_, phase)| *phase != Phase::Active).collect();
    assert_eq!(stopped, [&("rizky".to_owned(), Phase::Suspended)]);
}
