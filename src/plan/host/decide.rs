//! The decision about each thing: what is asked for, what we last left, and what is there.
//!
//! | asked for | left | there | what is done |
//! |---|---|---|---|
//! | yes | | as asked for | nothing; it is listed, as ours or as adopted |
//! | yes | yes | as left | changed, because it is asked for |
//! | yes | yes | otherwise | put back, because somebody changed it; theirs is put by |
//! | yes | no | otherwise | nothing without `adopt: true`: it is somebody else's |
//! | yes | no | no | made |
//! | no | yes | as left | taken off, by its policy |
//! | no | yes | otherwise | let go: nothing of somebody else's is taken off |
//! | no | yes | no | forgotten |
//! | no | no | | never touched |

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::Digest;
use crate::model::Name;
use crate::model::host::Asked;
use crate::model::host::HostResource;
use crate::model::host::HostResourceId;
use crate::model::host::Kind;

use super::Ordered;
use super::facts::Facts;
use super::facts::Properties;
use super::inventory::Entry;
use super::inventory::Inventory;
use super::kinds;
use super::kinds::Behaviour;
use super::kinds::Found;
use super::kinds::Input;
use super::leaving::Fate;
use super::leaving::Leaving;
use super::leaving::fate;
use super::leaving::is_too_much;
use super::leaving::properties_of;
use super::step::HostCause;
use super::step::HostChange;
use super::step::HostDifference;
use super::step::HostPlan;
use super::step::HostStep;
use super::step::Told;
use super::step::approval;

/// What is known of a host.
pub struct Known<'a> {
    pub host: &'a Name,
    pub facts: &'a Facts,
    pub inventory: &'a Inventory,
    /// What the host says of what nobody asks for, in the order of [`Leaving`].
    pub leaving: &'a Facts,
    /// The removals that somebody approved.
    pub approved: &'a [Digest],
}

/// Compares what a host should be with what it is.
pub fn plan(ordered: &Ordered, known: &Known<'_>) -> HostPlan {
    let mut deciding = Deciding::new(known);
    deciding.leave(ordered);
    for (position, resource) in ordered.resources.iter().enumerate() {
        deciding.decide(ordered, position, resource);
    }
    deciding.finish()
}

struct Deciding<'a> {
    known: &'a Known<'a>,
    plan: HostPlan,
    /// The steps of resources that are asked for, by position.
    steps: BTreeMap<usize, usize>,
    /// Folders in which this plan takes something off.
    emptied: BTreeSet<HostResourceId>,
}

impl<'a> Deciding<'a> {
    fn new(known: &'a Known<'a>) -> Self {
        let plan = HostPlan {
            host: known.host.clone(),
            steps: Vec::new(),
            blocked: Vec::new(),
            failing: Vec::new(),
            notes: Vec::new(),
            parked: Vec::new(),
            records: false,
            machine: known.facts.machine.clone(),
            sum: known.facts.inventory.sum().to_owned(),
            before: known.inventory.clone(),
            after: known.inventory.clone(),
        };
        Self { known, plan, steps: BTreeMap::new(), emptied: BTreeSet::new() }
    }

    /// Decides about what the inventory lists and nobody asks for.
    fn leave(&mut self, ordered: &Ordered) {
        let leaving = Leaving::of(self.known.inventory, ordered);
        let fates: Vec<(usize, &HostResourceId, &Entry, Fate)> = leaving
            .entries
            .iter()
            .enumerate()
            .map(|(index, (id, entry))| {
                (index, *id, *entry, fate(id, entry, self.known.leaving.of(index)))
            })
            .collect();
        let going: Vec<HostResourceId> = fates
            .iter()
            .filter(|(_, _, _, fate)| matches!(fate, Fate::Goes))
            .map(|(_, id, _, _)| (*id).clone())
            .collect();
        let park = is_too_much(going.len(), self.known.inventory.entries.len())
            && !approval(self.known.host, &going)
                .is_some_and(|digest| self.known.approved.contains(&digest));
        for (index, id, entry, fate) in fates {
            match fate {
                Fate::Goes if park => self.plan.parked.push(id.clone()),
                Fate::Goes => self.remove(id, entry, self.known.leaving.of(index)),
                Fate::Gone => self.forget(id, "it is gone from the host, and is forgotten"),
                Fate::Released(why) => self.forget(id, &format!("it stays, no longer ours: {why}")),
                Fate::Stays(why) => self.note(id, &format!("it stays: {why}")),
            }
        }
    }

