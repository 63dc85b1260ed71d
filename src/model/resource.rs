//! A resource: one thing in the world that a document asks for, on whatever target.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::digest::Digest;
use super::names::Name;
use super::names::UnitName;

/// The API group of what is ours and not Kubernetes', such as a [`DATABASE`].
pub const OUR_GROUP: &str = "tenantry.dev";
/// The kind of a database on the customers' PostgreSQL server.
pub const DATABASE: &str = "Database";

/// What tells one thing from another. The version of its API is no part of that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The API group; empty for the core group.
    pub group: Box<str>,
    pub kind: Box<str>,
    /// The namespace; empty for what stands in none.
    pub namespace: Box<str>,
    pub name: Box<str>,
}

impl ResourceId {
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Whether customers wrote what is in it.
    pub fn holds_data(&self) -> bool {
        matches!((&*self.group, &*self.kind), ("", "PersistentVolumeClaim") | (OUR_GROUP, DATABASE))
    }

    pub fn is_namespace(&self) -> bool {
        self.group.is_empty() && &*self.kind == "Namespace"
    }

    pub fn is_database(&self) -> bool {
        &*self.group == OUR_GROUP && &*self.kind == DATABASE
    }
}

/// `Deployment/kiteclass-acme/web`, or `Namespace/kiteclass-acme`.
impl fmt::Display for ResourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.namespace {
            "" => write!(out, "{}/{}", self.kind, self.name),
            namespace => write!(out, "{}/{namespace}/{}", self.kind, self.name),
        }
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!(
            "{}/{}/{}/{}",
            self.group, self.kind, self.namespace, self.name
        ))
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut parts = text.splitn(4, '/');
        let mut next =
            || parts.next().ok_or_else(|| serde::de::Error::custom("a resource id has four parts"));
        Ok(Self {
            group: next()?.into(),
            kind: next()?.into(),
            namespace: next()?.into(),
            name: next()?.into(),
        })
    }
}

/// The steps of opening an instance, each of which waits until what stands before it is ready, and
/// what may come after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// The namespace, its policies, quotas and rights, its secrets and settings.
    Namespace,
    /// Volumes, the database, the cache.
    Database,
    Services,
    Network,
    /// Jobs that prepare data: migrate, seed.
    Data,
    /// Jobs that check that all is well.
    Verify,
    /// What is done once, because a task asks for it. Nothing waits for it.
    Task,
}

impl Stage {
    /// The steps of opening an instance, in order.
    pub const ALL: [Self; 6] =
        [Self::Namespace, Self::Database, Self::Services, Self::Network, Self::Data, Self::Verify];
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}

/// What becomes of a thing when the commit that asked for it is gone.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    #[default]
    Delete,
    /// It stays, still ours, until a commit says otherwise.
    Keep,
    /// It stays and is nobody's.
    Orphan,
}

/// One thing that a document asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub id: ResourceId,
    /// The subscription it serves; none where all of the tenant's in this namespace share it.
    pub subscription: Option<Name>,
    pub stage: Stage,
    pub on_delete: OnDelete,
    /// The object as it is sent: for Kubernetes with `apiVersion`, `kind` and `metadata`,
    /// for a database a [`DatabaseSpec`].
    pub body: serde_json::Value,
    /// A digest of everything above.
    pub digest: Digest,
    /// The task that it carries out, where it does.
    pub task: Option<Box<Once>>,
}

/// The task that a Job carries out. It is made once: whatever becomes of the Job, and whatever the
/// templates say later, there is no second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The name of the task.
    pub task: Name,
    /// What was not made by then never is.
    pub begins_before: Timestamp,
    /// What it leaves behind where it goes well, such as the name of a backup.
    pub result: Option<Box<str>>,
}

impl Resource {
    pub fn new(
        id: ResourceId,
        subscription: Option<Name>,
        stage: Stage,
        on_delete: OnDelete,
        body: serde_json::Value,
    ) -> Self {
        let digest = Digest::of_json(&(&id, &subscription, stage, on_delete, &body));
        Self { id, subscription, stage, on_delete, body, digest, task: None }
    }

    /// The same as what carries a task out.
    #[must_use]
    pub fn once(self, task: Once) -> Self {
        Self { stage: Stage::Task, task: Some(Box::new(task)), ..self }
    }
}

/// What a plan needs to know of a resource: all but its body, of which there are very many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    pub id: ResourceId,
    pub subscription: Option<Name>,
    pub stage: Stage,
    pub on_delete: OnDelete,
    pub api_version: Box<str>,
    pub digest: Digest,
    /// The task that it carries out, where it does.
    pub task: Option<Box<Once>>,
}

impl Resource {
    pub fn outline(&self) -> Outline {
        Outline {
            id: self.id.clone(),
            subscription: self.subscription.clone(),
            stage: self.stage,
            on_delete: self.on_delete,
            api_version: self.body["apiVersion"].as_str().unwrap_or_default().into(),
            digest: self.digest,
            task: self.task.clone(),
        }
    }
}

/// A database on the customers' PostgreSQL server: the body of a resource of kind [`DATABASE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DatabaseSpec {
    pub database: String,
    /// The role that owns it and that the pods log in as.
    pub role: String,
    #[serde(default)]
    pub schemas: Vec<String>,
    #[serde(default)]
    pub extensions: Vec<String>,
    /// How many connections the role may hold; without limit where absent.
    #[serde(default)]
    pub connections: Option<u16>,
    /// Whether the role may log in: not while the subscription is suspended.
    pub login: bool,
    /// How long the database is set aside, when it is to be deleted, before it really is.
    #[serde(default = "default_retention_days")]
    pub retention_days: u16,
    /// The Secret, and the key in it, that holds the role's password.
    pub secret: SecretKey,
}

/// What a template does not say is decided so that nothing is lost early.
pub fn default_retention_days() -> u16 {
    90
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SecretKey {
    pub namespace: String,
    pub name: String,
    pub key: String,
}

/// Everything a unit asks for at one commit and time, in the order it is made.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub unit: UnitName,
    pub cluster: Name,
    pub resources: Vec<Resource>,
    /// A digest over all resources: equal digests ask for the same.
    pub digest: Digest,
}

impl Rendered {
    /// Puts the resources in order (by stage, then as given) and digests them.
    pub fn new(unit: UnitName, cluster: Name, mut resources: Vec<Resource>) -> Self {
        resources.sort_by_key(|resource| resource.stage);
        let digests: Vec<Digest> = resources.iter().map(|resource| resource.digest).collect();
        let digest = Digest::of_json(&(&cluster, digests));
        Self { unit, cluster, resources, digest }
    }
}
