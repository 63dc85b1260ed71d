//! Midtrans: the signature only rejects, and what a question answers takes effect, once.

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::Connection as _;
use tenantry::model::platform::PaymentProvider;
use tenantry::payments::NewRefund;
use tenantry::payments::NotTaken;
use tenantry::payments::Payment;
use tenantry::payments::Reception;
use tenantry::payments::State;
use tenantry::payments::Subject;
use tenantry::payments::Verdict;
use uuid::Uuid;

use super::Till;
use super::at;
use super::money;
use super::stub;
use super::stub::Stub;

const MIDTRANS: PaymentProvider = PaymentProvider::Midtrans;

async fn told(till: &Till, body: &Value, now: Timestamp) -> Result<Reception, NotTaken> {
    let raw = body.to_string();
    till.payments.receive(MIDTRANS, &HeaderMap::new(), raw.as_bytes(), now).await
}

/// A payment of 299,000 rupiah for an order, begun at Midtrans.
async fn begun(till: &Till) -> Payment {
    till.begun(MIDTRANS, Subject::Order(Uuid::from_u128(1)), "299000.00 IDR").await
}

fn notification(stub: &Stub, payment: &Payment) -> Value {
    stub::midtrans(&payment.order(), &stub.known(&payment.order()))
}

#[tokio::test]
async fn told_zero_one_or_three_times_money_is_there_once() {
    for times in [0, 1, 3] {
        let Some((till, stub)) = Till::with_stub().await else { return };
        let payment = begun(&till).await;
        assert_eq!(
            payment.redirect_url,
            Some(format!("https://app.midtrans.example/snap/{}", payment.order()))
        );
        stub.paid(&payment.order());
        for time in 0..times {
            let reception =
                told(&till, &notification(&stub, &payment), at(60 + time)).await.unwrap();
            assert_eq!(reception == Reception::Taken, time == 0);
        }
        while till.payments.work(at(70)).await.unwrap().is_some() {}
        // The poll finds what nobody told.
        assert_eq!(till.payments.ask_next(at(121)).await.unwrap().is_some(), times == 0);
        assert_eq!(till.payments.ask_next(at(122)).await.unwrap(), None);
        let payment = till.payments.find(payment.id).await.unwrap();
        assert_eq!((payment.state, payment.late), (State::Paid, false), "{times}");
        assert_eq!(till.wallet("acme", "IDR").await, (29_900_000, 0));
        assert_eq!(till.outbox("paid", "paid:").await, 1);
        assert_eq!(till.findings(at(200)).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_edited_status_credits_nothing() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = begun(&till).await;
    stub.set(&payment.order(), |known| {
        known.status = "cancel".into();
        known.code = "200".into();
    });
    let mut edited = notification(&stub, &payment);
    edited["transaction_status"] = "settlement".into();
    assert_eq!(told(&till, &edited, at(60)).await.unwrap(), Reception::Taken);
    assert_eq!(till.payments.work(at(61)).await.unwrap(), Some(Verdict::Applied));
    assert_eq!(till.payments.find(payment.id).await.unwrap().state, State::Failed);
    assert_eq!(till.wallet("acme", "IDR").await, (0, 0));
}

#[tokio::test]
async fn what_is_forged_is_refused_and_written_down_and_takes_nobody_s_place() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = begun(&till).await;
    stub.paid(&payment.order());
    let genuine = notification(&stub, &payment);
    for (field, value) in [("signature_key", "00"), ("signature_key", ""), ("gross_amount", "1.00")]
    {
        let mut forged = genuine.clone();
        forged[field] = value.into();
        for _ in 0..2 {
            let refused = told(&till, &forged, at(60)).await.unwrap_err();
            assert!(matches!(refused, NotTaken::Refused(_)), "{refused}");
        }
    }
    assert_eq!(till.verdicts().await, ["refused", "refused", "refused"]);
    assert_eq!(told(&till, &genuine, at(61)).await.unwrap(), Reception::Taken);
    assert_eq!(till.payments.work(at(62)).await.unwrap(), Some(Verdict::Applied));
    assert_eq!(till.wallet("acme", "IDR").await, (29_900_000, 0));
}

#[tokio::test]
async fn another_amount_is_refused_and_shown_to_whoever_reconciles() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = begun(&till).await;
    stub.paid(&payment.order());
    stub.set(&payment.order(), |known| known.amount = 1);
    told(&till, &notification(&stub, &payment), at(60)).await.unwrap();
    let verdict = till.payments.work(at(61)).await.unwrap();
    assert!(matches!(verdict, Some(Verdict::Refused(_))), "{verdict:?}");
    assert_eq!(till.wallet("acme", "IDR").await, (0, 0));
    let findings = till.findings(at(200)).await;
    assert!(
        findings.len() == 1 && findings[0].contains("299000.00 IDR were asked for"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn notifications_in_the_wrong_order_and_of_payments_that_are_not_ours_do_no_harm() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = begun(&till).await;
    stub.set(&payment.order(), |known| {
        known.status = "pending".into();
        known.code = "201".into();
    });
    let pending = notification(&stub, &payment);
    stub.paid(&payment.order());
    let settled = notification(&stub, &payment);
    for body in [&settled, &pending] {
        told(&till, body, at(60)).await.unwrap();
        till.payments.work(at(61)).await.unwrap();
    }
    let nobody = stub::midtrans("1111", &stub.known(&payment.order()));
    told(&till, &nobody, at(62)).await.unwrap();
    assert!(matches!(till.payments.work(at(63)).await.unwrap(), Some(Verdict::Ignored(_))));
    let gone = stub::midtrans(
        &format!("TN{}X", Uuid::from_u128(9).simple()),
        &stub.known(&payment.order()),
    );
    told(&till, &gone, at(64)).await.unwrap();
    // Its answers say so, and it is put off no longer than that.
    let verdict = till.payments.work(at(65)).await.unwrap();
    assert!(matches!(verdict, Some(Verdict::Refused(_))), "{verdict:?}");
    assert_eq!(till.wallet("acme", "IDR").await, (29_900_000, 0));
    assert_eq!(till.payments.find(payment.id).await.unwrap().state, State::Paid);
}

#[tokio::test]
async fn money_after_the_end_is_the_customer_s_and_starts_nothing() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    till.customer("owner@acme.example", "acme").await;
    let payment = begun(&till).await;
    let end = payment.expires_at.as_second() - at(0).as_second();
    // Asked less and less often, right before the end, and at the end.
    let mut questions = Vec::new();
    for second in (0..=end).step_by(30) {
        if till.payments.ask_next(at(second)).await.unwrap().is_some() {
            questions.push(second);
        }
    }
    assert_eq!(questions[..4], [120, 240, 540, 1140]);
    assert_eq!(questions[questions.len() - 2..], [end - 60, end]);
    assert_eq!(till.payments.find(payment.id).await.unwrap().state, State::Expired);
    stub.paid(&payment.order());
    // Nobody tells; it is looked for once more.
    assert_eq!(till.payments.ask_next(at(end + 3601)).await.unwrap(), Some(payment.id));
    let payment = till.payments.find(payment.id).await.unwrap();
    assert_eq!((payment.state, payment.late), (State::Paid, true));
    assert_eq!(till.wallet("acme", "IDR").await, (29_900_000, 0));
    assert_eq!(till.outbox("paid", "").await, 0);
    assert_eq!(till.outbox("mail", "mail:payment-late:").await, 1);
    assert_eq!(till.outbox("mail", "mail:payment-received:").await, 0);
}

#[tokio::test]
async fn while_the_provider_is_away_nothing_is_lost() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = begun(&till).await;
    stub.paid(&payment.order());
    told(&till, &notification(&stub, &payment), at(60)).await.unwrap();
    stub.world.lock().unwrap().down = true;
    assert!(till.payments.work(at(61)).await.unwrap_err().is_passing());
    assert_eq!(till.payments.work(at(62)).await.unwrap(), None);
    stub.world.lock().unwrap().down = false;
    assert_eq!(till.payments.work(at(82)).await.unwrap(), Some(Verdict::Applied));
    assert_eq!(till.wallet("acme", "IDR").await, (29_900_000, 0));
}

