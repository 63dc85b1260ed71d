//! What is served: versions, groups, resources, and enough of `OpenAPI` for kubectl.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::kinds::Kind;
use crate::sandbox::kinds::join_group;
use crate::sandbox::metrics;
use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;

const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
pub(crate) const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A part of a resource: its name, and the group, version and kind it speaks.
type Subresource = (&'static str, &'static str, &'static str, String, Vec<&'static str>);

pub(crate) fn version(cluster: &Cluster) -> Value {
    let version = cluster.kinds.version;
    let (major, minor) = (version.major.to_string(), version.minor.to_string());
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{major}.{minor}.0+sandbox"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "linux/amd64",
    })
}

pub(crate) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

fn groups(cluster: &Cluster) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for kind in cluster.kinds.all().iter().filter(|kind| !kind.group.is_empty()) {
        let place = groups.iter().position(|(name, _)| *name == kind.group).unwrap_or_else(|| {
            groups.push((kind.group.clone(), Vec::new()));
            groups.len() - 1
        });
        for version in &kind.versions {
            if !groups[place].1.contains(version) {
                groups[place].1.push(version.clone());
            }
        }
    }
    groups.push(("authorization.k8s.io".to_owned(), vec!["v1".to_owned()]));
    if cluster.options.metrics {
        groups.push((metrics::GROUP.to_owned(), vec![metrics::VERSION.to_owned()]));
    }
    groups
}

fn described(name: &str, versions: &[String]) -> Value {
    let one =
        |version: &String| json!({"groupVersion": join_group(name, version), "version": version});
    json!({
        "name": name,
        "versions": versions.iter().map(one).collect::<Vec<_>>(),
        "preferredVersion": one(&versions[0]),
    })
}

pub(crate) fn group_list(cluster: &Cluster) -> Value {
    let groups: Vec<Value> =
        groups(cluster).iter().map(|(name, versions)| described(name, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

pub(crate) fn group(cluster: &Cluster, name: &str) -> Option<Value> {
    let groups = groups(cluster);
    let (name, versions) = groups.iter().find(|(known, _)| known == name)?;
    let mut group = described(name, versions);
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    Some(group)
}

fn subresources(kind: &Kind) -> Vec<Subresource> {
    let changes = || vec!["get", "patch", "update"];
    let mut parts: Vec<Subresource> = Vec::new();
    if kind.has_status {
        parts.push(("status", "", "", kind.kind.clone(), changes()));
    }
    if kind.has_scale {
        parts.push(("scale", "autoscaling", "v1", "Scale".to_owned(), changes()));
    }
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "pods") => {
            parts.push(("log", "", "v1", "Pod".to_owned(), vec!["get"]));
            parts.push(("eviction", "policy", "v1", "Eviction".to_owned(), vec!["create"]));
            parts.push(("binding", "", "v1", "Binding".to_owned(), vec!["create"]));
        }
        ("", "namespaces") => {
            parts.push(("finalize", "", "v1", "Namespace".to_owned(), vec!["update"]));
        }
        ("", "serviceaccounts") => {
            parts.push((
                "token",
                "authentication.k8s.io",
                "v1",
                "TokenRequest".to_owned(),
                vec!["create"],
            ));
        }
        _ => {}
    }
    parts
}

/// The resources of one group and version.
pub(crate) fn resources(cluster: &Cluster, group: &str, version: &str) -> Option<Value> {
    let kinds = cluster.kinds.all();
    let mut kinds: Vec<_> = kinds
        .iter()
        .filter(|kind| kind.group == group && kind.versions.iter().any(|known| known == version))
        .collect();
    kinds.sort_by(|left, right| left.plural.cmp(&right.plural));
    let mut list = Vec::new();
    for kind in kinds {
        list.push(json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": VERBS,
            "shortNames": kind.short_names,
            "categories": kind.categories,
            "storageVersionHash": "",
        }));
        for (name, group, version, part, verbs) in subresources(kind) {
            let mut entry = json!({
                "name": format!("{}/{name}", kind.plural),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": part,
                "verbs": verbs,
            });
            if !version.is_empty() {
                entry["group"] = group.into();
                entry["version"] = version.into();
            }
            list.push(entry);
        }
    }
    if group == "authorization.k8s.io" {
        list.push(
            json!({"name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview",
            "namespaced": false, "kind": "SelfSubjectAccessReview", "verbs": ["create"]}),
        );
    }
    if group == metrics::GROUP && cluster.options.metrics && version == metrics::VERSION {
        for (plural, kind, namespaced) in metrics::RESOURCES {
            list.push(json!({"name": plural, "singularName": "", "namespaced": namespaced,
                "kind": kind, "verbs": ["get", "list"]}));
        }
    }
    for entry in &mut list {
        if let Some(entry) = entry.as_object_mut() {
            entry.retain(|name, value| {
                !["shortNames", "categories"].contains(&name.as_str())
                    || value.as_array().is_some_and(|names| !names.is_empty())
            });
        }
    }
    let group_version = join_group(group, version);
    (!list.is_empty()).then(|| {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
    })
}

