//! Resource quotas and limit ranges: what objects use, what a namespace may use in all, and what
//! containers get that ask for nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;

use crate::sandbox::kinds::Kind;
use crate::sandbox::kinds::Kinds;
use crate::sandbox::object::interned;
use crate::sandbox::quantity::Quantity;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::store::Transaction;

/// How much of what an object uses, for the kinds whose quota is not merely their number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Usage(Box<[(Arc<str>, Quantity)]>);

/// What pods must state for each container once a quota limits it.
const MUST_BE_STATED: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

impl Usage {
    pub(crate) fn of(kind: &Kind, body: &Value) -> Self {
        if !kind.group.is_empty() {
            return Self::default();
        }
        let amounts = match kind.plural.as_str() {
            "pods" => used_by_pod(body),
            "persistentvolumeclaims" => used_by_claim(body),
            "services" => used_by_service(body),
            _ => return Self::default(),
        };
        Self(amounts.into_iter().map(|(name, amount)| (interned(&name), amount)).collect())
    }

    fn get(&self, name: &str) -> Quantity {
        self.0
            .iter()
            .find(|(known, _)| &**known == name)
            .map_or(Quantity::ZERO, |(_, amount)| *amount)
    }
}

type Amounts = BTreeMap<String, Quantity>;

fn used_by_pod(body: &Value) -> Amounts {
    if ["Succeeded", "Failed"].contains(&body["status"]["phase"].as_str().unwrap_or_default()) {
        return Amounts::new();
    }
    let mut amounts = Amounts::from([("pods".to_owned(), Quantity::whole(1))]);
    for (what, prefix) in [("requests", "requests."), ("limits", "limits.")] {
        for (name, amount) in pod_resources(&body["spec"], what) {
            if what == "requests" && !name.contains('/') {
                amounts.insert(name.clone(), amount);
            }
            amounts.insert(format!("{prefix}{name}"), amount);
        }
    }
    amounts
}

/// The sum over containers, or what the largest init container needs.
pub(crate) fn pod_resources(spec: &Value, what: &str) -> Amounts {
    let of = |list: &Value, combine: fn(Quantity, Quantity) -> Quantity, amounts: &mut Amounts| {
        for container in list.as_array().into_iter().flatten() {
            for (name, amount) in container["resources"][what].as_object().into_iter().flatten() {
                let known = amounts.entry(name.clone()).or_insert(Quantity::ZERO);
                *known = combine(*known, Quantity::of(amount).unwrap_or(Quantity::ZERO));
            }
        }
    };
    let mut amounts = Amounts::new();
    of(&spec["containers"], Quantity::plus, &mut amounts);
    of(&spec["initContainers"], Quantity::larger, &mut amounts);
    amounts
}

fn used_by_claim(body: &Value) -> Amounts {
    let one = Quantity::whole(1);
    let mut amounts = Amounts::from([("persistentvolumeclaims".to_owned(), one)]);
    let storage = Quantity::of(&body["spec"]["resources"]["requests"]["storage"]);
    let class = body["spec"]["storageClassName"].as_str().filter(|class| !class.is_empty());
    if let Some(storage) = storage {
        amounts.insert("requests.storage".to_owned(), storage);
    }
    if let Some(class) = class {
        let name = |what| format!("{class}.storageclass.storage.k8s.io/{what}");
        amounts.insert(name("persistentvolumeclaims"), one);
        if let Some(storage) = storage {
            amounts.insert(name("requests.storage"), storage);
        }
    }
    amounts
}

fn used_by_service(body: &Value) -> Amounts {
    let ports = Quantity::whole(body["spec"]["ports"].as_array().map_or(0, Vec::len));
    let mut amounts = Amounts::from([("services".to_owned(), Quantity::whole(1))]);
    match body["spec"]["type"].as_str() {
        Some("NodePort") => {
            amounts.insert("services.nodeports".to_owned(), ports);
        }
        Some("LoadBalancer") => {
            amounts.insert("services.nodeports".to_owned(), ports);
            amounts.insert("services.loadbalancers".to_owned(), Quantity::whole(1));
        }
        _ => {}
    }
    amounts
}

