//! Changes of what a customer has: more now, less later, and everything that costs nothing.

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;

use super::Shop;

fn chosen(package: &str) -> Value {
    json!({ "package": package })
}

#[tokio::test]
async fn more_is_paid_and_in_force_at_once() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("up@example.com").await;
    let path = format!("/subscriptions/{tenant}.kiteclass");
    // Ten days of thirty are over.
    shop.portal.wait(SignedDuration::from_hours(10 * 24));
    let token = {
        drop(token);
        shop.portal.log_in("up@example.com").await.access
    };
    let quote = json!({ "subscription": format!("{tenant}.kiteclass"), "choice": chosen("kiteclass-standard") });
    let quote = shop.portal.post("/quotes", &token, quote).await;
    assert_eq!(quote.status, 200, "{}", quote.text);
    assert_eq!(quote.json["purpose"], "change-now");
    assert_eq!(quote.json["lines"][0]["days"], 20);
    let before = shop.wallet(&tenant, "USD").await.0;
    let etag = shop.etag(&path, &token).await;
    let scaled = shop
        .send(
            "PUT",
            &format!("{path}/scale"),
            &token,
            chosen("kiteclass-standard"),
            &[("if-match", &etag)],
        )
        .await;
    assert_eq!(scaled.status, 202, "{}", scaled.text);
    assert_eq!(scaled.json["total"], quote.json["total"], "it costs what was quoted");
    shop.carry_out(&tenant).await;
    let after = shop.wallet(&tenant, "USD").await;
    assert_eq!(Some(before - after.0), scaled.json["total"]["amount"].as_i64());
    assert_eq!(after.0, quote.json["wallet_after"]["amount"].as_i64().unwrap());
    let now = shop.portal.get(&path, &token).await;
    assert_eq!(now.json["package"], "kiteclass-standard");
    assert_eq!(shop.count("select count(*) from invoice").await, 2);
    assert_eq!(shop.count("select count(*) from subscription_term").await, 1);

    // A second change on the same day is reckoned from the first: nothing comes back twice.
    let quote = json!({ "subscription": format!("{tenant}.kiteclass"), "choice": chosen("kiteclass-premium") });
    let second = shop.portal.post("/quotes", &token, quote).await;
    let charged = scaled.json["quote"]["lines"][1]["amount"]["amount"].as_i64().unwrap();
    let back = second.json["lines"][0]["amount"]["amount"].as_i64().unwrap();
    assert_eq!(back, -charged, "{}", second.text);
    shop.books_balance().await;
}

