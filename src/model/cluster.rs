//! `Cluster`: a K3s cluster, what it offers and what it can carry.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::quantity::Quantity;

/// A K3s cluster, what it offers and what it can carry.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cluster {
    /// The Secret beside the daemon that holds the kubeconfig.
    pub kubeconfig_secret: String,
    /// The Kubernetes version, such as `1.33`: templates choose API versions by it.
    pub kubernetes_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub ingress: Ingress,
    /// Our names for classes of storage, and the cluster's: `ssd: local-path`.
    #[serde(default)]
    pub storage_classes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_server: Option<DatabaseServer>,
}

/// The minor versions of Kubernetes 1 that there are templates for.
pub const KNOWN_MINORS: RangeInclusive<u32> = 20..=37;

impl Cluster {
    /// The minor version: 33 of `1.33`.
    pub fn minor_version(&self) -> Option<u32> {
        let minor = self.kubernetes_version.strip_prefix("1.")?;
        minor.parse().ok().filter(|_| minor.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

/// How requests from outside reach the cluster.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Ingress {
    pub class: String,
    /// The namespace of the ingress controller: network policies let it in.
    pub namespace: String,
    /// The cert-manager cluster issuer of certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// What the nodes have together, and how far it may be promised.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Capacity {
    pub cpu: Quantity,
    pub memory: Quantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Quantity>,
    /// Percent kept free for the loss of a node.
    #[serde(default = "default_reserve")]
    pub reserve: u8,
    /// The most that limits may add up to, in percent of what is there: 400 is four times.
    #[serde(default = "default_oversubscription")]
    pub oversubscription: u16,
}

fn default_reserve() -> u8 {
    35
}

fn default_oversubscription() -> u16 {
    400
}

/// The PostgreSQL server that tenants of this cluster share.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DatabaseServer {
    /// The name or address under which both the daemon and the pods reach it.
    pub host: String,
    #[serde(default = "default_port")]
    pub port: u16,
    /// The addresses (CIDR) that network policies open for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// The Secret in the cluster with `username` and `password` of a role that may create roles and databases.
    pub admin_secret: SecretPlace,
}

fn default_port() -> u16 {
    5432
}

/// A Secret in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SecretPlace {
    pub namespace: String,
    pub name: String,
}
