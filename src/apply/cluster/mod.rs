//! A Kubernetes cluster: what is written there, what is seen there, and what it means.
//!
//! Objects are written with server-side apply by one field manager ([`mod@write`]), listed in a parent
//! object per unit ([`inventory`]), and watched by our label ([`watch`]); of what is seen only a
//! few words are kept ([`observe`], [`store`]).

mod connection;
mod kinds;
mod fields;
mod rules;
mod generate;
mod write;
pub mod inventory;
mod observe;
mod health;
mod store;
mod listing;
pub mod watch;
mod dry_run;
mod explain;
mod metrics;
mod pods;
mod logs;
mod nodes;
mod disks;
mod certificates;
mod backups;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::apply::error::ApplyError;
use crate::apply::secret::Secret;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::resource::SecretKey;
use crate::plan::Live;
use crate::plan::Observed;

pub use connection::Credentials;
pub use dry_run::Preview;
pub use logs::LogWish;
pub use metrics::Load;
pub use pods::PodNews;
pub use write::marked;

use connection::Call;
use connection::Connection;
use generate::LiveSecret;
use kinds::Kinds;
use pods::Pods;
use store::Store;

/// A connected cluster. Clones share the connections and what is known.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Connection,
    kinds: Kinds,
    store: Store,
    pods: Pods,
}

impl Cluster {
    /// Prepares connections to the cluster; none is made yet. `name` is how messages call it.
    pub async fn connect(name: &str, credentials: Credentials<'_>) -> Result<Self, ApplyError> {
        Ok(Self::over(Connection::open(name, credentials).await?))
    }

    /// As [`Cluster::connect`], with another limit for each request.
    pub async fn connect_with_limit(
        name: &str,
        credentials: Credentials<'_>,
        limit: Duration,
    ) -> Result<Self, ApplyError> {
        let mut connection = Connection::open(name, credentials).await?;
        connection.set_limit(limit);
        Ok(Self::over(connection))
    }

    fn over(connection: Connection) -> Self {
        let (kinds, store, pods) = (Kinds::default(), Store::default(), Pods::default());
        Self { inner: Arc::new(Inner { connection, kinds, store, pods }) }
    }

    fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    fn kinds(&self) -> &Kinds {
        &self.inner.kinds
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }

    fn pods(&self) -> &Pods {
        &self.inner.pods
    }

    /// How the cluster is called.
    pub fn name(&self) -> &str {
        self.connection().cluster()
    }

    /// The Kubernetes version that runs there, such as `1.33`.
    pub async fn version(&self) -> Result<String, ApplyError> {
        #[derive(serde::Deserialize)]
        struct Version {
            major: String,
            minor: String,
        }
        let call = Call::get("/version".into());
        let version: Version =
            self.connection().read("asking for the version was refused", &call).await?;
        // Some distributions say `33+`.
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        Ok(format!("{}.{}", digits(&version.major), digits(&version.minor)))
    }

    /// Which kinds are served under an API version such as `batch/v1`; none where it is unknown.
    pub async fn kinds_of(&self, api_version: &str) -> Result<BTreeSet<Box<str>>, ApplyError> {
        kinds::served_now(self.connection(), api_version).await
    }

    /// Reads one key of a Secret.
    pub async fn secret(&self, place: &SecretKey) -> Result<Secret, ApplyError> {
        let secret = self.read_secret(&place.namespace, &place.name).await?;
        secret.value(&place.key).ok_or_else(|| ApplyError::NoSecret {
            what: format!("Secret/{}/{}", place.namespace, place.name),
            key: place.key.clone(),
        })
    }

    async fn read_secret(&self, namespace: &str, name: &str) -> Result<LiveSecret, ApplyError> {
        let id = ResourceId::new("", "Secret", namespace, name);
        let served = self.kinds().written(self.connection(), &id, "v1").await?;
        let what = format!("reading {id} was refused");
        self.connection().read(&what, &Call::get(served.object(&id))).await
    }

    /// What the watches know of a unit; none before everything that it can own has been read once.
    pub fn observed(&self, unit: &UnitName) -> Option<Result<Observed, ApplyError>> {
        self.store().knows_all_of(unit).then(|| {
            self.store().observed(unit).map_err(|error| inventory::unreadable(unit, &error))
        })
    }

    /// As [`Cluster::observed`], without the inventory: for whoever knows what it says.
    pub fn things(&self, unit: &UnitName) -> Option<Observed> {
        self.store()
            .knows_all_of(unit)
            .then(|| Observed { live: self.store().things(unit), ..Observed::default() })
    }

    /// What the watches know of one thing.
    pub fn live(&self, unit: &UnitName, id: &ResourceId) -> Option<Live> {
        self.store().live(unit, id)
    }

    /// All units that own something here, as far as the watches know.
    pub fn units(&self) -> Vec<UnitName> {
        self.store().units()
    }
}
