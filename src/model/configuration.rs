//! A configuration: the documents of a snapshot, each under its name.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Channel;
use super::Cluster;
use super::Component;
use super::Host;
use super::Package;
use super::Phase;
use super::Platform;
use super::Snapshot;
use super::Subscription;
use super::Task;
use super::Tenant;
use super::cores::on_all_cores;
use super::names::Name;
use super::read::AnyDocument;
use super::read::Document;
use super::read::FileDocuments;
use super::read::Origin;
use super::read::folder_of;
use super::read::read_file;
use super::snapshot::File;

/// The texts of mails among the files of a snapshot.
fn letters(snapshot: &Snapshot) -> BTreeMap<Arc<str>, File> {
    let from = snapshot.files.range::<str, _>((Bound::Included(LETTERS), Bound::Unbounded));
    from.take_while(|(path, _)| path.starts_with(LETTERS))
        .filter(|(path, _)| path.ends_with(".txt"))
        .map(|(path, file)| (Arc::clone(path), file.clone()))
        .collect()
}

/// The subscriptions of one tenant, each under its name.
pub type Subscriptions = BTreeMap<Name, Arc<Document<Subscription>>>;

/// The documents of a snapshot, each under its name.
///
/// Where a name is taken twice, the first in the order of files and lines stands here, but what
/// stands in the right folder comes before what does not; the rule `duplicate-name` reports the
/// others.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// Every file that was read, in order, with all its documents.
    pub files: Vec<Arc<FileDocuments>>,
    /// Documents that stand where they should not: a tenant's outside of its folder, or in a
    /// tenant's folder what serves all.
    pub elsewhere: Vec<AnyDocument>,
    pub platform: Option<Arc<Document<Platform>>>,
    pub clusters: BTreeMap<Name, Arc<Document<Cluster>>>,
    pub components: BTreeMap<Name, Arc<Document<Component>>>,
    pub packages: BTreeMap<Name, Arc<Document<Package>>>,
    pub tenants: BTreeMap<Name, Arc<Document<Tenant>>>,
    /// By tenant, then by name.
    pub subscriptions: BTreeMap<Name, Arc<Subscriptions>>,
    pub hosts: BTreeMap<Name, Arc<Document<Host>>>,
    pub channels: BTreeMap<Name, Arc<Document<Channel>>>,
    pub tasks: BTreeMap<Name, Arc<Document<Task>>>,
    /// What the repository says in the places of our own mails: the texts of [`LETTERS`], by path.
    pub letters: BTreeMap<Arc<str>, File>,
}

/// Where the texts of mails stand in a repository.
pub const LETTERS: &str = "templates/email/";

impl Configuration {
    /// The zone in which days begin and end: the platform's, and UTC where there is none.
    pub fn zone(&self) -> TimeZone {
        let platform = self.platform.as_ref();
        platform.and_then(|platform| platform.spec.zone()).unwrap_or(TimeZone::UTC)
    }

    /// The phase of a subscription at a time, and when the clock alone will change it next: by the
    /// days of its package or, where that names none, of the platform.
    pub fn phase(&self, subscription: &Subscription, now: Timestamp) -> (Phase, Option<Timestamp>) {
        let package = self.packages.get(&subscription.package);
        let lifecycle = package
            .and_then(|package| package.spec.lifecycle.clone())
            .or_else(|| self.platform.as_ref().map(|platform| platform.spec.lifecycle.clone()))
            .unwrap_or_default();
        subscription.phase(&lifecycle, &self.zone(), now)
    }

    /// Reads the files of a snapshot; those that are as they were are not read again.
    pub fn read(previous: Option<&Self>, snapshot: &Snapshot) -> Self {
        // Both stand in the order of their paths, and share the paths that did not change.
        let mut known = previous.map_or(&[][..], |previous| &previous.files).iter().peekable();
        let mut files = Vec::with_capacity(known.len());
        let mut unread = Vec::new();
        let mut gone = false;
        for file in snapshot.files.values() {
            let as_it_was = |known: &&Arc<FileDocuments>| {
                Arc::ptr_eq(&known.file, &file.path) && known.digest == file.digest
            };
            if let Some(known) = known.next_if(as_it_was) {
                files.push(Arc::clone(known));
                continue;
            }
            if !file.may_hold_documents() {
                continue;
            }
            while known.next_if(|known| known.file < file.path).is_some() {
                gone = true;
            }
            match known.next_if(|known| known.file == file.path) {
                Some(known) if known.digest == file.digest => files.push(Arc::clone(known)),
                old => unread.push((old, file)),
            }
        }
        gone |= known.next().is_some();
        let read = on_all_cores(&unread, |(_, file)| Arc::new(read_file(file)));
        if !read.is_empty() {
            files.extend(read.iter().cloned());
            files.sort_by(|one, other| one.file.cmp(&other.file));
        }
        let replaces = |((old, _), new): (&(Option<&Arc<FileDocuments>>, _), &Arc<_>)| {
            previous.zip(*old).is_some_and(|(previous, old)| previous.replaces(old, new))
        };
        let read = match previous {
            Some(previous)
                if !gone
                    && previous.elsewhere.is_empty()
                    && unread.iter().zip(&read).all(replaces) =>
            {
                previous.with(files, &read)
            }
            _ => Self::in_order(files),
        };
        Self { letters: letters(snapshot), ..read }
    }

