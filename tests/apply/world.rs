//! A unit of its own on a real API server, and somebody else who works there, too.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use http::Request;
use kube::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use serde_json::Value;
use serde_json::json;
use tenantry::apply::ApplyError;
use tenantry::apply::Cluster;
use tenantry::apply::cluster::Credentials;
use tenantry::apply::cluster::watch::Event;
use tenantry::apply::cluster::watch::Watches;
use tenantry::model::Resource;
use tenantry::model::ResourceId;
use tenantry::model::UnitName;
use tenantry::model::resource::OnDelete;
use tenantry::model::resource::Stage;
use tenantry::plan::Done;
use tenantry::plan::Live;
use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;
use tokio::sync::mpsc;

use crate::support::proxy::Proxy;
use crate::support::real_api_server;

/// A unit and its namespace on one server.
pub(crate) struct World {
    pub(crate) server: &'static str,
    pub(crate) cluster: Cluster,
    pub(crate) unit: UnitName,
    pub(crate) namespace: String,
    pub(crate) kubectl: Kubectl,
    kubeconfig: String,
    /// The sandbox itself, where it is one: it has trouble to offer.
    pub(crate) sandbox: Option<Arc<Sandbox>>,
}

/// A world on every server that there is. Those that are missing have said so.
pub(crate) async fn worlds() -> Vec<World> {
    let mut worlds = vec![sandbox().await];
    if let Some(server) = real_api_server::shared().await {
        let kubeconfig = std::fs::read_to_string(&server.kubeconfig_path).unwrap();
        worlds.push(world("real", kubeconfig, None).await);
    }
    worlds
}

/// A world on a sandbox of its own.
pub(crate) async fn sandbox() -> World {
    sandbox_with(SandboxOptions::default()).await
}

/// As [`sandbox`], with other options.
pub(crate) async fn sandbox_with(options: SandboxOptions) -> World {
    let sandbox = Sandbox::start(options).await.unwrap();
    let kubeconfig = sandbox.kubeconfig_yaml();
    world("sandbox", kubeconfig, Some(Arc::new(sandbox))).await
}