    fn note(&mut self, id: &HostResourceId, why: &str) {
        self.plan.notes.push(Told { resource: id.clone(), why: why.to_owned() });
    }

    fn forget(&mut self, id: &HostResourceId, why: &str) {
        self.note(id, why);
        self.plan.records = true;
        self.plan.before.entries.remove(id);
        self.plan.after.entries.remove(id);
    }

    fn remove(&mut self, id: &HostResourceId, entry: &Entry, facts: &Properties) {
        if let Some((folder, _)) = id.name.rsplit_once('/') {
            self.emptied.insert(HostResourceId { kind: Kind::Directory, name: folder.into() });
        }
        self.plan.after.entries.remove(id);
        // What was made of this one was taken off before it.
        let needs = self.plan.steps.iter().enumerate().filter(|(_, step)| {
            let other = self.known.inventory.entries.get(&step.resource);
            other.is_some_and(|other| other.needs.contains(id))
        });
        let needs = needs.map(|(number, _)| number).collect();
        self.plan.steps.push(HostStep {
            resource: id.clone(),
            change: HostChange::Remove,
            cause: HostCause::Asked,
            differences: Vec::new(),
            needs,
            call: kinds::remove(id, properties_of(entry), facts),
            quiet: false,
        });
    }

    /// Decides about one thing that is asked for.
    fn decide(&mut self, ordered: &Ordered, position: usize, resource: &HostResource) {
        let facts = self.known.facts.of(position);
        let behaviour = kinds::behaviour(&resource.asked);
        if resource.id.kind.is_check() {
            if let Some(why) = behaviour.complaint(facts) {
                self.plan.failing.push(Told { resource: resource.id.clone(), why });
            }
            return;
        }
        let wanted = behaviour.wanted();
        let seen = kinds::seen(resource.id.kind, facts);
        let mut differences = differences(behaviour, &wanted, seen.as_ref(), facts);
        let as_asked = seen.is_some() && differences.is_empty();
        let debt = self.debt(ordered, position, resource);
        if let Some((_, what)) = &debt {
            let from = format!("before {what} changed");
            differences.push(HostDifference::changed("started", Some(&from), "after it"));
        }
        let entry = self.known.inventory.entries.get(&resource.id);
        if as_asked && debt.is_none() {
            return self.list(ordered, position, resource, entry, wanted);
        }
        let is_there = seen.is_some();
        let foreign = is_there && entry.is_none() && kinds::can_be_foreign(resource.id.kind);
        if foreign && !resource.adopt && !as_asked {
            let why = "it is there already, and is not ours: say `adopt: true` beside it to have it changed, or move it away";
            self.plan.blocked.push(Told { resource: resource.id.clone(), why: why.to_owned() });
            return;
        }
        let left = entry.is_some_and(|entry| was_left(resource.id.kind, entry, seen.as_ref()));
        if let Some(why) = behaviour.complaint(facts) {
            self.plan.blocked.push(Told { resource: resource.id.clone(), why });
            return;
        }
        let cause = match entry {
            _ if as_asked => HostCause::Owed,
            Some(_) if !left => HostCause::Drift,
            _ => HostCause::Asked,
        };
        let found = Found {
            facts,
            adopt: resource.adopt && entry.is_none(),
            drifted: cause == HostCause::Drift && is_there,
            debt: debt.map(|(debt, _)| debt),
        };
        let call = behaviour.apply(&found);
        let change = match resource.asked {
            Asked::Command(_) => HostChange::Run,
            _ if is_there => HostChange::Update,
            _ => HostChange::Create,
        };
        self.intend(ordered, position, resource, wanted, foreign);
        let step = HostStep {
            resource: resource.id.clone(),
            change,
            cause,
            differences,
            needs: ordered.needs[position]
                .iter()
                .filter_map(|need| self.steps.get(need).copied())
                .collect(),
            call,
            quiet: behaviour.is_quiet(),
        };
        self.steps.insert(position, self.plan.steps.len());
        self.plan.steps.push(step);
    }

