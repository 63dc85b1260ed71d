//! A pod: something of a subscription that runs, or should, in a cluster. It stands in no document;
//! the cluster makes it.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::names::SubscriptionId;

/// What is known of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// As the cluster made it, at random.
    pub id: Uuid,
    pub of: SubscriptionId,
    pub namespace: Box<str>,
    pub name: Box<str>,
    pub status: PodStatus,
}

/// How a pod stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// The component that it runs.
    pub component: Option<Box<str>>,
    pub phase: PodPhase,
    /// Whether it can be used.
    pub ready: bool,
    /// Why it is not ready, in a sentence, as far as it says so itself.
    pub reason: Option<String>,
    /// Whether it is about to end.
    pub ending: bool,
    pub started_at: Option<Timestamp>,
    pub containers: Vec<Container>,
}

/// How far a pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PodPhase {
    /// Something of it has not started yet.
    Pending,
    Running,
    /// All of it has ended well.
    Succeeded,
    /// All of it has ended, and not all well.
    Failed,
    /// Its node does not answer.
    Unknown,
}

/// One program of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    pub name: Box<str>,
    pub state: ContainerState,
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// Why it waits or has ended, in the cluster's word, such as `CrashLoopBackOff`.
    pub reason: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    Waiting,
    Running,
    Ended,
}
