//! What a rendering really read, so that a change is found to concern it or not.
//!
//! Documents that many tenants share are read through [`Traced`] values, which remember the
//! fields that a template asked for. A tenant's own documents count whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use minijinja::Value;
use minijinja::value::Enumerator;
use minijinja::value::Object;
use serde::Serialize;

use super::templates::Templates;
use super::values::Fields;
use super::values::NoValue;
use super::values::fields_of;
use crate::model::Digest;
use crate::model::Document;
use crate::model::Name;
use crate::validate::ValidTenant;

/// The kinds of documents that tenants share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Platform,
    Cluster,
    Package,
    Component,
}

/// What a rendering read. Small, because there is one for every tenant.
#[derive(Clone, Debug)]
pub struct Reads {
    /// The tenant's own documents.
    own: Digest,
    /// What was computed from its own documents and shared ones: names, replicas, images, amounts.
    computed: Digest,
    documents: Vec<DocumentRead>,
    /// Folders, which end with `/`, and single templates, each with the digest it had.
    templates: Vec<(Box<str>, Digest)>,
}

#[derive(Clone, Debug)]
struct DocumentRead {
    facts: Arc<Facts>,
    /// A bit for each field that was read.
    fields: u64,
}

/// What is kept of a document that was read: enough to see what changed in another version of it.
#[derive(Debug)]
struct Facts {
    kind: Kind,
    name: Name,
    whole: Digest,
    fields: Vec<(Cow<'static, str>, Digest)>,
}

impl Reads {
    /// Whether rendering this tenant with these templates would read the same as it did before.
    /// The clock is not asked: see [`Rendering::next_change`](super::Rendering::next_change).
    pub fn still_true(&self, tenant: &ValidTenant, templates: &Templates) -> bool {
        self.own == own(tenant)
            && self
                .templates
                .iter()
                .all(|(name, digest)| templates.digest_of(name) == Some(*digest))
            && self.documents_are_as_read(tenant, templates)
    }

    fn documents_are_as_read(&self, tenant: &ValidTenant, templates: &Templates) -> bool {
        let mut same = true;
        let mut known = true;
        let mut count = 0;
        each_shared(tenant, &mut |document| {
            count += 1;
            match self.read_of(document) {
                Some(read) => same &= read.facts.whole == document.digest(),
                None => known = false,
            }
        });
        if !known {
            return false;
        }
        if same {
            return true;
        }
        let mut unchanged = self.computed == computed(tenant);
        each_shared(tenant, &mut |document| {
            unchanged = unchanged
                && self.read_of(document).is_some_and(|read| {
                    read.facts.whole == document.digest()
                        || document
                            .prepare(templates.prepared())
                            .is_ok_and(|prepared| read.holds_for(&prepared.facts))
                });
        });
        unchanged
    }

