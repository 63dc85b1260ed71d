//! What the portal sees of the repository: the newest commit that was taken, shared with whoever
//! reads it for the daemon. The portal reads no Git by itself, and waits for none.

use std::sync::Arc;

use tokio::sync::watch;

use super::problem::Problem;
use crate::model::Commit;
use crate::model::Configuration;
use crate::model::Digest;
use crate::model::Document;
use crate::model::Name;
use crate::model::Subscription;
use crate::validate::addresses::Addresses;

/// One commit, as the portal answers from it.
#[derive(Debug)]
pub struct View {
    pub commit: Commit,
    pub configuration: Arc<Configuration>,
    pub addresses: Addresses,
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
        self.newest.send_replace(Some(Arc::new(View { commit, configuration, addresses })));
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

/// A subscription's name in the API: `tenant.subscription`. Neither part has a point in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionId {
    pub tenant: Name,
    pub subscription: Name,
}

impl std::fmt::Display for SubscriptionId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.tenant, self.subscription)
    }
}

impl std::str::FromStr for SubscriptionId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (tenant, subscription) = text.split_once('.').ok_or(())?;
        let parsed = (tenant.parse(), subscription.parse());
        let (Ok(tenant), Ok(subscription)) = parsed else { return Err(()) };
        Ok(Self { tenant, subscription })
    }
}

impl View {
    /// A subscription by its id.
    pub fn subscription(&self, id: &SubscriptionId) -> Option<&Arc<Document<Subscription>>> {
        self.configuration.subscriptions.get(&id.tenant)?.get(&id.subscription)
    }

    /// The subscriptions of one tenant, or of all, in the order of their ids.
    pub fn subscriptions<'a>(
        &'a self,
        tenant: Option<&'a Name>,
    ) -> impl Iterator<Item = (SubscriptionId, &'a Arc<Document<Subscription>>)> {
        self.configuration
            .subscriptions
            .iter()
            .filter(move |(name, _)| tenant.is_none_or(|tenant| tenant == *name))
            .flat_map(|(tenant, subscriptions)| {
                subscriptions.iter().map(move |(subscription, document)| {
                    let (tenant, subscription) = (tenant.clone(), subscription.clone());
                    (SubscriptionId { tenant, subscription }, document)
                })
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
    fn an_id_reads_as_it_prints() {
        let id: SubscriptionId = "acme.school".parse().unwrap();
        assert_eq!(id.to_string(), "acme.school");
        for wrong in ["acme", "acme.", ".school", "acme.school.x", "Acme.school", "../etc"] {
            assert!(wrong.parse::<SubscriptionId>().is_err(), "{wrong}");
        }
    }
}
