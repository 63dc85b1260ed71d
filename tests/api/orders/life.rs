//! From an order to what was ordered: who commits it, and what is told of it.

use tenantry::history::record::UnitState;

use super::Shop;
use crate::edits::git;

#[tokio::test]
async fn a_first_order_becomes_a_tenant_a_subscription_an_invoice_and_a_paid_term() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("owner@example.com").await;
    shop.top_up(&tenant, "200.00 USD").await;

    let placed = shop.order(&token, "kiteclass-basic", "lotus").await;
    assert_eq!(placed.status, 202, "{}", placed.text);
    assert_eq!(placed.json["status"], "paid");
    // 99 and 10 % of it.
    assert_eq!(placed.json["total"]["amount"], 10_890);
    assert_eq!(shop.wallet(&tenant, "USD").await, (9_110, 10_890));
    let id = &placed.json["id"];
    assert_eq!(placed.header("location"), format!("/api/v1/operations/{}", id.as_str().unwrap()));
    let operation = shop.operation(id, &token).await;
    assert_eq!((&operation["status"], &operation["percent"]), (&"accepted".into(), &0.into()));

    assert_eq!(shop.commit().await, 1);
    let operation = shop.operation(id, &token).await;
    assert_eq!(operation["status"], "committed");
    assert_eq!(operation["commit"], shop.repository.head().as_str());
    let said = git(&shop.repository.git_folder(), &["log", "-1", "--format=%an <%ae>%n%cn%n%B"]);
    let said = said.unwrap();
    assert!(said.starts_with("Acme Corp <owner@example.com>\nTenantry portal\n"), "{said}");
    for trailer in ["Intent-Id", "Request-Id", "Actor: customer", "Order", "Hold"] {
        assert!(said.contains(&format!("\n{trailer}")), "{trailer}: {said}");
    }
    assert!(said.contains(&format!("Intent-Id: {}\n", id.as_str().unwrap())), "{said}");
    let document = shop.repository.read(&format!("tenants/{tenant}/tenant.yaml"));
    assert!(document.contains("cluster: saigon"), "{document}");

    // Nothing is known of the commit before it was read, whatever history says.
    assert_eq!(shop.follower_without_taking().await, 0);
    assert_eq!(shop.operation(id, &token).await["status"], "committed");
    shop.take().await;
    for (state, expected) in [(UnitState::Applying, "applying"), (UnitState::Waiting, "verifying")]
    {
        shop.say(&tenant, state, Some("main-class is not ready")).await;
        shop.follow().await;
        let operation = shop.operation(id, &token).await;
        assert_eq!(operation["status"], expected);
        assert_eq!(operation["message"], "main-class is not ready");
    }
    assert_eq!(shop.wallet(&tenant, "USD").await, (9_110, 10_890), "it is not there yet");
    shop.say(&tenant, UnitState::Converged, None).await;
    assert_eq!(shop.follow().await, 1);

    let operation = shop.operation(id, &token).await;
    assert_eq!(operation["status"], "succeeded");
    let types: Vec<&str> = operation["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|condition| {
            assert_eq!(condition["status"], "true", "{condition}");
            condition["type"].as_str().unwrap()
        })
        .collect();
    assert_eq!(types, ["accepted", "committed", "observed", "applying", "verifying", "succeeded"]);
    assert_eq!(shop.wallet(&tenant, "USD").await, (9_110, 0));
    shop.books_balance().await;

    let invoices = shop.portal.get("/invoices", &token).await;
    let invoice = &invoices.json["items"][0];
    assert_eq!(invoice["number"], "KC-000001", "{}", invoices.text);
    assert_eq!(
        (&invoice["net"]["amount"], &invoice["tax"]["amount"]),
        (&9_900.into(), &990.into())
    );
    assert!(invoice["paid_at"].is_string());
    let id = invoice["id"].as_str().unwrap();
    let pdf = shop.portal.client.bytes(&format!("/invoices/{id}.pdf"), &token).await;
    assert!(pdf.starts_with(b"%PDF-"));
    let terms =
        shop.count("select count(*) from subscription_term where paid_by is not null").await;
    assert_eq!(terms, 1);
    for template in ["order-confirmed", "instance-ready", "invoice"] {
        assert_eq!(shop.portal.mails(template, "owner@example.com").await, 1, "{template}");
    }
    // The mail that hands it over lets its reader in, once.
    let link = shop.portal.mailed("instance-ready", "owner@example.com").await;
    let body = serde_json::json!({ "token": link, "password": "a password of their own" });
    let set = shop.portal.post("/auth/password/reset", "", body.clone()).await;
    assert_eq!(set.status, 204, "{}", set.text);
    let login =
        serde_json::json!({ "email": "owner@example.com", "password": "a password of their own" });
    assert_eq!(shop.portal.post("/auth/login", "", login).await.status, 200);
    assert_ne!(shop.portal.post("/auth/password/reset", "", body).await.status, 204);
    let written = shop.repository.read(&format!("tenants/{tenant}/kiteclass.yaml"));
    assert!(
        written.contains("starts: 2026-11-24") && written.contains("paidThrough: 2026-12-23"),
        "{written}"
    );
}

