//! How pods stand, in PostgreSQL.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::pod::Pod;
use crate::model::pod::PodStatus;
use crate::postgres::Database;
use crate::postgres::stamp;

/// How many pods one statement writes.
const AT_ONCE: usize = 1_000;

/// Why it is not known how pods stand.
#[derive(Debug, thiserror::Error)]
#[error("the database cannot be used: {0}")]
pub struct PodError(#[from] pub sqlx::Error);

/// Pods as they are kept. Clones are the same.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

/// A pod as it is kept.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: Uuid,
    pub cluster: Name,
    pub of: SubscriptionId,
    pub name: String,
    pub status: PodStatus,
    /// When the status last changed.
    pub changed_at: Timestamp,
}

/// Which pods are asked for: in the order of their places.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub tenant: Option<Name>,
    pub subscription: Option<Name>,
    /// Only those that come after this one.
    pub after: Option<Place>,
}

/// Where a pod stands among all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub of: SubscriptionId,
    pub name: String,
    pub id: Uuid,
}

impl Row {
    pub fn place(&self) -> Place {
        Place { of: self.of.clone(), name: self.name.clone(), id: self.id }
    }
}

impl Store {
    pub fn over(database: Database) -> Self {
        Self { database }
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Takes pods of a cluster as they are now; those that are none are gone.
    pub async fn write(
        &self,
        cluster: &Name,
        changed: &HashMap<Uuid, Option<Pod>>,
        now: Timestamp,
    ) -> Result<(), PodError> {
        let mut transaction = self.database.pool().begin().await?;
        let gone: Vec<Uuid> =
            changed.iter().filter_map(|(id, pod)| pod.is_none().then_some(*id)).collect();
        if !gone.is_empty() {
            sqlx::query("delete from pod where cluster = $1 and id = any($2)")
                .bind(cluster.as_str())
                .bind(gone)
                .execute(&mut *transaction)
                .await?;
        }
        let mut there: Vec<&Pod> = changed.values().flatten().collect();
        // Two daemons that write the same wait for one another, and never crosswise.
        there.sort_by_key(|pod| pod.id);
        for pods in there.chunks(AT_ONCE) {
            sqlx::query(
                "insert into pod as known (id, cluster, tenant, subscription, name, status, changed_at)
                 select id, $2, tenant, subscription, name, status, $7
                 from unnest($1::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
                     as pod (id, tenant, subscription, name, status)
                 on conflict (id) do update set cluster = excluded.cluster, tenant = excluded.tenant,
                     subscription = excluded.subscription, name = excluded.name,
                     status = excluded.status, changed_at = excluded.changed_at
                 where (known.cluster, known.tenant, known.subscription, known.name, known.status)
                     is distinct from
                     (excluded.cluster, excluded.tenant, excluded.subscription, excluded.name, excluded.status)",
            )
            .bind(pods.iter().map(|pod| pod.id).collect::<Vec<_>>())
            .bind(cluster.as_str())
            .bind(pods.iter().map(|pod| pod.of.tenant.as_str()).collect::<Vec<_>>())
            .bind(pods.iter().map(|pod| pod.of.name.as_str()).collect::<Vec<_>>())
            .bind(pods.iter().map(|pod| &*pod.name).collect::<Vec<_>>())
            .bind(pods.iter().map(|pod| Json(&pod.status)).collect::<Vec<_>>())
            .bind(stamp(now))
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Forgets the pods of a cluster that are not among these.
    pub async fn keep_only(&self, cluster: &Name, there: &[Uuid]) -> Result<(), PodError> {
        sqlx::query("delete from pod where cluster = $1 and not id = any($2)")
            .bind(cluster.as_str())
            .bind(there)
            .execute(self.database.pool())
            .await?;
        Ok(())
    }

    /// Forgets the pods of clusters that are not among these. Says how many.
    pub async fn keep_clusters(&self, there: &[&Name]) -> Result<u64, PodError> {
        let names: Vec<&str> = there.iter().map(|name| name.as_str()).collect();
        let gone = sqlx::query("delete from pod where not cluster = any($1)").bind(names);
        Ok(gone.execute(self.database.pool()).await?.rows_affected())
    }

    /// Pods by subscription and name.
    pub async fn list(&self, asked: &Asked, most: usize) -> Result<Vec<Row>, PodError> {
        let (after, text) = (asked.after.as_ref(), |name: &Name| name.as_str().to_owned());
        let statement = "select * from pod
             where ($1::text is null or tenant = $1) and ($2::text is null or subscription = $2)
             and ($3::text is null or (tenant, subscription, name, id) > ($3, $4, $5, $6))
             order by tenant, subscription, name, id limit $7";
        let rows = sqlx::query(statement)
            .bind(asked.tenant.as_ref().map(text))
            .bind(asked.subscription.as_ref().map(text))
            .bind(after.map(|place| place.of.tenant.as_str()))
            .bind(after.map(|place| place.of.name.as_str()))
            .bind(after.map(|place| place.name.as_str()))
            .bind(after.map(|place| place.id))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(self.database.pool())
            .await?;
        rows.iter().map(read).collect()
    }

    /// A pod, if it belongs to the tenant; to anybody where none is named.
    pub async fn find(&self, id: Uuid, tenant: Option<&Name>) -> Result<Option<Row>, PodError> {
        let statement = "select * from pod where id = $1 and ($2::text is null or tenant = $2)";
        let row = sqlx::query(statement)
            .bind(id)
            .bind(tenant.map(Name::as_str))
            .fetch_optional(self.database.pool())
            .await?;
        row.as_ref().map(read).transpose()
    }
}

fn read(row: &PgRow) -> Result<Row, PodError> {
    let name = |column: &str| -> Result<Name, PodError> {
        let text: &str = row.try_get(column)?;
        text.parse().map_err(|error| PodError(sqlx::Error::Decode(Box::new(error))))
    };
    let changed_at: jiff_sqlx::Timestamp = row.try_get("changed_at")?;
    Ok(Row {
        id: row.try_get("id")?,
        cluster: name("cluster")?,
        of: SubscriptionId { tenant: name("tenant")?, name: name("subscription")? },
        name: row.try_get("name")?,
        status: row.try_get::<Json<PodStatus>, _>("status")?.0,
        changed_at: changed_at.to_jiff(),
    })
}
