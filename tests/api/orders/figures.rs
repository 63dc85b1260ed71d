//! Figures of success from real orders, and how far a new customer has come.

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;
use tenantry::history::Record;
use tenantry::history::fresh_id;
use tenantry::history::record::Drift;
use tenantry::history::record::UnitState;
use tenantry::model::ResourceId;

use super::Shop;

/// The steps that are done, in the order of the list.
fn done(list: &Value) -> Vec<&str> {
    let tasks = list["tasks"].as_array().unwrap().iter();
    tasks.filter(|task| task["done"] == true).map(|task| task["task"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_checklist_follows_a_customer_from_the_first_login_to_a_domain_of_their_own() {
    let Some(shop) = Shop::open().await else { return };
    let operator = shop.portal.staff(Role::Operator).await.access;
    let (token, tenant) = shop.newcomer("new@example.com").await;
    let list = async |token: &str| shop.portal.get("/onboarding", token).await.json;
    assert_eq!(done(&list(&token).await), ["mail_verified", "logged_in"]);
    let body = json!({ "choice": { "package": "kiteclass-basic" }, "subdomain": "fresh",
        "domains": ["school.example.org"] });
    let order = shop.send("POST", "/orders", &token, body, &[]).await;
    assert_eq!(order.status, 201, "{}", order.text);
    assert_eq!(done(&list(&token).await), ["mail_verified", "logged_in", "ordered"]);
    shop.top_up(&tenant, "500.00 USD").await;
    let path = format!("/orders/{}/pay", order.json["id"].as_str().unwrap());
    let paid = shop.send("POST", &path, &token, Value::Null, &[]).await;
    assert!(paid.status < 300, "{}", paid.text);
    assert_eq!(done(&list(&token).await).last(), Some(&"paid"));
    shop.carry_out(&tenant).await;
    let own = list(&token).await;
    assert_eq!(
        done(&own),
        ["mail_verified", "logged_in", "ordered", "paid", "instance_ready", "domain_set"]
    );
    assert_eq!(own["complete"], true, "branding is optional: {own}");
    let path = format!("/admin/tenants/{tenant}/onboarding");
    assert_eq!(shop.portal.get(&path, &operator).await.json, own, "an operator sees the same");
    assert_eq!(shop.portal.get(&path, &token).await.status, 403);
    // Of a tenant that came with its documents nobody knows since when.
    let acme = shop.portal.get("/admin/tenants/acme/onboarding", &operator).await.json;
    assert_eq!(done(&acme)[..2], ["ordered", "paid"], "{acme}");
    assert_eq!(acme["complete"], false);
    let nobody = shop.portal.get("/admin/tenants/nobody/onboarding", &operator).await;
    assert_eq!(nobody.code(), "not-found");
    assert_eq!(shop.portal.get("/onboarding", &operator).await.status, 403);
}

#[tokio::test]
async fn figures_are_measured_from_what_happened() {
    let Some(shop) = Shop::open().await else { return };
    shop.portal.staff(Role::Operator).await;
    let figures = async |query: &str| {
        // An access token is good for minutes.
        let operator = shop.portal.log_in("operator@operator.example").await.access;
        let answer = shop.portal.get(&format!("/admin/figures{query}"), &operator).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json
    };
    let none = figures("").await;
    assert_eq!(none["provisioning"], json!({ "succeeded": 0, "failed": 0 }));
    assert!(none["time_to_provision"].is_null());
    assert_eq!(none["drift"], json!({ "found": 0, "put_back": 0 }));

    // Three schools that become ready after one, four and fifteen minutes.
    for minutes in [4, 1, 15] {
        let (token, tenant) = shop.newcomer(&format!("after-{minutes}@example.com")).await;
        shop.top_up(&tenant, "500.00 USD").await;
        let order = shop.order(&token, "kiteclass-basic", &format!("s-{tenant}")).await;
        assert_eq!(order.status, 202, "{}", order.text);
        shop.commit().await;
        shop.portal.wait(SignedDuration::from_mins(minutes));
        shop.take().await;
        shop.say(&tenant, UnitState::Converged, None).await;
        shop.follow().await;
    }
    let found_at = shop.now();
    let drift = |minutes: Option<i64>| {
        Record::Drift(Drift {
            id: fresh_id(),
            unit: "acme".parse().unwrap(),
            resource: ResourceId::new("apps", "Deployment", "kiteclass-acme", "user"),
            what: "spec.replicas".to_owned(),
            by: Some("kubectl".to_owned()),
            found_at,
            put_back_at: minutes.map(|minutes| found_at + SignedDuration::from_mins(minutes)),
        })
    };
    let records = [drift(Some(2)), drift(Some(1)), drift(None)];
    shop.follower.history.write(&records).await.unwrap();
    let all = figures("").await;
    assert_eq!(all["provisioning"], json!({ "succeeded": 3, "failed": 0, "percent": "100.00" }));
    let time = &all["time_to_provision"];
    assert_eq!(time["count"], 3);
    for (what, seconds) in
        [("median_seconds", 240.0), ("p95_seconds", 900.0), ("longest_seconds", 900.0)]
    {
        assert_eq!(time[what].as_f64(), Some(seconds), "{all}");
    }
    assert_eq!((&all["drift"]["found"], &all["drift"]["put_back"]), (&json!(3), &json!(2)));
    assert_eq!(all["drift"]["took"]["median_seconds"].as_f64(), Some(60.0));
    let open = all["by_kind"].as_array().unwrap().iter().find(|kind| kind["kind"] == "open");
    assert_eq!(open.unwrap()["succeeded"], 3);
    let before = figures("?from=2026-01-01&through=2026-01-31").await;
    assert_eq!(before["operations"]["succeeded"], 0, "nothing happened then");
}
