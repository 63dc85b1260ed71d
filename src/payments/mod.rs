//! Money that comes in.
//!
//! ```text
//! create ──► begin (the provider, outside of any transaction) ──► the customer pays there
//! webhook ──► verified ──► inbox ──► worker ─┬─ proof ──────────────► settle ──► ledger, outbox
//! a payment that stays open ─────────────────┴─ ask the provider ──►    │
//!                                                  one transaction: claim and effect
//! ```
//!
//! What a provider says is believed as far as it is proven: a signature that leaves out what
//! matters only says where to ask. Each event takes effect once, whatever its order and however
//! often it comes; money is never lost, and money that comes too late starts nothing by itself.

// The words.
pub mod error;
pub mod payment;
pub mod report;
// What follows from what a provider says: decided, and written.
mod decide;
mod settle;
// Providers.
mod http;
pub mod provider;
pub mod settings;
// What comes through webhooks, and what is asked for where none comes.
mod inbox;
mod answer;
mod poll;
// What people say.
mod people;
// What goes back.
pub mod refund;
// Who does it, and who looks whether it adds up.
mod worker;
pub mod reconciliation;

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::PgConnection;
use sqlx::Postgres;
use sqlx::Transaction;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::model::PortalUrl;
use crate::model::money::Currency;
use crate::model::platform;
use crate::model::platform::PaymentProvider;
use crate::postgres::Database;

pub use answer::VnpayAnswer;
pub use error::GatewayError;
pub use error::PaymentError;
pub use inbox::NotTaken;
pub use inbox::Reception;
pub use payment::NewPayment;
pub use payment::Payment;
pub use payment::State;
pub use payment::Subject;
pub use payment::in_flight;
pub use people::Recorded;
pub use refund::NewRefund;
pub use refund::Refund;
pub use settle::Verdict;
pub use worker::Hands;

use http::Http;
use provider::Gateway;
use provider::dummy::Dummy;
use provider::midtrans::Midtrans;
use provider::momo::Momo;
use provider::stripe::Stripe;
use provider::vnpay::Vnpay;
use settings::InvalidProviders;
use settings::Providers;

/// Payments, and who takes them. Clones are the same.
#[derive(Clone, Debug)]
pub struct Payments {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    gateways: BTreeMap<PaymentProvider, Box<dyn Gateway>>,
    portal: Option<PortalUrl>,
    /// An event was written down.
    arrived: Notify,
}

impl Payments {
    /// Payments over a database, which need not be there yet, by the providers that are set up.
    /// Customers and notifications come to the portal.
    pub fn over(
        database: Database,
        providers: Providers,
        portal: Option<PortalUrl>,
    ) -> Result<Self, InvalidProviders> {
        let http = Http::open().map_err(InvalidProviders::Certificates)?;
        let mut gateways: BTreeMap<PaymentProvider, Box<dyn Gateway>> = BTreeMap::new();
        if let Some(settings) = providers.midtrans {
            let midtrans = Midtrans { settings, http: http.clone() };
            gateways.insert(PaymentProvider::Midtrans, Box::new(midtrans));
        }
        if let Some(settings) = providers.stripe {
            let stripe = Stripe { settings, http: http.clone() };
            gateways.insert(PaymentProvider::Stripe, Box::new(stripe));
        }
        if let Some(settings) = providers.vnpay {
            let vnpay = Vnpay { settings, http: http.clone() };
            gateways.insert(PaymentProvider::Vnpay, Box::new(vnpay));
        }
        if let Some(settings) = providers.momo {
            let portal = portal.as_ref().ok_or(InvalidProviders::NoPortal)?;
            let notify_url = format!("{portal}/api/v1/hooks/momo");
            let momo = Momo { settings, notify_url, http };
            gateways.insert(PaymentProvider::Momo, Box::new(momo));
        }
        if providers.dummy {
            gateways.insert(PaymentProvider::Dummy, Box::new(Dummy));
        }
        Ok(Self { inner: Arc::new(Inner { database, gateways, portal, arrived: Notify::new() }) })
    }

    /// Payments over a database that nobody takes but a person who records them.
    pub fn by_hand(database: Database) -> Self {
        let (gateways, portal, arrived) = (BTreeMap::new(), None, Notify::new());
        Self { inner: Arc::new(Inner { database, gateways, portal, arrived }) }
    }

    /// Where the portal is seen from outside, if that is set.
    pub fn portal_url(&self) -> Option<&PortalUrl> {
        self.inner.portal.as_ref()
    }

    /// Who may take money of this currency: whoever the platform offers and the settings know, in
    /// the platform's order. What a person records needs no settings.
    pub fn takers(&self, offers: &platform::Payments, currency: Currency) -> Vec<PaymentProvider> {
        let known = |provider: &PaymentProvider| self.inner.gateways.contains_key(provider);
        offers.takers(currency).filter(known).collect()
    }

    /// Writes a payment in the caller's transaction; no provider knows it yet. Call
    /// [`Payments::begin`] once that transaction is committed. The same id gives the same payment.
    ///
    /// Whether the platform offers the provider for the currency is the caller's to ask:
    /// [`Payments::takers`].
    pub async fn create(
        &self,
        connection: &mut PgConnection,
        wish: &NewPayment,
    ) -> Result<Payment, PaymentError> {
        self.gateway(wish.provider)?;
        payment::create(connection, wish).await
    }

    /// Makes a payment known to its provider, and says where the customer pays. It may be called
    /// again: the provider has the payment under one name. No transaction is open meanwhile.
    pub async fn begin(&self, id: Uuid) -> Result<Payment, PaymentError> {
        let payment = self.find(id).await?;
        if payment.state != State::New {
            return Ok(payment);
        }
        let begun = match self.gateway(payment.provider)?.begin(&payment).await {
            Ok(begun) => begun,
            // It was understood and refused: this payment will never be.
            Err(error) if !error.is_passing() => {
                sqlx::query(
                    "update payment set state = 'failed', why = $2 where id = $1 and state = 'new'",
                )
                .bind(id)
                .bind(error.to_string())
                .execute(self.pool()?)
                .await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        sqlx::query(
            "update payment set state = 'pending', redirect_url = $2, session = $3
             where id = $1 and state = 'new'",
        )
        .bind(id)
        .bind(&begun.redirect_url)
        .bind(&begun.session)
        .execute(self.pool()?)
        .await?;
        self.find(id).await
    }

    /// A payment by its id.
    pub async fn find(&self, id: Uuid) -> Result<Payment, PaymentError> {
        let mut connection = self.pool()?.acquire().await?;
        payment::find(&mut connection, id).await
    }

    fn gateway(&self, provider: PaymentProvider) -> Result<&dyn Gateway, PaymentError> {
        let gateway = self.inner.gateways.get(&provider);
        gateway.map(AsRef::as_ref).ok_or(PaymentError::NotSet(provider))
    }

    /// The connections; refused at once while the database is known to be away.
    fn pool(&self) -> Result<&sqlx::PgPool, PaymentError> {
        let database = &self.inner.database;
        if database.state().borrow().is_reachable() {
            Ok(database.pool())
        } else {
            Err(PaymentError::Away)
        }
    }

    async fn transaction(&self) -> Result<Transaction<'static, Postgres>, PaymentError> {
        Ok(self.pool()?.begin().await?)
    }
}
