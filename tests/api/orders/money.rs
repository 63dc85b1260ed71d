//! Orders that wait for their money, and money that waits for its order.

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;
use tenantry::operations::order;
use tenantry::operations::paid;
use tenantry::outbox;
use tenantry::outbox::Kind;
use tenantry::outbox::Paid;
use uuid::Uuid;

use super::Shop;

impl Shop {
    /// A payment arrives in a wallet, and tells the order that it is for.
    async fn pay_in(&self, tenant: &str, order: &Value, amount: &str) {
        self.top_up(tenant, amount).await;
        let payment = Uuid::now_v7();
        let order = order.as_str().unwrap().parse().unwrap();
        let paid = Paid { payment, order, customer: tenant.to_owned() };
        let key = format!("paid:{payment}");
        outbox::put(&mut *self.db().await, Kind::Paid, &key, &paid, self.now()).await.unwrap();
    }

    async fn settle(&self) -> usize {
        let view = self.portal.api.catalog().view().unwrap();
        paid::work(&self.portal.pool, &view.configuration, self.now()).await.unwrap()
    }

    async fn status(&self, order: &Value, token: &str) -> Value {
        let answer = self.portal.get(&format!("/orders/{}", order.as_str().unwrap()), token).await;
        answer.json["status"].clone()
    }
}

#[tokio::test]
async fn an_order_waits_for_its_payment_and_goes_on_by_itself() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("later@example.com").await;
    let placed = shop.order(&token, "kiteclass-basic", "later").await;
    assert_eq!((placed.status, &placed.json["status"]), (201, &"awaiting_payment".into()));
    assert_eq!(shop.commit().await, 0);
    let id = &placed.json["id"];
    let path = format!("/orders/{}/pay", id.as_str().unwrap());
    let refused = shop.send("POST", &path, &token, Value::Null, &[]).await;
    assert_eq!((refused.status, refused.code()), (402, "not-enough-money"), "{}", refused.text);
    assert!(refused.text.contains("108.90 USD"), "{}", refused.text);

    // The next day, so that its days begin then; the price is the one that was promised.
    shop.portal.wait(SignedDuration::from_hours(20));
    shop.pay_in(&tenant, id, "108.90 USD").await;
    assert_eq!(shop.settle().await, 1);
    let token = shop.portal.log_in("later@example.com").await.access;
    assert_eq!(shop.status(id, &token).await, "paid");
    shop.carry_out(&tenant).await;
    assert_eq!(shop.status(id, &token).await, "fulfilled");
    let written = shop.repository.read(&format!("tenants/{tenant}/kiteclass.yaml"));
    assert!(
        written.contains("starts: 2026-11-25") && written.contains("paidThrough: 2026-12-24"),
        "{written}"
    );
    assert_eq!(shop.wallet(&tenant, "USD").await, (0, 0));
    shop.books_balance().await;
}

#[tokio::test]
async fn money_that_comes_too_late_stays_in_the_wallet_and_its_owner_is_told() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("slow@example.com").await;
    let placed = shop.order(&token, "kiteclass-basic", "slow").await;
    let id = &placed.json["id"];
    shop.portal.wait(SignedDuration::from_hours(25));
    assert_eq!(order::expire(&mut *shop.db().await, shop.now()).await.unwrap(), 1);
    shop.pay_in(&tenant, id, "108.90 USD").await;
    shop.settle().await;
    let token = shop.portal.log_in("slow@example.com").await.access;
    assert_eq!(shop.status(id, &token).await, "expired");
    assert_eq!(shop.wallet(&tenant, "USD").await, (10_890, 0));
    assert_eq!(shop.portal.mails("payment-late", "slow@example.com").await, 1);
    let path = format!("/orders/{}/pay", id.as_str().unwrap());
    assert_eq!(shop.send("POST", &path, &token, Value::Null, &[]).await.status, 409);
    assert_eq!(shop.commit().await, 0);
    // What is ordered anew is paid at once.
    assert_eq!(shop.order(&token, "kiteclass-basic", "slow").await.status, 202);
}

