//! The port behind which clusters are looked at. Whoever reaches clusters implements it.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::model::Name;
use crate::model::node::Node;

/// Looks at the nodes of every cluster at this moment.
pub trait Surveyor: fmt::Debug + Send + Sync {
    fn survey(&self) -> BoxFuture<'_, Vec<Surveyed>>;
}

/// What was seen of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    pub cluster: Name,
    /// Its nodes; or why they could not be seen, in a sentence that stays the same while what it
    /// says does.
    pub nodes: Result<Vec<Node>, String>,
}
