//! The flows of money, and what they refuse.

use sqlx::Connection as _;
use tenantry::billing::Cursor;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Account;
use tenantry::billing::ledger::AsOf;
use tenantry::billing::ledger::Booking;
use tenantry::billing::ledger::Extent;
use tenantry::billing::ledger::HoldState;
use tenantry::billing::ledger::LedgerError;
use tenantry::billing::ledger::Reason;
use tenantry::billing::ledger::Sale;

use super::Books;
use super::at;
use super::charge;
use super::customer;
use super::gateway;
use super::hold;
use super::key;
use super::money;
use super::school;
use super::top_up;

#[tokio::test]
async fn money_of_every_exponent_flows_from_the_gateway_to_the_income() {
    let Some(books) = Books::open().await else { return };
    for (currency, paid, net, tax, left) in [
        ("VND", "400000 VND", "299000 VND", "29900 VND", 71_100),
        ("USD", "200.00 USD", "150.25 USD", "12.40 USD", 3_735),
        ("KWD", "20.000 KWD", "15.125 KWD", "0.756 KWD", 4_119),
    ] {
        let mut db = books.connect().await;
        top_up(&mut db, &format!("pay:{currency}"), "acme", paid).await.unwrap();
        charge(&mut db, &format!("renew:{currency}"), "acme", net, tax).await.unwrap();
        assert_eq!(books.wallet("acme", currency).await, (left, 0));
        let currency = currency.parse().unwrap();
        for (account, minor) in [
            (Account::Cash(gateway()), -money(paid).minor),
            (Account::DeferredRevenue(school()), money(net).minor),
            (Account::TaxPayable, money(tax).minor),
        ] {
            let balance = ledger::balance(&mut db, &account, currency, AsOf::default()).await;
            assert_eq!(balance.unwrap().minor, minor, "{account}");
        }
    }
    books.add_up().await;
}

#[tokio::test]
async fn a_wallet_that_does_not_hold_enough_refuses_and_the_transaction_goes_on() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "100 VND").await;
    let mut db = books.connect().await;
    let mut transaction = db.begin().await.unwrap();
    let (renewal, subscription) = (key("renew:1"), school());
    let booking = Booking::by_system(&renewal, at(1));
    let sale = Sale { subscription: &subscription, net: money("101 VND"), tax: money("0 VND") };
    let refused = ledger::charge(&mut transaction, booking, &customer("acme"), &sale).await;
    let error = refused.unwrap_err();
    assert_eq!(
        error.to_string(),
        "customer_credit:acme holds 100 VND, 101 VND are needed: top it up by the difference"
    );
    charge(&mut transaction, "renew:1", "acme", "60 VND", "0 VND").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(books.available("acme", "VND").await, 40);
    books.add_up().await;
}

#[tokio::test]
async fn the_same_operation_is_booked_once_and_another_content_is_refused() {
    let Some(books) = Books::open().await else { return };
    let mut db = books.connect().await;
    let first = top_up(&mut db, "pay:1", "acme", "100 VND").await.unwrap();
    let again = top_up(&mut db, "pay:1", "acme", "100 VND").await.unwrap();
    assert_eq!((again.transaction, again.repeated), (first.transaction, true));
    for (whose, amount) in [("acme", "101 VND"), ("globex", "100 VND"), ("acme", "100 JPY")] {
        let error = top_up(&mut db, "pay:1", whose, amount).await.unwrap_err();
        assert!(matches!(error, LedgerError::KeyReused { .. }), "{error}");
    }
    assert_eq!(books.available("acme", "VND").await, 100);
    assert_eq!(books.transactions().await, 1);
}