    /// Whether a file's documents only take the places of those that it had before.
    fn replaces(&self, old: &FileDocuments, new: &FileDocuments) -> bool {
        old.documents.len() == new.documents.len()
            && old.documents.iter().zip(&new.documents).all(|(old, new)| {
                old.kind() == new.kind()
                    && old.name() == new.name()
                    && old.tenant() == new.tenant()
                    && self.origin_of(old) == Some(old.origin())
            })
    }

    /// The same with other documents in the places that they had, where all stand in their folders.
    fn with(&self, files: Vec<Arc<FileDocuments>>, read: &[Arc<FileDocuments>]) -> Self {
        let mut changed = Self {
            files,
            elsewhere: Vec::new(),
            platform: self.platform.clone(),
            clusters: self.clusters.clone(),
            components: self.components.clone(),
            packages: self.packages.clone(),
            tenants: self.tenants.clone(),
            subscriptions: self.subscriptions.clone(),
            hosts: self.hosts.clone(),
            channels: self.channels.clone(),
            tasks: self.tasks.clone(),
            letters: BTreeMap::new(),
        };
        for document in read.iter().flat_map(|file| &file.documents) {
            changed.put(document);
        }
        changed
    }

    /// Puts a document under its name, whatever stood there.
    fn put(&mut self, document: &AnyDocument) {
        fn under<T>(names: &mut BTreeMap<Name, Arc<Document<T>>>, document: &Arc<Document<T>>) {
            names.insert(document.name.clone(), Arc::clone(document));
        }
        match document {
            AnyDocument::Platform(document) => self.platform = Some(Arc::clone(document)),
            AnyDocument::Cluster(document) => under(&mut self.clusters, document),
            AnyDocument::Component(document) => under(&mut self.components, document),
            AnyDocument::Package(document) => under(&mut self.packages, document),
            AnyDocument::Tenant(document) => under(&mut self.tenants, document),
            AnyDocument::Subscription(document) => {
                let of_tenant = self.subscriptions.entry(document.spec.tenant.clone());
                under(Arc::make_mut(of_tenant.or_default()), document);
            }
            AnyDocument::Host(document) => under(&mut self.hosts, document),
            AnyDocument::Channel(document) => under(&mut self.channels, document),
            AnyDocument::Task(document) => under(&mut self.tasks, document),
        }
    }

    /// Sorts the documents of files under their names.
    pub fn of(mut files: Vec<Arc<FileDocuments>>) -> Self {
        files.sort_by(|one, other| one.file.cmp(&other.file));
        Self::in_order(files)
    }

    fn in_order(files: Vec<Arc<FileDocuments>>) -> Self {
        let mut found = Found::default();
        let mut elsewhere = Vec::new();
        for document in files.iter().flat_map(|file| &file.documents) {
            if folder_of(&document.origin().file) == document.tenant().map(Name::as_str) {
                found.add(document);
            } else {
                elsewhere.push(document.clone());
            }
        }
        for document in &elsewhere {
            found.add(document);
        }
        Self { files, elsewhere, ..found.under_their_names() }
    }

    /// The files, of either, that are not the very same in both.
    pub fn files_that_differ<'a>(&'a self, other: &'a Self) -> Vec<&'a FileDocuments> {
        let mut differ: Vec<&FileDocuments> = Vec::new();
        let (mut ours, mut theirs) = (self.files.iter().peekable(), other.files.iter().peekable());
        // Both stand in the order of their paths.
        loop {
            match (ours.peek(), theirs.peek()) {
                (Some(our), Some(their)) if Arc::ptr_eq(our, their) => {
                    ours.next();
                    theirs.next();
                }
                (Some(our), their) if their.is_none_or(|their| our.file <= their.file) => {
                    differ.extend(ours.next().map(|file| &**file));
                }
                (_, Some(_)) => differ.extend(theirs.next().map(|file| &**file)),
                (_, None) => return differ,
            }
        }
    }