#[tokio::test]
async fn killed_between_the_claim_and_its_effect_nothing_is_lost_and_nothing_is_twice() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = begun(&till).await;
    stub.paid(&payment.order());
    told(&till, &notification(&stub, &payment), at(60)).await.unwrap();
    // The transaction of the effect is rolled back at its last statement.
    for statement in [
        "create function fail() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '40001'; end $$",
        "create trigger fail before update on payment_inbox for each row when (new.done_at is not null) execute function fail()",
    ] {
        sqlx::query(statement).execute(till.pool()).await.unwrap();
    }
    assert!(till.payments.work(at(61)).await.unwrap_err().is_passing());
    assert_eq!(till.wallet("acme", "IDR").await, (0, 0));
    assert_eq!(till.payments.find(payment.id).await.unwrap().state, State::Pending);
    assert_eq!(till.outbox("paid", "").await, 0);
    sqlx::query("drop trigger fail on payment_inbox").execute(till.pool()).await.unwrap();
    // A worker that died with its lease is waited for; then somebody else goes on.
    sqlx::query("update payment_inbox set leased_by = $1, leased_until = $2, due_at = received_at")
        .bind(Uuid::now_v7())
        .bind(jiff_sqlx::ToSqlx::to_sqlx(at(180)))
        .execute(till.pool())
        .await
        .unwrap();
    assert_eq!(till.payments.work(at(179)).await.unwrap(), None);
    assert_eq!(till.payments.work(at(181)).await.unwrap(), Some(Verdict::Applied));
    assert_eq!(till.wallet("acme", "IDR").await, (29_900_000, 0));
    assert_eq!(till.outbox("paid", "").await, 1);
}

