//! Money at the portal: filled, shown, recorded, given, taken and sent back; and what providers and
//! Git tell it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use axum::Router;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;
use tenantry::api::GitHooks;
use tenantry::billing::ledger;
use tenantry::model::Secret;
use tenantry::payments::Payments;

use super::Answer;
use super::PASSWORD;
use super::Portal;
use crate::payments::stub;
use crate::payments::stub::Stub;

/// A portal that takes payments by every provider.
async fn open() -> Option<(Portal, Stub)> {
    let stub = Stub::open().await;
    let providers = stub.providers();
    let portal = Portal::open_with(
        |parts| {
            let database = parts.accounts.database().clone();
            parts.payments = Payments::over(database, providers, Some(stub::portal())).unwrap();
        },
        Router::new(),
    )
    .await?;
    Some((portal, stub))
}

impl Portal {
    async fn once(&self, path: &str, token: &str, key: &str, body: Value) -> Answer {
        self.client.send("POST", path, token, Some(body), &[("idempotency-key", key)]).await
    }

    async fn notify(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let headers: Vec<_> =
            [("content-type", "application/json")].iter().chain(headers).copied().collect();
        self.client.send_text("POST", path, "", body.to_owned(), &headers).await
    }

    /// Everything that is due takes effect.
    async fn settled(&self) {
        let now = *self.clock.lock().unwrap();
        while self.api.payments().work(now).await.unwrap().is_some() {}
        let mut db = self.pool.acquire().await.unwrap();
        assert_eq!(ledger::verify(&mut db).await.unwrap(), []);
    }
}

fn usd(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "USD" })
}

