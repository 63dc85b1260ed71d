//! The cluster: its store, its kinds and its settings, shared by the server and the controllers.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::unbounded_channel;

use crate::sandbox::kinds::Kinds;
use crate::sandbox::kinds::Version;
use crate::sandbox::object::Object;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::store::Notice;
use crate::sandbox::store::Store;
use crate::sandbox::write::Target;

/// How a sandbox behaves.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// The Kubernetes version it plays.
    pub version: Version,
    /// How fast the played parts of the cluster are.
    pub pace: Pace,
    /// How many changes of each kind are kept for watches; older versions are answered by 410.
    pub history: usize,
    /// How often watches that allow it get a bookmark.
    pub bookmark_every: Duration,
    /// Play deployments, jobs, claims and the like. Without, it is a bare API server.
    pub controllers: bool,
    /// How many of Kubernetes's own Event objects are kept; the oldest go first.
    pub events: usize,
    /// The nodes, each with 64 cores and 256 Gi.
    pub nodes: usize,
    /// Serve `metrics.k8s.io`, as a cluster with metrics-server does.
    pub metrics: bool,
}

/// How long things take that take time in a real cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From a pod being scheduled to its being ready.
    pub ready_after: Duration,
    /// How long the pods of a job run.
    pub job_takes: Duration,
    /// How long a deleted pod takes to end.
    pub pod_gone_after: Duration,
    /// How long a deleted namespace stays Terminating.
    pub namespace_gone_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            ready_after: Duration::from_millis(50),
            job_takes: Duration::from_millis(50),
            pod_gone_after: Duration::from_millis(20),
            namespace_gone_after: Duration::from_millis(100),
        }
    }
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            version: Version::default(),
            pace: Pace::default(),
            history: 10_000,
            bookmark_every: Duration::from_mins(1),
            controllers: true,
            events: 5_000,
            nodes: 2,
            metrics: true,
        }
    }
}

pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) kinds: Kinds,
    pub(crate) options: SandboxOptions,
    pace: RwLock<Pace>,
}

impl Cluster {
    /// A new cluster, and what its controllers should listen to.
    pub(crate) fn new(options: SandboxOptions) -> (Self, UnboundedReceiver<Notice>) {
        let (notices, listener) = unbounded_channel();
        let cluster = Self {
            store: Store::new(options.history, notices),
            kinds: Kinds::served_by(options.version),
            pace: RwLock::new(options.pace),
            options,
        };
        (cluster, listener)
    }

    pub(crate) fn pace(&self) -> Pace {
        *self.pace.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_pace(&self, pace: Pace) {
        *self.pace.write().unwrap_or_else(PoisonError::into_inner) = pace;
    }

    /// Sets the finalizers in a namespace's spec; `None` when it is gone by that.
    pub(crate) fn set_namespace_finalizers(
        &self,
        target: &Target,
        finalizers: &Value,
    ) -> Result<Option<Arc<Object>>, Refusal> {
        let kind = &*target.kind;
        let mut tx = self.store.lock();
        let current = tx
            .get(kind.id, &target.key)
            .ok_or_else(|| Refusal::not_found(kind, &target.key.name))?;
        let mut draft = current.draft();
        draft.body["spec"] = if finalizers.as_array().is_some_and(|list| !list.is_empty()) {
            json!({"finalizers": finalizers})
        } else {
            json!({})
        };
        let object = tx.put(kind, Object::of(kind, &draft));
        let waits =
            draft.finalizers().next().is_some() || !draft.body["spec"]["finalizers"].is_null();
        if draft.is_deleting() && !waits {
            tx.remove(kind.id, &target.key);
            return Ok(None);
        }
        Ok(Some(object))
    }

    pub(crate) fn default_storage_class(&self) -> Option<String> {
        let classes = self.kinds.named("storage.k8s.io", "storageclasses")?;
        let is_default = |body: &Value| {
            body["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
        };
        let classes = self.store.lock().list(classes.id, "");
        classes
            .iter()
            .find(|class| is_default(&class.body()))
            .map(|class| class.key.name.to_string())
    }
}
