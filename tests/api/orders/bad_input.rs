//! Bad input is normal input: each refusal says what is wrong and how it is right, and nothing of it
//! is left behind.

use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;

use super::Shop;

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_and_leaves_nothing() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("bad@example.com").await;
    shop.top_up(&tenant, "1000.00 USD").await;
    let choice = |package: &str| json!({ "package": package });
    let cases = [
        (json!({}), 422, "invalid-fields", "choice"),
        (json!({ "choice": choice("no-such") }), 422, "invalid-fields", "no package `no-such`"),
        (json!({ "choice": choice("Not A Name") }), 422, "invalid-fields", "is not a name"),
        (
            json!({ "choice": choice("kiteclass-basic"), "subdomain": "acme" }),
            409,
            "change-refused",
            "is taken",
        ),
        (
            json!({ "choice": choice("kiteclass-basic"), "subdomain": "www" }),
            409,
            "change-refused",
            "www",
        ),
        (
            json!({ "choice": choice("kiteclass-basic"), "domains": ["not a domain"] }),
            409,
            "change-refused",
            "not a domain",
        ),
        (
            json!({ "choice": choice("kiteclass-enterprise"), "tenant": "acme" }),
            422,
            "invalid-fields",
            "tenant",
        ),
        (
            json!({ "choice": { "package": "kiteclass-basic", "add_ons": { "sauna": 1 } } }),
            409,
            "conflict",
            "sauna",
        ),
        (
            json!({ "choice": { "package": "kiteclass-standard", "amounts": { "limits": { "users": "9000" } } } }),
            409,
            "change-refused",
            "9000",
        ),
        (
            json!({ "choice": { "package": "kiteclass-standard", "amounts": { "limits": { "users": "many" } } } }),
            422,
            "invalid-fields",
            "many",
        ),
        (
            json!({ "choice": { "package": "kiteclass-standard", "add_ons": { "storage-50": -1 } } }),
            422,
            "invalid-fields",
            "storage-50",
        ),
        (
            json!({ "choice": choice("kiteclass-basic"), "domains": vec!["a.example.org"; 21] }),
            422,
            "invalid-fields",
            "domains",
        ),
    ];
    for (body, status, code, says) in cases {
        let refused = shop.send("POST", "/orders", &token, body.clone(), &[]).await;
        let told = format!("{body}: {}", refused.text);
        assert_eq!((refused.status, refused.code()), (status, code), "{told}");
        assert!(refused.text.contains(says), "{told}");
    }
    let body = json!({ "choice": choice("kiteclass-basic"), "subdomain": "bad" });
    let keyless = shop.portal.post("/orders", &token, body.clone()).await;
    assert_eq!((keyless.status, keyless.code()), (400, "idempotency-key-missing"));
    assert_eq!(shop.send("POST", "/orders", "", body.clone(), &[]).await.status, 401);
    let staff = shop.portal.staff(Role::Operator).await.access;
    assert_eq!(shop.send("POST", "/orders", &staff, body, &[]).await.status, 403);
    assert_eq!(shop.count("select count(*) from customer_order").await, 0);
    assert_eq!(shop.count("select count(*) from operation").await, 0);
    assert_eq!(shop.wallet(&tenant, "USD").await, (100_000, 0));
}

#[tokio::test]
async fn what_is_not_one_s_own_is_not_there() {
    let Some(shop) = Shop::open().await else { return };
    let (theirs, tenant) = shop.with_a_school("owner@example.com").await;
    let (mine, _) = shop.newcomer("other@example.com").await;
    let orders = shop.portal.get("/orders", &theirs).await;
    let order = orders.json["items"][0]["id"].as_str().unwrap().to_owned();
    let invoice = orders.json["items"][0]["invoice"].as_str().unwrap().to_owned();
    let id = format!("{tenant}.kiteclass");
    let any = [("if-match", "*")];
    for (method, path, body) in [
        ("GET", format!("/orders/{order}"), Value::Null),
        ("POST", format!("/orders/{order}/pay"), Value::Null),
        ("POST", format!("/orders/{order}/cancel"), Value::Null),
        ("GET", format!("/operations/{order}"), Value::Null),
        ("GET", format!("/operations?subscription={id}"), Value::Null),
        ("GET", format!("/invoices/{invoice}"), Value::Null),
        ("GET", format!("/invoices/{invoice}.pdf"), Value::Null),
        ("GET", format!("/invoices?tenant={tenant}"), Value::Null),
        ("POST", "/quotes".into(), json!({ "subscription": id })),
        ("PUT", format!("/subscriptions/{id}/scale"), json!({ "package": "kiteclass-standard" })),
        ("PUT", format!("/subscriptions/{id}/renew"), Value::Null),
        ("PUT", format!("/subscriptions/{id}/domains"), json!({ "domains": [] })),
        ("PATCH", format!("/subscriptions/{id}"), json!({ "cancel_at_period_end": true })),
        ("DELETE", format!("/subscriptions/{id}"), Value::Null),
        ("POST", format!("/pods/{id}/restart"), Value::Null),
    ] {
        let answer = shop.send(method, &path, &mine, body, &any).await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "not-found"),
            "{method} {path}: {}",
            answer.text
        );
        assert!(!answer.text.contains("kiteclass-basic"), "{}", answer.text);
    }
    assert_eq!(shop.portal.get("/orders", &mine).await.json["items"], json!([]));
    assert_eq!(shop.portal.get("/operations", &mine).await.json["items"], json!([]));
    assert_eq!(shop.portal.get("/invoices", &mine).await.json["items"], json!([]));
}

