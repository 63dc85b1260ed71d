//! How objects change: create, replace, patch, apply and delete, through the same steps as in the
//! API server: read, fill in, prepare, validate, decide ownership, admit, store.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::decode;
use crate::sandbox::decode::Oddities;
use crate::sandbox::decode::kind_of;
use crate::sandbox::defaults;
use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Draft;
use crate::sandbox::object::Key;
use crate::sandbox::object::Object;
use crate::sandbox::object::metadata_mut;
use crate::sandbox::object::now;
use crate::sandbox::object::written_time;
use crate::sandbox::ownership;
use crate::sandbox::ownership::Writer;
use crate::sandbox::prepare;
use crate::sandbox::quota;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::store::Transaction;
use crate::sandbox::validate;

/// What to do with fields that the kind does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unknown {
    Ignore,
    #[default]
    Warn,
    Refuse,
}

/// Which object a request is about.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) kind: Arc<Kind>,
    /// The version under which it was addressed.
    pub(crate) api_version: String,
    pub(crate) key: Key,
}

/// How it is written.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) writer: Writer,
    pub(crate) dry_run: bool,
    pub(crate) unknown: Unknown,
}

/// A stored (or, in a dry run, imagined) object.
pub(crate) struct Written {
    pub(crate) object: Arc<Object>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}

/// How an object goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) uid: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) propagation: Option<String>,
    pub(crate) grace_seconds: Option<i64>,
    pub(crate) dry_run: bool,
}

pub(crate) enum Deleted {
    /// Gone at once; the last state.
    Gone(Arc<Object>),
    /// It waits for its finalizers, or for its grace period.
    Waiting(Arc<Object>),
}

impl Cluster {
    pub(crate) fn find(&self, target: &Target) -> Result<Arc<Object>, Refusal> {
        let found = self.store.get(target.kind.id, &target.key);
        found.ok_or_else(|| Refusal::not_found(&target.kind, &target.key.name))
    }

