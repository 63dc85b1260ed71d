//! What templates see of a tenant: its documents, and what follows from them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::Value;

use super::RenderError;
use super::names::LONGEST_IDENTIFIER;
use super::names::LONGEST_NAME;
use super::names::Names;
use super::names::shortened;
use super::placeholders::Placeholders;
use super::reads::Kinded;
use super::reads::Trace;
use super::reads::Traced;
use super::templates::Templates;
use super::values::Fields;
use super::values::NoValue;
use super::values::fields_of;
use super::values::map;
use super::values::value_of;
use super::versions;
use crate::model::Component;
use crate::model::Digest;
use crate::model::Document;
use crate::model::Phase;
use crate::model::Place;
use crate::model::Task;
use crate::model::component::Setting;
use crate::model::component::Volume;
use crate::model::marks;
use crate::model::package::OnRemoval;
use crate::model::quantity::Quantity;
use crate::model::read::Origin;
use crate::model::task::Action;
use crate::model::task::BACKUP;
use crate::model::task::RUNS_FOR;
use crate::validate::ValidComponent;
use crate::validate::ValidNamespace;
use crate::validate::ValidSubscription;
use crate::validate::ValidTenant;

/// The key of the password of a subscription's role in the database.
const DATABASE_PASSWORD: &str = "postgres-password";

/// What every template of a unit sees.
pub(super) struct Unit<'a> {
    tenant: &'a ValidTenant,
    templates: &'a Templates,
    zone: TimeZone,
    now: Timestamp,
    pub(super) minor: u16,
    root: Fields,
}

/// What the templates of a namespace see, and those of each subscription in it.
pub(super) struct NamespaceContext<'a> {
    pub(super) valid: &'a ValidNamespace,
    pub(super) root: Value,
    pub(super) subscriptions: Vec<SubscriptionContext<'a>>,
}

/// What the templates of a subscription see, and those of each component of it.
pub(super) struct SubscriptionContext<'a> {
    pub(super) valid: &'a ValidSubscription,
    pub(super) phase: Phase,
    pub(super) next_change: Option<Timestamp>,
    pub(super) root: Value,
    /// Each with the template that renders it, in the order in which they need one another.
    pub(super) components: Vec<(&'a str, Value)>,
    /// What is to be done once, in the order in which it was asked for.
    pub(super) tasks: Vec<(&'a Document<Task>, Value)>,
}

/// A subscription as its components need it.
struct Bought<'a> {
    valid: &'a ValidSubscription,
    names: &'a Names,
    placeholders: Placeholders<'a>,
}

impl<'a> Unit<'a> {
    pub(super) fn new(
        tenant: &'a ValidTenant,
        templates: &'a Templates,
        now: Timestamp,
        trace: &mut Trace,
    ) -> Result<Self, RenderError> {
        let platform = &tenant.platform;
        let cluster = &tenant.cluster;
        let zone = platform.spec.zone().ok_or_else(|| {
            let message = format!("there is no time zone `{}`", platform.spec.time_zone);
            wrong(&platform.origin, message, "use a name of the IANA database")
        })?;
        let version = &cluster.spec.kubernetes_version;
        let minor = versions::minor(version).ok_or_else(|| {
            let message = format!("`{version}` is not a version of Kubernetes");
            wrong(&cluster.origin, message, "write it as in `1.33`")
        })?;
        let api = versions::all_preferred(minor)
            .map(|(kind, version)| (Cow::Borrowed(kind), version.into()))
            .collect();
        let ready = traced(platform, templates)?;
        if !tenant.namespaces.is_empty() {
            for field in ["timeZone", "lifecycle", "domain"] {
                ready.read(field);
            }
        }
        let platform_value = trace.watch(ready);
        let ready = traced(cluster, templates)?
            .with("api", Value::from_object(Fields(api)))
            .with("minor", minor.into());
        if !tenant.namespaces.is_empty() {
            ready.read("kubernetesVersion");
            ready.read("storageClasses");
        }
        let cluster_value = trace.watch(ready);
        let tenant_value = own_document(&tenant.tenant)?;
        let root = Fields(vec![
            ("platform".into(), platform_value),
            ("cluster".into(), cluster_value),
            ("tenant".into(), Value::from_object(tenant_value)),
        ]);
        Ok(Self { tenant, templates, zone, now, minor, root })
    }

