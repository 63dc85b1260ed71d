//! What the world looks like as far as it is ours: the fields we own of every object of ours, and
//! what there is of databases.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::PgConnection;
use sqlx::Row as _;

use super::ground::Ground;
use super::ground::Server;

pub(super) const OURS: &str = "labelSelector=app.kubernetes.io/managed-by=tenantry";

/// Every object of ours by kind, namespace and name, and every database.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) objects: BTreeMap<String, Thing>,
    databases: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub(super) struct Thing {
    uid: String,
    unit: String,
    /// The values of the fields that we own.
    own: Value,
}

impl Picture {
    pub(super) async fn of(ground: &Ground) -> Self {
        let mut objects = BTreeMap::new();
        for collection in COLLECTIONS {
            let list = ground.get(&format!("{}?{OURS}", collection.path(&ground.server))).await;
            for object in list["items"].as_array().unwrap() {
                let id = collection.id(object);
                // Parent objects are no members, and what is on its way out is not there any more.
                let leaving = !object["metadata"]["deletionTimestamp"].is_null();
                if !leaving && !id.contains("/tenantry-system/") {
                    objects.insert(id, Thing::of(object));
                }
            }
        }
        Self { objects, databases: databases(ground).await }
    }

    /// How this picture differs from an earlier one, in words; empty where it does not.
    ///
    /// A Secret that was removed with its data and made again has another password.
    pub(super) fn differences(&self, earlier: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let names: BTreeSet<&String> = self.objects.keys().chain(earlier.objects.keys()).collect();
        for name in names {
            match (earlier.objects.get(name), self.objects.get(name)) {
                (Some(_), None) => found.push(format!("{name} is gone")),
                (None, Some(_)) => found.push(format!("{name} is new")),
                (Some(before), Some(now)) => {
                    let remade = name.starts_with("/Secret/") && before.uid != now.uid;
                    let (mut before, mut now) = (before.own.clone(), now.own.clone());
                    if remade {
                        before["data"] = Value::Null;
                        now["data"] = Value::Null;
                    }
                    if before != now {
                        found.push(format!("{name}: {before} became {now}"));
                    }
                }
                (None, None) => {}
            }
        }
        let names: BTreeSet<&String> =
            self.databases.keys().chain(earlier.databases.keys()).collect();
        for name in names {
            let (before, now) = (earlier.databases.get(name), self.databases.get(name));
            // What a customer wrote may be in it: neither is taken away while the database is there.
            let stays =
                before.is_none() && (name.contains(" schema ") || name.contains(" extension "));
            if before != now && !stays {
                found.push(format!("{name}: {before:?} became {now:?}"));
            }
        }
        found
    }

    /// Panics unless what the inventories list in the cluster is just what is there.
    pub(super) async fn assert_no_orphans(&self, ground: &Ground) {
        let parents = ground.get("/api/v1/namespaces/tenantry-system/configmaps").await;
        let mut listed: BTreeSet<(String, String)> = BTreeSet::new();
        for parent in parents["items"].as_array().unwrap() {
            let Some(text) = parent["data"]["inventory.json"].as_str() else { continue };
            let unit = parent["metadata"]["name"].as_str().unwrap().replace("inventory-", "");
            let document: Value = serde_json::from_str(text).unwrap();
            let ids = document["entries"].as_object().unwrap().keys();
            let in_cluster = ids.filter(|id| !id.starts_with("tenantry.dev/"));
            listed.extend(in_cluster.map(|id| (unit.clone(), id.clone())));
        }
        let there: BTreeSet<(String, String)> =
            self.objects.iter().map(|(id, thing)| (thing.unit.clone(), id.clone())).collect();
        let orphans: Vec<_> = there.difference(&listed).collect();
        let lost: Vec<_> = listed.difference(&there).collect();
        assert!(orphans.is_empty() && lost.is_empty(), "orphans: {orphans:?}; lost: {lost:?}");
    }
}

impl Thing {
    fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let managed = metadata["managedFields"].as_array().unwrap();
        let ours = managed
            .iter()
            .find(|entry| entry["manager"] == "tenantry" && entry["operation"] == "Apply");
        let own = ours.map_or(Value::Null, |entry| owned(object, &entry["fieldsV1"]));
        let unit = text(&metadata["labels"]["tenantry.dev/unit"]);
        Self { uid: text(&metadata["uid"]), unit, own }
    }
}

/// The part of a value that a set of fields speaks of.
fn owned(value: &Value, fields: &Value) -> Value {
    let fields = fields.as_object().unwrap();
    if fields.keys().all(|field| field == ".") {
        return value.clone();
    }
    let mut part = Map::new();
    for (field, inner) in fields {
        let (sort, name) = field.split_once(':').unwrap_or((field, ""));
        let inside = match sort {
            "f" => value.get(name).cloned(),
            "k" => item(value, &serde_json::from_str(name).unwrap()).cloned(),
            "v" => Some(Value::from(name)),
            "." => continue,
            _ => panic!("a field set says `{field}`"),
        };
        let inside = inside.unwrap_or_default();
        let inside = if sort == "v" { inside } else { owned(&inside, inner) };
        part.insert(field.clone(), inside);
    }
    part.sort_keys();
    Value::Object(part)
}