async fn refund(till: &Till, payment: &Payment, amount: Option<&str>, second: i64) -> Uuid {
    let mut db = till.connect().await;
    let mut transaction = db.begin().await.unwrap();
    let wish = NewRefund {
        id: Uuid::now_v7(),
        payment: payment.id,
        amount: amount.map(money),
        reason: "changed their mind".to_owned(),
        evidence: None,
        by: Uuid::from_u128(3),
        now: at(second),
    };
    let refund = till.payments.refund(&mut transaction, &wish).await.unwrap();
    transaction.commit().await.unwrap();
    refund.id
}

#[tokio::test]
async fn a_refund_is_held_sent_once_and_leaves_the_books() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = till.paid(&stub, MIDTRANS, Subject::TopUp, "299000.00 IDR").await;
    let part = refund(&till, &payment, Some("99000.00 IDR"), 300).await;
    assert_eq!(till.wallet("acme", "IDR").await, (20_000_000, 9_900_000));
    stub.world.lock().unwrap().down = true;
    assert_eq!(till.payments.refund_next(at(300)).await.unwrap(), Some(part));
    assert_eq!(till.wallet("acme", "IDR").await, (20_000_000, 9_900_000));
    stub.world.lock().unwrap().down = false;
    assert_eq!(till.payments.refund_next(at(361)).await.unwrap(), Some(part));
    assert_eq!(till.payments.refund_next(at(900)).await.unwrap(), None);
    assert_eq!(till.wallet("acme", "IDR").await, (20_000_000, 0));
    // What Midtrans tells of it is known.
    told(&till, &notification(&stub, &payment), at(400)).await.unwrap();
    assert_eq!(till.payments.work(at(401)).await.unwrap(), Some(Verdict::Known));
    // The rest goes back by somebody's hand at Midtrans.
    stub.set(&payment.order(), |known| {
        known.refunds.push(("by hand".to_owned(), 200_000));
        known.status = "refund".to_owned();
    });
    told(&till, &notification(&stub, &payment), at(500)).await.unwrap();
    assert_eq!(till.payments.work(at(501)).await.unwrap(), Some(Verdict::Applied));
    assert_eq!(till.wallet("acme", "IDR").await, (0, 0));
    let payment = till.payments.find(payment.id).await.unwrap();
    assert_eq!((payment.rank, payment.left().minor), (5, 0));
    assert_eq!(till.findings(at(600)).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_refund_that_is_told_before_it_is_answered_is_done_once() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = till.paid(&stub, MIDTRANS, Subject::TopUp, "299000.00 IDR").await;
    let all = refund(&till, &payment, None, 300).await;
    let name = format!("TN{}X", all.simple());
    stub.set(&payment.order(), |known| {
        known.refunds.push((name, 299_000));
        known.status = "refund".to_owned();
    });
    told(&till, &notification(&stub, &payment), at(301)).await.unwrap();
    assert_eq!(till.payments.work(at(302)).await.unwrap(), Some(Verdict::Applied));
    assert_eq!(till.payments.refund_next(at(303)).await.unwrap(), None);
    assert_eq!(till.wallet("acme", "IDR").await, (0, 0));
    assert_eq!(till.findings(at(600)).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_refund_that_is_refused_is_the_customer_s_again() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = till.paid(&stub, MIDTRANS, Subject::TopUp, "299000.00 IDR").await;
    stub.set(&payment.order(), |known| known.status = "capture".to_owned());
    refund(&till, &payment, None, 300).await;
    till.payments.refund_next(at(301)).await.unwrap();
    assert_eq!(till.wallet("acme", "IDR").await, (29_900_000, 0));
    assert_eq!(till.findings(at(600)).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_cancelled_after_it_was_captured_leaves_the_wallet() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = begun(&till).await;
    for (status, expected) in [("capture", 29_900_000), ("cancel", 0)] {
        stub.set(&payment.order(), |known| {
            known.status = status.into();
            known.code = "200".into();
            known.fraud = Some("accept".into());
        });
        told(&till, &notification(&stub, &payment), at(60)).await.unwrap();
        assert_eq!(till.payments.work(at(61)).await.unwrap(), Some(Verdict::Applied));
        assert_eq!(till.wallet("acme", "IDR").await, (expected, 0));
    }
    assert_eq!(till.findings(at(200)).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_somebody_has_to_look_at_first_is_not_paid() {
    let Some((till, stub)) = Till::with_stub().await else { return };
    let payment = begun(&till).await;
    for (fraud, code) in [("challenge", "200"), ("deny", "202")] {
        stub.set(&payment.order(), |known| {
            known.status = "capture".into();
            known.code = code.into();
            known.fraud = Some(fraud.into());
        });
        told(&till, &notification(&stub, &payment), at(60)).await.unwrap();
        till.payments.work(at(61)).await.unwrap();
        assert_eq!(till.wallet("acme", "IDR").await, (0, 0));
    }
    assert_eq!(till.payments.find(payment.id).await.unwrap().state, State::Failed);
}