    pub(crate) fn create(
        &self,
        target: &Target,
        mut body: Value,
        manner: &Manner,
    ) -> Result<Written, Refusal> {
        let kind = &*target.kind;
        if !body["metadata"]["resourceVersion"].as_str().unwrap_or_default().is_empty() {
            return Err(Refusal::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        take_type(target, &mut body)?;
        let warnings = Self::read(target, &mut body, manner)?;
        name_it(target, &mut body)?;
        let mut draft = Draft { body, managed: Vec::new() };
        prepare::forget_system_fields(&mut draft);
        prepare::forget_status(kind, &mut draft.body);
        defaults::fill_in(kind, &mut draft.body, self.kinds.version.minor);
        draft.managed = ownership::update(kind, &json!({}), &draft.body, &[], &manner.writer);
        let object = self.store_new(kind, draft, manner.dry_run)?;
        Ok(Written { object, created: true, warnings })
    }

    fn store_new(
        &self,
        kind: &Kind,
        mut draft: Draft,
        dry_run: bool,
    ) -> Result<Arc<Object>, Refusal> {
        let key = Key::new(draft.namespace(), draft.name());
        prepare::for_creation(self, kind, &mut draft);
        let mut tx = self.store.lock();
        self.check_namespace(&tx, kind, &key)?;
        if tx.get(kind.id, &key).is_some() {
            return Err(Refusal::already_exists(kind, &key.name));
        }
        if kind.group.is_empty() && kind.plural == "pods" {
            quota::apply_limit_ranges(&tx, &self.kinds, kind, &mut draft.body)?;
            let class = prepare::quality_of_service(&draft.body["spec"]);
            draft.body["status"]["qosClass"] = class.into();
            self.check_service_account(&tx, kind, &draft)?;
        }
        validate::check_new(kind, &draft)?;
        quota::check(&tx, &self.kinds, kind, None, &draft.body)?;
        let object = Object::of(kind, &draft);
        if dry_run {
            return Ok(Arc::new(object));
        }
        if kind.kind == "CustomResourceDefinition" {
            self.kinds.serve_custom(&draft.body);
        }
        Ok(tx.put(kind, object))
    }

    /// Nothing is created in a namespace that is not there or on its way out.
    fn check_namespace(&self, tx: &Transaction<'_>, kind: &Kind, key: &Key) -> Result<(), Refusal> {
        if !kind.namespaced {
            return Ok(());
        }
        let Some(namespaces) = self.kinds.named("", "namespaces") else {
            return Ok(());
        };
        match tx.get(namespaces.id, &Key::new("", &key.namespace)) {
            None => Err(Refusal::not_found(&namespaces, &key.namespace)),
            Some(namespace) if namespace.deleting => {
                Err(Refusal::terminating(kind, &key.name, &key.namespace))
            }
            Some(_) => Ok(()),
        }
    }

    fn check_service_account(
        &self,
        tx: &Transaction<'_>,
        kind: &Kind,
        pod: &Draft,
    ) -> Result<(), Refusal> {
        let account = pod.body["spec"]["serviceAccountName"].as_str().unwrap_or("default");
        let Some(accounts) = self.kinds.named("", "serviceaccounts") else {
            return Ok(());
        };
        if account == "default"
            || tx.get(accounts.id, &Key::new(pod.namespace(), account)).is_some()
        {
            return Ok(());
        }
        let why = format!(
            "error looking up service account {}/{account}: serviceaccount {account:?} not found",
            pod.namespace()
        );
        Err(Refusal::forbidden(kind, pod.name(), &why))
    }

    /// Replaces an object by what `produce` makes of its current state, as often as others come in
    /// between. What `produce` returns is still as a client would send it.
    pub(crate) fn change(
        &self,
        target: &Target,
        manner: &Manner,
        produce: &dyn Fn(&Object) -> Result<Value, Refusal>,
    ) -> Result<Written, Refusal> {
        loop {
            let current = self.find(target)?;
            let mut body = produce(&current)?;
            check_preconditions(target, &current, &body)?;
            take_type(target, &mut body)?;
            let managed = if is_reset(&body["metadata"]["managedFields"]) {
                Vec::new()
            } else {
                current.managed.to_vec()
            };
            let warnings = Self::read(target, &mut body, manner)?;
            let old = current.body();
            let mut draft = Draft { body, managed };
            prepare::keep_system_fields(&mut draft, &old);
            prepare::keep_the_other_half(
                &target.kind,
                manner.writer.subresource,
                &mut draft.body,
                &old,
            );
            defaults::fill_in(&target.kind, &mut draft.body, self.kinds.version.minor);
            prepare::keep_allocated(&target.kind, &mut draft.body, &old);
            draft.managed =
                ownership::update(&target.kind, &old, &draft.body, &draft.managed, &manner.writer);
            if let Some(object) = self.store_change(target, &current, &old, draft, manner)? {
                return Ok(Written { object, created: false, warnings });
            }
        }
    }

    /// Server-side apply: creates or changes.
    pub(crate) fn apply(
        &self,
        target: &Target,
        mut config: Value,
        manner: &Manner,
    ) -> Result<Written, Refusal> {
        let kind = &target.kind;
        if !config["metadata"]["managedFields"].is_null() {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        let asked_version = config["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        let asked_uid = config["metadata"]["uid"].as_str().map(str::to_owned);
        take_type(target, &mut config)?;
        drop_nulls(&mut config);
        name_it(target, &mut config)?;
        self.check_applied(target, &config)?;
        loop {
            let current = self.store.get(kind.id, &target.key);
            let Some(current) = current else {
                if !manner.writer.subresource.is_empty() {
                    return Err(Refusal::not_found(kind, &target.key.name));
                }
                if asked_uid.is_some() {
                    return Err(Refusal::conflict(
                        kind,
                        &target.key.name,
                        "uid mismatch: the provided object specified uid, and no existing object was found",
                    ));
                }
                match self.apply_new(target, &config, manner) {
                    Err(refusal)
                        if refusal.code == 409
                            && self.store.get(kind.id, &target.key).is_some() =>
                    {
                        continue;
                    }
                    outcome => return outcome,
                }
            };
            if asked_version.as_ref().is_some_and(|version| *version != current.version.to_string())
            {
                return Err(Refusal::modified(kind, &target.key.name));
            }
            let old = current.body();
            let applied = ownership::apply(kind, &old, &config, &current.managed, &manner.writer)?;
            let mut draft = Draft { body: applied.body, managed: applied.managed };
            decode::normalize(kind, &mut draft.body);
            prepare::keep_system_fields(&mut draft, &old);
            prepare::keep_the_other_half(kind, manner.writer.subresource, &mut draft.body, &old);
            defaults::fill_in(kind, &mut draft.body, self.kinds.version.minor);
            prepare::keep_allocated(kind, &mut draft.body, &old);
            if let Some(object) = self.store_change(target, &current, &old, draft, manner)? {
                return Ok(Written { object, created: false, warnings: Vec::new() });
            }
        }
    }

    fn apply_new(
        &self,
        target: &Target,
        config: &Value,
        manner: &Manner,
    ) -> Result<Written, Refusal> {
        let kind = &target.kind;
        let applied = ownership::apply(kind, &json!({}), config, &[], &manner.writer)?;
        let mut draft = Draft { body: applied.body, managed: applied.managed };
        decode::normalize(kind, &mut draft.body);
        prepare::forget_system_fields(&mut draft);
        prepare::forget_status(kind, &mut draft.body);
        defaults::fill_in(kind, &mut draft.body, self.kinds.version.minor);
        let object = self.store_new(kind, draft, manner.dry_run)?;
        Ok(Written { object, created: true, warnings: Vec::new() })
    }

    /// What is applied must fit the kind's types, whatever the validation asked for.
    fn check_applied(&self, target: &Target, config: &Value) -> Result<(), Refusal> {
        let oddities = decode::check_applied(&target.kind, config, self.kinds.version.minor);
        let problem = if let Some(path) = oddities.unknown.first() {
            format!(".{path}: field not declared in schema")
        } else if let Some((path, problem)) = oddities.wrong.first() {
            format!(".{path}: {problem}")
        } else if let Some(problem) = oddities.duplicate.first() {
            problem.clone()
        } else {
            return Ok(());
        };
        let Key { namespace, name } = &target.key;
        let of =
            if namespace.is_empty() { name.to_string() } else { format!("{namespace}/{name}") };
        let about = format!(" ({of}; {}, Kind={})", target.api_version, target.kind.kind);
        let about = if self.kinds.version.minor < 25 { String::new() } else { about };
        Err(Refusal::new(500, "", format!("failed to create typed patch object{about}: {problem}")))
    }

    /// Stores the new state unless it says what the old one says; `None` when somebody was faster.
    fn store_change(
        &self,
        target: &Target,
        current: &Arc<Object>,
        old: &Value,
        mut draft: Draft,
        manner: &Manner,
    ) -> Result<Option<Arc<Object>>, Refusal> {
        let kind = &*target.kind;
        prepare::for_change(kind, &mut draft.body, old);
        let object = Object::of(kind, &draft);
        if object.says_the_same(current) {
            return Ok(Some(current.clone()));
        }
        validate::check_change(kind, old, &draft)?;
        let mut tx = self.store.lock();
        match tx.get(kind.id, &target.key) {
            Some(newest) if newest.version == current.version => {}
            Some(_) => return Ok(None),
            None => return Err(Refusal::not_found(kind, &target.key.name)),
        }
        quota::check(&tx, &self.kinds, kind, Some(old), &draft.body)?;
        if manner.dry_run {
            return Ok(Some(Arc::new(object.at_version(current.version))));
        }
        if kind.kind == "CustomResourceDefinition" {
            self.kinds.serve_custom(&draft.body);
        }
        let waits = draft.finalizers().next().is_some() || waits_for_its_own(kind, &draft.body);
        if draft.is_deleting() && !waits {
            tx.put(kind, object);
            return Ok(tx.remove(kind.id, &target.key));
        }
        Ok(Some(tx.put(kind, object)))
    }

    /// Checks a body against its kind; what to do about unknown fields is the client's choice.
    fn read(target: &Target, body: &mut Value, manner: &Manner) -> Result<Vec<String>, Refusal> {
        let kind = &target.kind;
        let Oddities { unknown, wrong, .. } = decode::normalize(kind, body);
        let version = target.api_version.rsplit('/').next().unwrap_or_default();
        let intro =
            format!("{} in version \"{version}\" cannot be handled as a {}", kind.kind, kind.kind);
        if let Some((path, problem)) = wrong.first() {
            let why = format!(
                "json: cannot unmarshal into Go struct field {}.{path}: {problem}",
                kind.kind
            );
            return Err(Refusal::bad_request(format!("{intro}: {why}")));
        }
        let told: Vec<String> =
            unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        match manner.unknown {
            Unknown::Refuse if !told.is_empty() => Err(Refusal::bad_request(format!(
                "{intro}: strict decoding error: {}",
                told.join(", ")
            ))),
            Unknown::Warn => Ok(told),
            _ => Ok(Vec::new()),
        }
    }

    pub(crate) fn delete(
        &self,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Deleted, Refusal> {
        let kind = &*target.kind;
        let mut tx = self.store.lock();
        let current = tx
            .get(kind.id, &target.key)
            .ok_or_else(|| Refusal::not_found(kind, &target.key.name))?;
        check_delete_preconditions(kind, &current, options)?;
        if options.dry_run {
            return Ok(Deleted::Gone(current));
        }
        let mut draft = current.draft();
        match Self::propagation(kind, options) {
            "Orphan" if !current.deleting => draft.add_finalizer("orphan"),
            "Foreground" if !current.deleting => draft.add_finalizer("foregroundDeletion"),
            _ => {}
        }
        let grace = Self::grace_of(kind, &draft, options);
        let waits = draft.finalizers().next().is_some()
            || waits_for_its_own(kind, &draft.body)
            || grace > 0;
        if !waits {
            let gone = tx.remove(kind.id, &target.key).unwrap_or(current);
            return Ok(Deleted::Gone(gone));
        }
        if !current.deleting {
            let metadata = draft.metadata_mut();
            metadata.insert("deletionTimestamp".to_owned(), written_time(now() + grace).into());
            metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
            if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
                metadata.insert("generation".to_owned(), (generation + 1).into());
            }
            if kind.kind == "Namespace" && !kind.custom {
                draft.body["status"]["phase"] = "Terminating".into();
            }
        }
        let object = Object::of(kind, &draft);
        if object.says_the_same(&current) {
            return Ok(Deleted::Waiting(current));
        }
        Ok(Deleted::Waiting(tx.put(kind, object)))
    }

    /// Jobs leave their pods behind unless told otherwise, everything else takes its own along.
    fn propagation<'a>(kind: &Kind, options: &'a DeleteOptions) -> &'a str {
        let default =
            if kind.kind == "Job" && kind.group == "batch" { "Orphan" } else { "Background" };
        options.propagation.as_deref().unwrap_or(default)
    }

    /// Only pods that run somewhere are given time.
    fn grace_of(kind: &Kind, draft: &Draft, options: &DeleteOptions) -> i64 {
        let runs = kind.group.is_empty()
            && kind.plural == "pods"
            && !draft.body["spec"]["nodeName"].is_null()
            && !["Succeeded", "Failed"]
                .contains(&draft.body["status"]["phase"].as_str().unwrap_or_default());
        if !runs {
            return 0;
        }
        let asked =
            options.grace_seconds.or(draft.body["spec"]["terminationGracePeriodSeconds"].as_i64());
        asked.unwrap_or(30).max(0)
    }
}

/// A namespace goes when its own finalizers, which are in its spec, are gone.
fn waits_for_its_own(kind: &Kind, body: &Value) -> bool {
    kind.kind == "Namespace"
        && !kind.custom
        && body["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

fn check_delete_preconditions(
    kind: &Kind,
    current: &Object,
    options: &DeleteOptions,
) -> Result<(), Refusal> {
    let name = &*current.key.name;
    if let Some(uid) = options.uid.as_deref().filter(|uid| **uid != *current.uid) {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            current.uid
        );
        return Err(Refusal::conflict(kind, name, &why));
    }
    let version = current.version.to_string();
    if let Some(asked) = options.version.as_deref().filter(|asked| *asked != version) {
        let why = format!(
            "Precondition failed: ResourceVersion in precondition: {asked}, ResourceVersion in object meta: {version}"
        );
        return Err(Refusal::conflict(kind, name, &why));
    }
    Ok(())
}

fn check_preconditions(target: &Target, current: &Object, body: &Value) -> Result<(), Refusal> {
    let (kind, name) = (&target.kind, &*target.key.name);
    let metadata = &body["metadata"];
    if let Some(asked) = metadata["name"].as_str().filter(|asked| *asked != name) {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({asked}) does not match the name on the URL ({name})"
        )));
    }
    if let Some(uid) =
        metadata["uid"].as_str().filter(|uid| !uid.is_empty() && **uid != *current.uid)
    {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            current.uid
        );
        return Err(Refusal::conflict(kind, name, &why));
    }
    match metadata["resourceVersion"].as_str() {
        Some(version) if !version.is_empty() && version != current.version.to_string() => {
            Err(Refusal::modified(kind, name))
        }
        _ => Ok(()),
    }
}

