//! The port behind which clusters are looked at. Whoever reaches clusters implements it.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::model::Name;
use crate::model::node::Node;
use crate::model::upkeep::Certificate;
use crate::model::upkeep::Disk;
use crate::model::upkeep::ScheduledBackup;

/// Looks at every cluster at this moment.
pub trait Surveyor: fmt::Debug + Send + Sync {
    fn survey(&self) -> BoxFuture<'_, Vec<Surveyed>>;
}

/// What was seen; or why it could not be, in a sentence that stays the same while what it says does.
pub type Sight<T> = Result<Vec<T>, String>;

/// What was seen of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    pub cluster: Name,
    pub nodes: Sight<Node>,
    /// Of the nodes that are ready, and of what is claimed there.
    pub disks: Sight<Disk>,
    pub certificates: Sight<Certificate>,
    pub backups: Sight<ScheduledBackup>,
}

impl Surveyed {
    /// Everything that could not be seen.
    pub fn troubles(&self) -> impl Iterator<Item = &String> {
        let Self { cluster: _, nodes, disks, certificates, backups } = self;
        let troubles = [
            nodes.as_ref().err(),
            disks.as_ref().err(),
            certificates.as_ref().err(),
            backups.as_ref().err(),
        ];
        troubles.into_iter().flatten()
    }
}
