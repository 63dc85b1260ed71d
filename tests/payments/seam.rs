//! What others build on: a payment is made once, begun outside of transactions, and what it lets
//! go on is told with it.

use sqlx::Connection as _;
use tenantry::model::platform::PaymentProvider;
use tenantry::payments;
use tenantry::payments::PaymentError;
use tenantry::payments::State;
use tenantry::payments::Subject;
use uuid::Uuid;

use super::Till;
use super::acme;
use super::at;
use super::money;
use super::wish;

#[tokio::test]
async fn a_payment_for_an_order_fills_the_wallet_and_lets_the_order_go_on_once() {
    let Some(till) = Till::open().await else { return };
    let mut db = till.connect().await;
    let order = Uuid::now_v7();
    let wish = wish(PaymentProvider::Dummy, Subject::Order(order), "299000 VND");
    let payment = till.payments.create(&mut db, &wish).await.unwrap();
    assert_eq!((payment.id, payment.state), (wish.id, State::New));
    assert_eq!(till.payments.create(&mut db, &wish).await.unwrap(), payment);
    assert!(payments::in_flight(&mut db, &acme()).await.unwrap());

    let begun = till.payments.begin(payment.id).await.unwrap();
    assert_eq!(begun.state, State::Pending);
    assert_eq!(begun.redirect_url.as_deref(), Some("https://portal.example/back"));
    assert_eq!(till.payments.begin(payment.id).await.unwrap(), begun);

    for _ in 0..3 {
        let mut transaction = db.begin().await.unwrap();
        let paid = till.payments.confirm(&mut transaction, payment.id, "ada", at(60)).await;
        assert_eq!(paid.unwrap().state, State::Paid);
        transaction.commit().await.unwrap();
    }
    assert_eq!(till.wallet("acme", "VND").await, (299_000, 0));
    assert_eq!(till.outbox("paid", &format!("paid:{}", payment.id)).await, 1);
    let (payload,): (serde_json::Value,) =
        sqlx::query_as("select payload from outbox where kind = 'paid'")
            .fetch_one(&mut db)
            .await
            .unwrap();
    let expected = serde_json::json!({ "payment": payment.id, "order": order, "customer": "acme" });
    assert_eq!(payload, expected);
    assert!(!payments::in_flight(&mut db, &acme()).await.unwrap());
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing_of_a_payment() {
    let Some(till) = Till::open().await else { return };
    let mut db = till.connect().await;
    let wish = wish(PaymentProvider::Dummy, Subject::TopUp, "299000 VND");
    till.payments.create(&mut db, &wish).await.unwrap();
    till.payments.begin(wish.id).await.unwrap();
    let mut transaction = db.begin().await.unwrap();
    till.payments.confirm(&mut transaction, wish.id, "ada", at(60)).await.unwrap();
    drop(transaction);
    assert_eq!(till.payments.find(wish.id).await.unwrap().state, State::Pending);
    assert_eq!(till.wallet("acme", "VND").await, (0, 0));
}

#[tokio::test]
async fn an_id_stands_for_one_payment() {
    let Some(till) = Till::open().await else { return };
    let mut db = till.connect().await;
    let mut wish = wish(PaymentProvider::Dummy, Subject::TopUp, "299000 VND");
    till.payments.create(&mut db, &wish).await.unwrap();
    wish.amount = money("299001 VND");
    let refused = till.payments.create(&mut db, &wish).await.unwrap_err();
    assert!(matches!(refused, PaymentError::Reused(id) if id == wish.id), "{refused}");
}