    pub(super) fn namespace(
        &self,
        namespace: &'a ValidNamespace,
        trace: &mut Trace,
    ) -> Result<NamespaceContext<'a>, RenderError> {
        let subscriptions = namespace
            .subscriptions
            .iter()
            .map(|subscription| self.subscription(namespace, subscription, trace))
            .collect::<Result<Vec<_>, _>>()?;
        let keep = namespace
            .subscriptions
            .iter()
            .any(|subscription| subscription.package.spec.data_on_removal == OnRemoval::Keep);
        let values: Vec<Value> =
            subscriptions.iter().map(|(_, subscription)| subscription.clone()).collect();
        let suspended = subscriptions.iter().all(|(context, _)| !context.phase.runs());
        let value = map([
            ("name", namespace.name.as_str().into()),
            ("quota", amounts(&sum(namespace))),
            ("onDelete", if keep { "keep" } else { "delete" }.into()),
            ("suspended", suspended.into()),
            ("subscriptions", values.clone().into()),
        ]);
        let labels = self.labels(None);
        let extend = |more: Vec<(Cow<'static, str>, Value)>| {
            let shared = self.root.0.iter().cloned();
            let own = [
                ("namespace".into(), value.clone()),
                ("subscriptions".into(), values.clone().into()),
            ];
            Fields(shared.chain(own).chain(more).collect())
        };
        let root = extend(vec![("labels".into(), labels), ("suspended".into(), suspended.into())]);
        let subscriptions = subscriptions
            .into_iter()
            .map(|(mut context, subscription)| {
                let get = |name: &str| subscription.get_attr(name).unwrap_or_default();
                let names = [
                    "package",
                    "components",
                    "cache",
                    "phase",
                    "suspended",
                    "labels",
                    "quota",
                    "limits",
                ];
                let own = names.into_iter().map(|name| (name.into(), get(name)));
                let own = std::iter::once(("subscription".into(), subscription.clone())).chain(own);
                let root = extend(own.collect());
                for (_, component) in &mut context.components {
                    let own = ("component".into(), component.clone());
                    let root = root.0.iter().cloned().chain(std::iter::once(own)).collect();
                    *component = Value::from_object(Fields(root));
                }
                for (_, task) in &mut context.tasks {
                    let own = ("task".into(), task.clone());
                    let root = root.0.iter().cloned().chain(std::iter::once(own)).collect();
                    *task = Value::from_object(Fields(root));
                }
                context.root = Value::from_object(root);
                context
            })
            .collect();
        Ok(NamespaceContext { valid: namespace, root: Value::from_object(root), subscriptions })
    }

    /// The subscription as a value, and what is known of it. The roots are not complete yet.
    fn subscription(
        &self,
        namespace: &'a ValidNamespace,
        valid: &'a ValidSubscription,
        trace: &mut Trace,
    ) -> Result<(SubscriptionContext<'a>, Value), RenderError> {
        let document = &valid.document;
        let package = &valid.package.spec;
        let lifecycle = package.lifecycle.as_ref().unwrap_or(&self.tenant.platform.spec.lifecycle);
        let (phase, next_change) = document.spec.phase(lifecycle, &self.zone, self.now);
        let names = Names::of(valid);
        let ready = traced(&valid.package, self.templates)?;
        for field in ["placement", "lifecycle", "product", "database", "cache", "dataOnRemoval"] {
            ready.read(field);
        }
        let package_value = trace.watch(ready);
        let placeholders = self.placeholders(namespace, valid, &names);
        let bought = Bought { valid, names: &names, placeholders };
        let mut components = Vec::new();
        for component in &valid.components {
            let value = self.component(component, None, &bought, trace)?;
            components.push((component.document.spec.template.as_str(), value));
        }
        let mut cache = Value::from(());
        if let (Some(document), Some(spec)) = (&valid.cache, &package.cache) {
            let component = ValidComponent {
                document: document.clone(),
                replicas: 1,
                image: document.spec.image.clone(),
                resources: document.spec.resources.clone(),
            };
            let spec = map([
                ("size", spec.size.as_str().into()),
                ("maxMemory", spec.max_memory.as_str().into()),
            ]);
            cache = self.component(&component, Some(spec), &bought, trace)?;
            components.insert(0, (document.spec.template.as_str(), cache.clone()));
        }
        let served: Vec<Value> = components
            .iter()
            .skip(usize::from(valid.cache.is_some()))
            .map(|(_, value)| value.clone())
            .collect();
        let mut value = own_document(document)?;
        let host = valid.hosts.first().map_or(Value::from(()), |host| host.as_str().into());
        let url = valid.hosts.first().map(|host| format!("https://{host}"));
        let busy_until = busy_until(valid, self.now);
        let next_change = next_change.into_iter().chain(busy_until).min();
        let tasks = valid.tasks.iter().map(|task| Ok((&**task, task_value(task)?)));
        let tasks = tasks.collect::<Result<Vec<_>, RenderError>>()?;
        let computed: [(&'static str, Value); 20] = [
            ("subdomain", document.spec.subdomain().into()),
            ("instance", names.instance.as_str().into()),
            ("namespace", namespace.name.as_str().into()),
            ("host", host),
            ("hosts", valid.hosts.clone().into()),
            ("url", url.map_or(Value::from(()), Value::from)),
            ("secret", names.secret.as_str().into()),
            ("package", package_value),
            ("components", served.into()),
            ("cache", cache),
            ("database", database(namespace, valid, &names)?),
            ("credentials", credentials(valid)),
            ("quota", amounts(&valid.quota)),
            ("limits", amounts(&valid.limits)),
            ("phase", phase.to_string().into()),
            ("suspended", (!phase.runs()).into()),
            ("onDelete", on_delete(package.data_on_removal).into()),
            ("retentionDays", lifecycle.retention.about_seconds().div_ceil(86_400).into()),
            ("labels", self.labels(Some(valid))),
            // While it is saved or restored, its data is reached also where it is suspended.
            ("busy", busy_until.is_some().into()),
        ];
        value.0.retain(|(name, _)| computed.iter().all(|(other, _)| name != other));
        value.0.extend(computed.map(|(name, value)| (Cow::Borrowed(name), value)));
        let context = SubscriptionContext {
            valid,
            phase,
            next_change,
            root: Value::from(()),
            components,
            tasks,
        };
        Ok((context, Value::from_object(value)))
    }

    fn component(
        &self,
        component: &ValidComponent,
        cache: Option<Value>,
        bought: &Bought<'_>,
        trace: &mut Trace,
    ) -> Result<Value, RenderError> {
        let Bought { names, placeholders, .. } = bought;
        let document = &component.document;
        let spec = &document.spec;
        let is_cache = cache.is_some();
        let service = names.service(document.name.as_str(), is_cache);
        let fill = |text: &String| {
            placeholders.fill(text).map(Value::from).map_err(|unknown| {
                let message = format!("there is no `{{{unknown}}}` to fill in");
                wrong(&document.origin, message, placeholders.suggestion(&unknown))
            })
        };
        let mut environment = Vec::new();
        for (name, setting) in &spec.environment {
            environment.push(match setting {
                Setting::Value(text) => {
                    map([("name", name.as_str().into()), ("value", fill(text)?)])
                }
                Setting::Credential(key) => {
                    let key =
                        map([("name", names.secret.as_str().into()), ("key", key.as_str().into())]);
                    let from = map([("secretKeyRef", key)]);
                    map([("name", name.as_str().into()), ("valueFrom", from)])
                }
            });
        }
        let command = spec.command.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
        let args = spec.args.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
        let volumes = spec
            .volumes
            .iter()
            .map(|volume| self.volume(volume, document, &service))
            .collect::<Result<Vec<_>, _>>()?;
        let selector = [
            ("app.kubernetes.io/name", document.name.as_str().into()),
            ("app.kubernetes.io/instance", names.instance.as_str().into()),
        ];
        let mut labels =
            Fields(selector.iter().cloned().map(|(name, value)| (name.into(), value)).collect());
        labels.0.extend(self.label_fields(Some(bought.valid)));
        if !spec.routes.is_empty() {
            labels.0.push(("tenantry.dev/exposed".into(), "true".into()));
        }
        let resources =
            value_of(&component.resources).map_err(|error| no_value(&document.origin, &error))?;
        let ready = traced(document, self.templates)?
            .with("service", service.as_str().into())
            .with("replicas", component.replicas.into())
            .with("image", component.image.as_str().into())
            .with("resources", resources)
            .with("environment", environment.into())
            .with("command", command.into())
            .with("args", args.into())
            .with("volumes", volumes.into())
            .with("selector", map(selector))
            .with("labels", Value::from_object(labels))
            .with("cache", cache.unwrap_or_else(|| Value::from(())));
        if is_cache {
            // What a cache runs is its component's alone; no package says otherwise.
            ready.read("image");
            ready.read("resources");
        }
        for field in [
            "environment",
            "command",
            "args",
            "volumes",
            "routes",
            "credentials",
            "databaseSchema",
            "template",
        ] {
            ready.read(field);
        }
        Ok(trace.watch(ready))
    }

    fn volume(
        &self,
        volume: &Volume,
        component: &Document<Component>,
        service: &str,
    ) -> Result<Value, RenderError> {
        let cluster = &self.tenant.cluster;
        let class = match &volume.storage_class {
            None => Value::from(()),
            Some(ours) => cluster
                .spec
                .storage_classes
                .get(ours)
                .map(|theirs| theirs.as_str().into())
                .ok_or_else(|| {
                    let message =
                        format!("the cluster `{}` has no storage class `{ours}`", cluster.name);
                    wrong(&component.origin, message, "add it to the cluster's `storageClasses`")
                })?,
        };
        Ok(map([
            ("name", volume.name.as_str().into()),
            ("path", volume.path.as_str().into()),
            ("size", volume.size.as_str().into()),
            ("claim", shortened(&format!("{service}-{}", volume.name), LONGEST_NAME).into()),
            ("storageClass", class),
        ]))
    }

    fn labels(&self, subscription: Option<&ValidSubscription>) -> Value {
        Value::from_object(Fields(self.label_fields(subscription).collect()))
    }

    fn label_fields(
        &self,
        subscription: Option<&ValidSubscription>,
    ) -> impl Iterator<Item = (Cow<'static, str>, Value)> + use<> {
        let tenant = (marks::TENANT.into(), self.tenant.tenant.name.as_str().into());
        let subscription = subscription
            .map(|subscription| (marks::SUBSCRIPTION.into(), subscription.name().as_str().into()));
        std::iter::once(tenant).chain(subscription)
    }

    fn placeholders<'b>(
        &'b self,
        namespace: &'b ValidNamespace,
        subscription: &'b ValidSubscription,
        names: &'b Names,
    ) -> Placeholders<'b> {
        let tenant = &self.tenant.tenant;
        let host = subscription.hosts.first().map_or("", String::as_str);
        let email = tenant.spec.contacts.first().map_or("", |contact| &contact.email);
        Placeholders(vec![
            ("host", host),
            ("domain", &self.tenant.platform.spec.domain),
            ("subdomain", subscription.document.spec.subdomain()),
            ("tenant", tenant.name.as_str()),
            ("organisation", &tenant.spec.organisation),
            ("email", email),
            ("subscription", subscription.name().as_str()),
            ("instance", &names.instance),
            ("namespace", &namespace.name),
            ("package", subscription.package.name.as_str()),
            ("product", subscription.package.spec.product.as_str()),
        ])
    }
}