#[tokio::test]
async fn a_wallet_is_filled_once_shown_and_read_page_by_page() {
    let Some((portal, _stub)) = open().await else { return };
    let acme = portal.customer_of("acme").await.access;
    let empty = portal.get("/wallet", &acme).await;
    assert_eq!(empty.json["balances"], json!([]));
    let ways = empty.json["ways"].as_array().unwrap();
    assert!(ways.contains(&json!({ "provider": "stripe", "currencies": ["USD"] })), "{ways:?}");
    for number in 0..3 {
        let body = json!({ "amount": usd(1000 + number), "provider": "dummy" });
        let key = format!("topup-{number}");
        let made = portal.once("/wallet/topups", &acme, &key, body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let again = portal.once("/wallet/topups", &acme, &key, body).await;
        assert_eq!(
            (again.json["id"].clone(), again.header("idempotent-replayed")),
            (made.json["id"].clone(), "true")
        );
        let id = made.json["id"].as_str().unwrap();
        assert_eq!(made.header("location"), format!("/api/v1/payments/{id}"));
        for _ in 0..2 {
            let paid = portal.post(&format!("/payments/{id}/confirm"), &acme, json!({})).await;
            assert_eq!((paid.status, &paid.json["status"]), (200, &json!("paid")), "{}", paid.text);
        }
        let globex = portal.customer_of_again("globex").await;
        assert_eq!(portal.get(&format!("/payments/{id}"), &globex).await.status, 404);
        assert_eq!(
            portal.post(&format!("/payments/{id}/confirm"), &globex, json!({})).await.status,
            404
        );
    }
    let filled = portal.get("/wallet", &acme).await;
    assert_eq!(
        filled.json["balances"][0]["available"],
        json!({ "amount": 3003, "currency": "USD", "exponent": 2 })
    );
    let mut path = "/transactions?currency=USD&limit=2".to_owned();
    let mut amounts = Vec::new();
    loop {
        let page = portal.get(&path, &acme).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let items = page.json["items"].as_array().unwrap();
        amounts.extend(items.iter().map(|item| item["amount"]["amount"].as_i64().unwrap()));
        let Some(next) = page.json["next_cursor"].as_str() else { break };
        path = format!("/transactions?currency=USD&limit=2&cursor={next}");
    }
    assert_eq!(amounts, [1002, 1001, 1000]);
}

#[tokio::test]
async fn what_is_wrong_with_a_payment_is_told_with_its_field() {
    let Some((portal, _stub)) = open().await else { return };
    let acme = portal.customer_of("acme").await.access;
    for (body, field) in [
        (json!({ "amount": usd(0) }), "amount.amount"),
        (json!({ "amount": usd(-5) }), "amount.amount"),
        (json!({ "amount": { "amount": 5, "currency": "usd" } }), "amount.currency"),
        (json!({ "amount": { "amount": 5, "currency": "USD", "exponent": 0 } }), "amount.exponent"),
        (json!({ "amount": usd(5), "provider": "momo" }), "provider"),
        (json!({ "amount": usd(5), "provider": "manual" }), "provider"),
        (json!({ "amount": usd(5), "provider": "paypal" }), "provider"),
        (json!({ "amount": usd(5), "return_url": "http://evil.example" }), "return_url"),
        (json!({ "amount": usd(5), "tenant": "globex" }), "tenant"),
    ] {
        let refused = portal.once("/wallet/topups", &acme, "k", body.clone()).await;
        assert_eq!(refused.code(), "invalid-fields", "{body}: {}", refused.text);
        assert_eq!(refused.json["errors"][0]["field"], field, "{body}: {}", refused.text);
    }
    let keyless = portal.post("/wallet/topups", &acme, json!({ "amount": usd(5) })).await;
    assert_eq!(keyless.code(), "idempotency-key-missing");
    let operator = portal.staff(Role::Operator).await.access;
    assert_eq!(portal.get("/wallet", &operator).await.code(), "invalid-fields");
    assert_eq!(portal.get("/wallet?tenant=acme", &operator).await.status, 200);
    assert_eq!(portal.get("/wallet?tenant=globex", &acme).await.status, 404);
}

#[tokio::test]
async fn each_provider_is_answered_in_its_dialect() {
    let Some((portal, stub)) = open().await else { return };
    let acme = portal.customer_of("acme").await.access;
    let second = portal.clock.lock().unwrap().as_second();
    let mut expected = 0;
    for (provider, currency, amount) in [
        ("midtrans", "IDR", 100_000),
        ("stripe", "USD", 999),
        ("momo", "VND", 299_000),
        ("vnpay", "VND", 299_000),
    ] {
        let body =
            json!({ "amount": { "amount": amount, "currency": currency }, "provider": provider });
        let made = portal.once("/wallet/topups", &acme, provider, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert!(made.json["redirect_url"].is_string(), "{}", made.text);
        let order = format!("TN{}X", made.json["id"].as_str().unwrap().replace('-', ""));
        stub.paid(&order);
        let known = stub.known(&order);
        let path = format!("/hooks/{provider}");
        let (forged, told) = match provider {
            "midtrans" => {
                let told = stub::midtrans(&order, &known);
                let mut forged = told.clone();
                forged["gross_amount"] = "1.00".into();
                (
                    portal.notify(&path, &forged.to_string(), &[]).await.status,
                    portal.notify(&path, &told.to_string(), &[]).await.status,
                )
            }
            "stripe" => {
                let (event, signature) = stub::stripe_event(
                    "evt_1",
                    "checkout.session.completed",
                    &stub::stripe(&order, &known),
                    second,
                );
                let header = [("stripe-signature", signature.as_str())];
                (
                    portal.notify(&path, &event.replace("999", "998"), &header).await.status,
                    portal.notify(&path, &event, &header).await.status,
                )
            }
            "momo" => {
                let told = stub::momo(&order, &known);
                (
                    portal.notify(&path, &told.replace("299000", "1"), &[]).await.status,
                    portal.notify(&path, &told, &[]).await.status,
                )
            }
            _ => {
                let told = stub::vnpay(&order, amount, "00");
                let forged =
                    portal.get(&format!("{path}?{}", told.replace("NCB", "VCB")), "").await;
                assert_eq!(forged.json, json!({ "RspCode": "97", "Message": "Invalid signature" }));
                let answer = portal.get(&format!("{path}?{told}"), "").await;
                assert_eq!((answer.status, &answer.json["RspCode"]), (200, &json!("00")));
                let again = portal.get(&format!("{path}?{told}"), "").await;
                assert_eq!(again.json["RspCode"], "02");
                (401, 200)
            }
        };
        assert_eq!((forged, told), (401, if provider == "momo" { 204 } else { 200 }), "{provider}");
        portal.settled().await;
        expected += 1;
        let paid =
            portal.get(&format!("/payments/{}", made.json["id"].as_str().unwrap()), &acme).await;
        assert_eq!(paid.json["status"], "paid", "{provider}: {}", paid.text);
    }
    assert_eq!(expected, 4);
    let long = format!("{{\"x\":\"{}\"}}", "a".repeat(256 << 10));
    assert_eq!(portal.notify("/hooks/midtrans", &long, &[]).await.status, 413);
    let (refused,): (i64,) =
        sqlx::query_as("select count(*) from payment_inbox where verdict = 'refused'")
            .fetch_one(&portal.pool)
            .await
            .unwrap();
    assert_eq!(refused, 4);
}

#[tokio::test]
async fn while_our_database_is_away_providers_are_asked_to_come_again() {
    let Some((portal, stub)) = open().await else { return };
    stub.paid("TNx");
    let body = stub::midtrans("TNx", &stub.known("TNx")).to_string();
    sqlx::query("alter table payment_inbox rename to elsewhere")
        .execute(&portal.pool)
        .await
        .unwrap();
    // Midtrans comes once more after a 500, and four times after a 503.
    assert_eq!(portal.notify("/hooks/midtrans", &body, &[]).await.status, 503);
    let query = stub::vnpay("TNx", 1, "00");
    assert_eq!(portal.get(&format!("/hooks/vnpay?{query}"), "").await.json["RspCode"], "99");
}

#[tokio::test]
async fn a_transfer_is_recorded_with_what_shows_it_and_a_large_one_by_two() {
    let Some((portal, _stub)) = open().await else { return };
    let acme = portal.customer_of("acme").await.access;
    let operator = portal.staff(Role::Operator).await.access;
    let body = |amount: i64, evidence: &str| json!({ "tenant": "acme", "amount": usd(amount), "evidence": evidence, "note": "August" });
    assert_eq!(portal.once("/admin/payments", &acme, "1", body(500, "FT1")).await.status, 403);
    let small = portal.once("/admin/payments", &operator, "1", body(500, "FT1")).await;
    assert_eq!((small.status, &small.json["status"]), (201, &json!("paid")), "{}", small.text);
    let twice = portal.once("/admin/payments", &operator, "2", body(500, "FT1")).await;
    assert_eq!(twice.status, 409, "{}", twice.text);
    let empty = portal.once("/admin/payments", &operator, "3", body(500, "  ")).await;
    assert_eq!(empty.json["errors"][0]["field"], "evidence");
    let mut nobody = body(500, "FT2");
    nobody["tenant"] = "nobody".into();
    let nobody = portal.once("/admin/payments", &operator, "4", nobody).await;
    assert_eq!(nobody.json["errors"][0]["field"], "tenant");

    let large = portal.once("/admin/payments", &operator, "5", body(100_000, "FT3")).await;
    assert_eq!((large.status, &large.json["status"]), (202, &json!("pending")), "{}", large.text);
    let approve = format!("/admin/payments/{}/approve", large.json["id"].as_str().unwrap());
    assert_eq!(portal.post(&approve, &operator, json!({})).await.status, 409);
    assert_eq!(portal.get("/wallet", &acme).await.json["balances"][0]["available"]["amount"], 500);
    let admin = portal.staff(Role::Admin).await.access;
    let approved = portal.post(&approve, &admin, json!({})).await;
    assert_eq!((approved.status, &approved.json["status"]), (200, &json!("paid")));
    assert_eq!(portal.post(&approve, &admin, json!({})).await.status, 409);
    assert_eq!(
        portal.get("/wallet", &acme).await.json["balances"][0]["available"]["amount"],
        100_500
    );
    portal.settled().await;

    let refused = portal.once("/admin/payments", &operator, "6", body(100_000, "FT4")).await;
    let reject = format!("/admin/payments/{}/reject", refused.json["id"].as_str().unwrap());
    assert_eq!(
        portal.post(&reject, &admin, json!({ "reason": "not ours" })).await.json["status"],
        "failed"
    );
    // Its evidence is free for the right one.
    let right = portal.once("/admin/payments", &operator, "7", body(600, "FT4")).await;
    assert_eq!(right.status, 201, "{}", right.text);
}

#[tokio::test]
async fn an_operator_finds_what_waits_for_a_second_person_page_by_page() {
    let Some((portal, _stub)) = open().await else { return };
    let acme = portal.customer_of("acme").await.access;
    let operator = portal.staff(Role::Operator).await.access;
    for (number, amount) in [500, 100_000, 200_000, 300_000].into_iter().enumerate() {
        let body = json!({ "tenant": "acme", "amount": usd(amount), "evidence": format!("FT{number}"), "note": "n" });
        let key = number.to_string();
        assert!(portal.once("/admin/payments", &operator, &key, body).await.status < 300);
        portal.wait(jiff::SignedDuration::from_secs(1));
    }
    let amounts = |answer: &Answer| -> Vec<i64> {
        let items = answer.json["items"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
        items.iter().map(|item| item["amount"]["amount"].as_i64().unwrap()).collect()
    };
    let waiting = "/admin/payments?state=pending&provider=manual&limit=2";
    let first = portal.get(waiting, &operator).await;
    assert_eq!(amounts(&first), [300_000, 200_000]);
    let cursor = first.json["next_cursor"].as_str().unwrap();
    let second = portal.get(&format!("{waiting}&cursor={cursor}"), &operator).await;
    assert_eq!((amounts(&second), &second.json["next_cursor"]), (vec![100_000], &Value::Null));
    let paid = portal.get("/admin/payments?tenant=acme&state=paid", &operator).await;
    assert_eq!(amounts(&paid), [500]);
    let other = portal.get(&format!("/admin/payments?cursor={cursor}"), &operator).await;
    assert_eq!(other.json["errors"][0]["field"], "cursor", "it is of another list");
    assert_eq!(
        portal.get("/admin/payments?tenant=globex", &operator).await.json["items"],
        json!([])
    );
    assert_eq!(portal.get("/admin/payments?provider=cash", &operator).await.status, 422);
    assert_eq!(portal.get("/admin/payments", &acme).await.status, 403);
}

#[tokio::test]
async fn what_nobody_approves_in_time_is_given_up_once_and_its_evidence_is_free() {
    let Some((portal, _stub)) = open().await else { return };
    let acme = portal.customer_of("acme").await.access;
    let operator = portal.staff(Role::Operator).await.access;
    let body = json!({ "tenant": "acme", "amount": usd(100_000), "evidence": "FT1", "note": "n" });
    let recorded = portal.once("/admin/payments", &operator, "1", body.clone()).await;
    assert_eq!(recorded.status, 202, "{}", recorded.text);
    let jobs = tenantry::jobs::of_a_business();
    let runner = tenantry::jobs::Runner {
        name: "daemon".to_owned(),
        jobs: jobs.into(),
        accounts: portal.api.accounts().clone(),
        payments: portal.api.payments().clone(),
        meter: None,
        surveyor: None,
        taken: tokio::sync::watch::channel(None).1,
        clock: Arc::new(crate::jobs::Told(Arc::clone(&portal.clock))),
    };
    let expire = async || runner.by_hand("expire-payments").await.unwrap().summary;
    portal.wait(jiff::SignedDuration::from_hours(30 * 24 - 1));
    assert_eq!(expire().await, "nothing to give up");
    portal.wait(jiff::SignedDuration::from_hours(2));
    assert_eq!(expire().await, "1 payment was not approved in time");
    assert_eq!(expire().await, "nothing to give up");
    drop((acme, operator));
    let operator = portal.log_in("operator@operator.example").await.access;
    let admin = portal.staff(Role::Admin).await.access;
    let id = recorded.json["id"].as_str().unwrap();
    let approve = format!("/admin/payments/{id}/approve");
    assert_eq!(portal.post(&approve, &admin, json!({})).await.status, 409);
    let given_up = portal.get("/admin/payments?state=expired", &operator).await;
    assert_eq!(given_up.json["items"][0]["why"], "nobody approved it in time");
    let lines = portal.get("/admin/audit?action=payment.expire", &admin).await;
    assert_eq!(lines.json["items"].as_array().unwrap().len(), 1, "{}", lines.text);
    let again = portal.once("/admin/payments", &operator, "2", body).await;
    assert_eq!(again.status, 202, "{}", again.text);
}

#[tokio::test]
async fn admins_give_take_and_send_back_and_say_why() {
    let Some((portal, _stub)) = open().await else { return };
    let acme = portal.customer_of("acme").await.access;
    let (operator, admin) =
        (portal.staff(Role::Operator).await.access, portal.staff(Role::Admin).await.access);
    let adjustment = |direction: &str, amount: i64| json!({ "tenant": "acme", "direction": direction, "amount": usd(amount), "evidence": "ticket 7", "note": "an outage" });
    let path = "/admin/adjustments";
    assert_eq!(portal.once(path, &operator, "1", adjustment("credit", 700)).await.status, 403);
    for _ in 0..2 {
        assert_eq!(portal.once(path, &admin, "1", adjustment("credit", 700)).await.status, 201);
    }
    assert_eq!(portal.once(path, &admin, "2", adjustment("debit", 200)).await.status, 201);
    let too_much = portal.once(path, &admin, "3", adjustment("debit", 501)).await;
    assert_eq!((too_much.status, too_much.code()), (402, "not-enough-money"));
    assert_eq!(portal.get("/wallet", &acme).await.json["balances"][0]["available"]["amount"], 500);

    let body = json!({ "tenant": "acme", "amount": usd(900), "evidence": "FT1", "note": "n" });
    let paid = portal.once("/admin/payments", &operator, "4", body).await;
    let refunds = format!("/admin/payments/{}/refunds", paid.json["id"].as_str().unwrap());
    let by_itself = portal.once(&refunds, &admin, "5", json!({ "reason": "r" })).await;
    assert_eq!(by_itself.status, 409, "{}", by_itself.text);
    let body = json!({ "amount": usd(901), "reason": "r", "evidence": "FT2" });
    assert_eq!(portal.once(&refunds, &admin, "6", body).await.json["errors"][0]["field"], "amount");
    let body = json!({ "amount": usd(400), "reason": "r", "evidence": "FT2" });
    let sent = portal.once(&refunds, &admin, "7", body).await;
    assert_eq!((sent.status, &sent.json["status"]), (202, &json!("done")), "{}", sent.text);
    assert_eq!(portal.get("/wallet", &acme).await.json["balances"][0]["available"]["amount"], 1000);
    assert_eq!(portal.get(&refunds, &operator).await.json.as_array().unwrap().len(), 1);
    portal.settled().await;
    let lines = portal.get("/admin/audit?action=payment.refund", &admin).await;
    assert_eq!(lines.json["items"][0]["detail"]["evidence"], "FT2", "{}", lines.text);
}

#[tokio::test]
async fn a_push_has_the_daemon_look_if_it_is_signed() {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let git = GitHooks {
        secrets: vec![Secret::new("an older secret"), Secret::new("It's a Secret to Everybody")],
        look: Arc::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        }),
    };
    let Some(portal) = Portal::open_with(|parts| parts.git = Some(git), Router::new()).await else {
        return;
    };
    let bare = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let prefixed = format!("sha256={bare}");
    for (forge, header, value, status) in [
        ("github", "x-hub-signature-256", prefixed.as_str(), 202),
        ("github", "x-hub-signature-256", bare, 401),
        ("github", "x-gitlab-token", "It's a Secret to Everybody", 401),
        ("gitea", "x-gitea-signature", bare, 202),
        ("gitea", "x-gitea-signature", "", 401),
        ("gitlab", "x-gitlab-token", "It's a Secret to Everybody", 202),
        ("gitlab", "x-gitlab-token", "It's a Secret", 401),
        ("gitlab", "x-other", "", 401),
    ] {
        let answer =
            portal.notify(&format!("/hooks/{forge}"), "Hello, World!", &[(header, value)]).await;
        assert_eq!(answer.status, status, "{forge} {header} {value}: {}", answer.text);
    }
    assert_eq!(looks.load(Ordering::SeqCst), 3);
    let Some(closed) = Portal::open().await else { return };
    let answer = closed
        .notify("/hooks/github", "Hello, World!", &[("x-hub-signature-256", &prefixed)])
        .await;
    assert_eq!(answer.status, 403);
}

impl Portal {
    /// A customer of a tenant, who may have registered before.
    async fn customer_of_again(&self, tenant: &str) -> String {
        let login = json!({ "email": format!("owner@{tenant}.example"), "password": PASSWORD });
        let answer = self.post("/auth/login", "", login).await;
        match answer.json["access_token"].as_str() {
            Some(access) => access.to_owned(),
            None => self.customer_of(tenant).await.access,
        }
    }
}
