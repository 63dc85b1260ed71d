//! Where a task stands: what is done once, and never a second time.
//!
//! The Job in the cluster and the inventory beside it say whether it was made; no database of ours
//! is asked. So losing history runs nothing again.

use super::observed::Health;
use super::observed::Observed;
use crate::model::resource::Outline;

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not begun.
    Waits,
    Runs,
    Done,
    Failed(String),
    /// It began, and its Job is gone: how it ended, only history may know.
    Lost,
    /// It did not begin in time, and never does.
    Late,
}

/// Whether it was made at any time, as far as the cluster and the inventory know.
pub(super) fn was_made(outline: &Outline, observed: &Observed) -> bool {
    let listed = observed.inventory.entries.get(&outline.id);
    observed.live.contains_key(&outline.id) || listed.is_some_and(|entry| entry.rendered.is_some())
}

/// Where it stands. What is no task is done.
pub fn standing(outline: &Outline, observed: &Observed) -> Standing {
    let Some(once) = &outline.task else { return Standing::Done };
    match observed.live.get(&outline.id).map(|live| &live.health) {
        Some(Health::Ready) => Standing::Done,
        Some(Health::Progressing(_)) => Standing::Runs,
        Some(Health::Failed(why)) => Standing::Failed(why.clone()),
        None if was_made(outline, observed) => Standing::Lost,
        None if once.begins_before <= observed.at => Standing::Late,
        None => Standing::Waits,
    }
}
