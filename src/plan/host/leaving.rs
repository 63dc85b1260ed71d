//! What is on a host because a catalog once asked for it, and no longer does.

use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::model::host::OnRemove;

use super::Ordered;
use super::Script;
use super::facts::Properties;
use super::inventory::Entry;
use super::inventory::Inventory;
use super::kinds;
use super::script::Call;

/// How many things one plan may take off a host without anybody's approval.
const MOST_REMOVALS: usize = 5;
/// And how many of a hundred that it has.
const MOST_PERCENT: usize = 20;

/// What the inventory lists and nobody asks for; what was made of others comes before them.
pub struct Leaving<'a> {
    pub(super) entries: Vec<(&'a HostResourceId, &'a Entry)>,
}

impl<'a> Leaving<'a> {
    pub fn of(inventory: &'a Inventory, ordered: &Ordered) -> Self {
        let asked = |id: &HostResourceId| ordered.resources.iter().any(|other| other.id == *id);
        let mut rest: Vec<(&HostResourceId, &Entry)> =
            inventory.entries.iter().filter(|(id, _)| !asked(id)).collect();
        let mut entries = Vec::with_capacity(rest.len());
        // Whoever is needed by nobody who is still there goes next. A circle can only have been
        // written by somebody else, and goes as it stands.
        while !rest.is_empty() {
            let free = |(id, _): &(&HostResourceId, &Entry)| {
                !rest.iter().any(|(other, entry)| other != id && entry.needs.contains(id))
            };
            let next = rest.iter().rposition(free).unwrap_or(rest.len() - 1);
            entries.push(rest.remove(next));
        }
        Self { entries }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Asks about all of them.
    pub fn questions(&self) -> Script {
        let mut looks = kinds::Looks::default();
        for (index, (id, entry)) in self.entries.iter().enumerate() {
            kinds::look_at_leaving(id, properties_of(entry), index, &mut looks);
        }
        let machine = [Call::new("observe_machine", []), Call::new("observe_inventory", [])];
        let calls: Vec<Call> = machine.into_iter().chain(looks.calls()).collect();
        Script::looking(&calls)
    }
}

/// What is known of a thing: what it is, or what it was to become.
pub(super) fn properties_of(entry: &Entry) -> &Properties {
    static NOTHING: Properties = Properties::new();
    entry.applied.as_ref().or(entry.intended.as_ref()).unwrap_or(&NOTHING)
}

/// What becomes of a thing that nobody asks for, by what it is on the host.
pub(super) enum Fate {
    /// It is gone: it is forgotten.
    Gone,
    /// It goes.
    Goes,
    /// It stays and is no longer ours, for this reason.
    Released(&'static str),
    /// It stays and is listed still, for this reason.
    Stays(&'static str),
}

/// Decides, by the table of what is asked for, what was left, and what is there.
pub(super) fn fate(id: &HostResourceId, entry: &Entry, facts: &Properties) -> Fate {
    let Some(seen) = kinds::seen(id.kind, facts) else { return Fate::Gone };
    if !kinds::was_made(id.kind, &seen) {
        return Fate::Gone;
    }
    let as_left = |left: &Option<Properties>| {
        left.as_ref().is_some_and(|left| kinds::is_as_left(id.kind, left, &seen))
    };
    match entry.on_remove {
        OnRemove::Keep => Fate::Stays("its policy is to stay"),
        OnRemove::Remove if id.kind == Kind::PostgresDatabase => {
            Fate::Stays("a database is dropped by hand, after its last backup")
        }
        OnRemove::Orphan => Fate::Released("its policy is to go free"),
        OnRemove::Remove if entry.adopted => Fate::Released("it was there before us"),
        OnRemove::Remove if !as_left(&entry.applied) && !as_left(&entry.intended) => {
            Fate::Released("somebody changed it, and nothing of theirs is taken off")
        }
        OnRemove::Remove => Fate::Goes,
    }
}

/// Whether so many removals need somebody's approval.
pub(super) fn is_too_much(removals: usize, listed: usize) -> bool {
    removals > MOST_REMOVALS.max(listed * MOST_PERCENT / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::host::order::tests::catalog;

    #[test]
    fn what_was_made_last_goes_first() {
        let entry = |needs: &[&str]| Entry {
            applied: None,
            intended: None,
            adopted: false,
            on_remove: OnRemove::Remove,
            needs: needs.iter().map(|need| need.parse().unwrap()).collect(),
        };
        let listed = [
            ("directory /etc/kkt", entry(&[])),
            ("file /etc/kkt/env", entry(&["directory /etc/kkt"])),
            ("unit kkt.service", entry(&["file /etc/kkt/env"])),
            ("package nginx", entry(&[])),
        ];
        let entries = listed.map(|(id, entry)| (id.parse().unwrap(), entry)).into_iter().collect();
        let inventory = Inventory { generation: 1, entries };
        let asked = Ordered::of(catalog("- package: {name: nginx}\n")).unwrap();
        let leaving = Leaving::of(&inventory, &asked);
        let order: Vec<String> = leaving.entries.iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(order, ["unit kkt.service", "file /etc/kkt/env", "directory /etc/kkt"]);
    }

    #[test]
    fn many_removals_wait() {
        assert!(!is_too_much(5, 6));
        assert!(is_too_much(6, 7));
        assert!(!is_too_much(20, 100));
        assert!(is_too_much(21, 100));
    }
}
