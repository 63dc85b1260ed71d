//! Many at once on one wallet: sums stay exact, and nothing happens twice.

use futures_util::future::join_all;
use tenantry::billing::ledger;
use tenantry::billing::ledger::LedgerError;
use tenantry::billing::ledger::Sale;

use super::Books;
use super::at;
use super::charge;
use super::hold;
use super::money;
use super::school;
use super::top_up;

const CLIENTS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_clients_empty_one_wallet_and_none_gets_more_than_is_there() {
    let Some(books) = Books::open().await else { return };
    // Enough for 50 of the 96 that are asked for.
    books.top_up("pay:1", "acme", "5000 VND").await;
    let clients = (0..CLIENTS).map(|client| {
        let books = &books;
        async move {
            let mut db = books.connect().await;
            let mut drawn = 0;
            for number in 0..6 {
                let key = format!("renew:{client}:{number}");
                match charge(&mut db, &key, "acme", "90 VND", "10 VND").await {
                    Ok(_) => drawn += 100,
                    Err(LedgerError::Insufficient { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            drawn
        }
    });
    let drawn: i64 = join_all(clients).await.into_iter().sum();
    assert_eq!(drawn, 5000);
    assert_eq!(books.available("acme", "VND").await, 0);
    books.add_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operation_asked_for_by_all_at_once_is_booked_once() {
    let Some(books) = Books::open().await else { return };
    let clients = (0..CLIENTS).map(|_| {
        let books = &books;
        async move {
            let mut db = books.connect().await;
            let paid = top_up(&mut db, "pay:1", "acme", "100 VND").await.unwrap();
            let sold = charge(&mut db, "renew:1", "acme", "100 VND", "0 VND").await.unwrap();
            (paid.transaction, sold.transaction, !paid.repeated, !sold.repeated)
        }
    });
    let all = join_all(clients).await;
    assert!(all.iter().all(|one| (one.0, one.1) == (all[0].0, all[0].1)), "all got the same");
    assert_eq!(all.iter().filter(|one| one.2).count(), 1);
    assert_eq!(all.iter().filter(|one| one.3).count(), 1);
    assert_eq!(books.transactions().await, 2);
    books.add_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_with_two_contents_is_booked_for_one_of_them() {
    let Some(books) = Books::open().await else { return };
    let clients = (0..CLIENTS).map(|client| {
        let books = &books;
        async move {
            let mut db = books.connect().await;
            let amount = if client % 2 == 0 { "100 VND" } else { "200 VND" };
            match top_up(&mut db, "pay:1", "acme", amount).await {
                Ok(_) => Some(money(amount).minor),
                Err(LedgerError::KeyReused { .. }) => None,
                Err(other) => panic!("{other}"),
            }
        }
    });
    let booked: Vec<i64> = join_all(clients).await.into_iter().flatten().collect();
    assert_eq!(booked.len(), CLIENTS / 2);
    assert_eq!(books.available("acme", "VND").await, booked[0]);
    assert!(booked.iter().all(|amount| *amount == booked[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_captured_voided_and_expired_at_once_ends_once() {
    let Some(books) = Books::open().await else { return };
    for round in 0..8 {
        let whose = format!("acme-{round}");
        books.top_up(&format!("pay:{round}"), &whose, "100 VND").await;
        let mut db = books.connect().await;
        let held = hold(&mut db, &format!("order:{round}"), &whose, "100 VND").await.unwrap();
        let enders = (0..12).map(|client| {
            let (books, id) = (&books, held.id);
            async move {
                let mut db = books.connect().await;
                let subscription = school();
                let (net, tax) = (money("60 VND"), money("0 VND"));
                let sale = Sale { subscription: &subscription, net, tax };
                let mut transaction = sqlx::Connection::begin(&mut db).await.unwrap();
                let ended = match client % 3 {
                    0 => ledger::capture(&mut transaction, id, &sale, at(5), "system")
                        .await
                        .map(drop),
                    1 => ledger::void(&mut transaction, id, at(5), "system", "failed").await,
                    _ => ledger::expire_holds(&mut transaction, at(9999), 9).await.map(drop),
                };
                match ended {
                    Ok(()) => transaction.commit().await.unwrap(),
                    Err(LedgerError::HoldEnded { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        });
        join_all(enders).await;
        let (available, held) = books.wallet(&whose, "VND").await;
        assert!([40, 100].contains(&available) && held == 0, "{available} {held}");
    }
    books.add_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_at_once_never_exceed_the_charge() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "1000 VND").await;
    let mut db = books.connect().await;
    let sold = charge(&mut db, "renew:1", "acme", "900 VND", "100 VND").await.unwrap();
    let clients = (0..CLIENTS).map(|client| {
        let books = &books;
        async move {
            let mut db = books.connect().await;
            let key = super::key(&format!("refund:{client}"));
            let booking = ledger::Booking::by_system(&key, at(2));
            let extent = ledger::Extent::Part(money("99 VND"));
            let mut transaction = sqlx::Connection::begin(&mut db).await.unwrap();
            match ledger::reverse(&mut transaction, booking, sold.transaction, extent).await {
                Ok(_) => transaction.commit().await.unwrap(),
                Err(LedgerError::AboveOriginal { .. }) => return 0,
                Err(other) => panic!("{other}"),
            }
            99
        }
    });
    let refunded: i64 = join_all(clients).await.into_iter().sum();
    assert_eq!(refunded, 990);
    assert_eq!(books.available("acme", "VND").await, 990);
    books.add_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_books_and_booking_do_not_pass_each_other() {
    let Some(books) = Books::open().await else { return };
    let bookers = (0..CLIENTS).map(|client| {
        let books = &books;
        async move {
            let mut db = books.connect().await;
            match top_up(&mut db, &format!("pay:{client}"), "acme", "1 VND").await {
                Ok(_) => 1,
                Err(LedgerError::Closed) => 0,
                Err(other) => panic!("{other}"),
            }
        }
    });
    let close = async {
        let mut db = books.connect().await;
        ledger::close_books(&mut db, at(1), "olga").await.unwrap();
        books.available("acme", "VND").await
    };
    let (booked, at_close) = tokio::join!(join_all(bookers), close);
    assert_eq!(booked.into_iter().sum::<i64>(), at_close, "what is closed stays as it was");
}
