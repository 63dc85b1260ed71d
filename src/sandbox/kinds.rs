//! The kinds that are served: their names, groups and versions, and where their types are found.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use serde_json::Value;

use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;

/// The Kubernetes version that the sandbox plays, which decides the API versions it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
}

impl Default for Version {
    fn default() -> Self {
        Self { major: 1, minor: 33 }
    }
}

/// A kind's place among the shelves of the store; never used for another kind again.
pub(crate) type KindId = usize;

#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "they are what discovery tells of a kind"
)]
pub(crate) struct Kind {
    pub(crate) id: KindId,
    pub(crate) group: String,
    /// Served versions, the preferred one first.
    pub(crate) versions: Vec<String>,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    pub(crate) has_status: bool,
    pub(crate) has_scale: bool,
    /// Made by a `CustomResourceDefinition`.
    pub(crate) custom: bool,
    /// Whether `metadata.generation` counts the changes of its spec.
    pub(crate) counts_generations: bool,
    /// What `kubectl get` prints of a custom kind, from its definition.
    pub(crate) printed_columns: Vec<PrintedColumn>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) root: Type,
}

#[derive(Clone, Debug)]
pub(crate) struct PrintedColumn {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) path: String,
    pub(crate) priority: i64,
}

impl Kind {
    pub(crate) fn api_version(&self) -> String {
        join_group(&self.group, &self.versions[0])
    }

    /// `deployments.apps`, as messages name it.
    pub(crate) fn qualified_plural(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}

pub(crate) fn join_group(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// Every kind served at the moment.
#[derive(Debug)]
pub(crate) struct Kinds {
    inner: RwLock<Inner>,
    pub(crate) version: Version,
}

#[derive(Debug, Default)]
struct Inner {
    all: Vec<Arc<Kind>>,
    by_plural: HashMap<(String, String), KindId>,
    next: KindId,
}

impl Kinds {
    pub(crate) fn served_by(version: Version) -> Self {
        let kinds = Self { inner: RwLock::default(), version };
        for line in BUILT_IN.lines().filter(|line| !line.is_empty()) {
            kinds.add(|id| built_in(line, id, version));
        }
        kinds
    }

    fn add(&self, make: impl FnOnce(KindId) -> Option<Kind>) -> Option<Arc<Kind>> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let kind = Arc::new(make(inner.next)?);
        let key = (kind.group.clone(), kind.plural.clone());
        let earlier = inner.by_plural.get(&key).copied();
        inner.all.retain(|known| Some(known.id) != earlier);
        inner.next = inner.next.max(kind.id + 1);
        inner.by_plural.insert(key, kind.id);
        inner.all.push(kind.clone());
        Some(kind)
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        self.named(group, plural)
            .filter(|kind| kind.versions.iter().any(|served| served == version))
    }

    pub(crate) fn named(&self, group: &str, plural: &str) -> Option<Arc<Kind>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let id = *inner.by_plural.get(&(group.to_owned(), plural.to_owned()))?;
        inner.all.iter().find(|kind| kind.id == id).cloned()
    }

    pub(crate) fn by_id(&self, id: KindId) -> Option<Arc<Kind>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.all.iter().find(|kind| kind.id == id).cloned()
    }

    pub(crate) fn by_kind(&self, group: &str, kind: &str) -> Option<Arc<Kind>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.all.iter().find(|known| known.group == group && known.kind == kind).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Kind>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).all.clone()
    }

    /// Serves what a `CustomResourceDefinition` describes; the same names keep their shelf.
    pub(crate) fn serve_custom(&self, definition: &Value) -> Option<Arc<Kind>> {
        let group = definition["spec"]["group"].as_str()?.to_owned();
        let plural = definition["spec"]["names"]["plural"].as_str()?.to_owned();
        let shelf = {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            inner.by_plural.get(&(group.clone(), plural.clone())).copied()
        };
        self.add(|next| custom(definition, group, plural, shelf.unwrap_or(next)))
    }

    pub(crate) fn stop_serving(&self, group: &str, plural: &str) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.all.retain(|kind| !(kind.custom && kind.group == group && kind.plural == plural));
    }
}

