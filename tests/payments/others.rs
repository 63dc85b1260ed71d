//! Stripe, `VNPay` and `MoMo`: what is signed whole is believed, in any order and number.

use std::collections::BTreeMap;

use http::HeaderMap;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use serde_json::json;
use sqlx::Connection as _;
use tenantry::model::platform::PaymentProvider;
use tenantry::payments::NewRefund;
use tenantry::payments::Payment;
use tenantry::payments::State;
use tenantry::payments::Subject;
use tenantry::payments::Verdict;
use tenantry::payments::VnpayAnswer;
use uuid::Uuid;

use super::Till;
use super::at;
use super::stub;

async fn stripe_told(till: &Till, event: &(String, String), second: i64) {
    let (body, signature) = event;
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("stripe-signature"),
        signature.parse().unwrap(),
    )]);
    till.payments
        .receive(PaymentProvider::Stripe, &headers, body.as_bytes(), at(second))
        .await
        .unwrap();
}

/// Everything that Stripe tells of a payment that was paid late at the bank, disputed in part, and
/// refunded in two parts. All of it is genuine.
fn story(payment: &Payment, second: i64) -> Vec<(String, String)> {
    let order = payment.order();
    let session = |paid: &str| {
        json!({
            "id": format!("cs_{order}"), "client_reference_id": order, "status": "complete",
            "payment_status": paid, "amount_total": payment.amount.minor, "currency": "usd",
            "payment_intent": format!("pi_{order}"),
        })
    };
    let charge = |refunded: i64| {
        json!({
            "payment_intent": format!("pi_{order}"), "amount": payment.amount.minor,
            "amount_refunded": refunded, "currency": "usd", "metadata": { "order": order },
        })
    };
    let events: [(&str, Value); 5] = [
        ("checkout.session.completed", session("unpaid")),
        ("checkout.session.async_payment_succeeded", session("paid")),
        ("charge.refunded", charge(100)),
        ("charge.refunded", charge(250)),
        ("customer.created", json!({})),
    ];
    let signed = at(second).as_second();
    let name = |number| format!("evt_{number}_{order}");
    events
        .into_iter()
        .enumerate()
        .map(|(number, (kind, object))| stub::stripe_event(&name(number), kind, &object, signed))
        .collect()
}

#[tokio::test]
async fn any_sequence_and_repetition_of_stripe_s_events_ends_in_the_same_ledger() {
    let Some((till, _stub)) = Till::with_stub().await else { return };
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1));
    let orders = Just((0..5).collect::<Vec<usize>>()).prop_shuffle();
    let again = proptest::collection::vec((0_usize..5, 0_usize..9), 0..6);
    let mut ends = BTreeMap::new();
    for case in 0..24_i64 {
        let (mut sequence, again) = (&orders, &again).new_tree(&mut runner).unwrap().current();
        for (which, place) in again {
            sequence.insert(place.min(sequence.len()), which);
        }
        let payment =
            till.begun(PaymentProvider::Stripe, Subject::Order(Uuid::now_v7()), "9.99 USD").await;
        let events = story(&payment, 60);
        for which in &sequence {
            stripe_told(&till, &events[*which], 60 + case).await;
            // Sometimes they are worked at one by one, sometimes in a heap.
            if case % 2 == 0 {
                till.payments.work(at(90)).await.unwrap();
            }
        }
        while till.payments.work(at(91)).await.unwrap().is_some() {}
        let end = till.payments.find(payment.id).await.unwrap();
        ends.insert(format!("{:?} {} {}", end.state, end.refunded, end.late), sequence);
        assert_eq!(till.outbox("paid", &format!("paid:{}", payment.id)).await, 1);
        assert_eq!(till.wallet("acme", "USD").await, ((case + 1) * (999 - 250), 0));
    }
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(till.findings(at(200)).await.is_empty());
}

