//! The played rest of a cluster: what makes deployments have pods, pods become ready, jobs
//! complete, claims bind and namespaces end. Every step follows from a change or from a timer;
//! nothing ever looks at everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::controllers::events::Events;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::store::Notice;
use crate::sandbox::store::Place;

mod hands;
mod bootstrap;
mod events;
mod namespaces;
mod garbage;
mod deployments;
mod replica_sets;
mod stateful_sets;
mod daemon_sets;
mod jobs;
mod pods;
mod claims;
mod addresses;
mod budgets;
mod quotas;

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Work {
    Deployment(Key),
    ReplicaSet(Key),
    StatefulSet(Key),
    DaemonSet(Key),
    Job(Key),
    Pod(Key),
    Claim(Key),
    Volume(Key),
    Address(Key),
    Ingress(Key),
    Budgets(Arc<str>),
    Quotas(Arc<str>),
    Namespace(Key),
    /// The owner with this uid is gone.
    OwnerGone(Arc<str>),
    /// An owner that waits for its dependents.
    OwnerWaits(usize, Key),
    /// An object whose owners may never have been there.
    Orphan(usize, Key),
    Definition(Key),
}

/// The built-in kinds that the controllers know by name.
struct Known {
    namespaces: Arc<Kind>,
    config_maps: Arc<Kind>,
    secrets: Arc<Kind>,
    services: Arc<Kind>,
    service_accounts: Arc<Kind>,
    pods: Arc<Kind>,
    events: Arc<Kind>,
    claims: Arc<Kind>,
    volumes: Arc<Kind>,
    quotas: Arc<Kind>,
    nodes: Arc<Kind>,
    deployments: Arc<Kind>,
    stateful_sets: Arc<Kind>,
    replica_sets: Arc<Kind>,
    daemon_sets: Arc<Kind>,
    jobs: Arc<Kind>,
    ingresses: Arc<Kind>,
    budgets: Arc<Kind>,
    storage_classes: Arc<Kind>,
    definitions: Arc<Kind>,
}

impl Known {
    fn of(cluster: &Cluster) -> Self {
        let named = |group: &str, plural: &str| {
            cluster
                .kinds
                .named(group, plural)
                .expect("because every version serves the kinds that are built in")
        };
        Self {
            namespaces: named("", "namespaces"),
            config_maps: named("", "configmaps"),
            secrets: named("", "secrets"),
            services: named("", "services"),
            service_accounts: named("", "serviceaccounts"),
            pods: named("", "pods"),
            events: named("", "events"),
            claims: named("", "persistentvolumeclaims"),
            volumes: named("", "persistentvolumes"),
            quotas: named("", "resourcequotas"),
            nodes: named("", "nodes"),
            deployments: named("apps", "deployments"),
            stateful_sets: named("apps", "statefulsets"),
            replica_sets: named("apps", "replicasets"),
            daemon_sets: named("apps", "daemonsets"),
            jobs: named("batch", "jobs"),
            ingresses: named("networking.k8s.io", "ingresses"),
            budgets: named("policy", "poddisruptionbudgets"),
            storage_classes: named("storage.k8s.io", "storageclasses"),
            definitions: named("apiextensions.k8s.io", "customresourcedefinitions"),
        }
    }
}

/// All controllers together.
pub(crate) struct Controllers {
    cluster: Arc<Cluster>,
    known: Known,
    queue: VecDeque<Work>,
    queued: HashSet<Work>,
    timers: BinaryHeap<Reverse<(Instant, Work)>>,
    events: Events,
    /// Pods that wait for a claim, a secret or a config map of their namespace.
    waiting_pods: HashMap<Arc<str>, HashSet<Key>>,
    /// How often in a row something could not be done.
    failures: HashMap<Work, u32>,
    /// When a pod reaches its next state.
    due: HashMap<Arc<str>, Instant>,
    /// Deployments that will be looked at again when their time to progress is over.
    deadlines: HashSet<Key>,
    /// By claim: its volume.
    volume_of: HashMap<Key, Key>,
    next_node: usize,
    next_address: u32,
}

