//! The portal: one versioned HTTP API under `/api/v1`, described by the `OpenAPI` document that it
//! serves. It reads the newest commit, history and accounts, and writes commits; it never touches
//! a cluster or a host, because it imports nothing that could.
//!
//! ```text
//! request ──► around (id, time, headers, log) ──► caller (who asks, how often) ──► route ──► answer
//!                                                                               └──► problem
//! ```
//!
//! What a caller may do stands in the signature of each handler: [`extract::Customer`],
//! [`extract::Operator`] and [`extract::Admin`] exist only for whoever is one, and a customer's
//! tenant comes from the token alone.

// What is answered, and how it is refused.
pub mod problem;
pub mod pages;
pub mod etag;
pub mod openapi;
// What happens around every request.
mod around;
pub mod caller;
pub mod extract;
pub mod body;
pub mod rate;
pub mod idempotency;
// What is answered from, and what changes go through.
pub mod catalog;
pub mod desk;
// What is told as it happens.
pub mod streams;
// The routes, by subject.
mod routes;
// The listener.
pub mod server;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse as _;
use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::history::Store;
use crate::model::Secret;
use crate::operations::live::Live;
use crate::payments::Payments;
use crate::pods;
use crate::pods::Logs;

pub use catalog::Catalog;
pub use desk::Desk;
pub use problem::Problem;

use caller::Key;
use rate::Limits;
use rate::Policy;
use streams::Places;

/// Where everything is.
pub const ROOT: &str = "/api/v1";

/// The largest body that is read, in bytes, where a route does not say otherwise.
pub const LARGEST_BODY: usize = 64 << 10;

/// How many callers' limits are remembered.
const CALLERS: usize = 1 << 16;

/// What the time is. Tests have clocks of their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Who may say that there is something to fetch, and who is told then. What else a hook says is
/// not read.
#[derive(Clone)]
pub struct GitHooks {
    /// With whom the secret is shared; several while it changes.
    pub secrets: Vec<Secret>,
    pub look: Arc<dyn Fn() + Send + Sync>,
}

/// What the portal is made of.
#[derive(Clone)]
pub struct Parts {
    pub accounts: Accounts,
    pub catalog: Catalog,
    pub history: Store,
    /// What commits changes; none where the portal only reads.
    pub desk: Option<Desk>,
    pub payments: Payments,
    /// Who reads logs of pods; nobody where no cluster is reached.
    pub logs: Option<Arc<dyn Logs>>,
    /// Who may say that there is something to fetch; none where nobody may.
    pub git: Option<GitHooks>,
    pub clock: Clock,
    /// Whether a proxy stands in front that says where requests come from and speaks TLS.
    pub behind_proxy: bool,
    /// How much one caller may ask.
    pub usual: Policy,
    /// How often one address may try to get in.
    pub entrance: Policy,
    /// How often one address may send notifications.
    pub notifications: Policy,
    /// How long an answer may take.
    pub patience: Duration,
    /// How streams are held, which take as long as they like.
    pub streams: streams::Policy,
}

impl Parts {
    /// The portal as it usually is.
    pub fn usual(accounts: Accounts, catalog: Catalog) -> Self {
        let history = Store::over(accounts.database().clone());
        let payments = Payments::by_hand(accounts.database().clone());
        Self {
            accounts,
            catalog,
            history,
            desk: None,
            payments,
            logs: None,
            git: None,
            clock: Arc::new(Timestamp::now),
            behind_proxy: false,
            usual: Policy { name: "default", quota: 300, window: 60 },
            entrance: Policy { name: "entrance", quota: 30, window: 60 },
            // Providers send from a few addresses, and whatever was paid by everybody.
            notifications: Policy { name: "notifications", quota: 6000, window: 60 },
            patience: Duration::from_secs(30),
            streams: streams::Policy::default(),
        }
    }
}

/// The portal. Clones are the same.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    parts: Parts,
    usual: Limits<Key>,
    entrance: Limits<IpAddr>,
    notifications: Limits<IpAddr>,
    live: Live,
    pods: pods::Store,
    places: Places,
}

impl Api {
    pub fn new(parts: Parts) -> Self {
        let usual = Limits::new(parts.usual, CALLERS);
        let entrance = Limits::new(parts.entrance, CALLERS);
        let notifications = Limits::new(parts.notifications, CALLERS);
        let live = Live::over(parts.accounts.database().clone());
        let pods = pods::Store::over(parts.accounts.database().clone());
        let places = Places::new(parts.streams);
        let shared = Shared { parts, usual, entrance, notifications, live, pods, places };
        Self { shared: Arc::new(shared) }
    }

    pub fn accounts(&self) -> &Accounts {
        &self.shared.parts.accounts
    }

    pub fn catalog(&self) -> &Catalog {
        &self.shared.parts.catalog
    }

    /// History; refused at once while the database is known to be away.
    pub fn history(&self) -> Result<&Store, Problem> {
        self.accounts().pool()?;
        Ok(&self.shared.parts.history)
    }

    /// What commits changes.
    pub fn desk(&self) -> Result<&Desk, Problem> {
        let desk = self.shared.parts.desk.as_ref();
        desk.ok_or_else(|| Problem::away("this portal only reads: nothing can be changed here"))
    }

    /// How pods stand; refused at once while the database is known to be away.
    pub fn pods(&self) -> Result<&pods::Store, Problem> {
        self.accounts().pool()?;
        Ok(&self.shared.pods)
    }

    /// Who reads logs of pods.
    pub fn logs(&self) -> Result<&dyn Logs, Problem> {
        let logs = self.shared.parts.logs.as_deref();
        logs.ok_or_else(|| Problem::away("no cluster is reached from here, so no log can be read"))
    }

    pub fn payments(&self) -> &Payments {
        &self.shared.parts.payments
    }

    /// What happens to operations; refused at once while the database is known to be away.
    pub fn live(&self) -> Result<&Live, Problem> {
        self.accounts().pool()?;
        Ok(&self.shared.live)
    }

    /// Who may say that there is something to fetch.
    pub fn git(&self) -> Option<&GitHooks> {
        self.shared.parts.git.as_ref()
    }

    pub fn now(&self) -> Timestamp {
        (self.shared.parts.clock)()
    }

    /// Everything the portal answers. `more` are routes beside ours that live by the same rules.
    pub fn router(&self, more: Router<Self>) -> Router {
        let (routes, _) = routes::all().split_for_parts();
        Router::new()
            .merge(routes)
            .merge(openapi::router())
            .merge(more)
            .fallback(|| async { Problem::from(problem::NOT_FOUND) })
            .method_not_allowed_fallback(|| async {
                Problem::from(problem::METHOD).into_response()
            })
            .layer(from_fn_with_state(self.clone(), idempotency::where_promised))
            .layer(from_fn_with_state(self.clone(), caller::know))
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .layer(from_fn_with_state(self.clone(), around::around))
            .with_state(self.clone())
    }
}
