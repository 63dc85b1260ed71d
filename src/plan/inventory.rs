//! What the inventory must say before a run, and what it may say after it.
//!
//! Before the first write it lists everything that is about to be ours, so that a crash leaves no
//! orphan. Afterwards it lists what is asked for and whatever could not be removed.

use jiff::Timestamp;

use crate::model::resource::Outline;

use super::observed::Entry;
use super::observed::Inventory;
use super::observed::Live;
use super::observed::Observed;
use super::outcome::Done;
use super::outcome::Outcome;

/// The inventory that must stand before anything is applied, where it is not there already.
///
/// A task that did not begin in time is not about to be anything.
pub fn before(desired: &[Outline], inventory: &Inventory, at: Timestamp) -> Option<Inventory> {
    let news: Vec<&Outline> = desired
        .iter()
        .filter(|outline| !inventory.entries.contains_key(&outline.id))
        .filter(|outline| !is_late(outline, at))
        .collect();
    if news.is_empty() {
        return None;
    }
    let mut announced = inventory.clone();
    for outline in news {
        announced.entries.insert(outline.id.clone(), Entry::announced(outline));
    }
    Some(announced)
}

/// The inventory that must stand before anything is deleted, where it is not there already.
pub fn announcing(desired: &[Outline], observed: &Observed) -> Option<Inventory> {
    let mut announced = observed.inventory.clone();
    let mut news = false;
    for (id, was_announced) in super::departing(desired, observed) {
        if !was_announced && let Some(entry) = announced.entries.get_mut(&id) {
            entry.leaving = true;
            news = true;
        }
    }
    news.then_some(announced)
}

/// Notes what became of actions.
pub fn note(inventory: &mut Inventory, desired: &[Outline], done: &[Done]) {
    for done in done {
        match &done.outcome {
            Outcome::Created | Outcome::Changed | Outcome::Unchanged => {
                let Some(outline) = desired.iter().find(|outline| outline.id == done.id) else {
                    continue;
                };
                let owned = done.live.as_ref().map(|live: &Live| live.owned);
                let applied =
                    Entry { rendered: Some(outline.digest), owned, ..Entry::announced(outline) };
                inventory.entries.insert(done.id.clone(), applied);
            }
            Outcome::Orphaned => {
                inventory.entries.remove(&done.id);
            }
            // What was deleted is listed until it is seen to be gone.
            Outcome::Deleted | Outcome::Failed { .. } => {}
        }
    }
}

fn is_late(outline: &Outline, now: Timestamp) -> bool {
    outline.task.as_ref().is_some_and(|once| once.begins_before <= now)
}

/// Whether a thing that is gone could still be made once more by whoever brings back the document
/// that asked for it.
fn remembered(entry: &Entry, now: Timestamp) -> bool {
    entry.rendered.is_some() && entry.begins_before.is_some_and(|before| before > now)
}

/// When the next thing that is gone is forgotten.
pub fn next_forgotten(observed: &Observed) -> Option<Timestamp> {
    let gone =
        observed.inventory.entries.iter().filter(|(id, entry)| {
            remembered(entry, observed.at) && !observed.live.contains_key(id)
        });
    gone.filter_map(|(_, entry)| entry.begins_before).min()
}

/// The inventory as it should stand when nothing is left to do: what is asked for, and what is still there.
pub fn after(desired: &[Outline], observed: &Observed) -> Inventory {
    let mut settled = observed.inventory.clone();
    settled.entries.retain(|id, entry| {
        // Nearly everything is there, and looking it up is cheaper than to go through what is asked.
        let asked = |outline: &Outline| outline.id == *id && !is_late(outline, observed.at);
        let asked = || desired.iter().any(asked);
        let unseen = || id.is_database() && observed.databases_away.is_some();
        observed.live.contains_key(id) || unseen() || asked() || remembered(entry, observed.at)
    });
    settled
}
