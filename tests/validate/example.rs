//! The example repository is what it says it is.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tenantry::model::Name;
use tenantry::model::Phase;
use tenantry::model::money::Money;
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

/// The figures of the reports that the example is made of: what a package is sold for in a month,
/// what it costs us, and what the customer gets.
#[test]
fn packages_are_sold_and_cost_what_the_reports_say() {
    let configuration = example::configuration(&example::snapshot());
    let packages = configuration.packages.values().map(|package| {
        let spec = &package.spec;
        let price = spec.price.as_ref().map_or("on request".to_owned(), ToString::to_string);
        let cost = spec.cost.values().copied().reduce(|sum, part| {
            assert_eq!(sum.currency, part.currency);
            Money { minor: sum.minor + part.minor, ..sum }
        });
        let limits = spec.limits.iter().map(|(name, limit)| format!(", {name} {limit}"));
        let cost = cost.map(|cost| format!(", costs {cost}")).unwrap_or_default();
        format!("{}: {price}{cost}{}", package.name, limits.collect::<String>())
    });
    let packages: Vec<String> = packages.collect();
    insta::assert_snapshot!(packages.join("\n"), @r"
    elearning-bronze: 0 VND, devices 1
    elearning-gold: 499000 VND, devices 3
    elearning-silver: 299000 VND, devices 2
    ghost: 0.00 IDR
    kiteclass-basic: 99.00 USD, costs 93.00 USD, apiRequestsPerHour 500, classes 50, storage 10G, users 100
    kiteclass-enterprise: on request
    kiteclass-premium: 399.00 USD, costs 490.00 USD, apiRequestsPerHour 5000, classes 500, storage 200G, users 2000
    kiteclass-standard: 199.00 USD, costs 200.00 USD, apiRequestsPerHour 1000, classes 100, storage 50G, users 500
    kkt-enterprise: 299.00 USD
    kkt-professional: 99.00 USD, clients 200, users 10
    kkt-starter: 49.00 USD, clients 50, users 3
    n8n: 0.00 IDR
    wordpress: 0.00 IDR
    ");
    let terms = ["n8n", "ghost", "wordpress"].map(|name| {
        let package = &configuration.packages[&name.parse::<Name>().unwrap()].spec;
        let grace = package.lifecycle.as_ref().unwrap().grace.to_string();
        (package.period.to_string(), grace)
    });
    assert!(terms.iter().all(|term| *term == ("30 days".to_owned(), "30 days".to_owned())));
}
