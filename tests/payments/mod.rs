//! Money that comes in, on a real PostgreSQL, from providers that are real HTTP servers here and
//! follow their documents.

mod midtrans;
mod others;
mod seam;
pub(crate) mod stub;

use jiff::Timestamp;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::PgPool;
use tenantry::billing::ledger;
use tenantry::model::Name;
use tenantry::model::money::Money;
use tenantry::model::platform::PaymentProvider;
use tenantry::payments::NewPayment;
use tenantry::payments::Payment;
use tenantry::payments::Payments;
use tenantry::payments::State;
use tenantry::payments::Subject;
use tenantry::payments::reconciliation;
use tenantry::payments::settings::Providers;
use tenantry::postgres::Database;
use tenantry::postgres::Settings;
use uuid::Uuid;

use crate::support::mail;
use crate::support::postgres::database;
use stub::Stub;

/// A migrated database of its own with payments over it; nothing where the test is skipped.
struct Till {
    url: String,
    database: Database,
    payments: Payments,
}

impl Till {
    async fn open() -> Option<Self> {
        Self::with(Providers { dummy: true, ..Providers::default() }).await
    }

    async fn with_stub() -> Option<(Self, Stub)> {
        let stub = Stub::open().await;
        Some((Self::with(stub.providers()).await?, stub))
    }

    async fn with(providers: Providers) -> Option<Self> {
        let url = database().await?;
        let settings = Settings { database_connections: 20, ..Settings::of(&url) };
        let database = Database::start(settings).unwrap();
        database.usable().await;
        let payments = Payments::over(database.clone(), providers, Some(stub::portal())).unwrap();
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

    /// A payment that its provider knows.
    async fn begun(&self, provider: PaymentProvider, subject: Subject, amount: &str) -> Payment {
        let wish = wish(provider, subject, amount);
        self.payments.create(&mut self.connect().await, &wish).await.unwrap();
        self.payments.begin(wish.id).await.unwrap()
    }

    /// A payment that is paid, as the provider answers when it is asked.
    async fn paid(
        &self,
        stub: &Stub,
        provider: PaymentProvider,
        subject: Subject,
        amount: &str,
    ) -> Payment {
        let payment = self.begun(provider, subject, amount).await;
        stub.paid(&payment.order());
        let payment = self.payments.ask(payment.id, at(60)).await.unwrap();
        assert_eq!(payment.state, State::Paid);
        payment
    }

    /// What whoever reconciles is shown.
    async fn findings(&self, now: Timestamp) -> Vec<String> {
        let found = reconciliation::compare(&mut self.connect().await, now).await.unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    async fn verdicts(&self) -> Vec<String> {
        sqlx::query_scalar("select verdict from payment_inbox order by received_at, id")
            .fetch_all(self.pool())
            .await
            .unwrap()
    }

    /// Somebody of a tenant whom mails reach.
    async fn customer(&self, email: &str, tenant: &str) {
        sqlx::query(
            "insert into user_account
                 (id, email, email_key, name, organisation, language, password, role, tenant, created_at, verified_at)
             values ($1, $2, $2, 'Ada', 'Acme', 'vi', '$argon2id$', 'customer', $3, now(), now())",
        )
        .bind(Uuid::now_v7())
        .bind(email)
        .bind(tenant)
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// How many rows of the outbox there are of a kind and with a key that begins so; every mail of
    /// it can be sent.
    async fn outbox(&self, kind: &str, key: &str) -> i64 {
        mail::write_all(self.pool()).await;
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