#[tokio::test]
async fn what_is_free_needs_no_wallet_and_makes_no_invoice() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("free@example.com").await;
    let placed = shop.order(&token, "n8n", "free-n8n").await;
    assert_eq!(placed.status, 202, "{}", placed.text);
    shop.carry_out(&tenant).await;
    assert_eq!(shop.operation(&placed.json["id"], &token).await["status"], "succeeded");
    assert_eq!(shop.count("select count(*) from invoice").await, 0);
    assert_eq!(shop.count("select count(*) from subscription_term").await, 1);
    shop.books_balance().await;
}

#[tokio::test]
async fn an_order_that_cannot_be_brought_about_gives_the_money_back_and_is_taken_back() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("unlucky@example.com").await;
    shop.top_up(&tenant, "200.00 USD").await;
    let placed = shop.order(&token, "kiteclass-basic", "unlucky").await;
    shop.commit().await;
    shop.take().await;
    shop.say(&tenant, UnitState::Degraded, Some("the image cannot be pulled")).await;
    shop.follow().await;
    let waiting = shop.operation(&placed.json["id"], &token).await;
    assert_eq!(waiting["status"], "verifying");
    shop.portal.wait(jiff::SignedDuration::from_mins(31));
    assert_eq!(shop.follow().await, 1);

    let token = shop.portal.log_in("unlucky@example.com").await.access;
    let failed = shop.operation(&placed.json["id"], &token).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["message"], "it does not become ready: the image cannot be pulled");
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000, 0));
    assert_eq!(shop.portal.mails("failed", "unlucky@example.com").await, 1);
    // Nothing of the customer's existed before: all of it goes.
    assert_eq!(shop.commit().await, 1);
    let files = git(&shop.repository.git_folder(), &["ls-tree", "-r", "--name-only", "main"]);
    assert!(!files.unwrap().contains(&format!("tenants/{tenant}/")));
    let said = git(&shop.repository.git_folder(), &["log", "-1", "--format=%B"]).unwrap();
    assert!(said.contains(&format!("Follows: {}", placed.json["id"].as_str().unwrap())), "{said}");
    shop.books_balance().await;
}

#[tokio::test]
async fn what_validation_of_the_moved_branch_refuses_fails_with_the_reason() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("late@example.com").await;
    shop.top_up(&tenant, "200.00 USD").await;
    let placed = shop.order(&token, "kiteclass-basic", "wanted").await;
    assert_eq!(placed.status, 202, "{}", placed.text);
    // A person gives the address to somebody else before the commit is made.
    let acme = shop.repository.read("tenants/acme/school.yaml");
    shop.repository
        .write("tenants/acme/school.yaml", acme.replace("subdomain: acme", "subdomain: wanted"))
        .commit("acme moves");
    shop.commit().await;
    let failed = shop.operation(&placed.json["id"], &token).await;
    assert_eq!(failed["status"], "failed");
    assert!(failed["message"].as_str().unwrap().contains("the address is taken"), "{failed}");
    assert!(!failed.to_string().contains("acme/"), "nobody is told by whom");
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000, 0));
    let path = format!("/orders/{}", placed.json["id"].as_str().unwrap());
    assert_eq!(shop.portal.get(&path, &token).await.json["status"], "failed");
    shop.books_balance().await;
}

#[tokio::test]
async fn a_change_of_mind_in_git_supersedes_what_is_under_way() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("undone@example.com").await;
    shop.top_up(&tenant, "200.00 USD").await;
    let placed = shop.order(&token, "kiteclass-basic", "undone").await;
    shop.commit().await;
    let commit = shop.repository.head();
    shop.repository.revert(&commit);
    shop.take().await;
    assert_eq!(shop.follow().await, 1);
    let superseded = shop.operation(&placed.json["id"], &token).await;
    assert_eq!(superseded["status"], "superseded");
    assert_eq!(shop.wallet(&tenant, "USD").await, (20_000, 0));
    shop.books_balance().await;
}

#[tokio::test]
async fn an_operation_is_told_once_to_who_has_seen_it() {
    let Some(shop) = Shop::open().await else { return };
    let (token, _) = shop.newcomer("reader@example.com").await;
    let placed = shop.order(&token, "n8n", "reader-n8n").await;
    let path = format!("/operations/{}", placed.json["id"].as_str().unwrap());
    let first = shop.portal.get(&path, &token).await;
    assert_eq!(first.header("retry-after"), "1");
    let seen = [("if-none-match", first.header("etag"))];
    let again = shop.portal.client.send("GET", &path, &token, None, &seen).await;
    assert_eq!(again.status, 304);
    shop.commit().await;
    let moved = shop.portal.client.send("GET", &path, &token, None, &seen).await;
    assert_eq!((moved.status, &moved.json["status"]), (200, &"committed".into()));
    let listed = shop.portal.get("/operations", &token).await;
    assert_eq!(listed.json["items"][0]["id"], placed.json["id"]);
}
