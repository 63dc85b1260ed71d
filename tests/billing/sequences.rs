//! Any sequence of operations: what a simple model of wallets allows is booked, what it forbids is
//! refused, and the ledger adds up whatever happened.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest::test_runner::TestRunner;
use sqlx::Connection as _;
use sqlx::PgConnection;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Booking;
use tenantry::billing::ledger::Customer;
use tenantry::billing::ledger::Extent;
use tenantry::billing::ledger::LedgerError;
use tenantry::billing::ledger::Sale;
use tenantry::model::money::Money;
use uuid::Uuid;

use super::Books;
use super::at;
use super::gateway;
use super::key;
use super::school;

const CURRENCIES: [&str; 3] = ["VND", "USD", "KWD"];

#[derive(Clone, Debug)]
enum Operation {
    TopUp(i64),
    Charge(i64, i64),
    Hold(i64),
    Capture { which: usize, percent: i64 },
    Void { which: usize },
    Refund { which: usize, percent: i64 },
    Adjust(i64),
}

fn operation() -> impl Strategy<Value = (u8, u8, Operation)> {
    let operation = prop_oneof![
        3 => (1_i64..10_000).prop_map(Operation::TopUp),
        2 => (1_i64..3_000, 0_i64..300).prop_map(|(net, tax)| Operation::Charge(net, tax)),
        2 => (1_i64..3_000).prop_map(Operation::Hold),
        2 => (0_usize..6, 1_i64..130).prop_map(|(which, percent)| Operation::Capture { which, percent }),
        1 => (0_usize..6).prop_map(|which| Operation::Void { which }),
        2 => (0_usize..6, 1_i64..130).prop_map(|(which, percent)| Operation::Refund { which, percent }),
        1 => (-2_000_i64..2_000).prop_map(Operation::Adjust),
    ];
    (0_u8..2, 0_u8..3, operation)
}

/// What a wallet should be.
#[derive(Default)]
struct Expected {
    available: i64,
    /// Pending holds and charges that are not all refunded, with what is left of them.
    holds: Vec<(Uuid, i64)>,
    charges: Vec<(Uuid, i64)>,
}

/// Does it once, and says whether it should have been booked.
async fn perform(
    db: &mut PgConnection,
    name: &str,
    customer: &Customer,
    currency: &str,
    operation: &Operation,
    expected: &mut Expected,
) -> (bool, Result<(), LedgerError>) {
    let currency = currency.parse().unwrap();
    let money = |minor| Money::new(minor, currency);
    let key = key(name);
    let booking = Booking {
        evidence: Some("e"),
        note: Some("n"),
        ..Booking::by_system(&key, at(1)).about("test")
    };
    let subscription = school();
    match *operation {
        Operation::TopUp(amount) => {
            let done = ledger::top_up(db, booking, customer, &gateway(), money(amount)).await;
            expected.available += amount;
            (true, done.map(drop))
        }
        Operation::Charge(net, tax) => {
            let sale = Sale { subscription: &subscription, net: money(net), tax: money(tax) };
            let done = ledger::charge(db, booking, customer, &sale).await;
            let fits = expected.available >= net + tax;
            if let Ok(posted) = &done {
                expected.available -= net + tax;
                expected.charges.push((posted.transaction, net + tax));
            }
            (fits, done.map(drop))
        }
        Operation::Hold(amount) => {
            let done = ledger::hold(db, booking, customer, money(amount), at(99)).await;
            let fits = expected.available >= amount;
            if let Ok(held) = &done {
                expected.available -= amount;
                expected.holds.push((held.id, amount));
            }
            (fits, done.map(drop))
        }
        Operation::Capture { which, percent } => {
            let Some((id, held)) = expected.holds.get(which).copied() else {
                return (true, Ok(()));
            };
            let taken = (held * percent / 100).max(1);
            let sale = Sale { subscription: &subscription, net: money(taken), tax: money(0) };
            let done = ledger::capture(db, id, &sale, at(2), "system").await;
            if let Ok(posted) = &done {
                expected.holds.remove(which);
                expected.available += held - taken;
                expected.charges.push((posted.transaction, taken));
            }
            (taken <= held, done.map(drop))
        }
        Operation::Void { which } => {
            let Some((id, held)) = expected.holds.get(which).copied() else {
                return (true, Ok(()));
            };
            expected.holds.remove(which);
            expected.available += held;
            (true, ledger::void(db, id, at(2), "system", "failed").await)
        }
        Operation::Refund { which, percent } => {
            let Some((id, left)) = expected.charges.get(which).copied() else {
                return (true, Ok(()));
            };
            let part = (left * percent / 100).max(1);
            let done = ledger::reverse(db, booking, id, Extent::Part(money(part))).await;
            if done.is_ok() {
                expected.available += part;
                expected.charges[which].1 -= part;
                expected.charges.retain(|(_, left)| *left > 0);
            }
            (part <= left, done.map(drop))
        }
        Operation::Adjust(amount) => {
            let done = ledger::adjust(db, booking, customer, money(amount)).await;
            let fits = amount != 0 && expected.available + amount >= 0;
            if done.is_ok() {
                expected.available += amount;
            }
            (fits, done.map(drop))
        }
    }
}

#[test]
fn whatever_is_done_in_whatever_order_the_ledger_adds_up() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(books) = runtime.block_on(Books::open()) else { return };
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let sequence = proptest::collection::vec(operation(), 1..40);
    runner
        .run(&sequence, |operations| {
            runtime.block_on(async {
                // Wallets of its own, in the same books.
                let case = Uuid::now_v7().simple();
                let mut wallets: BTreeMap<(u8, u8), Expected> = BTreeMap::new();
                let mut db = books.connect().await;
                for (number, (who, currency, operation)) in operations.iter().enumerate() {
                    let customer: Customer = format!("{case}-{who}").parse().unwrap();
                    let expected = wallets.entry((*who, *currency)).or_default();
                    let name = format!("{case}:{number}");
                    let currency = CURRENCIES[usize::from(*currency)];
                    let mut transaction = db.begin().await.unwrap();
                    let (fits, done) =
                        perform(&mut transaction, &name, &customer, currency, operation, expected)
                            .await;
                    assert_eq!(fits, done.is_ok(), "{operation:?}: {done:?}");
                    // Committed also after a refusal: it left nothing behind.
                    transaction.commit().await.unwrap();
                }
                for ((who, currency), expected) in &wallets {
                    let held: i64 = expected.holds.iter().map(|(_, amount)| amount).sum();
                    let whose = format!("{case}-{who}");
                    let currency = CURRENCIES[usize::from(*currency)];
                    assert_eq!(books.wallet(&whose, currency).await, (expected.available, held));
                }
                books.add_up().await;
            });
            Ok(())
        })
        .unwrap();
}
