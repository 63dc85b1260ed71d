//! What the database refuses by itself, whoever asks: every statement here is written by hand.

use sqlx::AssertSqlSafe;
use sqlx::Executor as _;

use super::Books;
use super::charge;
use super::hold;

/// A transaction with the postings that are given as `(account, amount)`.
fn by_hand(reason: &str, postings: &[(&str, i64)]) -> String {
    let head = format!(
        "with written as (
            insert into ledger_transaction (id, op_key, content, reason, booked_at, actor, evidence, note)
            values (gen_random_uuid(), gen_random_uuid()::text, '', '{reason}', now(), 'hand', 'e', 'n') returning id)
         insert into posting (transaction_id, account_id, currency, amount) select written.id, chosen.* from written, (values "
    );
    let rows = postings.iter().map(|(kind, amount)| {
        format!(
            "((select id from account where kind = '{kind}' limit 1), (select currency from account where kind = '{kind}' limit 1), {amount}::bigint)"
        )
    });
    let rows: Vec<String> = rows.collect();
    format!("{head}{}) as chosen", rows.join(", "))
}

/// Books in which something stands of every kind.
async fn written() -> Option<Books> {
    let books = Books::open().await?;
    books.top_up("pay:1", "acme", "1000 VND").await;
    let mut db = books.connect().await;
    hold(&mut db, "order:1", "acme", "200 VND").await.unwrap();
    charge(&mut db, "renew:1", "acme", "300 VND", "30 VND").await.unwrap();
    Some(books)
}

#[track_caller]
fn refused(result: Result<sqlx::postgres::PgQueryResult, sqlx::Error>, why: &str) {
    let error = result.expect_err(why).to_string();
    assert!(error.contains(why), "{error}");
}

#[tokio::test]
async fn nothing_written_is_changed_or_deleted_or_emptied() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    for statement in [
        "update ledger_transaction set note = 'x'",
        "delete from ledger_transaction",
        "update posting set amount = amount + 1",
        "delete from posting",
        "delete from account",
        "delete from hold",
        "truncate posting",
        "truncate ledger_transaction cascade",
    ] {
        refused(db.execute(statement).await, "are written once");
    }
    for statement in [
        "update account set balance = balance + 1 where kind = 'customer_credit'",
        "update account set owner = 'globex' where kind = 'customer_credit'",
    ] {
        refused(db.execute(statement).await, "follows its postings");
    }
    refused(db.execute("update hold set amount = 1").await, "is pending and cannot become pending");
    books.add_up().await;
}

#[tokio::test]
async fn a_transaction_that_does_not_balance_is_refused() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    let off = by_hand("top_up", &[("cash", -5), ("customer_credit", 6)]);
    refused(db.execute(AssertSqlSafe(off)).await, "does not balance");
    let one = by_hand("top_up", &[("customer_credit", 6)]);
    refused(db.execute(AssertSqlSafe(one)).await, "it needs two at least");
    let none = "insert into ledger_transaction (id, op_key, content, reason, booked_at, actor)
        values (gen_random_uuid(), 'x', '', 'top_up', now(), 'hand')";
    refused(db.execute(none).await, "has 0 postings");
    let fine = by_hand("top_up", &[("cash", -6), ("customer_credit", 6)]);
    db.execute(AssertSqlSafe(fine)).await.unwrap();
    books.add_up().await;
}

#[tokio::test]
async fn two_currencies_do_not_balance_each_other() {
    let Some(books) = Books::open().await else { return };
    let mut db = books.connect().await;
    db.execute(
        "insert into account (kind, owner, currency) values ('cash', 'bank', 'USD'), ('customer_credit', 'acme', 'VND')",
    )
    .await
    .unwrap();
    let mixed = by_hand("top_up", &[("cash", -5), ("customer_credit", 5)]);
    refused(db.execute(AssertSqlSafe(mixed)).await, "does not balance");
    let foreign = "with written as (
            insert into ledger_transaction (id, op_key, content, reason, booked_at, actor)
            values (gen_random_uuid(), 'x', '', 'top_up', now(), 'hand') returning id)
         insert into posting select written.id, account.id, 'EUR', case kind when 'cash' then -5 else 5 end from written, account";
    refused(db.execute(foreign).await, "violates foreign key constraint");
}