    fn read_of(&self, document: &dyn Shared) -> Option<&DocumentRead> {
        self.documents
            .iter()
            .find(|read| read.facts.kind == document.kind() && read.facts.name == *document.name())
    }
}

impl DocumentRead {
    fn holds_for(&self, now: &Facts) -> bool {
        self.facts.fields.iter().enumerate().all(|(position, (name, digest))| {
            self.fields & bit(position) == 0
                || now.fields.iter().any(|(other, now)| other == name && now == digest)
        })
    }
}

/// The bit of a field; those beyond the sixty-third share theirs.
fn bit(position: usize) -> u64 {
    1 << position.min(63)
}

/// A digest of a tenant's own documents, and of where they put it.
fn own(tenant: &ValidTenant) -> Digest {
    let mut hasher = crate::model::digest::Hasher::default();
    hasher.add_field(tenant.tenant.name.as_str().as_bytes());
    hasher.add_digest(tenant.tenant.digest);
    for namespace in &tenant.namespaces {
        hasher.add_field(namespace.name.as_bytes());
        for subscription in &namespace.subscriptions {
            hasher.add_field(subscription.name().as_str().as_bytes());
            hasher.add_digest(subscription.document.digest);
            for task in &subscription.tasks {
                hasher.add_field(task.name.as_str().as_bytes());
                hasher.add_digest(task.digest);
            }
        }
    }
    hasher.finish()
}

/// A digest of what validation computed for a tenant from its own documents and shared ones.
fn computed(tenant: &ValidTenant) -> Digest {
    let of_subscriptions: Vec<_> = tenant
        .namespaces
        .iter()
        .flat_map(|namespace| &namespace.subscriptions)
        .map(|subscription| {
            let components: Vec<_> = subscription
                .components
                .iter()
                .map(|component| {
                    (
                        &component.document.name,
                        component.replicas,
                        &component.image,
                        &component.resources,
                    )
                })
                .collect();
            let cache = subscription.cache.as_ref().map(|cache| &cache.name);
            (&subscription.hosts, components, cache, &subscription.quota, &subscription.limits)
        })
        .collect();
    Digest::of_json(&of_subscriptions)
}

/// Any document that tenants share.
trait Shared {
    fn kind(&self) -> Kind;
    fn name(&self) -> &Name;
    fn digest(&self) -> Digest;
    fn prepare(&self, documents: &PreparedDocuments) -> Result<Arc<Prepared>, NoValue>;
}

impl<T: Serialize + Kinded> Shared for Document<T> {
    fn kind(&self) -> Kind {
        T::KIND
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn prepare(&self, documents: &PreparedDocuments) -> Result<Arc<Prepared>, NoValue> {
        documents.prepare(self)
    }
}

/// The kind of a document's specification.
pub(super) trait Kinded {
    const KIND: Kind;
}

impl Kinded for crate::model::Platform {
    const KIND: Kind = Kind::Platform;
}

impl Kinded for crate::model::Cluster {
    const KIND: Kind = Kind::Cluster;
}

impl Kinded for crate::model::Package {
    const KIND: Kind = Kind::Package;
}

impl Kinded for crate::model::Component {
    const KIND: Kind = Kind::Component;
}

fn each_shared(tenant: &ValidTenant, see: &mut dyn FnMut(&dyn Shared)) {
    see(&*tenant.platform);
    see(&*tenant.cluster);
    for subscription in tenant.namespaces.iter().flat_map(|namespace| &namespace.subscriptions) {
        see(&*subscription.package);
        for component in &subscription.components {
            see(&*component.document);
        }
        if let Some(cache) = &subscription.cache {
            see(&**cache);
        }
    }
}

/// A document made ready for templates.
#[derive(Debug)]
pub(super) struct Prepared {
    fields: Fields,
    facts: Arc<Facts>,
}

/// The documents that were made ready, the latest version of each: made once, not for each tenant.
#[derive(Default)]
pub(super) struct PreparedDocuments([RwLock<HashMap<Name, Arc<Prepared>>>; 4]);

impl PreparedDocuments {
    pub(super) fn prepare<T: Serialize + Kinded>(
        &self,
        document: &Document<T>,
    ) -> Result<Arc<Prepared>, NoValue> {
        let of_kind = &self.0[T::KIND as usize];
        let known = of_kind.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = known.get(&document.name)
            && prepared.facts.whole == document.digest
        {
            return Ok(Arc::clone(prepared));
        }
        drop(known);
        let prepared = Arc::new(Prepared::of(document)?);
        let mut known = of_kind.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(document.name.clone(), Arc::clone(&prepared));
        Ok(prepared)
    }
}

impl Prepared {
    fn of<T: Serialize + Kinded>(document: &Document<T>) -> Result<Self, NoValue> {
        let fields = fields_of(&document.spec)?;
        let digest = |value: &Value| Digest::of_json(value);
        let facts = Facts {
            kind: T::KIND,
            name: document.name.clone(),
            whole: document.digest,
            fields: fields.0.iter().map(|(name, value)| (name.clone(), digest(value))).collect(),
        };
        Ok(Self { fields, facts: Arc::new(facts) })
    }
}

/// A shared document as one rendering sees it: it remembers which fields were read.
/// What was computed for this tenant stands before the document's own fields.
pub(super) struct Traced {
    prepared: Arc<Prepared>,
    computed: Fields,
    read: AtomicU64,
}

impl Traced {
    pub(super) fn new(prepared: Arc<Prepared>) -> Self {
        let name = Value::from(prepared.facts.name.as_str());
        let computed = Fields(vec![(Cow::Borrowed("name"), name)]);
        Self { prepared, computed, read: AtomicU64::new(0) }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.computed.0.push((Cow::Borrowed(name), value));
        self
    }

    /// Reads a field of the document itself.
    pub(super) fn read(&self, name: &str) -> Option<Value> {
        let fields = &self.prepared.fields.0;
        let position = fields.iter().position(|(field, _)| field == name)?;
        self.read.fetch_or(bit(position), Ordering::Relaxed);
        Some(fields[position].1.clone())
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} `{}`", self.prepared.facts.kind, self.prepared.facts.name)
    }
}

impl Object for Traced {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.computed.get(key).cloned().or_else(|| self.read(key))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.computed.0.iter().chain(&self.prepared.fields.0);
        Enumerator::Values(names.map(|(name, _)| Value::from(&**name)).collect())
    }
}

/// Collects what one rendering reads.
#[derive(Default)]
pub(super) struct Trace {
    documents: Vec<Arc<Traced>>,
    templates: Vec<(Box<str>, Digest)>,
}

impl Trace {
    /// Makes a document a value that remembers what is read of it.
    pub(super) fn watch(&mut self, document: Traced) -> Value {
        let document = Arc::new(document);
        self.documents.push(Arc::clone(&document));
        Value::from_dyn_object(document)
    }

    /// Notes a folder or a single template.
    pub(super) fn template(&mut self, name: &str, digest: Digest) {
        if !self.templates.iter().any(|(known, _)| **known == *name) {
            self.templates.push((name.into(), digest));
        }
    }

    pub(super) fn finish(self, tenant: &ValidTenant) -> Reads {
        let mut documents: Vec<DocumentRead> = Vec::new();
        for traced in &self.documents {
            let fields = traced.read.load(Ordering::Relaxed);
            let facts = &traced.prepared.facts;
            let same = |read: &&mut DocumentRead| {
                read.facts.kind == facts.kind && read.facts.name == facts.name
            };
            match documents.iter_mut().find(same) {
                Some(read) => read.fields |= fields,
                None => documents.push(DocumentRead { facts: Arc::clone(facts), fields }),
            }
        }
        documents.shrink_to_fit();
        let templates = self.templates;
        Reads { own: own(tenant), computed: computed(tenant), documents, templates }
    }
}
