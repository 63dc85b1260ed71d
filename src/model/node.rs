//! A worker node of a cluster, as the cluster tells of it: plain data, and how well it is.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

/// What a node can give, or what is asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Thousandths of a core.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    pub pods: i64,
}

impl Capacity {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
            pods: self.pods.saturating_add(other.pods),
        }
    }
}

/// One thing that a node says of itself, such as `MemoryPressure`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    pub reason: String,
    pub message: String,
    /// Since when it is so.
    pub since: Option<Timestamp>,
}

/// A worker node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub created_at: Option<Timestamp>,
    /// The kubelet's, such as `v1.33.1+k3s1`.
    pub version: String,
    /// Whether nothing new is to be placed there.
    pub cordoned: bool,
    /// What pods may ask for together.
    pub allocatable: Capacity,
    /// What the pods that run there ask for, and how many they are.
    pub requested: Capacity,
    pub conditions: Vec<Condition>,
}

/// How well a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Ready,
    /// It runs, and something runs short there.
    Strained,
    /// Nothing new is placed there.
    Cordoned,
    /// It does not run pods, or nobody has heard of it for a while.
    NotReady,
}

impl Node {
    /// How well it is, by what it says of itself: the worst of it.
    pub fn health(&self) -> Health {
        let is = |condition: &Condition, status| condition.status == status;
        let ready = self.conditions.iter().any(|one| one.kind == "Ready" && is(one, "True"));
        let strained = self.conditions.iter().any(|one| one.kind != "Ready" && !is(one, "False"));
        match (ready, self.cordoned, strained) {
            (false, ..) => Health::NotReady,
            (true, true, _) => Health::Cordoned,
            (true, false, true) => Health::Strained,
            (true, false, false) => Health::Ready,
        }
    }

    /// Whether new pods can come there.
    pub fn takes_pods(&self) -> bool {
        matches!(self.health(), Health::Ready | Health::Strained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(conditions: &[(&str, &str)], cordoned: bool) -> Node {
        let condition = |&(kind, status): &(&str, &str)| Condition {
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: String::new(),
            message: String::new(),
            since: None,
        };
        Node {
            name: "node-1".to_owned(),
            created_at: None,
            version: "v1.33.1".to_owned(),
            cordoned,
            allocatable: Capacity::default(),
            requested: Capacity::default(),
            conditions: conditions.iter().map(condition).collect(),
        }
    }

    #[test]
    fn a_node_is_as_well_as_the_worst_that_it_says() {
        let well = [("MemoryPressure", "False"), ("Ready", "True")];
        for (conditions, cordoned, expected) in [
            (&well[..], false, Health::Ready),
            (&well[..], true, Health::Cordoned),
            (&[("DiskPressure", "True"), ("Ready", "True")], false, Health::Strained),
            (&[("DiskPressure", "Unknown"), ("Ready", "True")], false, Health::Strained),
            (&[("Ready", "Unknown")], true, Health::NotReady),
            (&[("Ready", "False")], false, Health::NotReady),
            (&[], false, Health::NotReady),
        ] {
            assert_eq!(node(conditions, cordoned).health(), expected, "{conditions:?}");
        }
    }
}
