//! Money that comes in, on a real PostgreSQL, from providers that are real HTTP servers here and
//! follow their documents.

mod seam;

use jiff::Timestamp;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::PgPool;
use tenantry::billing::ledger;
use tenantry::model::Name;
use tenantry::model::money::Money;
use tenantry::model::platform::PaymentProvider;
use tenantry::payments::NewPayment;
use tenantry::payments::Payments;
use tenantry::payments::Subject;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use uuid::Uuid;

use crate::support::postgres::database;

/// A migrated database of its own with payments over it; nothing where the test is skipped.
struct Till {
    url: String,
    database: Database,
    payments: Payments,
}

impl Till {
    async fn open() -> Option<Self> {
        let url = database().await?;
        let settings = Settings { database_connections: 20, ..Settings::of(&url) };
        let database = Database::start(settings).unwrap();
        database.usable().await;
        let payments = Payments::over(database.clone());
        Some(Self { url, database, payments })
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Nothing is out of balance, and what is in the wallet is what was posted to it.
    async fn wallet(&self, whose: &str, currency: &str) -> (i64, i64) {
        let mut db = self.connect().await;
        assert_eq!(ledger::verify(&mut db).await.unwrap(), []);
        let wallet =
            ledger::wallet(&mut db, &whose.parse().unwrap(), currency.parse().unwrap()).await;
        let wallet = wallet.unwrap();
        (wallet.available.minor, wallet.held.minor)
    }

    /// How many rows of the outbox there are of a kind and with a key that begins so.
    async fn outbox(&self, kind: &str, key: &str) -> i64 {
        sqlx::query_scalar("select count(*) from outbox where kind = $1 and starts_with(key, $2)")
            .bind(kind)
            .bind(key)
            .fetch_one(self.pool())
            .await
            .unwrap()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn acme() -> Name {
    "acme".parse().unwrap()
}

fn wish(provider: PaymentProvider, subject: Subject, amount: &str) -> NewPayment {
    NewPayment {
        id: Uuid::now_v7(),
        subject,
        customer: acme(),
        amount: money(amount),
        provider,
        return_url: Some("https://portal.example/back".to_owned()),
        now: at(0),
    }
}