#[tokio::test]
async fn more_is_paid_for_all_of_the_time_that_is_paid_ahead() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("ahead@example.com").await;
    shop.top_up(&tenant, "5000.00 USD").await;
    let id = format!("{tenant}.kiteclass");
    let path = format!("/subscriptions/{id}");
    let any = [("if-match", "*")];
    for _ in 0..2 {
        let path = format!("{path}/renew");
        let renewed = shop.send("PUT", &path, &token, Value::Null, &any).await;
        assert_eq!(renewed.status, 202, "{}", renewed.text);
        shop.carry_out(&tenant).await;
    }
    let asked = async |days: i64, package: &str| {
        shop.portal.wait(SignedDuration::from_hours(days * 24));
        let token = shop.portal.log_in("ahead@example.com").await.access;
        let thought = json!({ "subscription": id, "choice": chosen(package) });
        let quote = shop.portal.post("/quotes", &token, thought).await;
        assert_eq!(quote.status, 200, "{}", quote.text);
        assert_eq!(quote.json["purpose"], "change-now");
        assert_eq!(quote.json["through"], "2027-02-23");
        let lines = quote.json["lines"].as_array().unwrap().iter().map(|line| {
            (line["from"].as_str().unwrap().to_owned(), line["amount"]["amount"].as_i64().unwrap())
        });
        (token, lines.collect::<Vec<_>>())
    };
    let line = |day: &str, amount: i64| (day.to_owned(), amount);

    // Ten of the thirty days from 24 November on are over; two periods are paid beyond them.
    let (token, lines) = asked(10, "kiteclass-standard").await;
    let expected = [
        line("2026-12-04", -6_600),
        line("2026-12-04", 13_267),
        line("2026-12-24", -9_900),
        line("2026-12-24", 19_900),
        line("2027-01-24", -9_900),
        line("2027-01-24", 19_900),
    ];
    assert_eq!(lines, expected);
    let before = shop.wallet(&tenant, "USD").await.0;
    let scaled = shop
        .send("PUT", &format!("{path}/scale"), &token, chosen("kiteclass-standard"), &any)
        .await;
    assert_eq!(scaled.status, 202, "{}", scaled.text);
    shop.carry_out(&tenant).await;
    // 266.67 USD and 10 % of each line.
    assert_eq!(shop.wallet(&tenant, "USD").await.0, before - 26_667 - 2_667);
    assert_eq!(shop.count("select count(*) from subscription_term").await, 3);

    // On the same day, and in the next period, just what was charged is what may come back.
    let back = |lines: Vec<(String, i64)>| -> Vec<(String, i64)> {
        lines.into_iter().filter(|(_, amount)| *amount < 0).collect()
    };
    let (_, lines) = asked(0, "kiteclass-premium").await;
    let expected =
        [line("2026-12-04", -13_267), line("2026-12-24", -19_900), line("2027-01-24", -19_900)];
    assert_eq!(back(lines), expected);
    // 199.00 × 30/31 = 192.58.
    let (_, lines) = asked(21, "kiteclass-premium").await;
    assert_eq!(back(lines), [line("2026-12-25", -19_258), line("2027-01-24", -19_900)]);
    shop.books_balance().await;
}

#[tokio::test]
async fn less_waits_for_the_end_of_what_is_paid_for() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("down@example.com").await;
    let path = format!("/subscriptions/{tenant}.kiteclass");
    let up = shop
        .send(
            "PUT",
            &format!("{path}/scale"),
            &token,
            chosen("kiteclass-standard"),
            &[("if-match", "*")],
        )
        .await;
    assert_eq!(up.status, 202, "{}", up.text);
    shop.carry_out(&tenant).await;
    let wallet = shop.wallet(&tenant, "USD").await;
    let down = shop
        .send(
            "PUT",
            &format!("{path}/scale"),
            &token,
            chosen("kiteclass-basic"),
            &[("if-match", "*")],
        )
        .await;
    assert_eq!((down.status, &down.json["status"]), (202, &"accepted".into()), "{}", down.text);
    // Midnight of the day after the last that is paid for, in Ho Chi Minh City.
    assert_eq!(down.json["due_at"], "2026-12-23T17:00:00Z");
    assert_eq!(shop.commit().await, 0);
    assert_eq!(shop.wallet(&tenant, "USD").await, wallet);

    // The renewal is of what it will be by then.
    let renewed =
        shop.send("PUT", &format!("{path}/renew"), &token, Value::Null, &[("if-match", "*")]).await;
    assert_eq!(renewed.status, 202, "{}", renewed.text);
    assert_eq!(renewed.json["total"]["amount"], 10_890);
    shop.carry_out(&tenant).await;
    assert!(
        shop.repository
            .read(&format!("tenants/{tenant}/kiteclass.yaml"))
            .contains("paidThrough: 2027-01-23")
    );

    shop.portal.wait(SignedDuration::from_hours(30 * 24));
    shop.carry_out(&tenant).await;
    let token = shop.portal.log_in("down@example.com").await.access;
    assert_eq!(shop.operation(&down.json["id"], &token).await["status"], "succeeded");
    assert_eq!(shop.portal.get(&path, &token).await.json["package"], "kiteclass-basic");
    shop.books_balance().await;
}