#[tokio::test]
async fn a_captured_hold_charges_what_was_sold_and_returns_the_rest() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "1000 VND").await;
    let mut db = books.connect().await;
    let held = hold(&mut db, "order:1", "acme", "700 VND").await.unwrap();
    assert_eq!(hold(&mut db, "order:1", "acme", "700 VND").await.unwrap(), held);
    assert_eq!(books.wallet("acme", "VND").await, (300, 700));
    let subscription = school();
    let sale = Sale { subscription: &subscription, net: money("500 VND"), tax: money("50 VND") };
    let first = ledger::capture(&mut db, held.id, &sale, at(9), "system").await.unwrap();
    let again = ledger::capture(&mut db, held.id, &sale, at(99), "system").await.unwrap();
    assert_eq!(first.transaction, again.transaction);
    assert_eq!(books.wallet("acme", "VND").await, (450, 0));
    let held = ledger::find_hold(&mut db, held.id).await.unwrap();
    assert_eq!((held.state, held.captured.minor), (HoldState::Captured, 550));

    let other = Sale { net: money("501 VND"), ..sale };
    let error = ledger::capture(&mut db, held.id, &other, at(9), "system").await.unwrap_err();
    assert!(matches!(error, LedgerError::KeyReused { .. }), "{error}");
    let error = ledger::void(&mut db, held.id, at(9), "system", "failed").await.unwrap_err();
    assert!(error.to_string().contains("is captured already"), "{error}");
    books.add_up().await;
}

#[tokio::test]
async fn more_than_a_hold_is_never_captured_and_an_ended_one_never() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "1000 VND").await;
    let mut db = books.connect().await;
    let held = hold(&mut db, "order:1", "acme", "700 VND").await.unwrap();
    let subscription = school();
    let sale = Sale { subscription: &subscription, net: money("700 VND"), tax: money("1 VND") };
    let error = ledger::capture(&mut db, held.id, &sale, at(9), "system").await.unwrap_err();
    assert!(matches!(error, LedgerError::AboveHold { .. }), "{error}");
    ledger::void(&mut db, held.id, at(9), "system", "the order failed").await.unwrap();
    ledger::void(&mut db, held.id, at(9), "system", "the order failed").await.unwrap();
    assert_eq!(books.wallet("acme", "VND").await, (1000, 0));
    let sale = Sale { tax: money("0 VND"), ..sale };
    let error = ledger::capture(&mut db, held.id, &sale, at(9), "system").await.unwrap_err();
    assert!(matches!(error, LedgerError::HoldEnded { .. }), "{error}");
    books.add_up().await;
}

#[tokio::test]
async fn a_hold_past_its_time_returns_and_one_that_is_not_stays() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "1000 VND").await;
    let mut db = books.connect().await;
    let held = hold(&mut db, "order:1", "acme", "700 VND").await.unwrap();
    assert!(ledger::expire_holds(&mut db, at(3599), 100).await.unwrap().is_empty());
    assert_eq!(ledger::expire_holds(&mut db, at(3600), 100).await.unwrap(), [held.id]);
    assert!(ledger::expire_holds(&mut db, at(9999), 100).await.unwrap().is_empty());
    assert_eq!(books.wallet("acme", "VND").await, (1000, 0));
    books.add_up().await;
}

