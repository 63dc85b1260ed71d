//! A configuration: the documents of a snapshot, each under its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Channel;
use super::Cluster;
use super::Component;
use super::Host;
use super::Package;
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
    pub subscriptions: BTreeMap<Name, BTreeMap<Name, Arc<Document<Subscription>>>>,
    pub hosts: BTreeMap<Name, Arc<Document<Host>>>,
    pub channels: BTreeMap<Name, Arc<Document<Channel>>>,
    pub tasks: BTreeMap<Name, Arc<Document<Task>>>,
}

impl Configuration {
    /// Reads the files of a snapshot; those that are as they were are not read again.
    pub fn read(previous: Option<&Self>, snapshot: &Snapshot) -> Self {
        // Both stand in the order of their paths.
        let mut known = previous.map_or(&[][..], |previous| &previous.files).iter().peekable();
        let (mut files, mut unread) = (Vec::new(), Vec::new());
        for file in snapshot.document_files() {
            while known.next_if(|known| known.file < file.path).is_some() {}
            match known.next_if(|known| known.file == file.path) {
                Some(known) if known.digest == file.digest => files.push(Arc::clone(known)),
                _ => unread.push(file),
            }
        }
        files.extend(on_all_cores(&unread, |file| Arc::new(read_file(file))));
        Self::of(files)
    }

    /// Sorts the documents of files under their names.
    pub fn of(mut files: Vec<Arc<FileDocuments>>) -> Self {
        files.sort_by(|one, other| one.file.cmp(&other.file));
        let mut sorted = Self::default();
        let mut elsewhere = Vec::new();
        for document in files.iter().flat_map(|file| &file.documents) {
            if folder_of(&document.origin().file) == document.tenant().map(Name::as_str) {
                sorted.add(document);
            } else {
                elsewhere.push(document.clone());
            }
        }
        for document in &elsewhere {
            sorted.add(document);
        }
        Self { files, elsewhere, ..sorted }
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
            + self.subscriptions.values().map(BTreeMap::len).sum::<usize>()
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

    fn add(&mut self, document: &AnyDocument) {
        fn first<T>(under: &mut BTreeMap<Name, Arc<Document<T>>>, document: &Arc<Document<T>>) {
            under.entry(document.name.clone()).or_insert_with(|| Arc::clone(document));
        }
        match document {
            AnyDocument::Platform(document) => {
                self.platform.get_or_insert_with(|| Arc::clone(document));
            }
            AnyDocument::Cluster(document) => first(&mut self.clusters, document),
            AnyDocument::Component(document) => first(&mut self.components, document),
            AnyDocument::Package(document) => first(&mut self.packages, document),
            AnyDocument::Tenant(document) => first(&mut self.tenants, document),
            AnyDocument::Subscription(document) => {
                first(
                    self.subscriptions.entry(document.spec.tenant.clone()).or_default(),
                    document,
                );
            }
            AnyDocument::Host(document) => first(&mut self.hosts, document),
            AnyDocument::Channel(document) => first(&mut self.channels, document),
            AnyDocument::Task(document) => first(&mut self.tasks, document),
        }
    }
}
