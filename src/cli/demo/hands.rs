//! Somebody with `kubectl` and too many rights: what breaks things by hand, and looks at them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use anyhow::Context as _;
use kube::Client;
use kube::api::Api;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::core::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::Value;
use serde_json::json;

use crate::model::Digest;
use crate::model::ResourceId;
use crate::model::cluster::SecretPlace;
use crate::model::marks;
use crate::model::resource::Outline;

/// The name under which the API server remembers who changed a field.
pub(super) const MANAGER: &str = "kubectl-scale";

#[derive(Clone)]
pub(super) struct Hands {
    client: Client,
}

impl Hands {
    pub(super) fn on(url: &str) -> anyhow::Result<Self> {
        let url: http::Uri = url.parse().context("the cluster has no address")?;
        let client = Client::try_from(kube::Config::new(url)).context("no connection")?;
        Ok(Self { client })
    }

    /// Puts the Secret there with which databases are made.
    pub(super) async fn give_admin(
        &self,
        place: &SecretPlace,
        user: &str,
        password: &str,
    ) -> anyhow::Result<()> {
        let namespace = ResourceId::new("", "Namespace", "", &place.namespace);
        let secret = ResourceId::new("", "Secret", &place.namespace, &place.name);
        self.create(&namespace, "v1", json!({})).await?;
        let data = json!({ "stringData": { "username": user, "password": password } });
        self.create(&secret, "v1", data).await
    }

    async fn create(&self, id: &ResourceId, version: &str, rest: Value) -> anyhow::Result<()> {
        let mut body = json!({
            "apiVersion": version, "kind": id.kind, "metadata": { "name": id.name },
        });
        if let (Some(body), Value::Object(rest)) = (body.as_object_mut(), rest) {
            body.extend(rest);
        }
        let object: DynamicObject = serde_json::from_value(body)?;
        self.api(id, version).create(&PostParams::default(), &object).await?;
        Ok(())
    }

    pub(super) async fn scale(&self, id: &ResourceId, replicas: u32) -> anyhow::Result<()> {
        let change = json!({ "spec": { "replicas": replicas } });
        let by = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        self.api(id, "apps/v1").patch(&id.name, &by, &Patch::Merge(change)).await?;
        Ok(())
    }

    pub(super) async fn delete(&self, id: &ResourceId, version: &str) -> anyhow::Result<()> {
        self.api(id, version).delete(&id.name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// How many pods a deployment asks for.
    pub(super) async fn replicas(&self, id: &ResourceId) -> anyhow::Result<u64> {
        let object = self.api(id, "apps/v1").get(&id.name).await?;
        object.data["spec"]["replicas"].as_u64().context("a deployment without replicas")
    }

    pub(super) async fn is_there(&self, id: &ResourceId, version: &str) -> anyhow::Result<bool> {
        Ok(self.api(id, version).get_opt(&id.name).await?.is_some())
    }

    /// Everything of ours, each thing with a digest of what is asked of it: not of what the cluster
    /// itself says about it.
    pub(super) async fn everything(
        &self,
        outlines: &[Outline],
    ) -> anyhow::Result<BTreeMap<String, Digest>> {
        let kinds: BTreeSet<(&str, &str)> = outlines
            .iter()
            .filter(|outline| !outline.id.is_database())
            .map(|outline| (&*outline.api_version, &*outline.id.kind))
            .collect();
        let ours =
            ListParams::default().labels(&format!("{}={}", marks::MANAGED_BY, marks::TENANTRY));
        let mut all = BTreeMap::new();
        for (version, kind) in kinds {
            let api = Api::<DynamicObject>::all_with(self.client.clone(), &resource(version, kind));
            for object in api.list(&ours).await?.items {
                let mut body = serde_json::to_value(&object)?;
                forget_what_the_cluster_says(&mut body);
                let metadata = &body["metadata"];
                let name = format!("{kind} {} {}", metadata["namespace"], metadata["name"]);
                all.insert(name, Digest::of_json(&body));
            }
        }
        Ok(all)
    }

    fn api(&self, id: &ResourceId, version: &str) -> Api<DynamicObject> {
        let resource = resource(version, &id.kind);
        if id.namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &id.namespace, &resource)
        }
    }
}

fn resource(version: &str, kind: &str) -> ApiResource {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

fn forget_what_the_cluster_says(body: &mut Value) {
    if let Some(body) = body.as_object_mut() {
        body.remove("status");
    }
    let Some(metadata) = body["metadata"].as_object_mut() else { return };
    for field in ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
    }
}