/// The kind whose objects are counted by a name such as `pods`, `count/deployments.apps` or
/// `limits.cpu`.
fn counted_kind(kinds: &Kinds, name: &str) -> Option<Arc<Kind>> {
    if let Some(resource) = name.strip_prefix("count/") {
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        return kinds.named(group, plural);
    }
    let plural = match name {
        "services.loadbalancers" | "services.nodeports" => "services",
        "requests.storage" => "persistentvolumeclaims",
        _ if name.contains("storageclass.storage.k8s.io/") => "persistentvolumeclaims",
        "configmaps" | "secrets" | "services" | "persistentvolumeclaims" | "resourcequotas" => name,
        _ => "pods",
    };
    kinds.named("", plural)
}

/// How much of `name` one object uses.
fn used_by(usage: Option<&Usage>, name: &str) -> Quantity {
    let counts_itself =
        name.starts_with("count/") || ["configmaps", "secrets", "resourcequotas"].contains(&name);
    if counts_itself {
        return Quantity::whole(1);
    }
    usage.map_or(Quantity::ZERO, |usage| usage.get(name))
}

/// What a namespace uses of `name` at the moment.
pub(crate) fn used_in(
    tx: &Transaction<'_>,
    kinds: &Kinds,
    namespace: &str,
    name: &str,
) -> Quantity {
    let Some(kind) = counted_kind(kinds, name) else {
        return Quantity::ZERO;
    };
    let objects = tx.list(kind.id, namespace);
    let amounts = objects
        .iter()
        .map(|object| used_by(object.facts.as_deref().map(|facts| &facts.usage), name));
    amounts.fold(Quantity::ZERO, Quantity::plus)
}

/// Refuses what would use more than a quota of its namespace allows.
pub(crate) fn check(
    tx: &Transaction<'_>,
    kinds: &Kinds,
    kind: &Kind,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), Refusal> {
    let namespace = new["metadata"]["namespace"].as_str().unwrap_or_default();
    let name = new["metadata"]["name"].as_str().unwrap_or_default();
    let Some(quotas) = kinds.named("", "resourcequotas") else {
        return Ok(());
    };
    if namespace.is_empty() {
        return Ok(());
    }
    let usage = Usage::of(kind, new);
    let before = old.map(|old| Usage::of(kind, old));
    for quota in tx.list(quotas.id, namespace) {
        let quota_body = quota.body();
        let Some(hard) = quota_body["spec"]["hard"].as_object() else {
            continue;
        };
        let limited = hard.iter().filter(|(limited, _)| {
            counted_kind(kinds, limited).is_some_and(|counted| counted.id == kind.id)
        });
        let limited: Vec<(&str, Quantity)> = limited
            .filter_map(|(limited, amount)| Some((limited.as_str(), Quantity::of(amount)?)))
            .collect();
        if kind.plural == "pods" && old.is_none() {
            let required =
                limited.iter().map(|(name, _)| *name).filter(|name| MUST_BE_STATED.contains(name));
            check_stated(&new["spec"], required, kinds.version.minor).map_err(|why| {
                Refusal::forbidden(kind, name, &format!("failed quota: {}: {why}", quota.key.name))
            })?;
        }
        let mut exceeded: Vec<(&str, Quantity, Quantity, Quantity)> = Vec::new();
        for (limited, hard) in limited {
            let had = old.map_or(Quantity::ZERO, |_| used_by(before.as_ref(), limited));
            let requested = used_by(Some(&usage), limited).minus(had);
            if requested <= Quantity::ZERO {
                continue;
            }
            let used = used_in(tx, kinds, namespace, limited);
            if used.plus(requested) > hard {
                exceeded.push((limited, requested, used, hard));
            }
        }
        if !exceeded.is_empty() {
            exceeded.sort_by_key(|(name, ..)| *name);
            let said = |part: fn(&(&str, Quantity, Quantity, Quantity)) -> Quantity| {
                let said: Vec<String> =
                    exceeded.iter().map(|row| format!("{}={}", row.0, part(row))).collect();
                said.join(",")
            };
            let why = format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                quota.key.name,
                said(|row| row.1),
                said(|row| row.2),
                said(|row| row.3)
            );
            return Err(Refusal::forbidden(kind, name, &why));
        }
    }
    Ok(())
}