/// Everything in one answer, as clients ask for it since 1.26.
pub(crate) fn aggregated(cluster: &Cluster, core: bool) -> Value {
    let groups = if core { vec![(String::new(), vec!["v1".to_owned()])] } else { groups(cluster) };
    let kinds = cluster.kinds.all();
    let mut items = Vec::new();
    for (group, versions) in groups {
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| {
                let served = kinds
                    .iter()
                    .filter(|kind| kind.group == group && kind.versions.contains(version));
                let mut resources: Vec<Value> =
                    served.map(|kind| aggregated_resource(kind, version)).collect();
                if group == metrics::GROUP {
                    resources.extend(metrics::RESOURCES.map(aggregated_metrics));
                }
                json!({"version": version, "resources": resources, "freshness": "Current"})
            })
            .collect();
        let metadata = if group.is_empty() {
            json!({"creationTimestamp": null})
        } else {
            json!({"name": group, "creationTimestamp": null})
        };
        items.push(json!({"metadata": metadata, "versions": versions}));
    }
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_metrics((plural, kind, namespaced): (&str, &str, bool)) -> Value {
    json!({
        "resource": plural,
        "responseKind": {"group": metrics::GROUP, "version": metrics::VERSION, "kind": kind},
        "scope": if namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": "",
        "verbs": ["get", "list"],
    })
}

fn aggregated_resource(kind: &Kind, version: &str) -> Value {
    let own = |kind_name: &str| json!({"group": kind.group, "version": version, "kind": kind_name});
    let parts: Vec<Value> = subresources(kind)
        .into_iter()
        .map(|(name, group, part_version, part, verbs)| {
            let response = if part_version.is_empty() {
                own(&part)
            } else {
                json!({"group": group, "version": part_version, "kind": part})
            };
            json!({"subresource": name, "responseKind": response, "verbs": verbs})
        })
        .collect();
    let mut resource = json!({
        "resource": kind.plural,
        "responseKind": own(&kind.kind),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": VERBS,
        "shortNames": kind.short_names,
        "categories": kind.categories,
    });
    if !parts.is_empty() {
        resource["subresources"] = parts.into();
    }
    resource
}

/// The index of the `OpenAPI` 3 documents.
pub(crate) fn openapi_index(cluster: &Cluster) -> Value {
    let mut paths = Map::new();
    paths.insert("api/v1".to_owned(), json!({"serverRelativeURL": "/openapi/v3/api/v1"}));
    for (group, versions) in groups(cluster) {
        for version in versions {
            let path = format!("apis/{group}/{version}");
            let url = format!("/openapi/v3/{path}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// The `OpenAPI` 3 document of one group and version: types, and that writes know `fieldValidation`.
pub(crate) fn openapi(cluster: &Cluster, group: &str, version: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in cluster
        .kinds
        .all()
        .iter()
        .filter(|kind| kind.group == group && kind.versions.iter().any(|v| v == version))
    {
        let prefix = if group.is_empty() {
            "/api/v1".to_owned()
        } else {
            format!("/apis/{group}/{version}")
        };
        let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let gvk = json!({"group": group, "version": version, "kind": kind.kind});
        let parameter =
            |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
        let operation = |action: &str| {
            json!({
                "x-kubernetes-action": action,
                "x-kubernetes-group-version-kind": gvk,
                "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation")],
                "responses": {"200": {"description": "OK"}},
            })
        };
        let item = json!({"patch": operation("patch"), "put": operation("put"), "delete": operation("delete"), "get": operation("get")});
        paths.insert(format!("{prefix}{scope}/{}/{{name}}", kind.plural), item);
        paths
            .insert(format!("{prefix}{scope}/{}", kind.plural), json!({"post": operation("post")}));
        let Type::Struct(root) = kind.root else {
            continue;
        };
        describe(&kind.schema, root, &mut schemas);
        if let Some(schema) = schemas.get_mut(&kind.schema.of(root).name) {
            schema["x-kubernetes-group-version-kind"] = json!([gvk]);
            schema["properties"]["apiVersion"] = json!({"type": "string"});
            schema["properties"]["kind"] = json!({"type": "string"});
        }
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn describe(schema: &Schema, id: usize, schemas: &mut Map<String, Value>) {
    let described = schema.of(id);
    if schemas.contains_key(&described.name) {
        return;
    }
    schemas.insert(described.name.clone(), Value::Null);
    let mut names: Vec<&String> = described.fields.keys().collect();
    names.sort();
    let mut properties = Map::new();
    for name in names {
        properties.insert(name.clone(), describe_type(schema, &described.fields[name].of, schemas));
    }
    schemas.insert(described.name.clone(), json!({"type": "object", "properties": properties}));
}

fn describe_type(schema: &Schema, of: &Type, schemas: &mut Map<String, Value>) -> Value {
    match of {
        Type::Any => json!({"type": "object"}),
        Type::Int => json!({"type": "integer"}),
        Type::Number => json!({"type": "number"}),
        Type::Bool => json!({"type": "boolean"}),
        Type::IntOrString => json!({"type": "string", "format": "int-or-string"}),
        Type::Time => json!({"type": "string", "format": "date-time"}),
        Type::Bytes => json!({"type": "string", "format": "byte"}),
        Type::String | Type::Quantity => json!({"type": "string"}),
        Type::Struct(id) => {
            describe(schema, *id, schemas);
            json!({"allOf": [{"$ref": format!("#/components/schemas/{}", schema.of(*id).name)}]})
        }
        Type::Map(item, _) => {
            json!({"type": "object", "additionalProperties": describe_type(schema, item, schemas)})
        }
        Type::List(item, _) => {
            json!({"type": "array", "items": describe_type(schema, item, schemas)})
        }
    }
}

/// The old document, without contents: what reads it today only wants it to be there.
pub(crate) fn openapi_v2() -> Value {
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "sandbox"}, "paths": {}, "definitions": {}})
}