    /// What a unit owes for what it reads.
    fn debt(
        &self,
        ordered: &Ordered,
        position: usize,
        resource: &HostResource,
    ) -> Option<(kinds::Debt, String)> {
        let Asked::Unit(unit) = &resource.asked else { return None };
        let reads = |other: &HostResource| {
            unit.restarts_with.contains(&other.id)
                || unit.reloads_with.contains(&other.id)
                || (other.id.kind == Kind::File
                    && kinds::describes(&other.id.name, &resource.id.name))
        };
        let inputs: Vec<Input<'_>> = ordered.needs[position]
            .iter()
            .filter(|need| reads(&ordered.resources[**need]))
            .map(|need| {
                let id = &ordered.resources[*need].id;
                let changes = self.steps.contains_key(need) || self.emptied.contains(id);
                Input { id, changes, facts: self.known.facts.of(*need) }
            })
            .collect();
        kinds::debts(unit, self.known.facts.of(position), &inputs)
    }

    /// What is as it should be is listed so.
    fn list(
        &mut self,
        ordered: &Ordered,
        position: usize,
        resource: &HostResource,
        entry: Option<&Entry>,
        wanted: Properties,
    ) {
        if !resource.id.kind.is_listed() {
            return;
        }
        let needs = listed_needs(ordered, position);
        let (on_remove, adopted) = (resource.on_remove, entry.is_none_or(|entry| entry.adopted));
        match entry {
            None => {
                self.plan.records = true;
                self.note(&resource.id, "it is as asked for already, and is adopted");
            }
            Some(entry) if entry.on_remove != on_remove || entry.needs != needs => {
                self.plan.records = true;
            }
            // What is known of it may be written, and is not worth a write of its own.
            Some(_) => {}
        }
        let listed = Entry { applied: Some(wanted), intended: None, adopted, on_remove, needs };
        self.plan.before.entries.insert(resource.id.clone(), listed.clone());
        self.plan.after.entries.insert(resource.id.clone(), listed);
    }

    /// What will be changed is listed before it is.
    fn intend(
        &mut self,
        ordered: &Ordered,
        position: usize,
        resource: &HostResource,
        wanted: Properties,
        foreign: bool,
    ) {
        if !resource.id.kind.is_listed() {
            return;
        }
        let known = self.known.inventory.entries.get(&resource.id);
        let done = Entry {
            applied: Some(wanted.clone()),
            intended: None,
            adopted: known.map_or(foreign, |entry| entry.adopted),
            on_remove: resource.on_remove,
            needs: listed_needs(ordered, position),
        };
        let begun = Entry {
            applied: known.and_then(|entry| entry.applied.clone()),
            intended: Some(wanted),
            ..done.clone()
        };
        self.plan.before.entries.insert(resource.id.clone(), begun);
        self.plan.after.entries.insert(resource.id.clone(), done);
    }

    fn finish(mut self) -> HostPlan {
        let generation = self.known.inventory.generation.saturating_add(1);
        self.plan.before.generation = generation;
        self.plan.after.generation = generation;
        self.plan
    }
}

/// What has to be there before a thing, as the inventory keeps it.
fn listed_needs(ordered: &Ordered, position: usize) -> Vec<HostResourceId> {
    let needs = ordered.needs[position].iter().map(|need| &ordered.resources[*need].id);
    needs.filter(|id| id.kind.is_listed()).cloned().collect()
}

/// Whether a thing is as we left it, or as we were about to leave it.
fn was_left(kind: Kind, entry: &Entry, seen: Option<&Properties>) -> bool {
    let none_was_made = entry.applied.is_none();
    let Some(seen) = seen else { return none_was_made };
    [&entry.applied, &entry.intended]
        .into_iter()
        .flatten()
        .any(|left| kinds::is_as_left(kind, left, seen))
}

fn differences(
    behaviour: &dyn Behaviour,
    wanted: &Properties,
    seen: Option<&Properties>,
    facts: &Properties,
) -> Vec<HostDifference> {
    wanted
        .iter()
        .filter_map(|(property, wanted)| {
            let seen = seen.and_then(|seen| seen.get(property)).map(|seen| &**seen);
            // Of what is not there nobody has to hear that it is to be a file.
            let told = &**property != "kind" || seen.is_some();
            let differs = told && !behaviour.fits(property, wanted, seen);
            differs.then(|| behaviour.told(property, wanted, seen, facts))
        })
        .collect()
}
