//! A repository, an API server of its own, a PostgreSQL of its own, and a daemon between them.

use std::path::Path;
use std::sync::Arc;

use http::Request;
use kube::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;
use tenantry::sandbox::postgres::PostgresError;
use tenantry::sandbox::postgres::PostgresOptions;
use tenantry::sandbox::postgres::PrivatePostgres;

use crate::edits::git;
use crate::support::daemon::Daemon;
use crate::support::daemon::Settings;
use crate::support::daemon::settings;
use crate::support::kubelet::Kubelet;
use crate::support::program::Program;
use crate::support::program::Told;
use crate::support::real_api_server;
use crate::support::real_api_server::RealApiServer;
use crate::support::repository::TestRepo;
use crate::support::skipped;

/// Everything a daemon works with. All of it is this test's alone.
pub(super) struct Ground {
    pub(super) name: &'static str,
    pub(super) repository: TestRepo,
    pub(super) client: kube::Client,
    pub(super) server: Server,
    pub(super) databases: PrivatePostgres,
    settings: Settings,
    _folder: TempDir,
}

/// Who answers as the cluster.
pub(super) enum Server {
    Sandbox(Arc<Sandbox>),
    /// With somebody who plays its nodes.
    Real {
        server: Box<RealApiServer>,
        _nodes: Kubelet,
    },
}

impl Ground {
    /// On a sandbox; none after saying that (and why) it is skipped.
    pub(super) async fn on_a_sandbox() -> Option<Self> {
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        let kubeconfig = sandbox.kubeconfig_yaml();
        Self::of("sandbox", "1.33", &kubeconfig, |_| Server::Sandbox(Arc::new(sandbox))).await
    }

    /// On a real API server; none after saying that (and why) it is skipped.
    pub(super) async fn on_a_real_server() -> Option<Self> {
        let server = real_api_server::own().await?;
        let kubeconfig = std::fs::read_to_string(&server.kubeconfig_path).unwrap();
        let with_nodes = |client: &kube::Client| Server::Real {
            server: Box::new(server),
            _nodes: Kubelet::start(client, |_| true),
        };
        Self::of("real", "1.20", &kubeconfig, with_nodes).await
    }

    async fn of(
        name: &'static str,
        version: &str,
        kubeconfig: &str,
        server: impl FnOnce(&kube::Client) -> Server,
    ) -> Option<Self> {
        let databases = match PrivatePostgres::start(&PostgresOptions::default()).await {
            Ok(databases) => databases,
            Err(error @ PostgresError::NotInstalled) => {
                skipped("it needs PostgreSQL", error);
                return None;
            }
            Err(error) => panic!("the private PostgreSQL does not start: {error}"),
        };
        let history = databases.create_database("history").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let repository = TestRepo::seeded_from(&example());
        let cluster = std::fs::read_to_string(example().join("clusters/saigon.yaml")).unwrap();
        let cluster = cluster
            .replace("\"1.33\"", &format!("\"{version}\""))
            .replace("postgres.databases.svc.cluster.local", "127.0.0.1")
            .replace("port: 5432", &format!("port: {}", databases.port()));
        repository.write("clusters/saigon.yaml", cluster).commit("the cluster is here");

        let parsed = Kubeconfig::from_yaml(kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(parsed, &options).await.unwrap();
        let client = kube::Client::try_from(config).unwrap();
        let server = server(&client);
        let settings = settings(folder.path(), repository.path(), kubeconfig, Some(history));
        let ground =
            Self { name, repository, client, server, databases, settings, _folder: folder };
        ground.introduce_databases().await;
        Some(ground)
    }

    /// Puts the password of the database server where the cluster's document says it is.
    async fn introduce_databases(&self) {
        let (user, password) = self.databases.superuser();
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "databases"}});
        self.create("/api/v1/namespaces", &namespace).await;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postgres-admin"},
            "stringData": {"username": user, "password": password},
        });
        self.create("/api/v1/namespaces/databases/secrets", &secret).await;
    }

    /// Keeps only what these tenants need of the repository.
    pub(super) fn with_only(&self, tenants: &[&str]) {
        for entry in std::fs::read_dir(example().join("tenants")).unwrap() {
            let entry = entry.unwrap();
            let tenant = entry.file_name().into_string().unwrap();
            if !tenants.contains(&&*tenant) {
                for file in std::fs::read_dir(entry.path()).unwrap() {
                    let file = file.unwrap().file_name().into_string().unwrap();
                    self.repository.remove(&format!("tenants/{tenant}/{file}"));
                }
            }
        }
        self.repository.commit("fewer tenants");
    }

    /// A daemon that serves the portal, which may push to the repository.
    pub(super) async fn start_portal(&self) -> Daemon {
        self.start_portal_with(&[]).await
    }

    /// The same with more on its command line.
    pub(super) async fn start_portal_with(&self, more: &[String]) -> Daemon {
        let allowed = ["config", "receive.denyCurrentBranch", "ignore"];
        git(&self.repository.git_folder(), &allowed).unwrap();
        let more = more.to_vec();
        Daemon::start(&Settings { portal: true, more, ..self.settings.clone() }).await
    }

    /// Where the daemon keeps history, orders and money.
    pub(super) fn history(&self) -> &str {
        self.settings.database.as_deref().expect("because it was made with one")
    }

    /// A command with the settings of the daemon.
    pub(super) fn run(&self, command: &str) -> Told {
        let Settings { repository, kubeconfig, .. } = &self.settings;
        let (repository, kubeconfig) = (repository.display(), kubeconfig.display());
        Program::with(&format!("{command} --repository {repository} --kubeconfig {kubeconfig}"))
            .quiet_variable("DATABASE_URL", self.history())
            .run()
    }

    pub(super) async fn start_daemon(&self) -> Daemon {
        Daemon::start(&self.settings).await
    }

    pub(super) async fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Value, kube::Error> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", content_type).body(body).unwrap();
        self.client.request(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.request("GET", path, "application/json", &Value::Null).await.unwrap()
    }

    /// What is there, if it is.
    pub(super) async fn find(&self, path: &str) -> Option<Value> {
        match self.request("GET", path, "application/json", &Value::Null).await {
            Ok(found) => Some(found),
            Err(kube::Error::Api(status)) if status.is_not_found() => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    async fn create(&self, collection: &str, body: &Value) {
        self.request("POST", collection, "application/json", body).await.unwrap();
    }

    /// As `kubectl label` and `kubectl scale` do.
    pub(super) async fn patch(&self, path: &str, manager: &str, body: &Value) {
        let path = format!("{path}?fieldManager={manager}");
        self.request("PATCH", &path, "application/merge-patch+json", body).await.unwrap();
    }

    /// As `kubectl edit` and `kubectl set image` do: lists are merged by their keys.
    pub(super) async fn strategic_patch(&self, path: &str, manager: &str, body: &Value) {
        let path = format!("{path}?fieldManager={manager}");
        let content_type = "application/strategic-merge-patch+json";
        self.request("PATCH", &path, content_type, body).await.unwrap();
    }

    pub(super) async fn delete(&self, path: &str) {
        self.request("DELETE", path, "application/json", &Value::Null).await.unwrap();
    }
}

pub(super) fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example")
}

/// One file of the example.
pub(super) fn text(path: &str) -> String {
    std::fs::read_to_string(example().join(path)).unwrap()
}