/// group/version kind plural flags type, short names. Flags: n namespaced, s status, c scale,
/// g counts generations, a in the category `all`. A version may name the minor releases it was
/// served in: `v1@21-` from 1.21 on, `v1beta1@-24` until 1.24.
const BUILT_IN: &str = "
- v1 Namespace namespaces s core.v1.Namespace ns
- v1 ConfigMap configmaps n core.v1.ConfigMap cm
- v1 Secret secrets n core.v1.Secret
- v1 Service services nsa core.v1.Service svc
- v1 ServiceAccount serviceaccounts n core.v1.ServiceAccount sa
- v1 Pod pods nsa core.v1.Pod po
- v1 Event events n core.v1.Event ev
- v1 PersistentVolumeClaim persistentvolumeclaims ns core.v1.PersistentVolumeClaim pvc
- v1 PersistentVolume persistentvolumes s core.v1.PersistentVolume pv
- v1 ResourceQuota resourcequotas ns core.v1.ResourceQuota quota
- v1 LimitRange limitranges n core.v1.LimitRange limits
- v1 Node nodes s core.v1.Node no
- v1 Endpoints endpoints n core.v1.Endpoints ep
apps v1 Deployment deployments nscga apps.v1.Deployment deploy
apps v1 StatefulSet statefulsets nscga apps.v1.StatefulSet sts
apps v1 ReplicaSet replicasets nscga apps.v1.ReplicaSet rs
apps v1 DaemonSet daemonsets nsga apps.v1.DaemonSet ds
apps v1 ControllerRevision controllerrevisions n apps.v1.ControllerRevision
batch v1 Job jobs nsga batch.v1.Job
batch v1@21-,v1beta1@-24 CronJob cronjobs nsga batch.v1.CronJob cj
networking.k8s.io v1 Ingress ingresses nsg networking.v1.Ingress ing
networking.k8s.io v1 NetworkPolicy networkpolicies ng networking.v1.NetworkPolicy netpol
networking.k8s.io v1 IngressClass ingressclasses g networking.v1.IngressClass
policy v1@21-,v1beta1@-24 PodDisruptionBudget poddisruptionbudgets nsg policy.v1.PodDisruptionBudget pdb
rbac.authorization.k8s.io v1 Role roles n rbac.v1.Role
rbac.authorization.k8s.io v1 RoleBinding rolebindings n rbac.v1.RoleBinding
rbac.authorization.k8s.io v1 ClusterRole clusterroles - rbac.v1.ClusterRole
rbac.authorization.k8s.io v1 ClusterRoleBinding clusterrolebindings - rbac.v1.ClusterRoleBinding
coordination.k8s.io v1 Lease leases n coordination.v1.Lease
storage.k8s.io v1 StorageClass storageclasses - storage.v1.StorageClass sc
scheduling.k8s.io v1 PriorityClass priorityclasses - scheduling.v1.PriorityClass pc
autoscaling v2@23-,v2beta2@-25 HorizontalPodAutoscaler horizontalpodautoscalers nsa autoscaling.v2.HorizontalPodAutoscaler hpa
discovery.k8s.io v1@21-,v1beta1@-24 EndpointSlice endpointslices n discovery.v1.EndpointSlice
apiextensions.k8s.io v1 CustomResourceDefinition customresourcedefinitions sg apiextensions.v1.CustomResourceDefinition crd,crds
";

fn built_in(line: &str, id: KindId, version: Version) -> Option<Kind> {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let group = word().trim_start_matches('-').to_owned();
    let versions: Vec<String> =
        word().split(',').filter_map(|served| if_served(served, version.minor)).collect();
    let (kind, plural, flags, of, short) = (word(), word(), word(), word(), word());
    if versions.is_empty() {
        return None;
    }
    let schema = Schema::built_in();
    let root = schema.find(of)?;
    Some(Kind {
        id,
        group,
        versions,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        short_names: short.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        categories: flags.contains('a').then(|| "all".to_owned()).into_iter().collect(),
        namespaced: flags.contains('n'),
        has_status: flags.contains('s'),
        has_scale: flags.contains('c'),
        custom: false,
        counts_generations: flags.contains('g'),
        printed_columns: Vec::new(),
        schema,
        root,
    })
}

fn if_served(version: &str, minor: u16) -> Option<String> {
    let (name, range) = version.split_once('@').unwrap_or((version, "-"));
    let (from, until) = range.split_once('-')?;
    let served = from.parse().unwrap_or(0) <= minor && minor <= until.parse().unwrap_or(u16::MAX);
    served.then(|| name.to_owned())
}

fn custom(definition: &Value, group: String, plural: String, id: KindId) -> Option<Kind> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let strings = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let kind = names["kind"].as_str()?.to_owned();
    let versions: Vec<&Value> = spec["versions"].as_array()?.iter().collect();
    let stored = versions.iter().find(|version| version["storage"] == true).or(versions.first())?;
    let served = versions.iter().filter(|version| version["served"] == true);
    let (schema, root) = Schema::of_custom_resource(&stored["schema"]["openAPIV3Schema"]);
    let columns = stored["additionalPrinterColumns"].as_array().into_iter().flatten();
    Some(Kind {
        id,
        singular: names["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned),
        short_names: strings(&names["shortNames"]),
        categories: strings(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        has_status: stored["subresources"]["status"].is_object(),
        has_scale: stored["subresources"]["scale"].is_object(),
        custom: true,
        counts_generations: true,
        printed_columns: columns
            .map(|column| PrintedColumn {
                name: column["name"].as_str().unwrap_or_default().to_owned(),
                kind: column["type"].as_str().unwrap_or("string").to_owned(),
                path: column["jsonPath"].as_str().unwrap_or_default().to_owned(),
                priority: column["priority"].as_i64().unwrap_or(0),
            })
            .collect(),
        versions: served
            .filter_map(|version| version["name"].as_str())
            .map(str::to_owned)
            .collect(),
        schema: Arc::new(schema),
        root,
        group,
        kind,
        plural,
    })
    .filter(|kind| !kind.versions.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_decides_which_api_versions_are_served() {
        let today = Kinds::served_by(Version::default());
        let before = Kinds::served_by(Version { major: 1, minor: 20 });
        let served = |kinds: &Kinds, plural| {
            kinds.named(if plural == "cronjobs" { "batch" } else { "policy" }, plural)
        };
        assert_eq!(served(&today, "cronjobs").unwrap().versions, ["v1"]);
        assert_eq!(served(&before, "cronjobs").unwrap().versions, ["v1beta1"]);
        assert_eq!(served(&before, "poddisruptionbudgets").unwrap().versions, ["v1beta1"]);
        assert!(before.find("batch", "v1", "cronjobs").is_none());
        assert!(before.find("batch", "v1", "jobs").is_some());
    }
}