impl Controllers {
    /// Fills an empty cluster with what every cluster has.
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        let known = Known::of(&cluster);
        let events = Events::keeping(cluster.options.events);
        let mut controllers = Self {
            cluster,
            known,
            queue: VecDeque::new(),
            queued: HashSet::new(),
            timers: BinaryHeap::new(),
            events,
            waiting_pods: HashMap::new(),
            failures: HashMap::new(),
            due: HashMap::new(),
            deadlines: HashSet::new(),
            volume_of: HashMap::new(),
            next_node: 0,
            next_address: 0,
        };
        controllers.bootstrap();
        controllers
    }

    /// Works until the cluster is gone.
    pub(crate) async fn run(mut self, mut notices: UnboundedReceiver<Notice>) {
        loop {
            while let Ok(notice) = notices.try_recv() {
                self.hear(&notice);
            }
            self.wake_due();
            if let Some(work) = self.queue.pop_front() {
                self.queued.remove(&work);
                self.perform(&work);
                // Requests wait for the same threads.
                tokio::task::yield_now().await;
                continue;
            }
            let wake = self.timers.peek().map(|Reverse((at, _))| *at);
            tokio::select! {
                notice = notices.recv() => match notice {
                    Some(notice) => self.hear(&notice),
                    None => return,
                },
                () = sleep_until(wake) => {}
            }
        }
    }

    fn wake_due(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, _))) = self.timers.peek()
            && *at <= now
        {
            if let Some(Reverse((_, work))) = self.timers.pop() {
                if let Work::Deployment(key) = &work {
                    self.deadlines.remove(key);
                }
                self.enqueue(work);
            }
        }
    }

    fn enqueue(&mut self, work: Work) {
        if self.queued.insert(work.clone()) {
            self.queue.push_back(work);
        }
    }

    fn enqueue_after(&mut self, pause: Duration, work: Work) {
        self.timers.push(Reverse((Instant::now() + pause, work)));
    }

    /// Again, later each time.
    fn retry(&mut self, work: Work) {
        let failures = self.failures.entry(work.clone()).or_default();
        *failures = (*failures + 1).min(7);
        let pause = Duration::from_millis(250) * 2_u32.pow(*failures - 1);
        self.enqueue_after(pause, work);
    }

    fn perform(&mut self, work: &Work) {
        match work {
            Work::Deployment(key) => self.deployment(key),
            Work::ReplicaSet(key) => self.replica_set(key),
            Work::StatefulSet(key) => self.stateful_set(key),
            Work::DaemonSet(key) => self.daemon_set(key),
            Work::Job(key) => self.job(key),
            Work::Pod(key) => self.pod(key),
            Work::Claim(key) => self.claim(key),
            Work::Volume(key) => self.volume(key),
            Work::Address(key) => self.address(key),
            Work::Ingress(key) => self.ingress(key),
            Work::Budgets(namespace) => self.disruption_budgets(namespace),
            Work::Quotas(namespace) => self.quotas(namespace),
            Work::Namespace(key) => self.namespace(key),
            Work::OwnerGone(uid) => self.owner_gone(uid),
            Work::OwnerWaits(kind, key) => self.owner_waits(*kind, key),
            Work::Orphan(kind, key) => self.orphan(*kind, key),
            Work::Definition(key) => self.definition(key),
        }
    }

    /// Finds out who has to look at a change.
    fn hear(&mut self, notice: &Notice) {
        let Notice { kind, object, deleted } = notice;
        let key = &object.key;
        self.hear_of_ownership(notice);
        if !key.namespace.is_empty() {
            let tx = self.cluster.store.lock();
            let limited = tx.has_any(self.known.quotas.id, &key.namespace);
            let ending = *deleted
                && tx
                    .get(self.known.namespaces.id, &Key::new("", &key.namespace))
                    .is_some_and(|found| found.deleting);
            drop(tx);
            if limited {
                self.enqueue(Work::Quotas(key.namespace.clone()));
            }
            if ending {
                self.enqueue(Work::Namespace(Key::new("", &key.namespace)));
            }
        }
        let known = &self.known;
        let own = match *kind {
            id if id == known.pods.id => return self.hear_of_pod(object, *deleted),
            id if id == known.deployments.id => Work::Deployment(key.clone()),
            id if id == known.replica_sets.id => {
                self.enqueue(Work::ReplicaSet(key.clone()));
                return self.enqueue_owner(object);
            }
            id if id == known.stateful_sets.id => Work::StatefulSet(key.clone()),
            id if id == known.daemon_sets.id => Work::DaemonSet(key.clone()),
            id if id == known.jobs.id => Work::Job(key.clone()),
            id if id == known.claims.id => {
                self.wake_waiting_pods(&key.namespace);
                Work::Claim(key.clone())
            }
            id if id == known.volumes.id => Work::Volume(key.clone()),
            id if id == known.services.id => Work::Address(key.clone()),
            id if id == known.ingresses.id => Work::Ingress(key.clone()),
            id if id == known.budgets.id => Work::Budgets(key.namespace.clone()),
            id if id == known.quotas.id => {
                self.enqueue(Work::Quotas(key.namespace.clone()));
                return self.wake_refused(&key.namespace.clone());
            }
            id if id == known.namespaces.id => Work::Namespace(key.clone()),
            id if id == known.definitions.id => Work::Definition(key.clone()),
            id if id == known.secrets.id || id == known.config_maps.id => {
                return self.wake_waiting_pods(&key.namespace);
            }
            _ => return,
        };
        self.enqueue(own);
    }

    fn hear_of_ownership(&mut self, notice: &Notice) {
        let Notice { kind, object, deleted } = notice;
        if *deleted {
            if !self.cluster.store.lock().dependents(&object.uid).is_empty() {
                self.enqueue(Work::OwnerGone(object.uid.clone()));
            }
            if !object.owners.is_empty() {
                for owner in self.owners_of(&object.body()) {
                    self.enqueue(Work::OwnerWaits(owner.kind, owner.key));
                }
            }
        } else {
            if object.deleting {
                self.enqueue(Work::OwnerWaits(*kind, object.key.clone()));
            }
            if !object.owners.is_empty()
                && *kind != self.known.pods.id
                && *kind != self.known.replica_sets.id
            {
                self.enqueue(Work::Orphan(*kind, object.key.clone()));
            }
        }
    }

    fn hear_of_pod(&mut self, pod: &Object, deleted: bool) {
        if !deleted {
            self.enqueue(Work::Pod(pod.key.clone()));
        }
        self.enqueue(Work::Budgets(pod.key.namespace.clone()));
        self.enqueue_owner(pod);
        if deleted {
            self.due.remove(&pod.uid);
            self.enqueue_deployment_of(pod);
            let body = pod.body();
            for volume in body["spec"]["volumes"].as_array().into_iter().flatten() {
                if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                    self.enqueue(Work::Claim(Key::new(&pod.key.namespace, claim)));
                }
            }
        }
    }

    /// A deployment that recreates its pods waits until the last old one is gone.
    fn enqueue_deployment_of(&mut self, pod: &Object) {
        let body = pod.body();
        let owners = body["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        for owner in owners.filter(|owner| owner["kind"] == "ReplicaSet") {
            let key = Key::new(&pod.key.namespace, owner["name"].as_str().unwrap_or_default());
            let set = self.cluster.store.lock().get(self.known.replica_sets.id, &key);
            if let Some(set) = set {
                self.enqueue_owner(&set);
            }
        }
    }

    /// The controller of an object should know.
    fn enqueue_owner(&mut self, object: &Object) {
        if object.owners.is_empty() {
            return;
        }
        let body = object.body();
        let owners = body["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        for owner in owners.filter(|owner| owner["controller"] == true) {
            let key = Key::new(&object.key.namespace, owner["name"].as_str().unwrap_or_default());
            let work = match owner["kind"].as_str() {
                Some("ReplicaSet") => Work::ReplicaSet(key),
                Some("Deployment") => Work::Deployment(key),
                Some("StatefulSet") => Work::StatefulSet(key),
                Some("DaemonSet") => Work::DaemonSet(key),
                Some("Job") => Work::Job(key),
                _ => continue,
            };
            self.enqueue(work);
        }
    }

    /// Where the owners that an object names would be.
    fn owners_of(&self, body: &Value) -> Vec<Place> {
        let namespace = body["metadata"]["namespace"].as_str().unwrap_or_default();
        let owners = body["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        owners
            .filter_map(|owner| {
                let group =
                    owner["apiVersion"].as_str()?.split_once('/').map_or("", |(group, _)| group);
                let kind = self.cluster.kinds.by_kind(group, owner["kind"].as_str()?)?;
                let namespace = if kind.namespaced { namespace } else { "" };
                Some(Place { kind: kind.id, key: Key::new(namespace, owner["name"].as_str()?) })
            })
            .collect()
    }

    fn wake_waiting_pods(&mut self, namespace: &Arc<str>) {
        for key in self.waiting_pods.remove(namespace).into_iter().flatten() {
            self.enqueue(Work::Pod(key));
        }
    }

    /// After a quota changed, those whose pods it refused try again.
    fn wake_refused(&mut self, namespace: &Arc<str>) {
        let refused: Vec<Work> = self
            .failures
            .keys()
            .filter(|work| match work {
                Work::ReplicaSet(key)
                | Work::StatefulSet(key)
                | Work::DaemonSet(key)
                | Work::Job(key) => key.namespace == *namespace,
                _ => false,
            })
            .cloned()
            .collect();
        for work in refused {
            self.enqueue(work);
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