    /// How many documents stand here, each under a name of its own.
    pub fn len(&self) -> usize {
        usize::from(self.platform.is_some())
            + self.clusters.len()
            + self.components.len()
            + self.packages.len()
            + self.tenants.len()
            + self.subscriptions.values().map(|of_tenant| of_tenant.len()).sum::<usize>()
            + self.hosts.len()
            + self.channels.len()
            + self.tasks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the document stands that goes by the kind and name of this one.
    pub fn origin_of(&self, document: &AnyDocument) -> Option<&Origin> {
        fn under<'a, T>(
            names: &'a BTreeMap<Name, Arc<Document<T>>>,
            document: &Document<T>,
        ) -> Option<&'a Origin> {
            names.get(&document.name).map(|chosen| &chosen.origin)
        }
        match document {
            AnyDocument::Platform(_) => self.platform.as_ref().map(|chosen| &chosen.origin),
            AnyDocument::Cluster(document) => under(&self.clusters, document),
            AnyDocument::Component(document) => under(&self.components, document),
            AnyDocument::Package(document) => under(&self.packages, document),
            AnyDocument::Tenant(document) => under(&self.tenants, document),
            AnyDocument::Subscription(document) => {
                under(self.subscriptions.get(&document.spec.tenant)?, document)
            }
            AnyDocument::Host(document) => under(&self.hosts, document),
            AnyDocument::Channel(document) => under(&self.channels, document),
            AnyDocument::Task(document) => under(&self.tasks, document),
        }
    }
}

/// A document with its name.
type NamedDocument<T> = (Name, Arc<Document<T>>);

/// Documents of one kind as they come.
type Named<T> = Vec<NamedDocument<T>>;

/// The documents as they come: what is nearly in order is sorted far faster at the end than put
/// under its name one by one.
#[derive(Default)]
struct Found {
    platform: Option<Arc<Document<Platform>>>,
    clusters: Named<Cluster>,
    components: Named<Component>,
    packages: Named<Package>,
    tenants: Named<Tenant>,
    subscriptions: Vec<(Name, NamedDocument<Subscription>)>,
    hosts: Named<Host>,
    channels: Named<Channel>,
    tasks: Named<Task>,
}

impl Found {
    fn add(&mut self, document: &AnyDocument) {
        fn named<T>(document: &Arc<Document<T>>) -> NamedDocument<T> {
            (document.name.clone(), Arc::clone(document))
        }
        match document {
            AnyDocument::Platform(document) => {
                self.platform.get_or_insert_with(|| Arc::clone(document));
            }
            AnyDocument::Cluster(document) => self.clusters.push(named(document)),
            AnyDocument::Component(document) => self.components.push(named(document)),
            AnyDocument::Package(document) => self.packages.push(named(document)),
            AnyDocument::Tenant(document) => self.tenants.push(named(document)),
            AnyDocument::Subscription(document) => {
                self.subscriptions.push((document.spec.tenant.clone(), named(document)));
            }
            AnyDocument::Host(document) => self.hosts.push(named(document)),
            AnyDocument::Channel(document) => self.channels.push(named(document)),
            AnyDocument::Task(document) => self.tasks.push(named(document)),
        }
    }

    fn under_their_names(mut self) -> Configuration {
        self.subscriptions.sort_by(|(one, _), (other, _)| one.cmp(other));
        let of_tenants = self.subscriptions.chunk_by(|(one, _), (other, _)| one == other);
        let subscriptions = of_tenants.map(|chunk| {
            let named = chunk.iter().map(|(_, named)| named.clone()).collect();
            (chunk[0].0.clone(), Arc::new(under_their_names(named)))
        });
        Configuration {
            platform: self.platform,
            subscriptions: subscriptions.collect(),
            clusters: under_their_names(self.clusters),
            components: under_their_names(self.components),
            packages: under_their_names(self.packages),
            tenants: under_their_names(self.tenants),
            hosts: under_their_names(self.hosts),
            channels: under_their_names(self.channels),
            tasks: under_their_names(self.tasks),
            ..Configuration::default()
        }
    }
}

/// The first of each name.
fn under_their_names<T>(mut named: Named<T>) -> BTreeMap<Name, Arc<Document<T>>> {
    // A stable sort: those of one name stay in the order in which they came.
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    named.dedup_by(|(next, _), (first, _)| next == first);
    named.into_iter().collect()
}