/// The database that the package asks for, or none.
fn database(
    namespace: &ValidNamespace,
    subscription: &ValidSubscription,
    names: &Names,
) -> Result<Value, RenderError> {
    let package = &subscription.package;
    let Some(database) = &package.spec.database else { return Ok(Value::from(())) };
    let mut schemas: Vec<Value> = subscription
        .components
        .iter()
        .filter_map(|component| component.document.spec.database_schema.as_deref())
        .map(Value::from)
        .collect();
    schemas.dedup();
    let unique = |text: String| {
        let text = text.replace('-', "_");
        if names.shared {
            // Another customer's names could run together to the same.
            let digest = Digest::of_json(&(&namespace.name, subscription.name())).to_string();
            shortened(&format!("{text}_{}", &digest[..6]), LONGEST_IDENTIFIER)
        } else {
            shortened(&text, LONGEST_IDENTIFIER)
        }
    };
    let name = if names.shared {
        format!("{}_{}", namespace.name, names.instance)
    } else {
        namespace.name.clone()
    };
    let mut value = fields_of(database).map_err(|error| no_value(&package.origin, &error))?;
    value.0.push(("name".into(), unique(name).into()));
    value.0.push(("role".into(), unique(format!("{}_user", names.instance)).into()));
    value.0.push(("schemas".into(), schemas.into()));
    Ok(Value::from_object(value))
}

