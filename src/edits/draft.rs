//! A draft: what a snapshot holds, and what is to change in it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;

use serde_json::Value;

use crate::model::AnyDocument;
use crate::model::Configuration;
use crate::model::Document;
use crate::model::Name;
use crate::model::Package;
use crate::model::Platform;
use crate::model::Snapshot;
use crate::model::Subscription;
use crate::model::Task;
use crate::model::Tenant;
use crate::model::read::FileDocuments;
use crate::model::read::Origin;
use crate::model::read::folder_of;
use crate::model::read::read_file;
use crate::model::snapshot::File;
use crate::validate::capacity::Demands;
use crate::validate::capacity::Loads;
use crate::validate::capacity::NoPlace;

use super::yaml;
use super::yaml::Change;
use super::yaml::NotEdited;
use super::yaml::Path;

/// Files that are written or removed, by path.
#[derive(Clone, Debug, Default)]
pub struct Changes(BTreeMap<Arc<str>, Option<Changed>>);

/// A file as it is to be.
#[derive(Clone, Debug)]
struct Changed {
    file: File,
    documents: Arc<FileDocuments>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths with their new content, or none for what is removed.
    pub fn files(&self) -> BTreeMap<Arc<str>, Option<Arc<[u8]>>> {
        let content = |changed: &Changed| Arc::clone(&changed.file.content);
        self.0
            .iter()
            .map(|(path, changed)| (Arc::clone(path), changed.as_ref().map(content)))
            .collect()
    }

    /// The new text of a file; none where it is removed or not changed.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(&self.0.get(path)?.as_ref()?.file.content).ok()
    }

    /// Makes them to the files of a snapshot.
    pub fn apply(&self, snapshot: &mut Snapshot) {
        for (path, changed) in &self.0 {
            match changed {
                Some(changed) => snapshot.files.insert(Arc::clone(path), changed.file.clone()),
                None => snapshot.files.remove(path),
            };
        }
    }

    /// These, and then those.
    pub(super) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

/// Why an edit is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no {kind} `{name}`: check the name, or add it first")]
    Missing { kind: &'static str, name: String },
    #[error("there is a {kind} `{name}` already, in {file}: choose another name")]
    Taken { kind: &'static str, name: String, file: Arc<str> },
    #[error("{file} is not in `tenants/{tenant}/`: move what belongs to `{tenant}` there first")]
    Outside { file: Arc<str>, tenant: Name },
    #[error("{file} was not read: {why}")]
    Unread { file: Arc<str>, why: String },
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    /// Another reason, as whoever wrote the edit gives it: what is wrong, where, what to do.
    #[error("{0}")]
    Because(String),
}

/// What an edit sees of a snapshot, and what it changes in it. What it asks for again after a
/// change it sees changed.
#[derive(Debug)]
pub struct Draft<'a> {
    snapshot: &'a Snapshot,
    configuration: &'a Configuration,
    /// What edits before this one changed, which are not in the snapshot yet.
    before: Changes,
    changes: Changes,
    tenant: Option<Name>,
    /// What clusters have promised in the snapshot; reckoned when somebody is to be placed.
    loads: Arc<OnceLock<Loads>>,
}

impl<'a> Draft<'a> {
    /// A draft in which nothing is changed. Where a tenant is named, nothing outside of its folder
    /// can be changed: one commit touches one tenant.
    pub fn new(
        snapshot: &'a Snapshot,
        configuration: &'a Configuration,
        tenant: Option<&Name>,
    ) -> Self {
        let (before, changes, tenant) = (Changes::default(), Changes::default(), tenant.cloned());
        Self { snapshot, configuration, before, changes, tenant, loads: Arc::default() }
    }

    /// The same after changes that are not in the snapshot yet, with what others reckoned of it.
    pub(super) fn after(self, before: Changes, loads: Arc<OnceLock<Loads>>) -> Self {
        Self { before, loads, ..self }
    }

    /// What is changed.
    pub fn done(self) -> Changes {
        self.changes
    }

