//! What a subscription used, as its customer reads it.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;
use tenantry::usage::Measure;
use tenantry::usage::SLOT;
use tenantry::usage::Sample;
use tenantry::usage::limits::Standing;
use tenantry::usage::standing;
use tenantry::usage::store;

use super::Portal;

impl Portal {
    /// Fills ten hours up to now, of which the newest are in no sum yet.
    async fn used(&self, of: &str) {
        let (of, now) =
            (of.parse::<tenantry::model::SubscriptionId>().unwrap(), *self.clock.lock().unwrap());
        let samples = |hours: std::ops::Range<i32>| -> Vec<Sample> {
            let slots = (hours.start * 12)..(hours.end * 12);
            let at = |slot: i32| now - SignedDuration::from_hours(10) + SLOT * slot;
            let cpu = |slot: i32| Sample::now(of.clone(), Measure::Cpu, i64::from(slot), at(slot));
            let storage = |slot: i32| Sample::now(of.clone(), Measure::Storage, 5120, at(slot));
            slots.flat_map(|slot| [cpu(slot), storage(slot)]).collect()
        };
        store::record(&self.pool, &samples(0..8), now).await.unwrap();
        store::roll_up(&self.pool, &TimeZone::UTC).await.unwrap();
        store::record(&self.pool, &samples(8..10), now).await.unwrap();
    }
}

const USAGE: &str = "/subscriptions/acme.school/usage";

#[tokio::test]
async fn usage_is_told_by_the_hour_with_totals_and_limits() {
    let Some(portal) = Portal::open().await else { return };
    portal.used("acme/school").await;
    let acme = portal.customer_of("acme").await.access;
    let answer = portal.get(USAGE, &acme).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let usage = &answer.json;
    let items = usage["items"].as_array().unwrap();
    assert_eq!((items.len(), &usage["step"]), (10, &json!("hour")));
    assert_eq!(items[0]["at"], "2026-11-24T02:00:00Z");
    // Slots 0 to 11, five minutes each.
    let first = json!({"average": 6, "maximum": 11, "total": 66 * 300, "seconds": 3600});
    assert_eq!(items[0]["cpu"], first);
    assert_eq!(items[0].get("memory"), None, "nobody measured it");
    let sum: i64 = items.iter().map(|item| item["cpu"]["total"].as_i64().unwrap()).sum();
    assert_eq!(usage["totals"]["cpu"]["total"], sum);
    assert_eq!(usage["totals"]["cpu"]["maximum"], 119);
    assert_eq!(usage["totals"]["storage"]["average"], 5120);
    let limits = usage["limits"].as_array().unwrap();
    let cpu = limits.iter().find(|limit| limit["measure"] == "cpu").unwrap();
    assert_eq!(
        (&cpu["limit"], &cpu["used"], &cpu["state"]),
        (&json!(14_000), &json!(114), &json!("within"))
    );
    let storage = limits.iter().find(|limit| limit["measure"] == "storage").unwrap();
    // 50 G of what is sold, in MiB.
    assert_eq!((&storage["limit"], &storage["percent"]), (&json!(47_684), &json!(10)));

    let operator = portal.staff(Role::Operator).await.access;
    assert_eq!(portal.get(USAGE, &operator).await.json, *usage);
}

#[tokio::test]
async fn the_pages_of_a_range_are_the_whole_of_it_and_a_limit_that_is_reached_is_told() {
    let Some(portal) = Portal::open().await else { return };
    portal.used("acme/school").await;
    let acme = portal.customer_of("acme").await.access;
    let (id, now) = ("acme/school".parse().unwrap(), *portal.clock.lock().unwrap());
    let mut db = portal.pool.acquire().await.unwrap();
    standing::enter(&mut db, &id, Measure::Cpu, Standing::Reached, now).await.unwrap();
    drop(db);
    let whole =
        portal.get(&format!("{USAGE}?step=raw&from=2026-11-24T02:00:00Z&limit=200"), &acme).await;
    let whole = &whole.json["items"];
    let mut path = format!("{USAGE}?step=raw&from=2026-11-24T02:00:00Z&limit=50");
    let mut items: Vec<Value> = Vec::new();
    let mut totals = None;
    loop {
        let page = portal.get(&path, &acme).await;
        assert_eq!(page.status, 200, "{}", page.text);
        items.extend(page.json["items"].as_array().unwrap().iter().cloned());
        let told = page.json["totals"].clone();
        assert_eq!(*totals.get_or_insert_with(|| told.clone()), told, "totals are of the whole");
        let cpu = &page.json["limits"][0];
        assert_eq!((&cpu["state"], cpu["since"].is_string()), (&json!("reached"), true));
        // Time goes by, and the pages stay those of one range.
        portal.wait(SignedDuration::from_mins(1));
        let link = page.header("link");
        let Some(next) = link.strip_prefix("</api/v1").and_then(|link| link.split('>').next())
        else {
            break;
        };
        path = next.to_owned();
    }
    assert_eq!(items.len(), 120);
    assert_eq!(Value::from(items), *whole);
}

#[tokio::test]
async fn a_range_that_cannot_be_is_refused_with_what_to_do() {
    let Some(portal) = Portal::open().await else { return };
    let acme = portal.customer_of("acme").await.access;
    for (query, says, helps) in [
        ("from=2026-11-24T10:00:00Z&to=2026-11-24T10:00:00Z", "not before `to`", "before `to`"),
        ("from=2026-12-01T00:00:00Z&to=2026-12-02T00:00:00Z", "after now", "before now"),
        ("from=2026-11-01T00:00:00Z&step=raw", "nothing is kept", "step=hour"),
        ("from=2020-01-01T00:00:00Z", "nothing is kept", "step=day"),
    ] {
        let answer = portal.get(&format!("{USAGE}?{query}"), &acme).await;
        assert_eq!(answer.code(), "invalid-fields", "{query}: {}", answer.text);
        let error = &answer.json["errors"][0];
        assert_eq!(error["field"], "from");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert!(error["help"].as_str().unwrap().contains(helps), "{error}");
    }
    for query in ["step=week", "from=yesterday", "cursor=none", "limit=0", "of=everything"] {
        let answer = portal.get(&format!("{USAGE}?{query}"), &acme).await;
        assert!((400..500).contains(&answer.status), "{query}: {}", answer.text);
    }
    // The far ends of time are far away, and no accident.
    for query in [
        "to=9999-12-30T00:00:00Z&step=day",
        "to=9999-12-30T00:00:00Z",
        "from=2026-11-24T00:00:00Z&to=9999-12-30T00:00:00Z&step=day",
        "from=-009999-01-02T00:00:00Z",
    ] {
        let answer = portal.get(&format!("{USAGE}?{query}"), &acme).await;
        assert!(answer.status < 500, "{query}: {}", answer.text);
    }
    let globex = portal.customer_of("globex").await.access;
    for of in ["acme.school", "acme.none", "none.none"] {
        let answer = portal.get(&format!("/subscriptions/{of}/usage"), &globex).await;
        assert_eq!((answer.status, answer.code()), (404, "not-found"), "{of}");
    }
}
