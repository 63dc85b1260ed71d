//! Kinds of objects: where each is found in the API, and which version of it a server serves.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::RwLock;

use serde::Deserialize;

use crate::apply::error::ApplyError;
use crate::model::ResourceId;
use crate::model::resource::OUR_GROUP;

use super::connection::Call;
use super::connection::Connection;
use super::connection::escaped;

/// What we render, with the versions it has had, newest first. Others are asked for.
const KNOWN: [(&str, &str, &str, bool, &[&str]); 19] = [
    ("", "Namespace", "namespaces", false, &["v1"]),
    ("", "ResourceQuota", "resourcequotas", true, &["v1"]),
    ("", "LimitRange", "limitranges", true, &["v1"]),
    ("", "Secret", "secrets", true, &["v1"]),
    ("", "ConfigMap", "configmaps", true, &["v1"]),
    ("", "ServiceAccount", "serviceaccounts", true, &["v1"]),
    ("", "PersistentVolumeClaim", "persistentvolumeclaims", true, &["v1"]),
    ("", "Service", "services", true, &["v1"]),
    ("apps", "Deployment", "deployments", true, &["v1"]),
    ("apps", "StatefulSet", "statefulsets", true, &["v1"]),
    ("apps", "DaemonSet", "daemonsets", true, &["v1"]),
    ("batch", "Job", "jobs", true, &["v1"]),
    ("batch", "CronJob", "cronjobs", true, &["v1", "v1beta1"]),
    ("policy", "PodDisruptionBudget", "poddisruptionbudgets", true, &["v1", "v1beta1"]),
    ("networking.k8s.io", "NetworkPolicy", "networkpolicies", true, &["v1"]),
    ("networking.k8s.io", "Ingress", "ingresses", true, &["v1"]),
    ("rbac.authorization.k8s.io", "Role", "roles", true, &["v1"]),
    ("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", true, &["v1"]),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
        &["v2", "v2beta2", "v1"],
    ),
];

/// The group and kind of objects, without a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Kind {
    pub(super) group: Box<str>,
    pub(super) kind: Box<str>,
}

impl Kind {
    pub(super) fn new(group: &str, kind: &str) -> Self {
        Self { group: group.into(), kind: kind.into() }
    }

    pub(super) fn of(id: &ResourceId) -> Self {
        Self::new(&id.group, &id.kind)
    }

    /// Whether it lives in a cluster at all.
    pub(super) fn is_in_cluster(&self) -> bool {
        &*self.group != OUR_GROUP
    }

    /// Whether it is among those that we render, which are always watched.
    pub(super) fn is_known(&self) -> bool {
        KNOWN.iter().any(|(group, kind, ..)| *group == &*self.group && *kind == &*self.kind)
    }

    pub(super) fn known() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(|(group, kind, ..)| Self::new(group, kind))
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.group {
            "" => out.write_str(&self.kind),
            group => write!(out, "{}.{group}", self.kind),
        }
    }
}

/// Where objects of one kind and version are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) kind: Kind,
    pub(super) version: Box<str>,
    plural: Box<str>,
    pub(super) namespaced: bool,
}

impl Served {
    /// `/apis/apps/v1/deployments`: of all namespaces.
    pub(super) fn all(&self) -> String {
        format!("{}/{}", api(&self.kind.group, &self.version), self.plural)
    }

    /// `/apis/apps/v1/namespaces/acme/deployments`
    pub(super) fn collection(&self, namespace: &str) -> String {
        let api = api(&self.kind.group, &self.version);
        if self.namespaced {
            format!("{api}/namespaces/{}/{}", escaped(namespace), self.plural)
        } else {
            format!("{api}/{}", self.plural)
        }
    }

    /// `/apis/apps/v1/namespaces/acme/deployments/web`
    pub(super) fn object(&self, id: &ResourceId) -> String {
        format!("{}/{}", self.collection(&id.namespace), escaped(&id.name))
    }
}

fn api(group: &str, version: &str) -> String {
    match group {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    }
}

/// What a server has told about its kinds so far.
#[derive(Default)]
pub(super) struct Kinds {
    /// By group and version: the kinds of that, by name. Empty where there is no such version.
    asked: RwLock<HashMap<GroupVersion, HashMap<Box<str>, Served>>>,
}

/// Such as `apps` and `v1`.
type GroupVersion = (Box<str>, Box<str>);

#[derive(Deserialize)]
struct ResourceList {
    resources: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: Box<str>,
    kind: Box<str>,
    namespaced: bool,
}

#[derive(Deserialize)]
struct Group {
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: Box<str>,
}