#[tokio::test]
async fn a_refund_takes_back_the_actual_postings_in_parts_and_never_more() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "1100 VND").await;
    let mut db = books.connect().await;
    let sold = charge(&mut db, "renew:1", "acme", "1000 VND", "100 VND").await.unwrap();
    for (name, amount, left) in [("refund:1", "333 VND", 333), ("refund:2", "333 VND", 666)] {
        let key = key(name);
        for _ in 0..2 {
            let booking = Booking::by_system(&key, at(2));
            let extent = Extent::Part(money(amount));
            ledger::reverse(&mut db, booking, sold.transaction, extent).await.unwrap();
        }
        assert_eq!(books.available("acme", "VND").await, left);
    }
    let rest = key("refund:3");
    let too_much = Extent::Part(money("435 VND"));
    let booking = Booking::by_system(&rest, at(2));
    let error = ledger::reverse(&mut db, booking, sold.transaction, too_much).await.unwrap_err();
    assert!(error.to_string().contains("434 VND of it are left"), "{error}");
    let back = ledger::reverse(&mut db, booking, sold.transaction, Extent::Whole).await.unwrap();
    assert_eq!(books.available("acme", "VND").await, 1100);
    let vnd = "VND".parse().unwrap();
    for account in [Account::TaxPayable, Account::DeferredRevenue(school())] {
        let balance = ledger::balance(&mut db, &account, vnd, AsOf::default()).await.unwrap();
        assert_eq!(balance.minor, 0, "{account}");
    }
    let more = key("refund:4");
    let booking = Booking::by_system(&more, at(2));
    assert!(ledger::reverse(&mut db, booking, sold.transaction, Extent::Whole).await.is_err());
    let error = ledger::reverse(&mut db, booking, back.transaction, Extent::Whole).await;
    assert!(matches!(error, Err(LedgerError::ReversalOfReversal(_))));
    books.add_up().await;
}

#[tokio::test]
async fn what_is_earned_already_is_not_refunded_by_reversal() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "3000 VND").await;
    let mut db = books.connect().await;
    let sold = charge(&mut db, "renew:1", "acme", "3000 VND", "0 VND").await.unwrap();
    let (daily, basic) = (key("earn:1"), "basic".parse().unwrap());
    let booking = Booking::by_system(&daily, at(2));
    ledger::recognise(&mut db, booking, &school(), &basic, money("1000 VND")).await.unwrap();
    let refund = key("refund:1");
    let booking = Booking::by_system(&refund, at(2));
    let error = ledger::reverse(&mut db, booking, sold.transaction, Extent::Whole).await;
    assert!(matches!(error, Err(LedgerError::Insufficient { .. })));
    let unearned = Extent::Part(money("2000 VND"));
    ledger::reverse(&mut db, booking, sold.transaction, unearned).await.unwrap();
    let over = key("earn:2");
    let booking = Booking::by_system(&over, at(2));
    let error = ledger::recognise(&mut db, booking, &school(), &basic, money("1 VND")).await;
    assert!(matches!(error, Err(LedgerError::Insufficient { .. })), "nothing is left to earn");
    books.add_up().await;
}

#[tokio::test]
async fn an_operator_credits_and_debits_only_with_evidence_and_a_reason() {
    let Some(books) = Books::open().await else { return };
    let mut db = books.connect().await;
    let key_of_it = key("adjust:1");
    let bare = Booking { actor: "olga", ..Booking::by_system(&key_of_it, at(0)) };
    let error = ledger::adjust(&mut db, bare, &customer("acme"), money("500 VND")).await;
    assert!(matches!(error, Err(LedgerError::NoEvidence)));
    let booking = Booking { evidence: Some("ticket 17"), note: Some("outage"), ..bare };
    ledger::adjust(&mut db, booking, &customer("acme"), money("500 VND")).await.unwrap();
    let back = key("adjust:2");
    let booking = Booking { key: &back, ..booking };
    let too_much = ledger::adjust(&mut db, booking, &customer("acme"), money("-501 VND")).await;
    assert!(matches!(too_much, Err(LedgerError::Insufficient { .. })));
    ledger::adjust(&mut db, booking, &customer("acme"), money("-200 VND")).await.unwrap();
    assert_eq!(books.available("acme", "VND").await, 300);
    books.add_up().await;
}