#[tokio::test]
async fn a_change_that_makes_no_sense_is_refused_with_what_does() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("sense@example.com").await;
    let path = format!("/subscriptions/{tenant}.kiteclass");
    let any = [("if-match", "*")];
    for (method, path, body, status, says) in [
        ("PUT", format!("{path}/scale"), json!({ "package": "n8n" }), 422, "another product"),
        (
            "PUT",
            format!("{path}/scale"),
            json!({ "package": "kiteclass-enterprise", "x": 1 }),
            422,
            "x",
        ),
        (
            "PUT",
            format!("{path}/domains"),
            json!({ "domains": ["acme.kiteclass.com"] }),
            409,
            "the address is taken",
        ),
        ("PUT", format!("{path}/domains"), json!({ "domains": "a.example.org" }), 422, "domains"),
        ("DELETE", format!("{path}?when=tomorrow"), Value::Null, 422, "when"),
        ("PATCH", path.clone(), json!({}), 422, "cancel_at_period_end"),
        (
            "PUT",
            "/admin/settings/branding".into(),
            json!({ "logo": "javascript:alert(1)" }),
            422,
            "https://",
        ),
        ("PUT", "/admin/settings/branding".into(), json!({ "primary_color": "blue" }), 409, "blue"),
        (
            "PUT",
            "/admin/settings/preferences".into(),
            json!({ "organisation": "" }),
            422,
            "organisation",
        ),
        ("PUT", "/admin/settings/preferences".into(), json!({ "language": "tlh" }), 422, "tlh"),
        ("POST", "/quotes".into(), json!({}), 422, "choice"),
    ] {
        let answer = shop.send(method, &path, &token, body, &any).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert!(answer.text.contains(says), "{method} {path}: {}", answer.text);
    }
    let staff = shop.portal.staff(Role::Operator).await.access;
    let instance = format!("/admin/instances/{tenant}.kiteclass");
    for (method, path, body, status) in [
        ("PUT", format!("{instance}/holds/overdue"), json!({}), 404),
        ("POST", format!("{instance}/restore"), json!({ "backup": "" }), 422),
        ("DELETE", format!("{instance}?retention_days=0"), Value::Null, 422),
        (
            "DELETE",
            format!("{instance}?backup_before_delete=false&retention_days=3"),
            Value::Null,
            422,
        ),
        ("PUT", format!("{instance}/holds/operator"), json!({ "note": "x".repeat(301) }), 422),
        ("POST", "/admin/instances/nobody.nothing/backup".into(), Value::Null, 404),
    ] {
        let answer = shop.send(method, &path, &staff, body, &any).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
    assert_eq!(shop.count("select count(*) from operation where ended_at is null").await, 0);
}

#[tokio::test]
async fn one_change_that_costs_money_at_a_time() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("one@example.com").await;
    let path = format!("/subscriptions/{tenant}.kiteclass");
    let any = [("if-match", "*")];
    let first = shop
        .send(
            "PUT",
            &format!("{path}/scale"),
            &token,
            json!({ "package": "kiteclass-standard" }),
            &any,
        )
        .await;
    assert_eq!(first.status, 202, "{}", first.text);
    let second = shop.send("PUT", &format!("{path}/renew"), &token, Value::Null, &any).await;
    assert_eq!((second.status, second.code()), (409, "conflict"), "{}", second.text);
    shop.carry_out(&tenant).await;
    let third = shop.send("PUT", &format!("{path}/renew"), &token, Value::Null, &any).await;
    assert_eq!(third.status, 202, "{}", third.text);
    shop.books_balance().await;
}