#[tokio::test]
async fn no_wallet_no_hold_and_no_income_falls_below_zero() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    for (reason, from, to) in [
        ("payout", "customer_credit", "cash"),
        ("release", "hold", "customer_credit"),
        ("recognition", "deferred_revenue", "revenue"),
    ] {
        if reason == "recognition" {
            db.execute(
                "insert into account (kind, owner, currency) values ('revenue', 'basic', 'VND')",
            )
            .await
            .unwrap();
        }
        let drawn = by_hand(reason, &[(from, -5000), (to, 5000)]);
        refused(db.execute(AssertSqlSafe(drawn)).await, "account_balance_check");
    }
    books.add_up().await;
}

#[tokio::test]
async fn money_flows_only_along_the_listed_routes() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    for (reason, from, to) in [
        ("top_up", "tax_payable", "customer_credit"),
        ("charge", "cash", "deferred_revenue"),
        ("recognition", "customer_credit", "deferred_revenue"),
    ] {
        let astray = by_hand(reason, &[(from, -5), (to, 5)]);
        refused(db.execute(AssertSqlSafe(astray)).await, "nothing flows");
    }
    let invented = by_hand("present", &[("cash", -5), ("customer_credit", 5)]);
    refused(db.execute(AssertSqlSafe(invented)).await, "nothing may be booked for present");
}

#[tokio::test]
async fn a_transaction_that_is_written_takes_no_more_postings() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    let more = "insert into posting
        select (select id from ledger_transaction where reason = 'charge'), id, currency, 1
        from account where kind = 'cash'";
    refused(db.execute(more).await, "is written already");
}

#[tokio::test]
async fn an_early_check_does_not_let_later_postings_pass() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    db.execute("begin; set constraints all immediate").await.unwrap();
    let fine = by_hand("charge", &[("customer_credit", -5), ("deferred_revenue", 5)]);
    db.execute(AssertSqlSafe(fine)).await.unwrap();
    let more = "insert into posting
        select (select id from ledger_transaction where actor = 'hand'), id, currency, 1
        from account where kind = 'tax_payable'";
    refused(db.execute(more).await, "does not balance");
}

#[tokio::test]
async fn a_reversal_takes_back_no_more_than_there_was() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    for (cash, credit) in [(1001, -1001), (-5, 5)] {
        let statement = format!(
            "with written as (
                insert into ledger_transaction (id, op_key, content, reason, booked_at, actor, reverses)
                select gen_random_uuid(), 'x', '', 'reversal', now(), 'hand', id from ledger_transaction where reason = 'top_up'
                returning id)
             insert into posting select written.id, account.id, 'VND', case kind when 'cash' then {cash} else {credit} end
             from written, account where kind in ('cash', 'customer_credit') order by kind"
        );
        refused(db.execute(AssertSqlSafe(statement)).await, "more is taken back");
    }
}

#[tokio::test]
async fn an_adjustment_without_evidence_is_refused() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    let bare =
        "insert into ledger_transaction (id, op_key, content, reason, booked_at, actor, note)
        values (gen_random_uuid(), 'x', '', 'adjustment', now(), 'hand', 'because')";
    refused(db.execute(bare).await, "violates check constraint");
}

#[tokio::test]
async fn a_balance_that_was_bent_is_found() {
    let Some(books) = written().await else { return };
    let mut db = books.connect().await;
    // Only somebody who switches the triggers off can do it.
    db.execute("set session_replication_role = replica").await.unwrap();
    db.execute("update account set balance = balance + 7 where kind = 'customer_credit'")
        .await
        .unwrap();
    db.execute("update hold set amount = amount - 1").await.unwrap();
    let found = tenantry::billing::ledger::verify(&mut db).await.unwrap();
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("the balance of customer_credit:acme in VND is 477 and should be 470")
    );
    assert!(told[1].starts_with("the pending holds of acme in VND is 199 and should be 200"));
}
