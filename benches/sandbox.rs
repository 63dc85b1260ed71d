//! How fast the sandbox answers and how much it holds: 10,000 tenants of 20 objects, applied over
//! HTTP, applied again, listed and watched.
//!
//! `cargo bench --bench sandbox -- 1000` does it with fewer tenants.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a benchmark prints, and stops at the first surprise"
)]

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
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

const IN_FLIGHT: usize = 32;

#[tokio::main]
async fn main() {
    let tenants = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    for controllers in [false, true] {
        let options = SandboxOptions { controllers, events: 1_000, ..SandboxOptions::default() };
        println!("{tenants} tenants, controllers {}", if controllers { "on" } else { "off" });
        measure(tenants, options).await;
    }
}

async fn measure(tenants: usize, options: SandboxOptions) {
    let before = resident();
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = Client::try_from(Config::new(sandbox.url().parse().unwrap())).unwrap();
    for pass in ["new", "unchanged"] {
        let start = Instant::now();
        let count = apply_all(&client, tenants).await;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "  {pass}: {count} applies in {seconds:.1} s, {:.0} a second",
            count as f64 / seconds
        );
    }
    let objects = settled(&sandbox).await;
    let held = resident() - before;
    println!("  {objects} objects in {} MiB, {} bytes each", held / 1024, held * 1024 / objects);
    for path in [
        "/api/v1/configmaps",
        "/api/v1/configmaps?labelSelector=tenantry.dev/tenant%3Dt5",
        "/api/v1/pods?limit=500",
    ] {
        let start = Instant::now();
        let bytes = send(&client, Method::GET, path, Vec::new()).await;
        println!("  GET {path}: {:.1} ms, {bytes} bytes", start.elapsed().as_secs_f64() * 1000.0);
    }
    sandbox.stop().await;
}

/// The objects that there are once the controllers have nothing to do.
async fn settled(sandbox: &Sandbox) -> usize {
    let mut last = 0;
    loop {
        let now = sandbox.object_count();
        if now == last {
            return now;
        }
        last = now;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn apply_all(client: &Client, tenants: usize) -> usize {
    let next = Arc::new(AtomicUsize::new(0));
    let applied = Arc::new(AtomicUsize::new(0));
    let workers = (0..IN_FLIGHT).map(|_| {
        let (client, next, applied) = (client.clone(), next.clone(), applied.clone());
        tokio::spawn(async move {
            loop {
                let tenant = next.fetch_add(1, Ordering::Relaxed);
                if tenant >= tenants {
                    return;
                }
                for (path, object) in objects_of(tenant) {
                    send(&client, Method::PATCH, &path, object.to_string().into()).await;
                    applied.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    applied.load(Ordering::Relaxed)
}

async fn send(client: &Client, method: Method, path: &str, body: Vec<u8>) -> usize {
    let separator = if path.contains('?') { '&' } else { '?' };
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{path}{separator}fieldManager=tenantry"))
        .header("content-type", "application/apply-patch+yaml");
    let response = client.send(request.body(Body::from(body)).unwrap()).await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
    response.into_body().collect_bytes().await.unwrap().len()
}

/// What a tenant of the example has, roughly: 20 objects.
fn objects_of(tenant: usize) -> Vec<(String, Value)> {
    let namespace = format!("t{tenant}");
    let mut objects = Vec::with_capacity(20);
    let mut add = |group: &str, plural: &str, kind: &str, name: &str, rest: Value| {
        let base = if group == "v1" { "/api/v1".to_owned() } else { format!("/apis/{group}") };
        let path = if plural == "namespaces" {
            format!("{base}/namespaces/{name}")
        } else {
            format!("{base}/namespaces/{namespace}/{plural}/{name}")
        };
        let labels = json!({"app.kubernetes.io/managed-by": "tenantry", "tenantry.dev/tenant": namespace,
            "tenantry.dev/subscription": "school", "app.kubernetes.io/name": name});
        let mut object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": name, "labels": labels}});
        for (field, value) in rest.as_object().unwrap() {
            object[field] = value.clone();
        }
        objects.push((path, object));
    };
    add("v1", "namespaces", "Namespace", &namespace, json!({}));
    add(
        "v1",
        "resourcequotas",
        "ResourceQuota",
        "quota",
        json!({"spec": {"hard": {"requests.cpu": "8", "limits.memory": "16Gi", "pods": "40"}}}),
    );
    add(
        "v1",
        "limitranges",
        "LimitRange",
        "limits",
        json!({"spec": {"limits": [{"type": "Container", "default": {"cpu": "500m", "memory": "256Mi"}, "defaultRequest": {"cpu": "50m", "memory": "64Mi"}}]}}),
    );
    for name in ["default-deny", "allow-ingress", "allow-dns"] {
        add(
            "networking.k8s.io/v1",
            "networkpolicies",
            "NetworkPolicy",
            name,
            json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}),
        );
    }
    add(
        "v1",
        "secrets",
        "Secret",
        "database",
        json!({"stringData": {"url": "postgres://somebody:secret@db/school", "password": "secret"}}),
    );
    add(
        "v1",
        "configmaps",
        "ConfigMap",
        "settings",
        json!({"data": {"DOMAIN": format!("{namespace}.example.com"), "LANGUAGE": "vi", "MAX_USERS": "200"}}),
    );
    for app in ["core", "web", "media", "redis"] {
        let container = json!({"name": app, "image": format!("registry.example.com/{app}:1.4.2"),
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "env": [{"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "database", "key": "url"}}}],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}},
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}});
        add(
            "apps/v1",
            "deployments",
            "Deployment",
            app,
            json!({"spec": {"replicas": 1, "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": app, "tenantry.dev/tenant": namespace}},
                "spec": {"securityContext": {"runAsNonRoot": true}, "containers": [container]}}}}),
        );
        add(
            "v1",
            "services",
            "Service",
            app,
            json!({"spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]}}),
        );
    }
    let backend = json!({"service": {"name": "web", "port": {"name": "http"}}});
    add(
        "networking.k8s.io/v1",
        "ingresses",
        "Ingress",
        "web",
        json!({"spec": {"ingressClassName": "traefik",
        "rules": [{"host": format!("{namespace}.example.com"), "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}}),
    );
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "run", "image": "registry.example.com/core:1.4.2", "args": ["migrate"]}]}});
    add("batch/v1", "jobs", "Job", "migrate", json!({"spec": {"template": template}}));
    add(
        "batch/v1",
        "cronjobs",
        "CronJob",
        "backup",
        json!({"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}),
    );
    add("v1", "serviceaccounts", "ServiceAccount", "runner", json!({}));
    objects
}

/// Kilobytes of this process in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