fn check_stated<'a>(
    spec: &Value,
    required: impl Iterator<Item = &'a str>,
    minor: u16,
) -> Result<(), String> {
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let lists = [&spec["containers"], &spec["initContainers"]];
    let containers: Vec<&Value> = lists.into_iter().filter_map(Value::as_array).flatten().collect();
    for name in required {
        let (what, resource) = name.split_once('.').unwrap_or(("requests", name));
        for container in
            containers.iter().filter(|container| container["resources"][what][resource].is_null())
        {
            missing.entry(name).or_default().insert(container["name"].as_str().unwrap_or_default());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = if minor < 23 {
        missing.keys().map(|name| (*name).to_owned()).collect()
    } else {
        let by_container = |(name, containers): (&&str, &BTreeSet<&str>)| {
            format!("{name} for: {}", containers.iter().copied().collect::<Vec<_>>().join(","))
        };
        missing.iter().map(by_container).collect()
    };
    Err(format!("must specify {}", said.join(if minor < 23 { "," } else { "; " })))
}

/// Gives the containers of a new pod the defaults of its namespace's limit ranges, and refuses
/// what lies outside their bounds.
pub(crate) fn apply_limit_ranges(
    tx: &Transaction<'_>,
    kinds: &Kinds,
    kind: &Kind,
    body: &mut Value,
) -> Result<(), Refusal> {
    let namespace = body["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let Some(ranges) = kinds.named("", "limitranges") else {
        return Ok(());
    };
    for range in tx.list(ranges.id, &namespace) {
        let range = range.body();
        let limits = range["spec"]["limits"].as_array().into_iter().flatten();
        for limit in limits.clone().filter(|limit| limit["type"] == "Container") {
            for list in ["containers", "initContainers"] {
                for container in body["spec"][list].as_array_mut().into_iter().flatten() {
                    give_defaults(container, limit);
                }
            }
        }
        for limit in limits {
            let mut problems = Vec::new();
            match limit["type"].as_str() {
                Some("Container") => {
                    for container in body["spec"]["containers"].as_array().into_iter().flatten() {
                        let resources = &container["resources"];
                        problems.extend(outside(limit, "Container", |what, name| {
                            Quantity::of(&resources[what][name])
                        }));
                    }
                }
                Some("Pod") => {
                    let sums = ["requests", "limits"]
                        .map(|what| (what, pod_resources(&body["spec"], what)));
                    problems.extend(outside(limit, "Pod", |what, name| {
                        sums.iter().find(|(known, _)| *known == what)?.1.get(name).copied()
                    }));
                }
                _ => {}
            }
            if !problems.is_empty() {
                let said = if problems.len() == 1 {
                    problems.concat()
                } else {
                    format!("[{}]", problems.join(", "))
                };
                return Err(Refusal::forbidden(kind, &name, &said));
            }
        }
    }
    Ok(())
}

fn give_defaults(container: &mut Value, limit: &Value) {
    let Some(container) = container.as_object_mut() else {
        return;
    };
    let resources = container.entry("resources").or_insert_with(|| Value::Object(Map::new()));
    for (what, default) in [("limits", "default"), ("requests", "defaultRequest")] {
        for (name, amount) in limit[default].as_object().into_iter().flatten() {
            let Some(resources) = resources.as_object_mut() else {
                return;
            };
            let given = resources.entry(what).or_insert_with(|| Value::Object(Map::new()));
            if let Some(given) = given.as_object_mut() {
                given.entry(name.clone()).or_insert_with(|| amount.clone());
            }
        }
    }
}

fn outside(limit: &Value, of: &str, given: impl Fn(&str, &str) -> Option<Quantity>) -> Vec<String> {
    let bounds = |bound: &str| -> Vec<(String, Quantity)> {
        let bounds = limit[bound].as_object().into_iter().flatten();
        bounds.filter_map(|(name, amount)| Some((name.clone(), Quantity::of(amount)?))).collect()
    };
    let mut problems = Vec::new();
    for (name, least) in bounds("min") {
        match given("requests", &name) {
            None => problems.push(format!(
                "minimum {name} usage per {of} is {least}.  No request is specified"
            )),
            Some(request) if request < least => {
                problems.push(format!(
                    "minimum {name} usage per {of} is {least}, but request is {request}"
                ));
            }
            Some(_) => {}
        }
    }
    for (name, most) in bounds("max") {
        match given("limits", &name) {
            None => problems
                .push(format!("maximum {name} usage per {of} is {most}.  No limit is specified")),
            Some(asked) if asked > most => {
                problems
                    .push(format!("maximum {name} usage per {of} is {most}, but limit is {asked}"));
            }
            Some(_) => {}
        }
    }
    problems
}