async fn world(server: &'static str, kubeconfig: String, sandbox: Option<Arc<Sandbox>>) -> World {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("apply-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let cluster = connect(server, &kubeconfig).await;
    let options = KubeConfigOptions::default();
    let parsed = Kubeconfig::from_yaml(&kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(parsed, &options).await.unwrap();
    let kubectl = Kubectl { client: kube::Client::try_from(config).unwrap() };
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    kubectl.create("/api/v1/namespaces", &body).await;
    let unit = name.parse().unwrap();
    World { server, cluster, unit, namespace: name, kubectl, kubeconfig, sandbox }
}

async fn connect(server: &str, kubeconfig: &str) -> Cluster {
    Cluster::connect(server, Credentials::Text(kubeconfig)).await.unwrap()
}

impl World {
    /// Another daemon on the same cluster, which knows nothing of the first.
    pub(crate) async fn another_daemon(&self) -> Cluster {
        connect(self.server, &self.kubeconfig).await
    }

    /// The same cluster, as somebody with other rights.
    pub(crate) async fn as_user(&self, user: &str) -> Cluster {
        let mut kubeconfig = Kubeconfig::from_yaml(&self.kubeconfig).unwrap();
        for named in &mut kubeconfig.auth_infos {
            named.auth_info.get_or_insert_default().impersonate = Some(user.to_owned());
        }
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        Cluster::connect(self.server, Credentials::Config(Box::new(config))).await.unwrap()
    }

    /// The same unit, seen by a daemon that just started and reaches the server through a proxy.
    pub(crate) async fn through_a_proxy(&self) -> (Self, Proxy) {
        let mut kubeconfig = Kubeconfig::from_yaml(&self.kubeconfig).unwrap();
        let cluster = kubeconfig.clusters[0].cluster.as_mut().unwrap();
        let url = cluster.server.clone().unwrap();
        let (address, port) = url.rsplit_once(':').unwrap();
        let proxy = Proxy::to(port.parse().unwrap()).await;
        cluster.server = Some(format!("{address}:{}", proxy.port()));
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let credentials = Credentials::Config(Box::new(config));
        let limit = Duration::from_secs(5);
        let cluster = Cluster::connect_with_limit(self.server, credentials, limit).await.unwrap();
        (Self { cluster, ..self.again().await }, proxy)
    }

    /// The same unit, seen by a daemon that just started.
    pub(crate) async fn again(&self) -> Self {
        Self {
            server: self.server,
            cluster: self.another_daemon().await,
            unit: self.unit.clone(),
            namespace: self.namespace.clone(),
            kubectl: self.kubectl.clone(),
            kubeconfig: self.kubeconfig.clone(),
            sandbox: self.sandbox.clone(),
        }
    }

    /// A resource of the unit in its namespace; `body` needs no name and no namespace.
    pub(crate) fn resource(
        &self,
        api_version: &str,
        kind: &str,
        name: &str,
        body: Value,
    ) -> Resource {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let id = ResourceId::new(group, kind, &self.namespace, name);
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": self.namespace}});
        merge(&mut object, body);
        Resource::new(id, None, Stage::Namespace, OnDelete::Delete, object)
    }

    pub(crate) fn settings(&self, value: &str) -> Resource {
        self.resource("v1", "ConfigMap", "settings", json!({"data": {"key": value}}))
    }

    pub(crate) fn deployment(&self, replicas: u32, annotations: &Value) -> Resource {
        let pod = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]},
        });
        let spec = json!({"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": pod});
        let body = json!({"metadata": {"annotations": annotations}, "spec": spec});
        self.resource("apps/v1", "Deployment", "web", body)
    }

    pub(crate) async fn apply(&self, resource: &Resource) -> Done {
        self.cluster.apply(&self.unit, resource, &[]).await.unwrap()
    }

    pub(crate) async fn refused(&self, resource: &Resource) -> ApplyError {
        self.cluster.apply(&self.unit, resource, &[]).await.unwrap_err()
    }

    /// `/api/v1/namespaces/NAMESPACE/configmaps/settings`
    pub(crate) fn path(&self, collection: &str, name: &str) -> String {
        let api = match collection {
            "deployments" | "statefulsets" => "/apis/apps/v1",
            "jobs" => "/apis/batch/v1",
            "horizontalpodautoscalers" => "/apis/autoscaling/v1",
            _ => "/api/v1",
        };
        format!("{api}/namespaces/{}/{collection}/{name}", self.namespace)
    }

    /// The object as the server has it.
    pub(crate) async fn get(&self, collection: &str, name: &str) -> Value {
        self.kubectl.get(&self.path(collection, name)).await
    }

    /// What a daemon that just started would see of the thing.
    pub(crate) async fn seen(&self, id: &ResourceId) -> Option<Live> {
        let observed = self.another_daemon().await.observe(&self.unit).await.unwrap();
        observed.live.get(id).cloned()
    }

    /// Starts the watches of this world's cluster, and waits until they know everything.
    pub(crate) async fn watch(&self) -> Watching {
        self.watch_and_verify(None).await
    }

    /// As [`World::watch`], with everything listed anew now and then.
    pub(crate) async fn watch_and_verify(&self, every: Option<Duration>) -> Watching {
        let (watches, events) = Watches::start_verifying(&self.cluster, every);
        let mut watching =
            Watching { _watches: watches, events, unit: self.unit.clone(), seen: Vec::new() };
        watching.wait_for(|event| *event == Event::Synced).await;
        watching
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Running watches and what they told of this world.
pub(crate) struct Watching {
    _watches: Watches,
    events: mpsc::Receiver<Event>,
    unit: UnitName,
    pub(crate) seen: Vec<Event>,
}

impl Watching {
    /// Waits for an event about this unit or about the watches themselves.
    pub(crate) async fn wait_for(&mut self, mut wanted: impl FnMut(&Event) -> bool) -> Event {
        let limit = Duration::from_mins(1);
        let next = async {
            loop {
                let event = self.events.recv().await.expect("the watches go on");
                if self.is_other_units(&event) {
                    continue;
                }
                self.seen.push(event.clone());
                if wanted(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(limit, next).await.expect("the event comes")
    }

    /// Waits until the thing looks like this.
    pub(crate) async fn wait_until(
        &mut self,
        id: &ResourceId,
        like: impl Fn(&Live) -> bool,
    ) -> Live {
        let event = self
            .wait_for(|event| matches!(event, Event::Changed { id: changed, live, .. } if changed == id && like(live)))
            .await;
        match event {
            Event::Changed { live, .. } => *live,
            _ => unreachable!("only that was waited for"),
        }
    }

    pub(crate) async fn wait_until_gone(&mut self, id: &ResourceId) {
        self.wait_for(|event| matches!(event, Event::Gone { id: gone, .. } if gone == id)).await;
    }

    fn is_other_units(&self, event: &Event) -> bool {
        match event {
            Event::Changed { unit, .. } | Event::Gone { unit, .. } | Event::Inventory { unit } => {
                *unit != self.unit
            }
            _ => false,
        }
    }
}

/// Somebody else at the same API server.
#[derive(Clone)]
pub(crate) struct Kubectl {
    client: kube::Client,
}

impl Kubectl {
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Value, kube::Error> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(body)
            .unwrap();
        self.client.request(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.request("GET", path, "application/json", &Value::Null).await.unwrap()
    }

    pub(crate) async fn exists(&self, path: &str) -> bool {
        match self.request("GET", path, "application/json", &Value::Null).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.is_not_found() => false,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    pub(crate) async fn create(&self, collection: &str, body: &Value) -> Value {
        self.request("POST", collection, "application/json", body).await.unwrap()
    }

    /// As `kubectl edit` and `kubectl label` do.
    pub(crate) async fn patch(&self, path: &str, manager: &str, body: Value) -> Value {
        let path = format!("{path}?fieldManager={manager}");
        self.request("PATCH", &path, "application/merge-patch+json", &body).await.unwrap()
    }

    /// As `kubectl apply --server-side --force-conflicts` does.
    pub(crate) async fn apply(&self, path: &str, manager: &str, body: Value) -> Value {
        let path = format!("{path}?fieldManager={manager}&force=true");
        self.request("PATCH", &path, "application/apply-patch+yaml", &body).await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.request("DELETE", path, "application/json", &Value::Null).await.unwrap();
    }
}

/// Waits until a condition holds.
pub(crate) async fn until<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(value) = holds().await {
            return value;
        }
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same many times at once.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    make: impl Fn(usize) -> F,
) -> Vec<T> {
    let start = Arc::new(tokio::sync::Barrier::new(count));
    let tasks = (0..count).map(|n| {
        let (start, task) = (Arc::clone(&start), make(n));
        tokio::spawn(async move {
            start.wait().await;
            task.await
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