/// An empty list, or one empty entry, asks to forget who owned what.
fn is_reset(managed: &Value) -> bool {
    managed
        .as_array()
        .is_some_and(|list| list.iter().all(|entry| entry.as_object().is_none_or(Map::is_empty)))
}

/// Removes and checks `apiVersion` and `kind`.
fn take_type(target: &Target, body: &mut Value) -> Result<(), Refusal> {
    let found = kind_of(body);
    let Some(object) = body.as_object_mut() else {
        return Err(Refusal::bad_request(format!(
            "the body of the request is a {found}, not an object"
        )));
    };
    let mut take =
        |name: &str| object.shift_remove(name).and_then(|value| value.as_str().map(str::to_owned));
    let (api_version, kind) = (take("apiVersion"), take("kind"));
    if kind.as_ref().is_some_and(|kind| *kind != target.kind.kind)
        || api_version.as_ref().is_some_and(|given| *given != target.api_version)
    {
        let (group, version) =
            target.api_version.split_once('/').unwrap_or(("", &target.api_version));
        let given =
            format!("{}, Kind={}", api_version.unwrap_or_default(), kind.unwrap_or_default());
        let expected = format!("{group}/{version}, Kind={}", target.kind.kind);
        return Err(Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {given} does not match {expected}",
            target.kind.kind
        )));
    }
    metadata_mut(body);
    Ok(())
}

