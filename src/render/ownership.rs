//! The fence: what is rendered for a tenant stays inside that tenant's namespaces, and its pods
//! stay inside their sandbox.

use std::collections::BTreeSet;

use serde_json::Value;

use super::objects::Unfit;
use crate::model::Name;
use crate::model::ResourceId;
use crate::model::names::is_dns_label;
use crate::model::resource::DatabaseSpec;
use crate::validate::ValidTenant;

/// What a tenant may own.
pub(super) struct Fence<'a> {
    pub(super) tenant: &'a Name,
    /// The minor release of its cluster.
    pub(super) minor: u16,
    namespaces: BTreeSet<&'a str>,
    hosts: BTreeSet<&'a str>,
}

/// Kinds that reach beyond their namespace, whoever may create them in it.
const REFUSED_KINDS: &[(&str, &str)] = &[
    ("Endpoints", "they can lead to any address; let a Service find its pods"),
    ("EndpointSlice", "they can lead to any address; let a Service find its pods"),
    ("DaemonSet", "it runs on every node; use a Deployment"),
    ("Event", "events are what Kubernetes says"),
];

/// Volumes that stay inside: everything that could be the node's own is not here.
const VOLUMES: &[&str] = &[
    "name",
    "configMap",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Capabilities that an image which must start as root needs to become somebody else.
const CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

impl<'a> Fence<'a> {
    pub(super) fn of(tenant: &'a ValidTenant, minor: u16) -> Self {
        let subscriptions = tenant.namespaces.iter().flat_map(|one| &one.subscriptions);
        Self {
            tenant: &tenant.tenant.name,
            minor,
            namespaces: tenant.namespaces.iter().map(|one| one.name.as_str()).collect(),
            hosts: subscriptions.flat_map(|one| &one.hosts).map(String::as_str).collect(),
        }
    }

    /// Checks that an object is one the tenant may own.
    pub(super) fn check(&self, id: &ResourceId, body: &Value) -> Result<(), Unfit> {
        self.check_place(id)?;
        if let Some((kind, help)) = REFUSED_KINDS.iter().find(|(kind, _)| *kind == &*id.kind) {
            return Err(Unfit::new(format!("a tenant owns no {kind}"), *help));
        }
        let spec = &body["spec"];
        match &*id.kind {
            "Service" => check_service(id, spec)?,
            "Ingress" => self.check_ingress(id, body)?,
            "PersistentVolumeClaim" if !spec["volumeName"].is_null() => {
                let help = "let the storage class make a volume";
                return Err(Unfit::new(format!("{id} asks for a certain volume"), help));
            }
            "RoleBinding" => self.check_binding(id, body)?,
            _ => {}
        }
        pod_spec(&id.kind, body).map_or(Ok(()), |pod| check_pod(id, pod))
    }

    /// A database's password goes into the tenant's own namespace.
    pub(super) fn check_database(&self, id: &ResourceId, spec: &DatabaseSpec) -> Result<(), Unfit> {
        self.check_place(id)?;
        self.check_namespace(id, &spec.secret.namespace)?;
        for name in [&spec.database, &spec.role].into_iter().chain(&spec.schemas) {
            let good =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if name.is_empty() || name.len() > 63 || !name.bytes().all(good) {
                let help = "use at most 63 of a-z, 0-9 and `_`";
                return Err(Unfit::new(format!("`{name}` is no name in a database"), help));
            }
        }
        Ok(())
    }

    fn check_place(&self, id: &ResourceId) -> Result<(), Unfit> {
        let label = id.is_namespace() || &*id.kind == "Service";
        if !(if label { is_dns_label(&id.name) } else { is_name(&id.name) }) {
            let help = "use a-z, 0-9 and `-`, and not too many";
            return Err(Unfit::new(format!("`{}` is not a name for a {}", id.name, id.kind), help));
        }
        if id.is_namespace() {
            return self.check_namespace(id, &id.name);
        }
        if id.namespace.is_empty() {
            let help = "a tenant owns its namespaces and what is in them";
            return Err(Unfit::new(format!("a {} belongs to the whole cluster", id.kind), help));
        }
        self.check_namespace(id, &id.namespace)
    }

    fn check_namespace(&self, id: &ResourceId, namespace: &str) -> Result<(), Unfit> {
        if self.namespaces.contains(namespace) {
            return Ok(());
        }
        Err(Unfit::new(
            format!(
                "{id} would stand in `{namespace}`, which is not a namespace of `{}`",
                self.tenant
            ),
            "use `namespace.name`, or leave the namespace out",
        ))
    }

    /// An ingress answers for the tenant's own names only, and brings no code into the proxy.
    fn check_ingress(&self, id: &ResourceId, body: &Value) -> Result<(), Unfit> {
        let spec = &body["spec"];
        let rules = list(&spec["rules"]).iter().map(|rule| &rule["host"]);
        let certificates = list(&spec["tls"]).iter().flat_map(|tls| list(&tls["hosts"]));
        for host in rules.chain(certificates) {
            match host.as_str() {
                Some(host) if self.hosts.contains(host) => {}
                Some(host) => {
                    let message = format!(
                        "{id} answers for `{host}`, which is not a host of `{}`",
                        self.tenant
                    );
                    return Err(Unfit::new(message, "use `subscription.hosts`"));
                }
                None => {
                    let help = "name a host of the subscription in every rule";
                    return Err(Unfit::new(format!("{id} answers for every host"), help));
                }
            }
        }
        if ["defaultBackend", "backend"].iter().any(|field| !spec[field].is_null()) {
            let help = "write rules, each with a host of the subscription";
            return Err(Unfit::new(format!("{id} answers for every host"), help));
        }
        let annotations = body["metadata"]["annotations"].as_object();
        let snippet = annotations
            .into_iter()
            .flat_map(|annotations| annotations.keys())
            .find(|name| name.ends_with("-snippet") || name.ends_with("/server-alias"));
        match snippet {
            Some(name) => {
                let help = "say it with the proxy's other annotations";
                Err(Unfit::new(format!("{id} reaches into the shared proxy with `{name}`"), help))
            }
            None => Ok(()),
        }
    }

    fn check_binding(&self, id: &ResourceId, body: &Value) -> Result<(), Unfit> {
        for subject in list(&body["subjects"]) {
            let inside = subject["kind"] == "ServiceAccount"
                && subject["namespace"].as_str().is_some_and(|name| self.namespaces.contains(name));
            if !inside {
                let help = "bind only service accounts of the tenant's own namespaces";
                return Err(Unfit::new(format!("{id} gives rights to somebody else"), help));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check_service(id: &ResourceId, spec: &Value) -> Result<(), Unfit> {
    let kind = spec["type"].as_str().unwrap_or("ClusterIP");
    if !matches!(kind, "ClusterIP" | "LoadBalancer") {
        let message = format!("{id} is of type `{kind}`");
        return Err(Unfit::new(message, "use `ClusterIP`; an Ingress leads to it"));
    }
    for field in ["externalIPs", "externalName", "loadBalancerIP"] {
        if !spec[field].is_null() {
            let help = "it could take traffic that is not the tenant's";
            return Err(Unfit::new(format!("{id} sets `{field}`"), help));
        }
    }
    Ok(())
}

/// The pods that an object makes.
fn pod_spec<'a>(kind: &str, body: &'a Value) -> Option<&'a Value> {
    let spec = &body["spec"];
    let pod = match kind {
        "Pod" => spec,
        "PodTemplate" => &body["template"]["spec"],
        "CronJob" => &spec["jobTemplate"]["spec"]["template"]["spec"],
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" | "Job" => {
            &spec["template"]["spec"]
        }
        _ => return None,
    };
    Some(pod)
}

fn check_pod(id: &ResourceId, pod: &Value) -> Result<(), Unfit> {
    let refused = |what: String| {
        let help = "a tenant's pods stay inside their sandbox: leave it out";
        Err(Unfit::new(format!("{id} sets {what}"), help))
    };
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[field] == true {
            return refused(format!("`{field}`"));
        }
    }
    for field in ["nodeName", "priorityClassName", "runtimeClassName"] {
        if !pod[field].is_null() {
            return refused(format!("`{field}`"));
        }
    }
    for volume in list(&pod["volumes"]) {
        let kinds = volume.as_object().into_iter().flat_map(|volume| volume.keys());
        if let Some(kind) = kinds.into_iter().find(|kind| !VOLUMES.contains(&kind.as_str())) {
            return refused(format!("a volume of kind `{kind}`"));
        }
    }
    for sysctl in list(&pod["securityContext"]["sysctls"]) {
        if sysctl["name"] != "net.ipv4.ip_unprivileged_port_start" {
            return refused(format!("the sysctl {}", sysctl["name"]));
        }
    }
    let containers = ["initContainers", "containers", "ephemeralContainers"];
    for container in containers.iter().flat_map(|field| list(&pod[*field])) {
        let security = &container["securityContext"];
        if security["privileged"] == true || security["allowPrivilegeEscalation"] == true {
            return refused("a privileged container".into());
        }
        let capabilities = list(&security["capabilities"]["add"]);
        let known = |capability: &&Value| {
            capability.as_str().is_some_and(|capability| CAPABILITIES.contains(&capability))
        };
        if let Some(capability) = capabilities.iter().find(|capability| !known(capability)) {
            return refused(format!("the capability {capability}"));
        }
        if list(&container["ports"]).iter().any(|port| !port["hostPort"].is_null()) {
            return refused("a `hostPort`".into());
        }
    }
    Ok(())
}