/// The credentials to generate for all components together: each key with its length.
fn credentials(subscription: &ValidSubscription) -> Value {
    let mut lengths: BTreeMap<&str, u8> = BTreeMap::new();
    if subscription.package.spec.database.is_some() {
        lengths.insert(DATABASE_PASSWORD, 32);
    }
    let components = subscription.components.iter().map(|component| &component.document);
    for credential in
        components.chain(&subscription.cache).flat_map(|document| &document.spec.credentials)
    {
        let length = lengths.entry(&credential.key).or_default();
        *length = credential.length.max(*length);
    }
    let fields = lengths.into_iter().map(|(key, length)| (key.to_owned().into(), length.into()));
    Value::from_object(Fields(fields.collect()))
}

fn on_delete(policy: OnRemoval) -> &'static str {
    match policy {
        OnRemoval::Keep => "keep",
        OnRemoval::Delete => "delete",
    }
}

/// Until when a task that works with the data may be under way, where one may be.
fn busy_until(subscription: &ValidSubscription, now: Timestamp) -> Option<Timestamp> {
    let tasks = subscription.tasks.iter().filter(|task| task.spec.action.needs_backup());
    let ends = tasks.map(|task| task.spec.ends_before()).filter(|end| *end > now);
    ends.max()
}

/// A task, with the name of its Job and of the backup that it makes or needs.
fn task_value(task: &Document<Task>) -> Result<Value, RenderError> {
    let mut value = own_document(task)?;
    let backup = match task.spec.action {
        Action::Restore => task.spec.with.get(BACKUP).cloned().unwrap_or_default(),
        _ => task.spec.backup(&task.name),
    };
    value.0.push(("job".into(), format!("task-{}", task.name).into()));
    value.0.push(("backup".into(), backup.into()));
    value.0.push(("seconds".into(), RUNS_FOR.as_secs().into()));
    Ok(Value::from_object(value))
}