#[tokio::test]
async fn a_payment_in_time_counts_however_late_it_is_noticed() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("intime@example.com").await;
    let placed = shop.order(&token, "kiteclass-basic", "intime").await;
    shop.pay_in(&tenant, &placed.json["id"], "108.90 USD").await;
    shop.portal.wait(SignedDuration::from_hours(25));
    assert_eq!(order::expire(&mut *shop.db().await, shop.now()).await.unwrap(), 0);
    shop.settle().await;
    let token = shop.portal.log_in("intime@example.com").await.access;
    assert_eq!(shop.status(&placed.json["id"], &token).await, "paid");
}

#[tokio::test]
async fn a_part_of_the_money_leaves_the_order_waiting() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("part@example.com").await;
    let placed = shop.order(&token, "kiteclass-basic", "part").await;
    shop.pay_in(&tenant, &placed.json["id"], "100.00 USD").await;
    shop.settle().await;
    assert_eq!(shop.status(&placed.json["id"], &token).await, "awaiting_payment");
    shop.top_up(&tenant, "8.90 USD").await;
    let path = format!("/orders/{}/pay", placed.json["id"].as_str().unwrap());
    let paid = shop.send("POST", &path, &token, Value::Null, &[]).await;
    assert_eq!((paid.status, &paid.json["status"]), (202, &"paid".into()), "{}", paid.text);
}

#[tokio::test]
async fn an_order_can_be_cancelled_until_somebody_commits_it() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("mind@example.com").await;
    shop.top_up(&tenant, "300.00 USD").await;
    let placed = shop.order(&token, "kiteclass-basic", "mind").await;
    let path = format!("/orders/{}/cancel", placed.json["id"].as_str().unwrap());
    let cancelled = shop.portal.post(&path, &token, json!({})).await;
    assert_eq!(
        (cancelled.status, &cancelled.json["status"]),
        (200, &"cancelled".into()),
        "{}",
        cancelled.text
    );
    assert_eq!(shop.operation(&placed.json["id"], &token).await["status"], "cancelled");
    assert_eq!(shop.wallet(&tenant, "USD").await, (30_000, 0));
    assert_eq!(shop.commit().await, 0);
    assert_eq!(shop.portal.post(&path, &token, json!({})).await.status, 200);

    let placed = shop.order(&token, "kiteclass-basic", "mind").await;
    shop.commit().await;
    let path = format!("/orders/{}/cancel", placed.json["id"].as_str().unwrap());
    let refused = shop.portal.post(&path, &token, json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "conflict"), "{}", refused.text);
    shop.books_balance().await;
}

#[tokio::test]
async fn the_same_request_twice_is_one_order() {
    let Some(shop) = Shop::open().await else { return };
    let (token, tenant) = shop.newcomer("twice@example.com").await;
    shop.top_up(&tenant, "300.00 USD").await;
    let body = json!({ "choice": { "package": "kiteclass-basic" }, "subdomain": "twice" });
    let key = [("idempotency-key", "the-same")];
    let send = || shop.portal.client.send("POST", "/orders", &token, Some(body.clone()), &key);
    let first = send().await;
    // Killed before the answer was kept: the lock has fallen, and it is answered anew.
    sqlx::query("delete from idempotency").execute(&shop.portal.pool).await.unwrap();
    shop.commit().await;
    let second = send().await;
    let third = send().await;
    assert_eq!(first.json["id"], second.json["id"], "{}", second.text);
    assert_eq!((second.status, third.header("idempotent-replayed")), (202, "true"));
    assert_eq!(shop.count("select count(*) from customer_order").await, 1);
    assert_eq!(shop.wallet(&tenant, "USD").await, (30_000 - 10_890, 10_890));
}