/// The item of a list that has these keys.
fn item<'a>(list: &'a Value, keys: &Map<String, Value>) -> Option<&'a Value> {
    let has_all = |item: &&Value| keys.iter().all(|(key, value)| item.get(key) == Some(value));
    list.as_array()?.iter().find(has_all)
}

/// A kind that we render, and where it is listed.
pub(super) struct Collection {
    group: &'static str,
    pub(super) kind: &'static str,
    /// The version that the sandbox serves, and the one that the real server does.
    versions: [&'static str; 2],
    plural: &'static str,
}

const fn collection(
    group: &'static str,
    kind: &'static str,
    versions: [&'static str; 2],
    plural: &'static str,
) -> Collection {
    Collection { group, kind, versions, plural }
}

const V1: [&str; 2] = ["v1", "v1"];
const NEWER: [&str; 2] = ["v1", "v1beta1"];

pub(super) const COLLECTIONS: [Collection; 14] = [
    collection("", "Namespace", V1, "namespaces"),
    collection("", "ResourceQuota", V1, "resourcequotas"),
    collection("", "LimitRange", V1, "limitranges"),
    collection("", "Secret", V1, "secrets"),
    collection("", "ConfigMap", V1, "configmaps"),
    collection("", "PersistentVolumeClaim", V1, "persistentvolumeclaims"),
    collection("", "Service", V1, "services"),
    collection("apps", "Deployment", V1, "deployments"),
    collection("apps", "StatefulSet", V1, "statefulsets"),
    collection("batch", "Job", V1, "jobs"),
    collection("batch", "CronJob", NEWER, "cronjobs"),
    collection("policy", "PodDisruptionBudget", NEWER, "poddisruptionbudgets"),
    collection("networking.k8s.io", "NetworkPolicy", V1, "networkpolicies"),
    collection("networking.k8s.io", "Ingress", V1, "ingresses"),
];

impl Collection {
    pub(super) fn path(&self, server: &Server) -> String {
        let version = match server {
            Server::Sandbox(_) => self.versions[0],
            Server::Real { .. } => self.versions[1],
        };
        match self.group {
            "" => format!("/api/{version}/{}", self.plural),
            group => format!("/apis/{group}/{version}/{}", self.plural),
        }
    }

    /// The object's id as inventories have it.
    pub(super) fn id(&self, object: &Value) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (namespace, name) =
            (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        format!("{}/{}/{namespace}/{name}", self.group, self.kind)
    }
}

/// What there is of customers' databases and roles, without passwords and identities, and without
/// what was removed and is set aside until its retention is over.
async fn databases(ground: &Ground) -> BTreeMap<String, String> {
    let mut server = PgConnection::connect(&ground.databases.url("postgres")).await.unwrap();
    let mut found = BTreeMap::new();
    let roles = "select rolname::text, concat_ws(' ', rolcanlogin, rolconnlimit, rolsuper) \
                 from pg_roles where rolname !~ '^(pg_|postgres$)' and not exists ( \
                   select from pg_database where datdba = pg_roles.oid and datname ~ '_aside_')";
    let names = "select datname::text, concat_ws(' ', pg_get_userbyid(datdba), datallowconn) \
                 from pg_database where datname !~ '_aside_' \
                   and datname not in ('postgres', 'template0', 'template1', 'history')";
    for (what, query) in [("role", roles), ("database", names)] {
        for row in sqlx::query(query).fetch_all(&mut server).await.unwrap() {
            let (name, says): (String, String) = (row.get(0), row.get(1));
            found.insert(format!("{what} {name}"), says);
        }
    }
    let inside = "select 'schema ' || nspname, pg_get_userbyid(nspowner)::text from pg_namespace \
                  where nspname !~ '^(pg_|information_schema)' \
                  union all select 'extension ' || extname, extversion from pg_extension";
    let databases: Vec<String> = found
        .iter()
        .filter(|(_, says)| says.ends_with(" t"))
        .filter_map(|(name, _)| name.strip_prefix("database ").map(str::to_owned))
        .collect();
    for name in databases {
        let mut database = PgConnection::connect(&ground.databases.url(&name)).await.unwrap();
        for row in sqlx::query(inside).fetch_all(&mut database).await.unwrap() {
            let (what, owner): (String, String) = (row.get(0), row.get(1));
            found.insert(format!("database {name} {what}"), owner);
        }
        database.close().await.unwrap();
    }
    server.close().await.unwrap();
    found
}
