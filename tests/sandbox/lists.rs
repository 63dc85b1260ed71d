//! Lists: by label, by field, in pages that show one moment, and in the shapes that clients ask for.

use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::cluster::names;
use crate::sandbox::cluster::version;

on_both! {
    a_list_is_in_order_and_has_a_version,
    labels_select,
    fields_select,
    what_cannot_be_selected_is_refused,
    pages_show_the_moment_of_the_first,
    a_token_that_is_none_is_refused,
    a_table_has_columns_and_rows,
    metadata_can_be_had_alone,
    discovery_tells_what_is_served,
}

async fn three(cluster: &Cluster) {
    for (name, tier, app) in [("c", "front", "web"), ("a", "front", "api"), ("b", "back", "web")] {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"tier": tier, "app": app, "test": "lists"}}});
        cluster.post(&cluster.core("configmaps"), body).await.ok();
    }
}

/// The config maps that a query selects among the test's own.
async fn selected(cluster: &Cluster, query: &str) -> Value {
    let query = if query.contains("labelSelector") {
        query.to_owned()
    } else {
        format!("labelSelector=test&{query}")
    };
    cluster.get(&cluster.core(&format!("configmaps?{query}"))).await.ok()
}

async fn a_list_is_in_order_and_has_a_version(cluster: &Cluster) {
    three(cluster).await;
    let list = selected(cluster, "").await;
    assert_eq!(list["kind"], "ConfigMapList");
    assert_eq!(list["apiVersion"], "v1");
    assert_eq!(names(&list), ["a", "b", "c"]);
    assert!(list["items"][0]["kind"].is_null(), "items of a list carry no type");
    let newest = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| version(item).parse::<u64>().unwrap())
        .max();
    assert!(version(&list).parse::<u64>().unwrap() >= newest.unwrap());
}

async fn labels_select(cluster: &Cluster) {
    three(cluster).await;
    for (selector, expected) in [
        ("test,tier=front", &["a", "c"][..]),
        ("test,tier%3D%3Dfront,app!%3Dweb", &["a"]),
        ("test,app+in+(web,other)", &["b", "c"]),
        ("test,app+notin+(web)", &["a"]),
        ("test,!gone", &["a", "b", "c"]),
        ("test,!tier", &[]),
    ] {
        let list = selected(cluster, &format!("labelSelector={selector}")).await;
        assert_eq!(names(&list), expected, "{selector}");
    }
}

async fn fields_select(cluster: &Cluster) {
    three(cluster).await;
    assert_eq!(names(&selected(cluster, "fieldSelector=metadata.name%3Db").await), ["b"]);
    assert_eq!(names(&selected(cluster, "fieldSelector=metadata.name!%3Db").await), ["a", "c"]);
    let path = format!(
        "/api/v1/configmaps?labelSelector=test&fieldSelector=metadata.namespace%3D{}",
        cluster.namespace
    );
    assert_eq!(names(&cluster.get(&path).await.ok()), ["a", "b", "c"]);
}

async fn what_cannot_be_selected_is_refused(cluster: &Cluster) {
    let answer = cluster.get(&cluster.core("configmaps?labelSelector=a+like+b")).await;
    assert_eq!(answer.code, 400, "{:#}", answer.body);
    let answer = cluster.get(&cluster.core("pods?fieldSelector=spec.colour%3Dred")).await;
    let message = answer.refused(400, "BadRequest");
    assert!(message.contains("field label not supported: spec.colour"), "{message}");
}

async fn pages_show_the_moment_of_the_first(cluster: &Cluster) {
    for number in 0..7 {
        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("s{number}")}});
        cluster.post(&cluster.core("secrets"), body).await.ok();
    }
    let all = names(&cluster.get(&cluster.core("secrets")).await.ok()).len();
    let first = cluster.get(&cluster.core("secrets?limit=3")).await.ok();
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    assert_eq!(first["metadata"]["remainingItemCount"], all - 3);

    cluster.delete(&cluster.core("secrets/s6"), json!({})).await.ok();
    let late = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s9"}});
    cluster.post(&cluster.core("secrets"), late).await.ok();

    let mut seen: Vec<String> = names(&first).into_iter().map(str::to_owned).collect();
    let mut page = first.clone();
    while let Some(token) = page["metadata"]["continue"].as_str().filter(|token| !token.is_empty())
    {
        page = cluster.get(&cluster.core(&format!("secrets?limit=3&continue={token}"))).await.ok();
        assert_eq!(version(&page), version(&first));
        seen.extend(names(&page).into_iter().map(str::to_owned));
    }
    assert_eq!(seen.len(), all);
    assert!(seen.contains(&"s6".to_owned()) && !seen.contains(&"s9".to_owned()), "{seen:?}");
}

