//! How often each thing came to life, by its identities: whoever doubles anything, or loses it and
//! makes it again, shows here.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use futures_util::TryStreamExt as _;
use kube::Api;
use kube::ResourceExt as _;
use kube::api::ApiResource;
use kube::api::DynamicObject;
use kube::api::GroupVersionKind;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use tokio::task::JoinHandle;

use super::ground::Ground;
use super::picture::Picture;

/// What must not be made twice: a job runs again, and data and passwords are lost.
const WATCHED: [(&str, &str); 4] =
    [("batch", "Job"), ("", "PersistentVolumeClaim"), ("", "Secret"), ("", "Namespace")];

type Uids = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

/// Watches until it is dropped.
pub(super) struct Lives {
    seen: Uids,
    /// How often each thing came to be by what commits asked for.
    asked: BTreeMap<String, usize>,
    last: BTreeSet<String>,
    tasks: Vec<JoinHandle<()>>,
}

impl Lives {
    pub(super) fn watch(ground: &Ground) -> Self {
        let seen = Uids::default();
        let tasks = WATCHED.map(|(group, kind)| {
            let gvk = GroupVersionKind::gvk(group, "v1", kind);
            let resource = ApiResource::from_gvk(&gvk);
            let (client, seen) = (ground.client.clone(), Arc::clone(&seen));
            tokio::spawn(follow(client, resource, seen))
        });
        Self { seen, asked: BTreeMap::new(), last: BTreeSet::new(), tasks: tasks.into() }
    }

    /// Takes in what is there once a commit has settled.
    pub(super) fn settled(&mut self, picture: &Picture) {
        let now: BTreeSet<String> =
            picture.objects.keys().filter(|id| is_watched(id)).cloned().collect();
        for id in now.difference(&self.last) {
            *self.asked.entry(id.clone()).or_default() += 1;
        }
        self.last = now;
    }

    /// A commit was begun and taken back: what differs with and without it may have one life more.
    pub(super) fn may_have_begun(&mut self, one: &Picture, other: &Picture) {
        let differs = |id: &&String| {
            one.objects.contains_key(*id) != other.objects.contains_key(*id) && is_watched(id)
        };
        for id in one.objects.keys().chain(other.objects.keys()).filter(differs) {
            *self.asked.entry(id.clone()).or_default() += 1;
        }
    }

    /// Panics where anything came to life more often than commits brought it back.
    pub(super) fn assert_nothing_doubled(&self) {
        let seen = self.seen.lock().unwrap();
        let more: Vec<String> = seen
            .iter()
            .filter(|(id, uids)| uids.len() > self.asked.get(*id).copied().unwrap_or_default())
            .map(|(id, uids)| {
                format!("{id}: {} lives, asked for {:?}", uids.len(), self.asked.get(id))
            })
            .collect();
        assert!(more.is_empty(), "made more than once: {more:#?}");
        assert!(!seen.is_empty() && self.asked.len() > 10, "the watch saw something");
    }
}

fn is_watched(id: &str) -> bool {
    WATCHED.iter().any(|(group, kind)| id.starts_with(&format!("{group}/{kind}/")))
}

impl Drop for Lives {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn follow(client: kube::Client, resource: ApiResource, seen: Uids) {
    let config = watcher::Config::default().labels("app.kubernetes.io/managed-by=tenantry");
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let mut objects = std::pin::pin!(watcher(api, config).default_backoff().touched_objects());
    while let Ok(Some(object)) = objects.try_next().await {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let id = format!("{}/{}/{namespace}/{name}", resource.group, resource.kind);
        let uid = object.uid().unwrap_or_default();
        seen.lock().unwrap().entry(id).or_default().insert(uid);
    }
}