#[tokio::test]
async fn fees_payouts_taxes_and_charge_backs_balance() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "100.00 USD").await;
    let mut db = books.connect().await;
    charge(&mut db, "renew:1", "acme", "50.00 USD", "5.00 USD").await.unwrap();
    let acme = customer("acme");
    let names: Vec<_> = ["fee", "tax", "payout", "chargeback", "credit"].map(key).into();
    let by = |index: usize| Booking::by_system(&names[index], at(3));
    ledger::gateway_fee(&mut db, by(0), &gateway(), money("3.20 USD")).await.unwrap();
    ledger::pay_tax(&mut db, by(1), &gateway(), money("5.00 USD")).await.unwrap();
    ledger::pay_out(&mut db, by(2), &acme, &gateway(), money("10.00 USD")).await.unwrap();
    let (amount, from_wallet) = (money("100.00 USD"), money("35.00 USD"));
    for available in [from_wallet, money("0.00 USD")] {
        // A repetition finds the wallet emptied, and is the same operation all the same.
        ledger::charge_back(&mut db, by(3), &acme, &gateway(), amount, available).await.unwrap();
    }
    assert_eq!(books.available("acme", "USD").await, 0);
    let subscription = school();
    let sale =
        Sale { subscription: &subscription, net: money("20.00 USD"), tax: money("2.00 USD") };
    ledger::credit(&mut db, by(4), &acme, &sale).await.unwrap();
    assert_eq!(books.available("acme", "USD").await, 2200);
    books.add_up().await;
}

#[tokio::test]
async fn closed_books_take_nothing_and_still_know_what_they_have() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "100 VND").await;
    let mut db = books.connect().await;
    ledger::close_books(&mut db, at(1), "olga").await.unwrap();
    let repeated = top_up(&mut db, "pay:1", "acme", "100 VND").await.unwrap();
    assert!(repeated.repeated);
    let error = top_up(&mut db, "pay:2", "acme", "100 VND").await.unwrap_err();
    assert!(matches!(error, LedgerError::Closed), "{error}");
    charge(&mut db, "renew:1", "acme", "100 VND", "0 VND").await.unwrap();
    let error = ledger::close_books(&mut db, at(0), "olga").await.unwrap_err();
    assert!(matches!(error, LedgerError::Closed), "they are not opened again: {error}");
}

#[tokio::test]
async fn a_balance_is_known_as_of_any_time() {
    let Some(books) = Books::open().await else { return };
    let mut db = books.connect().await;
    top_up(&mut db, "pay:1", "acme", "100 VND").await.unwrap();
    charge(&mut db, "renew:1", "acme", "30 VND", "0 VND").await.unwrap();
    let account = Account::CustomerCredit(customer("acme"));
    for (booked_before, minor) in [(at(0), 0), (at(1), 100), (at(2), 70)] {
        let as_of = AsOf { booked_before: Some(booked_before), known_at: None };
        let balance = ledger::balance(&mut db, &account, "VND".parse().unwrap(), as_of).await;
        assert_eq!(balance.unwrap().minor, minor);
    }
    let before = AsOf { booked_before: None, known_at: Some(at(0)) };
    let balance = ledger::balance(&mut db, &account, "VND".parse().unwrap(), before).await;
    assert_eq!(balance.unwrap().minor, 0, "nothing had been written then");
}

#[tokio::test]
async fn a_customer_pages_through_all_of_their_transactions_and_no_others() {
    let Some(books) = Books::open().await else { return };
    let mut db = books.connect().await;
    for number in 0..7 {
        top_up(&mut db, &format!("pay:{number}"), "acme", "10 VND").await.unwrap();
    }
    top_up(&mut db, "pay:other", "globex", "10 VND").await.unwrap();
    charge(&mut db, "renew:1", "acme", "25 VND", "0 VND").await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (page, next) =
            ledger::entries(&mut db, &customer("acme"), "VND".parse().unwrap(), after, 3)
                .await
                .unwrap();
        assert!(page.len() <= 3);
        seen.extend(page);
        let Some(next) = next else { break };
        after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen.len(), 8);
    assert_eq!((seen[0].reason, seen[0].amount.minor), (Reason::Charge, -25));
    let sum: i64 = seen.iter().map(|entry| entry.amount.minor).sum();
    assert_eq!(sum, books.available("acme", "VND").await);
    assert!("nonsense".parse::<Cursor>().is_err());
}