    /// The text of a file, where there is one that was read.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.changed(path) {
            Some(changed) => std::str::from_utf8(&changed.as_ref()?.file.content).ok(),
            None => self.snapshot.text(path),
        }
    }

    /// Every file of documents below `tenants/<tenant>/`.
    pub fn files_of(&self, tenant: &Name) -> Vec<Arc<str>> {
        let folder = format!("tenants/{tenant}/");
        let ours = |path: &&Arc<str>| path.starts_with(&folder);
        let there = self.snapshot.files.range(Arc::from(folder.as_str())..);
        let there = there.map(|(path, _)| path).take_while(ours);
        let added = self.before.0.keys().chain(self.changes.0.keys()).filter(ours);
        let mut paths: Vec<Arc<str>> = there.chain(added).map(Arc::clone).collect();
        paths.sort();
        paths.dedup();
        paths.retain(|path| self.changed(path).is_none_or(Option::is_some));
        paths
    }

    pub fn platform(&self) -> Option<Arc<Document<Platform>>> {
        self.find(self.configuration.platform.as_ref(), |document| match document {
            AnyDocument::Platform(document) => Some(document),
            _ => None,
        })
    }

    pub fn package(&self, name: &Name) -> Option<Arc<Document<Package>>> {
        self.find(self.configuration.packages.get(name), |document| match document {
            AnyDocument::Package(document) if document.name == *name => Some(document),
            _ => None,
        })
    }

    pub fn tenant(&self, name: &Name) -> Option<Arc<Document<Tenant>>> {
        self.find(self.configuration.tenants.get(name), |document| match document {
            AnyDocument::Tenant(document) if document.name == *name => Some(document),
            _ => None,
        })
    }

    pub fn subscription(&self, tenant: &Name, name: &Name) -> Option<Arc<Document<Subscription>>> {
        let there = self.configuration.subscriptions.get(tenant).and_then(|all| all.get(name));
        self.find(there, |document| match document {
            AnyDocument::Subscription(document)
                if document.name == *name && document.spec.tenant == *tenant =>
            {
                Some(document)
            }
            _ => None,
        })
    }

    pub fn task(&self, name: &Name) -> Option<Arc<Document<Task>>> {
        self.find(self.configuration.tasks.get(name), |document| match document {
            AnyDocument::Task(document) if document.name == *name => Some(document),
            _ => None,
        })
    }

    /// The tasks that are about a subscription, by name.
    pub fn tasks_of(&self, tenant: &Name, subscription: &Name) -> Vec<Name> {
        let about = |task: &Document<Task>| {
            task.spec.tenant == *tenant && task.spec.subscription == *subscription
        };
        let known = self.configuration.tasks.values().filter(|task| about(task));
        let changed = self.before.0.values().chain(self.changes.0.values()).flatten();
        let added = changed.flat_map(|changed| &changed.documents.documents);
        let added = added.filter_map(|document| match document {
            AnyDocument::Task(task) if about(task) => Some(task),
            _ => None,
        });
        let mut names: Vec<Name> = known.chain(added).map(|task| task.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The cluster for somebody who has none yet and is to have a subscription, by what clusters
    /// have left beside everything that is promised, also in changes before this one; none for
    /// what runs on no cluster.
    pub fn place(
        &self,
        subscription: &Subscription,
        region: Option<&str>,
    ) -> Result<Option<Name>, NoPlace> {
        let demands = Demands::of(self.configuration);
        let Some(asked) = demands.subscription(subscription) else { return Ok(None) };
        let known = self.loads.get_or_init(|| Loads::of(self.configuration));
        let mut loads = Cow::Borrowed(known);
        for added in self.added_subscriptions() {
            let tenant = self.tenant(&added.tenant);
            let cluster = tenant.as_ref().and_then(|tenant| tenant.spec.cluster.as_ref());
            if let Some((cluster, asked)) = cluster.zip(demands.subscription(added)) {
                loads.to_mut().promise(cluster, asked);
            }
        }
        loads.place(asked, region).cloned().map(Some)
    }

    /// Subscriptions that are not in the snapshot.
    fn added_subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        let changed = self.before.0.values().chain(self.changes.0.values()).flatten();
        changed.flat_map(|changed| &changed.documents.documents).filter_map(|document| {
            let AnyDocument::Subscription(document) = document else { return None };
            let there = self.configuration.subscriptions.get(&document.spec.tenant);
            let new = there.is_none_or(|there| !there.contains_key(&document.name));
            new.then_some(&document.spec)
        })
    }

    /// How many clusters there are.
    pub fn clusters(&self) -> usize {
        self.configuration.clusters.len()
    }

    /// Makes a change to a document that is there.
    pub fn edit(&mut self, origin: &Origin, change: &Change) -> Result<(), Refused> {
        let text = self.readable(&origin.file)?;
        let changed = yaml::edit(&origin.file, text, origin.ordinal, change)?;
        self.put(&origin.file, Some(changed))
    }

    /// Gives a field of a document a value.
    pub fn set(
        &mut self,
        origin: &Origin,
        path: impl Into<Path>,
        value: impl Into<Value>,
    ) -> Result<(), Refused> {
        self.edit(origin, &Change::Set(path.into(), value.into()))
    }

    /// Removes a field of a document.
    pub fn unset(&mut self, origin: &Origin, path: impl Into<Path>) -> Result<(), Refused> {
        self.edit(origin, &Change::Remove(path.into()))
    }

    /// Adds a document at the end of a file, which is made where there is none.
    pub fn add(&mut self, path: &str, document: &Value) -> Result<(), Refused> {
        let document = yaml::document(document);
        let there = match self.changed(path) {
            Some(changed) => changed.is_some(),
            None => self.snapshot.files.contains_key(path),
        };
        let path: Arc<str> = path.into();
        let text = if there {
            yaml::add_document(&path, self.readable(&path)?, &document)?
        } else {
            document
        };
        self.put(&path, Some(text))
    }

    /// Removes a document, and its file where it holds no other.
    pub fn remove(&mut self, origin: &Origin) -> Result<(), Refused> {
        let text = self.readable(&origin.file)?;
        let changed = yaml::remove_document(&origin.file, text, origin.ordinal)?;
        self.put(&origin.file, changed)
    }

    /// Removes a file with everything in it.
    pub fn remove_file(&mut self, path: &Arc<str>) -> Result<(), Refused> {
        self.readable(path)?;
        self.put(path, None)
    }

    fn readable(&self, path: &Arc<str>) -> Result<&str, Refused> {
        self.text(path).ok_or_else(|| {
            let unread = self.snapshot.files.get(path).and_then(|file| file.unread.as_ref());
            let why = unread.map_or("it is not there, or is not UTF-8".to_owned(), |unread| {
                format!("{}; {}", unread.message, unread.help)
            });
            Refused::Unread { file: Arc::clone(path), why }
        })
    }

    fn put(&mut self, path: &Arc<str>, text: Option<String>) -> Result<(), Refused> {
        if let Some(tenant) = &self.tenant
            && folder_of(path) != Some(tenant.as_str())
        {
            return Err(Refused::Outside { file: Arc::clone(path), tenant: tenant.clone() });
        }
        if text.as_deref() == self.text(path) {
            return Ok(());
        }
        let changed = text.map(|text| {
            let file = File::new(Arc::clone(path), text.into_bytes().into());
            let documents = Arc::new(read_file(&file));
            Changed { file, documents }
        });
        self.changes.0.insert(Arc::clone(path), changed);
        Ok(())
    }

    /// What became of a file; none where nothing did.
    fn changed(&self, path: &str) -> Option<&Option<Changed>> {
        self.changes.0.get(path).or_else(|| self.before.0.get(path))
    }

    /// A document as it is now: in what changed, or where the configuration has it.
    fn find<T>(
        &self,
        there: Option<&Arc<Document<T>>>,
        pick: impl Fn(&AnyDocument) -> Option<&Arc<Document<T>>>,
    ) -> Option<Arc<Document<T>>> {
        let untouched = there.filter(|there| self.changed(&there.origin.file).is_none());
        if let Some(untouched) = untouched {
            return Some(Arc::clone(untouched));
        }
        let earlier = self.before.0.iter().filter(|(path, _)| !self.changes.0.contains_key(*path));
        let changed =
            self.changes.0.iter().chain(earlier).filter_map(|(_, changed)| changed.as_ref());
        changed.flat_map(|changed| &changed.documents.documents).find_map(pick).map(Arc::clone)
    }
}
