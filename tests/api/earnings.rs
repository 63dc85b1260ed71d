//! What the business earns: revenue from a real ledger, and the margins of the cost table.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::Value;
use serde_json::json;
use sqlx::PgConnection;
use tenantry::accounts::Role;
use tenantry::billing::OperationKey;
use tenantry::billing::calendar::Period;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Booking;
use tenantry::billing::ledger::Sale;
use tenantry::billing::recognition;
use tenantry::billing::terms;
use tenantry::billing::terms::NewTerm;
use tenantry::billing::terms::Rules;
use tenantry::model::SubscriptionId;
use tenantry::model::money::Money;
use tenantry::model::platform::Lifecycle;

use super::Portal;

fn dollars(cents: i64) -> Value {
    json!({ "amount": cents, "currency": "USD", "exponent": 2 })
}

/// A percentage as the cost table of KiteClass writes it: whole, or to a tenth below one.
fn as_in_the_table(percent: &Value) -> String {
    let percent: f64 = percent.as_str().unwrap().parse().unwrap();
    if percent.abs() < 1.0 { format!("{percent}%") } else { format!("{percent:.0}%") }
}

#[tokio::test]
async fn the_cost_table_of_kiteclass_comes_out_as_it_is_written() {
    let Some(portal) = Portal::open().await else { return };
    let operator = portal.staff(Role::Operator).await.access;
    let answer = portal.get("/admin/margin", &operator).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let packages = answer.json["packages"].as_array().unwrap();
    let of = |name: &str| packages.iter().find(|package| package["package"] == name).unwrap();
    // Compute, database, cache, storage, network, certificates, monitoring, backup; then the total
    // cost, the selling price, what is left, and the margin.
    for (name, items, cost, price, left, margin) in [
        ("kiteclass-basic", [40, 20, 10, 5, 10, 0, 5, 3], 93, 99, 6, "6%"),
        ("kiteclass-standard", [80, 40, 20, 20, 20, 0, 10, 10], 200, 199, -1, "-0.5%"),
        ("kiteclass-premium", [200, 100, 40, 60, 40, 0, 20, 30], 490, 399, -91, "-19%"),
    ] {
        let package = of(name);
        let named = [
            "compute",
            "database",
            "cache",
            "storage",
            "network",
            "certificates",
            "monitoring",
            "backup",
        ];
        for (item, cost) in named.into_iter().zip(items) {
            assert_eq!(package["costs"][item], dollars(cost * 100), "{name} {item}");
        }
        assert_eq!(package["cost"], json!([dollars(cost * 100)]), "{name}");
        assert_eq!(package["price"], dollars(price * 100), "{name}");
        assert_eq!(package["margin"]["amount"], dollars(left * 100), "{name}");
        assert_eq!(as_in_the_table(&package["margin"]["percent_of_cost"]), margin, "{name}");
    }
    assert_eq!(of("kiteclass-premium")["margin"]["percent_of_price"], "-22.81");
    let agreed = of("kiteclass-enterprise");
    assert!(agreed["price"].is_null() && agreed["margin"].is_null(), "{agreed}");
}

#[tokio::test]
async fn what_runs_is_added_up_by_the_month_and_never_over_two_currencies() {
    let Some(portal) = Portal::open().await else { return };
    let operator = portal.staff(Role::Operator).await.access;
    let answer = portal.get("/admin/margin", &operator).await.json;
    let monthly = answer["monthly"].as_array().unwrap();
    let mut currencies: Vec<&str> =
        monthly.iter().map(|month| month["price"]["currency"].as_str().unwrap()).collect();
    assert!(currencies.len() > 1, "{answer}");
    currencies.dedup();
    assert_eq!(currencies.len(), monthly.len(), "{answer}");
    for month in monthly {
        let amount = |of: &Value| of["amount"].as_i64().unwrap();
        let left = amount(&month["price"]) - amount(&month["cost"]);
        assert_eq!(amount(&month["margin"]["amount"]), left, "{month}");
        for money in [&month["cost"], &month["margin"]["amount"]] {
            assert_eq!(money["currency"], month["price"]["currency"]);
        }
    }
    let running = |of: &Value| of["subscriptions"].as_u64().unwrap();
    let all: u64 = answer["packages"].as_array().unwrap().iter().map(running).sum();
    let summed: u64 = monthly.iter().map(running).sum();
    assert!(all > 5, "{answer}");
    assert_eq!(all, summed + answer["left_out"].as_u64().unwrap(), "nobody is forgotten");
}

