//! A cluster and its database server as one: each action goes where its thing lives, and what is
//! known of a unit is known of both.

use std::sync::Mutex;
use std::sync::MutexGuard;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::model::Resource;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::cluster::DatabaseServer;
use crate::model::marks;
use crate::model::resource::SecretKey;
use crate::plan::Action;
use crate::plan::Done;
use crate::plan::Live;
use crate::plan::Observed;
use crate::plan::Outcome;
use crate::plan::Retry;

use super::cluster::Cluster;
use super::database;
use super::database::Admin;
use super::database::Databases;
use super::database::Found;
use super::error::ApplyError;

/// Everything that the resources of a cluster's tenants are written to.
pub struct Targets {
    cluster: Cluster,
    databases: Option<Databases>,
    looked: Mutex<Looked>,
    /// A write to a database just failed in a way that its server may be the reason of.
    doubt: Notify,
}

/// What was last seen on the database server.
struct Looked {
    found: Found,
    /// Why that may be wrong.
    away: Option<String>,
}

impl Targets {
    /// Joins a cluster and the database server that its document names, if it names one.
    pub fn new(cluster: Cluster, server: Option<&DatabaseServer>) -> Self {
        let databases = server.map(|server| {
            let place = server.admin_secret.clone();
            Databases::new(server, Admin::Secret { cluster: cluster.clone(), place })
        });
        Self::join(cluster, databases)
    }

