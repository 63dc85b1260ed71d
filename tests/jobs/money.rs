//! What is earned by the day, and what does not add up.

use jiff::civil::Date;
use jiff::civil::date;
use jiff::tz::TimeZone;
use sqlx::PgConnection;
use tenantry::billing::OperationKey;
use tenantry::billing::calendar::Period;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Account;
use tenantry::billing::ledger::AsOf;
use tenantry::billing::ledger::Booking;
use tenantry::billing::ledger::Sale;
use tenantry::billing::recognition;
use tenantry::billing::terms;
use tenantry::billing::terms::NewTerm;
use tenantry::billing::terms::Rules;
use tenantry::model::Name;
use tenantry::model::SubscriptionId;
use tenantry::model::money::Money;
use tenantry::model::platform::Lifecycle;

use super::World;
use crate::support::mail;

/// 100 000 đồng for March, paid.
async fn march(world: &World) -> SubscriptionId {
    let mut db = world.pool().begin().await.unwrap();
    let (school, now): (SubscriptionId, _) = ("acme/school".parse().unwrap(), world.now());
    let customer = "acme".parse().unwrap();
    let key = |text: &str| -> OperationKey { text.parse().unwrap() };
    let dong = |minor| Money::new(minor, "VND".parse().unwrap());
    let paid = key("top-up");
    let booking = Booking::by_system(&paid, now);
    let dummy = "dummy".parse().unwrap();
    ledger::top_up(&mut db, booking, &customer, &dummy, dong(110_000)).await.unwrap();
    let sale = Sale { subscription: &school, net: dong(100_000), tax: dong(10_000) };
    let renewed = key("renew");
    let booking = Booking::by_system(&renewed, now);
    let charged = ledger::charge(&mut db, booking, &customer, &sale).await.unwrap();
    let term = NewTerm {
        key: &renewed,
        subscription: &school,
        period: Period { start: date(2026, 3, 1), end: date(2026, 4, 1) },
        anchor: date(2026, 3, 1),
        invoice: None,
        paid_by: Some(charged.transaction),
    };
    let rules = Rules { lifecycle: &Lifecycle::default(), zone: &TimeZone::UTC };
    terms::record(&mut db, term, rules, now).await.unwrap();
    db.commit().await.unwrap();
    school
}

async fn earn(db: &mut PgConnection, school: &SubscriptionId, day: Date) -> i64 {
    let package: Name = "basic".parse().unwrap();
    let of = recognition::Of { subscription: school, package: &package, zone: &TimeZone::UTC };
    let now = "2026-11-27T09:00:00Z".parse().unwrap();
    recognition::through(db, of, "VND".parse().unwrap(), day, now).await.unwrap().minor
}

#[tokio::test(flavor = "multi_thread")]
async fn each_day_that_was_delivered_is_earned_once_and_the_last_earns_the_rest() {
    let Some(world) = World::open().await else { return };
    let school = march(&world).await;
    let mut db = world.pool().acquire().await.unwrap();
    assert_eq!(earn(&mut db, &school, date(2026, 2, 28)).await, 0, "nothing before it begins");
    assert_eq!(earn(&mut db, &school, date(2026, 3, 1)).await, 3226);
    assert_eq!(earn(&mut db, &school, date(2026, 3, 1)).await, 0, "the same day once more");
    // Two days after a rest of ours.
    assert_eq!(earn(&mut db, &school, date(2026, 3, 3)).await, 6452);
    let rest = earn(&mut db, &school, date(2026, 5, 1)).await;
    assert_eq!(3226 + 6452 + rest, 100_000);
    let revenue = Account::Revenue("basic".parse().unwrap());
    let currency = "VND".parse().unwrap();
    let by_end_of_the_third =
        AsOf { booked_before: Some("2026-03-04T00:00:01Z".parse().unwrap()), known_at: None };
    let booked = ledger::balance(&mut db, &revenue, currency, by_end_of_the_third).await.unwrap();
    assert_eq!(booked.minor, 3226 + 6452, "each day is booked at its end");
    assert_eq!(ledger::verify(&mut db).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_books_that_are_closed_are_earned_in_those_that_are_open() {
    let Some(world) = World::open().await else { return };
    let school = march(&world).await;
    let mut db = world.pool().acquire().await.unwrap();
    ledger::close_books(&mut db, "2026-03-20T00:00:00Z".parse().unwrap(), "ada").await.unwrap();
    assert_eq!(earn(&mut db, &school, date(2026, 3, 31)).await, 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_once_a_day_of_books_that_do_not_add_up() {
    let Some(world) = World::open().await else { return };
    let school = march(&world).await;
    let daemon = world.daemon("daemon", &tenantry::jobs::of_a_business());
    let password = tenantry::model::Secret::new("correct horse battery staple");
    let role = tenantry::accounts::Role::Operator;
    let operator =
        daemon.accounts.create_staff("ada@kite.example", "Ada", &password, role, world.now());
    operator.await.unwrap();
    assert_eq!(daemon.by_hand("verify-ledger").await.unwrap().summary, "the ledger adds up");
    // As a restored or repaired database may be.
    sqlx::query("alter table account disable trigger guarded").execute(world.pool()).await.unwrap();
    sqlx::query("update account set balance = balance + 1 where kind = 'deferred_revenue'")
        .execute(world.pool())
        .await
        .unwrap();
    let mails = async || -> Vec<String> {
        sqlx::query_scalar("select payload #>> '{values,what}' from outbox where kind = 'mail'")
            .fetch_all(world.pool())
            .await
            .unwrap()
    };
    for _ in 0..2 {
        let report = daemon.by_hand("verify-ledger").await.unwrap();
        assert_eq!(report.summary, "1 thing does not add up");
        assert!(report.findings[0].contains(&school.to_string()), "{report:?}");
    }
    assert_eq!(mails().await.len(), 1);
    world.pass(24 * 3600);
    daemon.by_hand("verify-ledger").await.unwrap();
    assert_eq!(mails().await.len(), 2);
    assert_eq!(mail::write_all(world.pool()).await, ["alert", "alert"]);
}