/// Name and namespace come from the URL; what the body says must agree. They open the metadata.
fn name_it(target: &Target, body: &mut Value) -> Result<(), Refusal> {
    let Key { namespace, name } = &target.key;
    let metadata = metadata_mut(body);
    let said = |metadata: &Map<String, Value>, field: &str| {
        metadata.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (said_name, said_namespace) = (said(metadata, "name"), said(metadata, "namespace"));
    if !said_namespace.is_empty() && said_namespace != **namespace {
        return Err(Refusal::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !name.is_empty() && !said_name.is_empty() && said_name != **name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({said_name}) does not match the name on the URL ({name})"
        )));
    }
    let mut name = if name.is_empty() { said_name } else { name.to_string() };
    if name.is_empty() {
        let prefix = said(metadata, "generateName");
        if !prefix.is_empty() {
            let end = prefix.char_indices().nth(58).map_or(prefix.len(), |(end, _)| end);
            name = format!("{}{}", &prefix[..end], prepare::random_suffix());
        }
    }
    let mut ordered = Map::new();
    ordered.insert("name".to_owned(), name.into());
    if target.kind.namespaced {
        ordered.insert("namespace".to_owned(), namespace.to_string().into());
    }
    for (field, value) in std::mem::take(metadata) {
        if field != "name" && field != "namespace" {
            ordered.insert(field, value);
        }
    }
    *metadata = ordered;
    Ok(())
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| {
                drop_nulls(value);
                !value.is_null()
            });
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