#[tokio::test]
async fn what_is_asked_for_later_takes_the_place_of_what_waits() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("again@example.com").await;
    let path = format!("/subscriptions/{tenant}.kiteclass/scale");
    let up =
        shop.send("PUT", &path, &token, chosen("kiteclass-standard"), &[("if-match", "*")]).await;
    assert_eq!(up.status, 202);
    shop.carry_out(&tenant).await;
    let down =
        shop.send("PUT", &path, &token, chosen("kiteclass-basic"), &[("if-match", "*")]).await;
    let other = shop
        .send(
            "PUT",
            &path,
            &token,
            json!({ "package": "kiteclass-basic", "add_ons": { "storage-50": 1 } }),
            &[("if-match", "*")],
        )
        .await;
    assert_eq!(other.status, 202, "{}", other.text);
    assert_eq!(shop.operation(&down.json["id"], &token).await["status"], "superseded");
    assert_eq!(shop.operation(&other.json["id"], &token).await["status"], "accepted");
}

#[tokio::test]
async fn a_raised_limit_is_priced_by_the_package_and_written_where_it_differs() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("raised@example.com").await;
    shop.top_up(&tenant, "1000.00 USD").await;
    let choice =
        json!({ "package": "kiteclass-standard", "amounts": { "limits": { "users": "750" } } });
    let body = json!({ "choice": choice, "subdomain": "raised", "name": "school" });
    let placed = shop.send("POST", "/orders", &token, body, &[]).await;
    assert_eq!(placed.status, 202, "{}", placed.text);
    let lines = placed.json["quote"]["lines"].as_array().unwrap();
    assert_eq!(lines[1]["kind"], "raise");
    shop.carry_out(&tenant).await;
    let written = shop.repository.read(&format!("tenants/{tenant}/school.yaml"));
    assert!(written.contains("users: 750"), "{written}");
    shop.books_balance().await;
}

#[tokio::test]
async fn whoever_changes_something_has_to_have_seen_it_as_it_is() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("seen@example.com").await;
    let path = format!("/subscriptions/{tenant}.kiteclass");
    let body = json!({ "cancel_at_period_end": true });
    let missing = shop.portal.patch(&path, &token, body.clone()).await;
    assert_eq!((missing.status, missing.code()), (428, "precondition-required"));
    let etag = shop.etag(&path, &token).await;
    let patch = |tag: String| {
        let (body, path, token, shop) = (body.clone(), &path, &token, &shop);
        async move {
            shop.portal.client.send("PATCH", path, token, Some(body), &[("if-match", &tag)]).await
        }
    };
    let first = patch(etag.clone()).await;
    assert_eq!(first.status, 202, "{}", first.text);
    // What was accepted a moment ago nobody can have seen.
    let second = patch(etag.clone()).await;
    assert_eq!((second.status, second.code()), (412, "precondition-failed"), "{}", second.text);
    assert!(second.text.contains(first.json["id"].as_str().unwrap()));
    shop.carry_out(&tenant).await;
    let stale = patch(etag).await;
    assert_eq!(stale.status, 412);
    let now = shop.etag(&path, &token).await;
    assert_eq!(stale.json["etag"], now, "it says what the tag is now");
    assert_eq!(patch(now).await.status, 202);
}

