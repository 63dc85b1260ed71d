//! Every release of Kubernetes gets objects that it takes.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::core::v1::LimitRange;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::api::ApiResource;
use kube::api::DynamicObject;
use kube::api::GroupVersionKind;
use kube::api::Patch;
use kube::api::PatchParams;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenantry::model::Resource;

use super::fixture::Files;
use super::fixture::Rendered as _;
use crate::support::real_api_server;

const TENANTS: [&str; 5] = ["acme", "globex", "toko-batik", "warung-kopi", "rizky"];

/// The example on a cluster of another release, in namespaces that no other test uses.
fn on_release(release: &str) -> Files {
    let mut files =
        Files::example().edit("clusters/saigon.yaml", "\"1.33\"", &format!("\"{release}\""));
    for package in ["basic", "standard", "premium", "enterprise"] {
        let file = format!("packages/kiteclass/{package}.yaml");
        files = files.edit(&file, "namespacePrefix: kiteclass-", "namespacePrefix: rendered-");
    }
    for package in ["ghost", "n8n", "wordpress"] {
        let file = format!("packages/paas/{package}.yaml");
        files = files.edit(&file, "namespacePrefix: customer-", "namespacePrefix: rendered-for-");
    }
    files
}

fn same_after<T: DeserializeOwned + Serialize>(body: &Value) -> (Value, Value) {
    let typed: T = serde_json::from_value(body.clone()).unwrap();
    (body.clone(), serde_json::to_value(typed).unwrap())
}

/// The object as it is, and as the types of Kubernetes 1.33 understand it.
fn understood(resource: &Resource) -> (Value, Value) {
    let body = &resource.body;
    match &*resource.id.kind {
        "ConfigMap" => same_after::<ConfigMap>(body),
        "CronJob" => same_after::<CronJob>(body),
        "Deployment" => same_after::<Deployment>(body),
        "Ingress" => same_after::<Ingress>(body),
        "Job" => same_after::<Job>(body),
        "LimitRange" => same_after::<LimitRange>(body),
        "Namespace" => same_after::<Namespace>(body),
        "NetworkPolicy" => same_after::<NetworkPolicy>(body),
        "PersistentVolumeClaim" => same_after::<PersistentVolumeClaim>(body),
        "PodDisruptionBudget" => same_after::<PodDisruptionBudget>(body),
        "ResourceQuota" => same_after::<ResourceQuota>(body),
        "Secret" => same_after::<Secret>(body),
        "Service" => same_after::<Service>(body),
        "StatefulSet" => same_after::<StatefulSet>(body),
        kind => panic!("no type for {kind}"),
    }
}

#[test]
fn the_types_of_kubernetes_know_every_field() {
    for tenant in TENANTS {
        for resource in Files::example().render(tenant).rendered.resources {
            if !resource.id.is_database() {
                let (body, understood) = understood(&resource);
                assert_eq!(body, understood, "{}", resource.id);
            }
        }
    }
}

#[test]
fn an_old_release_gets_old_versions_and_no_new_fields() {
    let rendering = on_release("1.20").render("acme");
    let cron_job = &rendering.one("CronJob").body;
    assert_eq!(cron_job["apiVersion"], "batch/v1beta1");
    assert!(cron_job["spec"]["timeZone"].is_null());
    let budget = &rendering.named("PodDisruptionBudget", "user").body;
    assert_eq!(budget["apiVersion"], "policy/v1beta1");
    let policy = &rendering.named("NetworkPolicy", "allow-ingress-controller").body;
    let labels = &policy["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"];
    assert_eq!(labels["name"], "ingress-nginx");
    let pod = &on_release("1.20").render("warung-kopi");
    let pod = &pod.named("Deployment", "site-wordpress").body["spec"]["template"]["spec"];
    assert!(pod["securityContext"]["sysctls"].is_null());
}

#[tokio::test]
async fn the_real_api_server_takes_every_object() {
    let Some(server) = real_api_server::shared().await else { return };
    let client = server.client().await;
    let version = client.apiserver_version().await.unwrap();
    let files = on_release(&format!("{}.{}", version.major, version.minor));
    for tenant in TENANTS {
        for resource in files.render(tenant).rendered.resources {
            if resource.id.is_database() {
                continue;
            }
            let kind: GroupVersionKind = {
                let version = resource.body["apiVersion"].as_str().unwrap();
                let version = version.rsplit('/').next().unwrap();
                GroupVersionKind::gvk(&resource.id.group, version, &resource.id.kind)
            };
            let kind = ApiResource::from_gvk(&kind);
            let api: Api<DynamicObject> = if resource.id.namespace.is_empty() {
                Api::all_with(client.clone(), &kind)
            } else {
                Api::namespaced_with(client.clone(), &resource.id.namespace, &kind)
            };
            // Namespaces are made, so that the others may pretend to be in them.
            let mut how = PatchParams::apply("tenantry").force();
            how.dry_run = !resource.id.is_namespace();
            let taken = api.patch(&resource.id.name, &how, &Patch::Apply(&resource.body)).await;
            let taken = taken.unwrap_or_else(|error| panic!("{}: {error}", resource.id));
            assert_eq!(taken.metadata.name.as_deref(), Some(&*resource.id.name));
        }
    }
}
