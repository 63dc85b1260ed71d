//! Money on a real PostgreSQL: what is booked, by how many at once, and what the database itself
//! refuses.

mod concurrency;
mod constraints;
mod crashes;
mod flows;
mod invoices;
mod sequences;
mod ten_years;

use jiff::Timestamp;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::PgPool;
use tenantry::billing::OperationKey;
use tenantry::billing::ledger;
use tenantry::billing::ledger::Booking;
use tenantry::billing::ledger::Customer;
use tenantry::billing::ledger::LedgerError;
use tenantry::billing::ledger::Posted;
use tenantry::billing::ledger::Sale;
use tenantry::model::Name;
use tenantry::model::SubscriptionId;
use tenantry::model::money::Money;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;

use crate::support::postgres::database;

/// A migrated database of its own, with its keeper; nothing where the test is skipped.
struct Books {
    url: String,
    database: Database,
}

impl Books {
    async fn open() -> Option<Self> {
        let url = database().await?;
        let settings = Settings { database_connections: 20, ..Settings::of(&url) };
        let database = Database::start(settings).unwrap();
        database.usable().await;
        Some(Self { url, database })
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// A connection that nobody else uses.
    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Nothing is out of balance, in no currency, and wallets are what was posted to them.
    async fn add_up(&self) {
        let mut db = self.connect().await;
        assert_eq!(ledger::verify(&mut db).await.unwrap(), []);
        let off: Vec<(String, i64)> = sqlx::query_as(
            "select currency, sum(amount)::bigint from posting group by currency having sum(amount) <> 0",
        )
        .fetch_all(&mut db)
        .await
        .unwrap();
        assert_eq!(off, []);
    }

    async fn available(&self, whose: &str, currency: &str) -> i64 {
        self.wallet(whose, currency).await.0
    }

    /// What is available and what is held, each seen to be the sum of its postings.
    async fn wallet(&self, whose: &str, currency: &str) -> (i64, i64) {
        let mut db = self.connect().await;
        let currency = currency.parse().unwrap();
        let wallet = ledger::wallet(&mut db, &customer(whose), currency).await.unwrap();
        for (account, money) in [
            (ledger::Account::CustomerCredit(customer(whose)), wallet.available),
            (ledger::Account::Hold(customer(whose)), wallet.held),
        ] {
            let posted =
                ledger::balance(&mut db, &account, currency, ledger::AsOf::default()).await;
            assert_eq!(posted.unwrap(), money, "{account} is the sum of its postings");
        }
        (wallet.available.minor, wallet.held.minor)
    }

    async fn top_up(&self, key: &str, whose: &str, amount: &str) {
        let mut db = self.connect().await;
        top_up(&mut db, key, whose, amount).await.unwrap();
    }

    async fn transactions(&self) -> i64 {
        let count = sqlx::query_scalar("select count(*) from ledger_transaction");
        count.fetch_one(self.pool()).await.unwrap()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn customer(text: &str) -> Customer {
    text.parse().unwrap()
}

fn key(text: &str) -> OperationKey {
    text.parse().unwrap()
}

fn gateway() -> Name {
    "stripe".parse().unwrap()
}

fn school() -> SubscriptionId {
    "acme/school".parse().unwrap()
}

async fn top_up(
    db: &mut PgConnection,
    name: &str,
    whose: &str,
    amount: &str,
) -> Result<Posted, LedgerError> {
    let key = key(name);
    let booking = Booking::by_system(&key, at(0));
    let mut db = db.begin().await?;
    let posted =
        ledger::top_up(&mut db, booking, &customer(whose), &gateway(), money(amount)).await?;
    db.commit().await?;
    Ok(posted)
}

async fn charge(
    db: &mut PgConnection,
    name: &str,
    whose: &str,
    net: &str,
    tax: &str,
) -> Result<Posted, LedgerError> {
    let key = key(name);
    let subscription = school();
    let sale = Sale { subscription: &subscription, net: money(net), tax: money(tax) };
    let mut db = db.begin().await?;
    let booking = Booking::by_system(&key, at(1));
    let posted = ledger::charge(&mut db, booking, &customer(whose), &sale).await?;
    db.commit().await?;
    Ok(posted)
}

async fn hold(
    db: &mut PgConnection,
    name: &str,
    whose: &str,
    amount: &str,
) -> Result<ledger::Hold, LedgerError> {
    let key = key(name);
    let booking = Booking::by_system(&key, at(1)).about("order-1");
    let mut db = db.begin().await?;
    let held = ledger::hold(&mut db, booking, &customer(whose), money(amount), at(3600)).await?;
    db.commit().await?;
    Ok(held)
}