#[tokio::test]
async fn everything_else_is_a_commit_and_an_operation_too() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.with_a_school("rest@example.com").await;
    let staff = shop.portal.staff(Role::Operator).await.access;
    let (own, theirs) = (
        format!("/subscriptions/{tenant}.kiteclass"),
        format!("/admin/instances/{tenant}.kiteclass"),
    );
    let any = [("if-match", "*")];
    let file = format!("tenants/{tenant}/kiteclass.yaml");
    let steps = [
        (
            "PUT",
            format!("{own}/domains"),
            &token,
            json!({ "domains": ["school.example.org"] }),
            "school.example.org",
        ),
        ("POST", format!("/pods/{tenant}.kiteclass/restart"), &token, Value::Null, "restarts: 1"),
        (
            "PUT",
            format!("{theirs}/holds/abuse"),
            &staff,
            json!({ "note": "mines coins" }),
            "reason: abuse",
        ),
        ("DELETE", format!("{own}?when=end"), &token, Value::Null, "cancelAtPeriodEnd: true"),
        (
            "PUT",
            format!("{theirs}/scale"),
            &staff,
            json!({ "package": "kiteclass-premium" }),
            "package: kiteclass-premium",
        ),
    ];
    for (method, path, who, body, written) in steps {
        let answer = shop.send(method, &path, who, body, &any).await;
        assert_eq!(answer.status, 202, "{method} {path}: {}", answer.text);
        shop.carry_out(&tenant).await;
        assert_eq!(
            shop.operation(&answer.json["id"], &staff).await["status"],
            "succeeded",
            "{path}"
        );
        let text = shop.repository.read(&file);
        assert!(text.contains(written), "{path}: {text}");
    }
    let lifted =
        shop.send("DELETE", &format!("{theirs}/holds/abuse"), &staff, Value::Null, &any).await;
    assert_eq!(lifted.status, 202, "{}", lifted.text);
    shop.carry_out(&tenant).await;
    assert!(!shop.repository.read(&file).contains("abuse"));

    let branding =
        json!({ "primary_color": "#3B82F6", "logo": "https://cdn.example.org/logo.svg" });
    let etag = shop.etag("/admin/settings", &token).await;
    let branded = shop
        .send("PUT", "/admin/settings/branding", &token, branding, &[("if-match", &etag)])
        .await;
    assert_eq!(branded.status, 202, "{}", branded.text);
    shop.carry_out(&tenant).await;
    let spoken = json!({ "language": "vi", "organisation": "Trường Hoa Sen" });
    let spoken = shop.send("PUT", "/admin/settings/preferences", &token, spoken, &any).await;
    assert_eq!(spoken.status, 202, "{}", spoken.text);
    shop.carry_out(&tenant).await;
    let settings = shop.portal.get("/admin/settings", &token).await;
    assert_eq!(settings.json["organisation"], "Trường Hoa Sen");
    assert_eq!(settings.json["branding"]["primary_color"], "#3B82F6");
    assert_eq!(settings.json["language"], "vi");
    shop.books_balance().await;
}

#[tokio::test]
async fn an_instance_is_removed_after_its_last_backup_and_not_before() {
    let Some(shop) = Shop::open().await else { return };
    let (_, tenant) = shop.with_a_school("end@example.com").await;
    let staff = shop.portal.staff(Role::Operator).await.access;
    let path = format!("/admin/instances/{tenant}.kiteclass");
    let any = [("if-match", "*")];
    let answer =
        shop.send("DELETE", &format!("{path}?retention_days=30"), &staff, Value::Null, &any).await;
    assert_eq!((answer.status, &answer.json["kind"]), (202, &"task".into()), "{}", answer.text);
    shop.carry_out(&tenant).await;
    let waiting = shop.operation(&answer.json["id"], &staff).await;
    assert_eq!(
        (&waiting["status"], &waiting["message"]),
        (&"observed".into(), &"it waits to be carried out".into())
    );
    assert!(
        shop.repository
            .read(&format!("tenants/{tenant}/kiteclass.yaml"))
            .contains("kiteclass-basic")
    );

    let now = shop
        .send("DELETE", &format!("{path}?backup_before_delete=false"), &staff, Value::Null, &any)
        .await;
    assert_eq!((now.status, &now.json["kind"]), (202, &"remove".into()), "{}", now.text);
    shop.carry_out(&tenant).await;
    assert_eq!(shop.operation(&now.json["id"], &staff).await["status"], "succeeded");
}