impl Kinds {
    /// Where the object is written. No request for what we know: should a server not serve it,
    /// its answer to the write says so.
    pub(super) async fn written(
        &self,
        connection: &Connection,
        id: &ResourceId,
        api_version: &str,
    ) -> Result<Served, ApplyError> {
        let version = match api_version.split_once('/') {
            Some((_, version)) => version,
            None => api_version,
        };
        let known =
            KNOWN.iter().find(|(group, kind, ..)| *group == &*id.group && *kind == &*id.kind);
        if let Some((_, _, plural, namespaced, _)) = known {
            return Ok(Served {
                kind: Kind::of(id),
                version: version.into(),
                plural: (*plural).into(),
                namespaced: *namespaced,
            });
        }
        let not_served = || ApplyError::NotServed {
            api_version: api_version.to_owned(),
            kind: id.kind.to_string(),
        };
        self.ask(connection, &id.group, version, &id.kind).await?.ok_or_else(not_served)
    }

    /// As [`Kinds::read`], whatever was remembered of the kind.
    pub(super) async fn read_anew(
        &self,
        connection: &Connection,
        kind: &Kind,
    ) -> Result<Option<Served>, ApplyError> {
        let is_known =
            KNOWN.iter().any(|(group, name, ..)| *group == &*kind.group && *name == &*kind.kind);
        if !is_known {
            let mut asked = self.asked.write().expect("nobody panics holding this lock");
            asked.retain(|(group, _), _| *group != kind.group);
        }
        self.read(connection, kind).await
    }

    /// Where all objects of the kind are read: at the newest version that is served, if any is.
    pub(super) async fn read(
        &self,
        connection: &Connection,
        kind: &Kind,
    ) -> Result<Option<Served>, ApplyError> {
        let known =
            KNOWN.iter().find(|(group, name, ..)| *group == &*kind.group && *name == &*kind.kind);
        if let Some((.., versions)) = known {
            for version in *versions {
                if let Some(served) = self.ask(connection, &kind.group, version, &kind.kind).await?
                {
                    return Ok(Some(served));
                }
            }
            return Ok(None);
        }
        if kind.group.is_empty() {
            return self.ask(connection, "", "v1", &kind.kind).await;
        }
        let what = format!("asking for the versions of `{}`", kind.group);
        let path = format!("/apis/{}", kind.group);
        let group: Group = match connection.read(&what, &Call::get(path)).await {
            Err(error) if error.is_not_found() => return Ok(None),
            answer => answer?,
        };
        for Version { version } in &group.versions {
            if let Some(served) = self.ask(connection, &kind.group, version, &kind.kind).await? {
                return Ok(Some(served));
            }
        }
        Ok(None)
    }

    /// What is not served now may be later: only a yes is remembered for kinds of others.
    async fn ask(
        &self,
        connection: &Connection,
        group: &str,
        version: &str,
        kind: &str,
    ) -> Result<Option<Served>, ApplyError> {
        let key = (Box::from(group), Box::from(version));
        let remembered = {
            let asked = self.asked.read().expect("nobody panics holding this lock");
            asked.get(&key).map(|kinds| kinds.get(kind).cloned())
        };
        if let Some(Some(served)) = remembered {
            return Ok(Some(served));
        }
        let Some(listed) = list(connection, group, version).await? else { return Ok(None) };
        let kinds: HashMap<Box<str>, Served> = listed
            .into_iter()
            .map(|listed| {
                let served = Served {
                    kind: Kind::new(group, &listed.kind),
                    version: version.into(),
                    plural: listed.name,
                    namespaced: listed.namespaced,
                };
                (listed.kind, served)
            })
            .collect();
        let served = kinds.get(kind).cloned();
        self.asked.write().expect("nobody panics holding this lock").insert(key, kinds);
        Ok(served)
    }
}

/// The kinds of an API version as they are served now; none where there is no such version.
async fn list(
    connection: &Connection,
    group: &str,
    version: &str,
) -> Result<Option<Vec<Listed>>, ApplyError> {
    let what = format!("asking for the kinds of `{group}/{version}`");
    let listed: ResourceList = match connection.read(&what, &Call::get(api(group, version))).await {
        Err(error) if error.is_not_found() => return Ok(None),
        answer => answer?,
    };
    // `deployments/status` has the kind Deployment, too.
    Ok(Some(listed.resources.into_iter().filter(|listed| !listed.name.contains('/')).collect()))
}

/// Which kinds are served now under an API version such as `batch/v1`, whatever was remembered.
pub(super) async fn served_now(
    connection: &Connection,
    api_version: &str,
) -> Result<BTreeSet<Box<str>>, ApplyError> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let listed = list(connection, group, version).await?.unwrap_or_default();
    Ok(listed.into_iter().map(|listed| listed.kind).collect())
}
