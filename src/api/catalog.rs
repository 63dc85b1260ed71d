//! What the portal sees of the repository: the newest commit that was taken, shared with whoever
//! reads it for the daemon. The portal reads no Git by itself, and waits for none.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::OnceLock;

use tokio::sync::watch;

use super::problem::Problem;
use crate::model::Commit;
use crate::model::Configuration;
use crate::model::Digest;
use crate::model::Document;
use crate::model::Name;
use crate::model::Subscription;
use crate::model::SubscriptionId;
use crate::validate::addresses::Addresses;
use crate::validate::capacity::Demands;
use crate::validate::capacity::Loads;

/// One commit, as the portal answers from it.
#[derive(Debug)]
pub struct View {
    pub commit: Commit,
    pub configuration: Arc<Configuration>,
    pub addresses: Addresses,
    /// Reckoned for the first who asks: every subscription is looked at.
    regions: OnceLock<Vec<Region>>,
}

/// Where something can be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub name: String,
    /// Whether somebody new finds room there for any package that runs on a cluster.
    pub open: bool,
}

/// The newest view. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    newest: Arc<watch::Sender<Option<Arc<View>>>>,
}

impl Catalog {
    /// Takes a configuration as the newest. It looks at every subscription, so call it where that
    /// holds nobody up.
    pub fn publish(&self, commit: Commit, configuration: Arc<Configuration>) {
        let addresses = Addresses::of(&configuration);
        let view = View { commit, configuration, addresses, regions: OnceLock::new() };
        self.newest.send_replace(Some(Arc::new(view)));
    }

    /// The newest view; refused while no commit was read yet.
    pub fn view(&self) -> Result<Arc<View>, Problem> {
        let newest = self.newest.borrow().clone();
        newest.ok_or_else(|| Problem::away("the repository was not read yet"))
    }

    /// Each view from now on.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.newest.subscribe()
    }
}

/// A subscription's name in the API: `tenant.subscription`. Neither part has a point in it, and a
/// slash would end the segment of a path.
pub fn written(id: &SubscriptionId) -> String {
    format!("{}.{}", id.tenant, id.name)
}

/// The subscription of this name; none for what cannot be one.
pub fn named(text: &str) -> Option<SubscriptionId> {
    let (tenant, name) = text.split_once('.')?;
    Some(SubscriptionId { tenant: tenant.parse().ok()?, name: name.parse().ok()? })
}

impl View {
    /// A subscription by its id.
    pub fn subscription(&self, id: &SubscriptionId) -> Option<&Arc<Document<Subscription>>> {
        self.configuration.subscriptions.get(&id.tenant)?.get(&id.name)
    }

    /// The subscriptions of one tenant, or of all, in the order of their ids, after one of them or
    /// from the first.
    pub fn subscriptions(
        &self,
        tenant: Option<&Name>,
        after: Option<&SubscriptionId>,
    ) -> impl Iterator<Item = (SubscriptionId, &Arc<Document<Subscription>>)> {
        let first = tenant.or(after.map(|after| &after.tenant));
        let from = first.map_or(Bound::Unbounded, Bound::Included);
        let to = tenant.map_or(Bound::Unbounded, Bound::Included);
        self.configuration
            .subscriptions
            .range::<Name, _>((from, to))
            .flat_map(|(tenant, subscriptions)| {
                subscriptions.iter().map(move |(name, document)| {
                    let (tenant, name) = (tenant.clone(), name.clone());
                    (SubscriptionId { tenant, name }, document)
                })
            })
            .filter(move |(id, _)| after.is_none_or(|after| id > after))
    }

    /// The regions that clusters are in, by name.
    pub fn regions(&self) -> &[Region] {
        self.regions.get_or_init(|| {
            let (loads, demands) =
                (Loads::of(&self.configuration), Demands::of(&self.configuration));
            let packages = demands.packages();
            let open = |region: &str| {
                packages.values().any(|asked| loads.place(*asked, Some(region)).is_ok())
            };
            let regions = loads.regions().into_iter();
            regions.map(|name| Region { open: open(&name), name }).collect()
        })
    }

    /// The digest of the content of a file: what an `ETag` is made of.
    pub fn digest(&self, file: &str) -> Option<Digest> {
        let files = &self.configuration.files;
        let at = files.binary_search_by(|known| (*known.file).cmp(file)).ok()?;
        Some(files.get(at)?.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_is_written() {
        assert_eq!(written(&named("acme.school").unwrap()), "acme.school");
        for wrong in ["acme", "acme.", ".school", "acme.school.x", "Acme.school", "../etc"] {
            assert!(named(wrong).is_none(), "{wrong}");
        }
    }
}