    pub fn join(cluster: Cluster, databases: Option<Databases>) -> Self {
        let away = databases.is_some().then(|| "the databases have not been looked at yet".into());
        let looked = Mutex::new(Looked { found: Found::new(), away });
        Self { cluster, databases, looked, doubt: Notify::new() }
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Carries an action out. What goes wrong is an outcome.
    pub async fn apply(&self, unit: &UnitName, action: &Action) -> Done {
        let done = match action {
            Action::Create { resource, .. } => self.write(unit, resource, &[]).await,
            Action::Update { resource, foreign_labels, .. } => {
                self.write(unit, resource, foreign_labels).await
            }
            Action::Delete { id, api_version, uid } => {
                self.delete(unit, id, api_version, uid).await
            }
            Action::SetAside { id, uid, now, until } => {
                self.set_aside(unit, id, uid, (*now, *until)).await
            }
            Action::Orphan { id, api_version } => self.orphan(unit, id, api_version).await,
        };
        done.unwrap_or_else(|error| {
            if action.id().is_database() && error.retry() == Retry::Later {
                self.doubt.notify_one();
            }
            Done { id: action.id().clone(), outcome: error.outcome(), live: None }
        })
    }

    async fn write(
        &self,
        unit: &UnitName,
        resource: &Resource,
        foreign_labels: &[Box<str>],
    ) -> Result<Done, ApplyError> {
        if !resource.id.is_database() {
            let done = self.cluster.apply(unit, resource, foreign_labels).await?;
            self.let_passwords_follow(resource, &done).await?;
            return Ok(done);
        }
        let databases = self.databases()?;
        let place = database::specification(resource)?.secret;
        let password = self.cluster.secret(&place).await?;
        let done = databases.apply(unit, resource, &password).await?;
        if let Some(live) = &done.live {
            self.looked()
                .found
                .entry(unit.clone())
                .or_default()
                .insert(done.id.clone(), live.clone());
        }
        Ok(done)
    }

    /// Whoever logs in with a password of this Secret must be able to with the one it has now.
    /// Also when the Secret did not change just now: the run that changed it may have been cut
    /// short before this.
    async fn let_passwords_follow(
        &self,
        resource: &Resource,
        done: &Done,
    ) -> Result<(), ApplyError> {
        let generates = !resource.body["metadata"]["annotations"][marks::GENERATE].is_null();
        let Some(databases) = &self.databases else { return Ok(()) };
        if !generates || done.outcome == Outcome::Created {
            return Ok(());
        }
        let (namespace, name) = (&*resource.id.namespace, &*resource.id.name);
        let read = |key: String| {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            async move { self.cluster.secret(&SecretKey { namespace, name, key }).await }
        };
        databases.follow_secret(namespace, name, read).await.map(|_| ())
    }

    async fn delete(
        &self,
        unit: &UnitName,
        id: &ResourceId,
        api_version: &str,
        uid: &str,
    ) -> Result<Done, ApplyError> {
        if !id.is_database() {
            return self.cluster.delete(id, api_version, uid).await;
        }
        let done = self.databases()?.delete(id, uid).await?;
        self.forget(unit, id);
        Ok(done)
    }

    async fn set_aside(
        &self,
        unit: &UnitName,
        id: &ResourceId,
        uid: &str,
        times: (Timestamp, Timestamp),
    ) -> Result<Done, ApplyError> {
        let done = self.databases()?.set_aside(id, uid, times).await?;
        match &done.live {
            Some(live) => {
                let mut looked = self.looked();
                let found = looked.found.entry(unit.clone()).or_default();
                found.insert(id.clone(), live.clone());
            }
            None => self.forget(unit, id),
        }
        Ok(done)
    }

    async fn orphan(
        &self,
        unit: &UnitName,
        id: &ResourceId,
        api_version: &str,
    ) -> Result<Done, ApplyError> {
        if !id.is_database() {
            return self.cluster.orphan(id, api_version).await;
        }
        let done = self.databases()?.orphan(id).await?;
        self.forget(unit, id);
        Ok(done)
    }

    /// Looks at the database server. Whoever runs for long calls this now and then: databases
    /// cannot be watched.
    pub async fn look_at_databases(&self) -> Result<Found, ApplyError> {
        let Some(databases) = &self.databases else { return Ok(Found::new()) };
        let seen = databases.observe().await;
        let mut looked = self.looked();
        match seen {
            Ok(found) => {
                *looked = Looked { found: found.clone(), away: None };
                Ok(found)
            }
            Err(error) => {
                looked.away = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Comes back when the databases should be looked at now, because their server let us down.
    pub async fn databases_in_doubt(&self) {
        self.doubt.notified().await;
    }

    /// What is known of a unit; none before the watches know everything that it can own.
    pub fn observed(&self, unit: &UnitName) -> Option<Result<Observed, ApplyError>> {
        Some(self.cluster.observed(unit)?.map(|observed| self.with_databases(unit, observed)))
    }

    /// As [`Targets::observed`], without the inventory: for whoever knows what it says.
    pub fn things(&self, unit: &UnitName) -> Option<Observed> {
        Some(self.with_databases(unit, self.cluster.things(unit)?))
    }

    /// Reads what is there of a unit, without watches.
    pub async fn observe(&self, unit: &UnitName) -> Result<Observed, ApplyError> {
        let (observed, _) =
            futures_util::join!(self.cluster.observe(unit), self.look_at_databases());
        Ok(self.with_databases(unit, observed?))
    }

    /// Says why a thing is not ready; nothing where it is, or where nobody knows.
    pub async fn explain(&self, id: &ResourceId) -> Option<String> {
        if id.is_database() {
            let looked = self.looked();
            let live = looked.found.values().find_map(|found| found.get(id));
            return live.and_then(|live| live.health.reason().map(str::to_owned));
        }
        self.cluster.explain(id).await.unwrap_or_else(|error| Some(error.to_string()))
    }

    /// All units that own something on either.
    pub fn units(&self) -> Vec<UnitName> {
        let mut units = self.cluster.units();
        units.extend(self.looked().found.keys().cloned());
        units.sort();
        units.dedup();
        units
    }

    fn with_databases(&self, unit: &UnitName, mut observed: Observed) -> Observed {
        let looked = self.looked();
        let found = looked.found.get(unit).into_iter().flatten();
        observed
            .live
            .extend(found.map(|(id, live): (&ResourceId, &Live)| (id.clone(), live.clone())));
        observed.databases_away.clone_from(&looked.away);
        observed
    }

    fn databases(&self) -> Result<&Databases, ApplyError> {
        self.databases.as_ref().ok_or(ApplyError::NoDatabaseServer)
    }

    fn forget(&self, unit: &UnitName, id: &ResourceId) {
        if let Some(found) = self.looked().found.get_mut(unit) {
            found.remove(id);
        }
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().expect("nobody panics holding this lock")
    }
}
