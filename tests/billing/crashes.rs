//! Killed between two writes: what is not committed never was.

use sqlx::Connection as _;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Sale;

use super::Books;
use super::at;
use super::charge;
use super::hold;
use super::money;
use super::school;

/// Everything that stands in the tables of the ledger, but for accounts without a posting.
async fn contents(books: &Books) -> Vec<String> {
    sqlx::query_scalar(
        "select t::text from ledger_transaction t union all select p::text from posting p
         union all select h::text from hold h union all select balance::text from account where balance > 0
         order by 1",
    )
    .fetch_all(books.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn a_transaction_that_is_dropped_at_any_step_leaves_nothing() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "1000 VND").await;
    let mut db = books.connect().await;
    let held = hold(&mut db, "order:1", "acme", "300 VND").await.unwrap();
    let before = contents(&books).await;
    for step in 0..4 {
        let mut transaction = db.begin().await.unwrap();
        let subscription = school();
        let sale =
            Sale { subscription: &subscription, net: money("250 VND"), tax: money("25 VND") };
        if step >= 1 {
            charge(&mut transaction, "renew:1", "acme", "100 VND", "0 VND").await.unwrap();
        }
        if step >= 2 {
            hold(&mut transaction, "order:2", "acme", "50 VND").await.unwrap();
        }
        if step >= 3 {
            ledger::capture(&mut transaction, held.id, &sale, at(5), "system").await.unwrap();
        }
        drop(transaction);
        db.ping().await.unwrap();
        assert_eq!(contents(&books).await, before, "after step {step}");
    }
    books.add_up().await;
}

#[tokio::test]
async fn a_connection_that_dies_leaves_nothing_and_the_repetition_books_once() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "1000 VND").await;
    let before = contents(&books).await;
    let mut victim = books.connect().await;
    let process: i32 =
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut victim).await.unwrap();
    let mut victim = victim.begin().await.unwrap();
    charge(&mut victim, "renew:1", "acme", "100 VND", "10 VND").await.unwrap();
    let mut other = books.connect().await;
    sqlx::query("select pg_terminate_backend($1, 5000)")
        .bind(process)
        .execute(&mut other)
        .await
        .unwrap();
    let error = charge(&mut victim, "renew:2", "acme", "1 VND", "0 VND").await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert_eq!(contents(&books).await, before);
    let posted = charge(&mut other, "renew:1", "acme", "100 VND", "10 VND").await.unwrap();
    assert!(!posted.repeated);
    assert_eq!(books.available("acme", "VND").await, 890);
    books.add_up().await;
}
