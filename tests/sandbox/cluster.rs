//! One way to talk to both: raw requests with the client's connection, and answers as JSON.

use std::time::Duration;
use std::time::Instant;

use http::Method;
use kube::Client;
use kube::Config;
use kube::client::Body;
use serde_json::Value;
use serde_json::json;
use tenantry::sandbox::Sandbox;
use tenantry::sandbox::SandboxOptions;
use tenantry::sandbox::Version;

use crate::support::real_api_server;

/// A cluster to hold expectations against, with a namespace for this test alone.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// The minor version of Kubernetes that it is, or plays.
    pub(crate) minor: u16,
    /// `None` for the real one.
    pub(crate) sandbox: Option<Sandbox>,
}

/// An answer: its status and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.code), "{}: {:#}", self.code, self.body);
        self.body
    }

    /// The refusal's message, after checking its code and reason.
    #[track_caller]
    pub(crate) fn refused(&self, code: u16, reason: &str) -> &str {
        assert_eq!(self.code, code, "{:#}", self.body);
        assert_eq!(self.body["kind"], "Status");
        assert_eq!(self.body["apiVersion"], "v1");
        assert_eq!(self.body["status"], "Failure");
        assert_eq!(self.body["code"], code);
        assert_eq!(self.body["reason"].as_str().unwrap_or_default(), reason, "{:#}", self.body);
        self.body["message"].as_str().unwrap()
    }
}

const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

impl Cluster {
    pub(crate) async fn sandbox(minor: u16) -> Self {
        let options =
            SandboxOptions { version: Version { major: 1, minor }, ..SandboxOptions::default() };
        Self::with(options).await
    }

    pub(crate) async fn with(options: SandboxOptions) -> Self {
        let minor = options.version.minor;
        let sandbox = Sandbox::start(options).await.unwrap();
        let config = Config::new(sandbox.url().parse().unwrap());
        let client = Client::try_from(config).unwrap();
        let cluster = Self { client, namespace: "test".to_owned(), minor, sandbox: Some(sandbox) };
        cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "test"}})).await.ok();
        cluster
    }

    pub(crate) async fn real() -> Option<Self> {
        let server = real_api_server::shared().await?;
        let namespace = server.namespace("sandbox").await;
        Some(Self { client: server.client().await, namespace, minor: 20, sandbox: None })
    }

    /// `core("pods/web")` and `of("apps/v1", "deployments/web")` are paths in the test's namespace.
    pub(crate) fn core(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/{rest}", self.namespace)
    }

    pub(crate) fn of(&self, group: &str, rest: &str) -> String {
        format!("/apis/{group}/namespaces/{}/{rest}", self.namespace)
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let request = request.header("user-agent", "tester/1").body(Body::from(body)).unwrap();
        let response = self.client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
        Answer { code, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "", Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, "application/json", body.to_string().into()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, "application/json", body.to_string().into()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, MERGE, body.to_string().into()).await
    }

    pub(crate) async fn delete(&self, path: &str, options: Value) -> Answer {
        self.send(Method::DELETE, path, "application/json", options.to_string().into()).await
    }

    /// Server-side apply by `manager`; more of the query may follow the name.
    pub(crate) async fn apply(&self, path: &str, manager: &str, config: Value) -> Answer {
        self.send(
            Method::PATCH,
            &format!("{path}?fieldManager={manager}"),
            APPLY,
            config.to_string().into(),
        )
        .await
    }

    /// Asks until the answer satisfies `condition`; fails with the last one.
    pub(crate) async fn wait(
        &self,
        path: &str,
        what: &str,
        condition: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.get(path).await;
            if condition(&answer) {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "{path} is never {what}: {}: {:#}",
                answer.code,
                answer.body
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn wait_until_gone(&self, path: &str) {
        self.wait(path, "gone", |answer| answer.code == 404).await;
    }
}

/// The version of an object.
pub(crate) fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap()
}

/// The names in a list, in its order.
pub(crate) fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

/// What a manager owns by an operation, in the form of `FieldsV1`.
pub(crate) fn owned(object: &Value, manager: &str, operation: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut own =
        entries.filter(|entry| entry["manager"] == manager && entry["operation"] == operation);
    own.next().map(|entry| entry["fieldsV1"].clone()).unwrap_or_default()
}