/// What the subscriptions of a namespace may use together.
fn sum(namespace: &ValidNamespace) -> BTreeMap<String, Quantity> {
    let [only] = namespace.subscriptions.as_slice() else {
        let mut sum: BTreeMap<String, i128> = BTreeMap::new();
        for (name, amount) in namespace.subscriptions.iter().flat_map(|one| &one.quota) {
            let known = sum.entry(name.clone()).or_default();
            *known = known.saturating_add(amount.milli());
        }
        let amount = |(name, milli)| (name, Quantity::from_milli(milli));
        return sum.into_iter().map(amount).collect();
    };
    only.quota.clone()
}

fn amounts(amounts: &BTreeMap<String, Quantity>) -> Value {
    let amount =
        |(name, amount): (&String, &Quantity)| (name.clone().into(), amount.as_str().into());
    Value::from_object(Fields(amounts.iter().map(amount).collect()))
}

fn traced<T: serde::Serialize + Kinded>(
    document: &Document<T>,
    templates: &Templates,
) -> Result<Traced, RenderError> {
    let prepared = templates.prepared().prepare(document);
    prepared.map(Traced::new).map_err(|error| no_value(&document.origin, &error))
}

/// One of the tenant's own documents, with its name.
fn own_document<T: serde::Serialize>(document: &Document<T>) -> Result<Fields, RenderError> {
    let mut fields =
        fields_of(&document.spec).map_err(|error| no_value(&document.origin, &error))?;
    fields.0.push(("name".into(), document.name.as_str().into()));
    Ok(fields)
}

fn wrong(origin: &Origin, message: String, help: impl Into<String>) -> RenderError {
    let place = Place { file: origin.file.clone(), line: origin.line, column: 1 };
    RenderError::new(place, message, help)
}

fn no_value(origin: &Origin, error: &NoValue) -> RenderError {
    wrong(origin, error.to_string(), "shorten it")
}
