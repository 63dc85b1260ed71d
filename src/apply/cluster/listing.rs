//! Reading all objects that are ours, a page at a time, so that they never stand in memory
//! together; and reading one unit's, for a single run without watches.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::apply::error::ApplyError;
use crate::model::UnitName;
use crate::model::marks;
use crate::plan::Observed;

use super::Cluster;
use super::connection::Call;
use super::connection::escaped;
use super::inventory;
use super::kinds::Kind;
use super::observe::Seen;

const PAGE: u32 = 500;

/// A part of a listing. Its items are not yet looked into.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) metadata: ListMetadata,
    #[serde(default)]
    pub(super) items: Vec<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMetadata {
    pub(super) resource_version: String,
    #[serde(rename = "continue")]
    next: String,
}

/// The label selector of everything that is ours.
pub(super) fn ours() -> String {
    format!("{}={}", marks::MANAGED_BY, marks::TENANTRY)
}

/// A listing under way.
pub(super) struct Pages<'a> {
    cluster: &'a Cluster,
    path: String,
    /// Where the next page begins; none after the last.
    next: Option<String>,
}

impl Pages<'_> {
    /// The next page; none after the last. After an error not all has been read.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, ApplyError> {
        let Some(next) = self.next.take() else { return Ok(None) };
        let what = format!("listing {} was refused", self.path);
        let mut path = self.path.clone();
        if !next.is_empty() {
            path = format!("{path}&continue={}", escaped(&next));
        }
        let page: Page = self.cluster.connection().read(&what, &Call::get(path)).await?;
        self.next = Some(page.metadata.next.clone()).filter(|next| !next.is_empty());
        Ok(Some(page))
    }
}

impl Cluster {
    /// Begins to read all objects of a collection that the selector selects.
    pub(super) fn pages(&self, collection: &str, selector: &str) -> Pages<'_> {
        let path = format!("{collection}?limit={PAGE}&labelSelector={}", escaped(selector));
        Pages { cluster: self, path, next: Some(String::new()) }
    }

    /// Reads what one unit owns, without watches: its inventory and, of every kind that we render
    /// or that it lists, the objects that carry its labels.
    pub async fn observe(&self, unit: &UnitName) -> Result<Observed, ApplyError> {
        let inventory = self.inventory(unit).await?;
        let mut kinds: Vec<Kind> = Kind::known()
            .chain(inventory.entries.keys().map(Kind::of))
            .filter(Kind::is_in_cluster)
            .collect();
        kinds.sort();
        kinds.dedup();
        let lists = kinds.iter().map(|kind| self.observe_kind(unit, kind));
        futures_util::future::try_join_all(lists).await?;
        let observed = self.store().observed(unit);
        let observed = observed.map_err(|error| inventory::unreadable(unit, &error))?;
        Ok(Observed { inventory, ..observed })
    }

    async fn observe_kind(&self, unit: &UnitName, kind: &Kind) -> Result<(), ApplyError> {
        let Some(served) = self.kinds().read(self.connection(), kind).await? else {
            return Ok(());
        };
        let selector = format!("{},{}={}", ours(), marks::UNIT, inventory::handle(unit));
        let mut pages = self.pages(&served.all(), &selector);
        while let Some(page) = pages.next().await? {
            for item in page.items {
                let seen: Seen = self.connection().parse(item.get().as_bytes())?;
                self.store().saw(kind, &seen, 0);
            }
        }
        Ok(())
    }
}