#[tokio::test]
async fn a_bank_takes_more_than_the_wallet_has_and_the_rest_is_lost() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = till.paid(&stub, PaymentProvider::Stripe, Subject::TopUp, "9.99 USD").await;
    let mut db = till.connect().await;
    let key = "spent:1".parse().unwrap();
    let booking = tenantry::billing::ledger::Booking {
        evidence: Some("e"),
        note: Some("n"),
        ..tenantry::billing::ledger::Booking::by_system(&key, at(200))
    };
    let spent = "-9.00 USD".parse().unwrap();
    tenantry::billing::ledger::adjust(&mut db, booking, &"acme".parse().unwrap(), spent)
        .await
        .unwrap();
    let dispute = json!({ "payment_intent": format!("pi_{}", payment.order()), "amount": 999, "currency": "usd" });
    let event = stub::stripe_event(
        "evt_d",
        "charge.dispute.funds_withdrawn",
        &dispute,
        at(300).as_second(),
    );
    stripe_told(&till, &event, 300).await;
    assert_eq!(till.payments.work(at(301)).await.unwrap(), Some(Verdict::Applied));
    assert_eq!(till.wallet("acme", "USD").await, (0, 0));
    assert_eq!(till.findings(at(400)).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_refund_at_stripe_and_momo_is_sent_once_though_its_answer_is_lost() {
    for (provider, amount, whole) in
        [(PaymentProvider::Stripe, "9.99 USD", 999), (PaymentProvider::Momo, "299000 VND", 299_000)]
    {
        let Some((till, stub)) = Till::with_stub().await else { return };
        let payment = till.paid(&stub, provider, Subject::TopUp, amount).await;
        let mut db = till.connect().await;
        let mut transaction = db.begin().await.unwrap();
        let wish = NewRefund {
            id: Uuid::now_v7(),
            payment: payment.id,
            amount: None,
            reason: "r".to_owned(),
            evidence: None,
            by: Uuid::nil(),
            now: at(300),
        };
        till.payments.refund(&mut transaction, &wish).await.unwrap();
        transaction.commit().await.unwrap();
        // It was done there, and we were gone before we heard so.
        let name = format!("TN{}X", wish.id.simple());
        stub.set(&payment.order(), |known| known.refunds.push((name, whole)));
        till.payments.refund_next(at(300)).await.unwrap();
        assert_eq!(stub.known(&payment.order()).refunds.len(), 1);
        assert_eq!(till.wallet("acme", &amount[amount.len() - 3..]).await, (0, 0));
        assert_eq!(till.findings(at(400)).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn vnpay_is_answered_in_its_words_in_its_order() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = till.begun(PaymentProvider::Vnpay, Subject::TopUp, "299000 VND").await;
    let address = payment.redirect_url.clone().unwrap();
    assert!(
        address.contains("vnp_Amount=29900000&") && address.contains("&vnp_SecureHash="),
        "{address}"
    );
    let order = payment.order();
    let answer = async |query: &str, second| {
        till.payments.answer_vnpay(&HeaderMap::new(), query.as_bytes(), at(second)).await
    };
    let genuine = stub::vnpay(&order, 299_000, "00");
    let forged = genuine.replace("vnp_Amount=29900000", "vnp_Amount=29900001");
    assert_eq!(answer(&forged, 60).await, VnpayAnswer::SIGNATURE);
    assert_eq!(answer("", 60).await, VnpayAnswer::SIGNATURE);
    assert_eq!(answer(&stub::vnpay("166117", 299_000, "00"), 61).await, VnpayAnswer::NOT_FOUND);
    assert_eq!(answer(&stub::vnpay(&order, 298_999, "00"), 62).await, VnpayAnswer::AMOUNT);
    assert_eq!(answer(&genuine, 63).await, VnpayAnswer::OK);
    assert_eq!(answer(&genuine, 64).await, VnpayAnswer::ALREADY);
    while till.payments.work(at(70)).await.unwrap().is_some() {}
    assert_eq!(answer(&genuine, 71).await, VnpayAnswer::ALREADY);
    assert_eq!(till.wallet("acme", "VND").await, (299_000, 0));
    drop(stub);
}

#[tokio::test]
async fn what_failed_at_vnpay_may_still_be_paid() {
    let Some((till, _stub)) = Till::with_stub().await else { return };
    let payment = till.begun(PaymentProvider::Vnpay, Subject::TopUp, "299000 VND").await;
    for (code, state) in [("24", State::Failed), ("00", State::Paid), ("24", State::Paid)] {
        let query = stub::vnpay(&payment.order(), 299_000, code);
        till.payments.answer_vnpay(&HeaderMap::new(), query.as_bytes(), at(60)).await;
        till.payments.work(at(61)).await.unwrap();
        assert_eq!(till.payments.find(payment.id).await.unwrap().state, state);
    }
    assert_eq!(till.wallet("acme", "VND").await, (299_000, 0));
}

#[tokio::test]
async fn momo_tells_and_is_asked() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = till.begun(PaymentProvider::Momo, Subject::TopUp, "299000 VND").await;
    assert_eq!(payment.redirect_url, Some(format!("https://momo.example/{}", payment.order())));
    stub.paid(&payment.order());
    let body = stub::momo(&payment.order(), &stub.known(&payment.order()));
    let told = async |body: &str| {
        let headers = HeaderMap::new();
        till.payments.receive(PaymentProvider::Momo, &headers, body.as_bytes(), at(60)).await
    };
    assert!(told(&body.replace("299000", "1")).await.is_err());
    told(&body).await.unwrap();
    assert_eq!(till.payments.work(at(61)).await.unwrap(), Some(Verdict::Applied));
    assert_eq!(till.wallet("acme", "VND").await, (299_000, 0));
}

#[tokio::test]
async fn a_poll_finds_what_none_of_them_told() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    for (provider, amount) in [
        (PaymentProvider::Stripe, "9.99 USD"),
        (PaymentProvider::Vnpay, "299000 VND"),
        (PaymentProvider::Momo, "299000 VND"),
    ] {
        let payment = till.begun(provider, Subject::TopUp, amount).await;
        stub.set(&payment.order(), |known| known.amount = payment.amount.minor);
        let asked = till.payments.ask(payment.id, at(100)).await.unwrap();
        assert_eq!(asked.state, State::Pending, "{provider:?}");
        stub.paid(&payment.order());
        let asked = till.payments.ask(payment.id, at(200)).await.unwrap();
        assert_eq!(asked.state, State::Paid, "{provider:?}");
        assert!(asked.transaction.is_some(), "{provider:?}");
    }
    assert_eq!(till.wallet("acme", "VND").await, (598_000, 0));
    assert_eq!(till.findings(at(300)).await, Vec::<String>::new());
}