async fn a_token_that_is_none_is_refused(cluster: &Cluster) {
    let answer = cluster.get(&cluster.core("secrets?limit=3&continue=bm9uc2Vuc2U")).await;
    let message = answer.refused(400, "BadRequest");
    assert!(message.contains("continue key is not valid"), "{message}");
}

async fn shaped(cluster: &Cluster, path: &str, shape: &str) -> Value {
    let accept = format!("application/json;as={shape};v=v1;g=meta.k8s.io,application/json");
    let request = http::Request::builder().method(Method::GET).uri(path).header("accept", accept);
    let response =
        cluster.client.send(request.body(kube::client::Body::empty()).unwrap()).await.unwrap();
    serde_json::from_slice(&response.into_body().collect_bytes().await.unwrap()).unwrap()
}

async fn a_table_has_columns_and_rows(cluster: &Cluster) {
    three(cluster).await;
    let table = shaped(cluster, &cluster.core("configmaps?labelSelector=test"), "Table").await;
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["apiVersion"], "meta.k8s.io/v1");
    let columns: Vec<&str> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(columns, ["Name", "Data", "Age"]);
    assert_eq!(table["columnDefinitions"][0]["format"], "name");
    assert_eq!(table["rows"][0]["cells"][0], "a");
    assert_eq!(table["rows"][0]["cells"][1], 0);
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(table["rows"][0]["object"]["metadata"]["name"], "a");
}

async fn metadata_can_be_had_alone(cluster: &Cluster) {
    three(cluster).await;
    let list = shaped(
        cluster,
        &cluster.core("configmaps?labelSelector=test"),
        "PartialObjectMetadataList",
    )
    .await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(names(&list), ["a", "b", "c"]);
    assert_eq!(list["items"][0]["metadata"]["labels"]["app"], "api");
    let one = shaped(cluster, &cluster.core("configmaps/a"), "PartialObjectMetadata").await;
    assert_eq!(one["kind"], "PartialObjectMetadata");
    assert!(one["data"].is_null());
}

async fn discovery_tells_what_is_served(cluster: &Cluster) {
    let version = cluster.get("/version").await.ok();
    assert_eq!(version["minor"], cluster.minor.to_string());
    let groups = cluster.get("/apis").await.ok();
    assert_eq!(groups["kind"], "APIGroupList");
    let resources = cluster.get("/apis/apps/v1").await.ok();
    let resource = |name: &str| {
        let mut list = resources["resources"].as_array().unwrap().iter();
        list.find(|resource| resource["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(resource("deployments")["kind"], "Deployment");
    assert_eq!(resource("deployments")["shortNames"], json!(["deploy"]));
    assert_eq!(resource("deployments/scale")["kind"], "Scale");
    assert_eq!(resource("deployments/scale")["group"], "autoscaling");
    let batch = cluster.get("/apis/batch/v1").await.ok();
    let jobs: Vec<&str> = batch["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["name"].as_str().unwrap())
        .collect();
    assert_eq!(jobs.contains(&"cronjobs"), cluster.minor > 20, "{jobs:?}");
    assert_eq!(cluster.get("/apis/policy/v1").await.code == 200, cluster.minor > 20);
}

/// A fresh real server forgets nothing within the time of a test.
#[tokio::test]
async fn a_token_from_long_ago_is_gone() {
    let cluster = Cluster::sandbox(33).await;
    three(&cluster).await;
    let first = cluster.get(&cluster.core("configmaps?limit=1")).await.ok();
    cluster.delete(&cluster.core("configmaps/b"), json!({})).await.ok();
    cluster.sandbox.as_ref().unwrap().forget_history();
    let token = first["metadata"]["continue"].as_str().unwrap();
    let answer = cluster.get(&cluster.core(&format!("configmaps?limit=1&continue={token}"))).await;
    let message = answer.refused(410, "Expired");
    assert!(message.starts_with("The provided continue parameter is too old"), "{message}");
}