/// Sells days of a subscription, and earns them up to a day.
async fn sold(
    db: &mut PgConnection,
    whose: &str,
    price: &str,
    (start, end): (Date, Date),
    earned_through: Date,
) {
    let subscription: SubscriptionId = whose.parse().unwrap();
    let customer = subscription.tenant.as_str().parse().unwrap();
    let net: Money = price.parse().unwrap();
    let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let key = |what: &str| -> OperationKey { format!("{what}:{whose}:{start}").parse().unwrap() };
    let (paid, renewed) = (key("top-up"), key("renew"));
    let gateway = "dummy".parse().unwrap();
    ledger::top_up(db, Booking::by_system(&paid, now), &customer, &gateway, net).await.unwrap();
    let tax = Money::zero(net.currency);
    let sale = Sale { subscription: &subscription, net, tax };
    let booking = Booking::by_system(&renewed, now);
    let charged = ledger::charge(db, booking, &customer, &sale).await.unwrap();
    let term = NewTerm {
        key: &renewed,
        subscription: &subscription,
        period: Period { start, end },
        anchor: start,
        invoice: None,
        paid_by: Some(charged.transaction),
    };
    let rules = Rules { lifecycle: &Lifecycle::default(), zone: &zone };
    terms::record(db, term, rules, now).await.unwrap();
    let package = "kiteclass-standard".parse().unwrap();
    let of = recognition::Of { subscription: &subscription, package: &package, zone: &zone };
    recognition::through(db, of, net.currency, earned_through, now).await.unwrap();
}

#[tokio::test]
async fn revenue_is_what_was_delivered_on_the_days_that_are_asked_for() {
    let Some(portal) = Portal::open().await else { return };
    let operator = portal.staff(Role::Operator).await.access;
    let mut db = portal.pool.acquire().await.unwrap();
    // 31 days of which a month has both ends: from the middle of March to the middle of April.
    let days = (date(2026, 3, 16), date(2026, 4, 16));
    sold(&mut db, "acme/school", "310.00 USD", days, date(2026, 4, 30)).await;
    sold(&mut db, "globex/campus", "31000000 VND", days, date(2026, 3, 31)).await;
    drop(db);
    let amount = |minor, currency, exponent| json!({ "amount": minor, "currency": currency, "exponent": exponent });
    let asked = "/admin/revenue?from=2026-03-01&through=2026-04-30";
    let by_month = portal.get(asked, &operator).await;
    assert_eq!(by_month.status, 200, "{}", by_month.text);
    let told: Vec<_> = by_month.json["periods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|period| (period["from"].as_str().unwrap(), period["recognised"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("2026-03-01", amount(16_000, "USD", 2)),
            ("2026-03-01", amount(16_000_000, "VND", 0)),
            ("2026-04-01", amount(15_000, "USD", 2)),
        ]
    );
    assert_eq!(
        by_month.json["total"],
        json!([amount(31_000, "USD", 2), amount(16_000_000, "VND", 0)])
    );
    assert_eq!(by_month.json["periods"][0]["packages"][0]["package"], "kiteclass-standard");
    // The last day of March is March's, although it is booked at the midnight after it.
    let last = "/admin/revenue?per=day&from=2026-03-31&through=2026-03-31";
    let day = portal.get(last, &operator).await.json;
    let told: Vec<_> = day["periods"].as_array().unwrap().iter().map(|day| &day["from"]).collect();
    assert_eq!(told, ["2026-03-31", "2026-03-31"], "{day}");
    assert_eq!(day["periods"][0]["recognised"], amount(1000, "USD", 2));
    let none = "/admin/revenue?per=day&from=2026-05-01&through=2026-05-31";
    assert_eq!(portal.get(none, &operator).await.json["periods"], json!([]));
}

#[tokio::test]
async fn what_the_business_earns_is_no_matter_of_customers_and_wrong_ranges_are_told() {
    let Some(portal) = Portal::open().await else { return };
    let (acme, operator) =
        (portal.customer_of("acme").await.access, portal.staff(Role::Operator).await.access);
    for path in ["/admin/revenue", "/admin/margin"] {
        assert_eq!(portal.get(path, &acme).await.status, 403, "{path}");
        assert_eq!(portal.get(path, &operator).await.status, 200, "{path}");
    }
    for (query, field) in [
        ("from=2026-04-02&through=2026-04-01", "from"),
        ("per=day&from=2020-01-01&through=2026-04-01", "from"),
        ("from=0001-01-01&through=2026-04-01", "from"),
        ("from=yesterday", "from"),
        ("per=week", "per"),
    ] {
        let answer = portal.get(&format!("/admin/revenue?{query}"), &operator).await;
        assert_eq!(answer.code(), "invalid-fields", "{query}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["field"], field, "{query}: {}", answer.text);
    }
}
