//! Desired against observed: what has to be done, in which order, and what must wait.
//!
//! A plan is a value. It leaves no choice to whoever carries it out: every [`Step`] says what to
//! do and why, and [`Plan::due`] says which of them may go now. What is asked for comes in as
//! [`Outline`]s, because the bodies of ten thousand tenants do not stand in memory.

pub mod observed;
pub mod outcome;
pub mod progress;
pub mod inventory;
pub mod once;
pub mod limits;
pub mod fight;
pub mod masking;
pub mod diff;
pub mod preview;
pub mod group;
pub mod show;
pub mod host;

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::Name;
use crate::model::Resource;
use crate::model::ResourceId;
use crate::model::resource::OnDelete;
use crate::model::resource::Outline;
use crate::model::resource::Rendered;

pub use fight::FightDetector;
pub use observed::Aside;
pub use observed::Entry;
pub use observed::Health;
pub use observed::Inventory;
pub use observed::Live;
pub use observed::Observed;
pub use outcome::Done;
pub use outcome::Outcome;
pub use outcome::Retry;
pub use preview::Preview;
pub use preview::UnitPreview;
pub use progress::Progress;
pub use progress::StageState;

/// One thing to do, with everything that is needed to do it.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The thing is not there.
    Create { resource: Arc<Resource>, cause: Cause },
    /// The thing is there and differs. `foreign_labels` are taken off it.
    Update { resource: Arc<Resource>, cause: Cause, foreign_labels: Vec<Box<str>> },
    /// No document asks for it any more.
    Delete { id: ResourceId, api_version: Box<str>, uid: Box<str> },
    /// No document asks for it any more, and customers wrote what is in it: it is put where nobody
    /// reaches it, and deleted when its time has come.
    SetAside { id: ResourceId, uid: Box<str>, now: Timestamp, until: Timestamp },
    /// No document asks for it, and its policy lets it go free: our marks are taken off.
    Orphan { id: ResourceId, api_version: Box<str> },
}

/// Why a thing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What is asked for is new or has changed.
    Asked,
    /// Whether it is as we left it is not known: a run was cut short.
    Unsure,
    /// Somebody changed or deleted it.
    Drift { what: String, by: Option<Box<str>> },
}

impl Action {
    pub fn id(&self) -> &ResourceId {
        match self {
            Self::Create { resource, .. } | Self::Update { resource, .. } => &resource.id,
            Self::Delete { id, .. } | Self::SetAside { id, .. } | Self::Orphan { id, .. } => id,
        }
    }

    /// The verb in a word, as history and plans print it.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::SetAside { .. } => "set aside",
            Self::Orphan { .. } => "orphan",
        }
    }
}

/// One thing to do, without the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: ResourceId,
    pub change: Change,
    /// Whether what stands before it is ready, so that it may go now.
    pub due: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `desired` is the position of its outline.
    Create {
        desired: usize,
        cause: Cause,
    },
    Update {
        desired: usize,
        cause: Cause,
        foreign_labels: Vec<Box<str>>,
    },
    Delete {
        api_version: Box<str>,
        uid: Box<str>,
    },
    SetAside {
        uid: Box<str>,
        now: Timestamp,
        until: Timestamp,
    },
    Orphan {
        api_version: Box<str>,
    },
}

/// Whether what no document asks for may be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletions {
    Allowed,
    /// They are allowed, and go once every inventory says so.
    Announced,
    /// They wait for an approval.
    Parked,
}

/// What has to be done for one unit on one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order: what is asked for, by stage; then what is not, in reverse.
    pub steps: Vec<Step>,
    /// Deletions that wait for an approval.
    pub parked: Vec<ResourceId>,
    /// What no document asks for and stays by its policy.
    pub kept: Vec<ResourceId>,
    /// What is set aside, and when it goes.
    pub aside: Vec<(ResourceId, Timestamp)>,
    /// What cannot be done yet for another reason than its stage, and why.
    pub blocked: Vec<(ResourceId, String)>,
}

impl Plan {
    /// Whether there is nothing to do and nothing to wait for.
    pub fn is_settled(&self) -> bool {
        self.steps.is_empty() && self.blocked.is_empty()
    }

    /// Whether anything may be done now.
    pub fn has_due(&self) -> bool {
        self.steps.iter().any(|step| step.due)
    }

    /// Joins what may go now with the bodies; `rendered` must be what the outlines were made of.
    pub fn due(&self, rendered: Rendered) -> Vec<Action> {
        let resources: Vec<Arc<Resource>> = rendered.resources.into_iter().map(Arc::new).collect();
        self.steps
            .iter()
            .filter(|step| step.due)
            .filter_map(|step| step.action(&resources))
            .collect()
    }

    /// What may go now of a unit that nothing is asked for of.
    pub fn due_without_bodies(&self) -> Vec<Action> {
        self.steps.iter().filter(|step| step.due).filter_map(|step| step.action(&[])).collect()
    }
}

impl Step {
    /// The step with its body, where it has one.
    fn action(&self, resources: &[Arc<Resource>]) -> Option<Action> {
        Some(match &self.change {
            Change::Create { desired, cause } => Action::Create {
                resource: Arc::clone(resources.get(*desired)?),
                cause: cause.clone(),
            },
            Change::Update { desired, cause, foreign_labels } => Action::Update {
                resource: Arc::clone(resources.get(*desired)?),
                cause: cause.clone(),
                foreign_labels: foreign_labels.clone(),
            },
            Change::Delete { api_version, uid } => Action::Delete {
                id: self.id.clone(),
                api_version: api_version.clone(),
                uid: uid.clone(),
            },
            Change::SetAside { uid, now, until } => {
                Action::SetAside { id: self.id.clone(), uid: uid.clone(), now: *now, until: *until }
            }
            Change::Orphan { api_version } => {
                Action::Orphan { id: self.id.clone(), api_version: api_version.clone() }
            }
        })
    }
}

/// Compares what is asked for with what is there.
pub fn plan(desired: &[Outline], observed: &Observed, deletions: &Deletions) -> Plan {
    let mut plan = Plan::default();
    let gates = progress::Gates::of(desired, observed);
    for (position, outline) in desired.iter().enumerate() {
        wanted(&mut plan, position, outline, observed, &gates);
    }
    unwanted(&mut plan, desired, observed, deletions);
    plan
}

/// Decides about one thing that is asked for.
fn wanted(
    plan: &mut Plan,
    position: usize,
    outline: &Outline,
    observed: &Observed,
    gates: &progress::Gates,
) {
    let entry = observed.inventory.entries.get(&outline.id);
    let live = observed.live.get(&outline.id);
    // What is set aside is not there until it is taken back.
    let live = live.filter(|live| live.set_aside().is_none());
    let set_aside = live.is_none() && observed.live.contains_key(&outline.id);
    let applied = !set_aside && entry.is_some_and(|entry| entry.rendered == Some(outline.digest));
    let block =
        |plan: &mut Plan, why: &str| plan.blocked.push((outline.id.clone(), why.to_owned()));

    if let Some(once) = &outline.task {
        // Nothing is done a second time, whatever became of it: not after its Job was deleted, nor
        // because a template says today that it would be done otherwise.
        let late = once.begins_before <= observed.at;
        if once::was_made(outline, observed) || late || namespace_is_leaving(&outline.id, observed)
        {
            return;
        }
        let change = Change::Create { desired: position, cause: Cause::Asked };
        let due = gates.open_for_task(position, outline);
        return plan.steps.push(Step { id: outline.id.clone(), change, due });
    }
    let Some(live) = live else {
        if outline.id.is_database()
            && let Some(why) = &observed.databases_away
        {
            if !applied {
                block(plan, why);
            }
            return;
        }
        if namespace_is_leaving(&outline.id, observed) {
            return block(plan, "its namespace is still being deleted");
        }
        let cause = if applied { drift("deleted", None) } else { Cause::Asked };
        let due = applied || gates.open(position, outline);
        let change = Change::Create { desired: position, cause };
        return plan.steps.push(Step { id: outline.id.clone(), change, due });
    };
    if live.deleting {
        return block(plan, "it is being deleted, and made again afterwards");
    }
    let cause = if live.rendered != Some(outline.digest) {
        // Our annotation still says something else than what we once applied: somebody wrote it.
        if applied {
            drift("its marks were changed", live.changed_by.clone())
        } else {
            Cause::Asked
        }
    } else if !live.foreign_labels.is_empty() {
        drift(&format!("foreign label {}", live.foreign_labels.join(", ")), live.changed_by.clone())
    } else {
        match entry.and_then(|entry| entry.owned) {
            Some(owned) if applied && owned == live.owned => return,
            Some(_) if applied => drift("edited", live.changed_by.clone()),
            _ => Cause::Unsure,
        }
    };
    let due = cause != Cause::Asked || gates.open(position, outline);
    let change =
        Change::Update { desired: position, cause, foreign_labels: live.foreign_labels.clone() };
    plan.steps.push(Step { id: outline.id.clone(), change, due });
}

fn drift(what: &str, by: Option<Box<str>>) -> Cause {
    Cause::Drift { what: what.to_owned(), by }
}

/// Whether a thing's own namespace is on its way out.
fn namespace_is_leaving(id: &ResourceId, observed: &Observed) -> bool {
    !id.namespace.is_empty()
        && observed
            .live
            .get(&ResourceId::new("", "Namespace", "", &id.namespace))
            .is_some_and(|namespace| namespace.deleting)
}

/// What the inventory lists and no document asks for.
struct Leaving<'a> {
    /// Last made first.
    entries: Vec<(&'a ResourceId, &'a Entry)>,
    /// Namespaces in which something stays.
    inhabited: BTreeSet<&'a str>,
    /// Namespaces that go, and take with them what stands in them.
    going: BTreeSet<&'a str>,
    /// Subscriptions of which nothing is kept any longer.
    purged: &'a BTreeSet<Name>,
    /// Namespaces in which something of these stands.
    given_up: BTreeSet<&'a str>,
}

impl<'a> Leaving<'a> {
    fn of(desired: &'a [Outline], observed: &'a Observed) -> Self {
        let Observed { inventory, purged, .. } = observed;
        let asked: HashSet<&ResourceId> = desired.iter().map(|outline| &outline.id).collect();
        let mut entries: Vec<(&ResourceId, &Entry)> =
            inventory.entries.iter().filter(|(id, _)| !asked.contains(id)).collect();
        entries.sort_by(|one, other| (other.1.stage, other.0).cmp(&(one.1.stage, one.0)));
        let nothing = BTreeSet::new();
        let (inhabited, going, given_up) = (nothing.clone(), nothing.clone(), nothing);
        let mut leaving = Self { entries, inhabited, going, purged, given_up };
        if leaving.entries.is_empty() {
            return leaving;
        }
        let purged = leaving.entries.iter().filter(|(_, entry)| leaving.is_purged(entry));
        leaving.given_up = purged.map(|(id, _)| &*id.namespace).collect();
        let stays = leaving
            .entries
            .iter()
            .filter(|(id, entry)| leaving.policy(id, entry) != OnDelete::Delete);
        leaving.inhabited =
            asked.into_iter().chain(stays.map(|(id, _)| *id)).map(|id| &*id.namespace).collect();
        let goes = |(id, entry): &&(&ResourceId, &Entry)| {
            id.is_namespace()
                && leaving.policy(id, entry) == OnDelete::Delete
                && !leaving.inhabited.contains(&*id.name)
        };
        leaving.going = leaving.entries.iter().filter(goes).map(|(id, _)| &*id.name).collect();
        leaving
    }

    /// Whether a commit says that nothing is kept of its subscription.
    fn is_purged(&self, entry: &Entry) -> bool {
        entry.subscription.as_ref().is_some_and(|name| self.purged.contains(name))
    }

    /// What becomes of a thing. A namespace is kept for the sake of what stands in it; once it is
    /// announced that it goes, it does so even where that is gone already.
    fn policy(&self, id: &ResourceId, entry: &Entry) -> OnDelete {
        let given_up = || {
            id.is_namespace()
                && (self.given_up.contains(&*id.name) || (entry.leaving && !self.purged.is_empty()))
        };
        match entry.on_delete {
            OnDelete::Keep if self.is_purged(entry) || given_up() => OnDelete::Delete,
            policy => policy,
        }
    }

    /// A namespace stays as long as anything in it does.
    fn keeps(&self, id: &ResourceId, entry: &Entry) -> bool {
        self.policy(id, entry) == OnDelete::Keep
            || (id.is_namespace() && self.inhabited.contains(&*id.name))
    }

    /// Whether its namespace takes it along.
    fn goes_along(&self, id: &ResourceId) -> bool {
        !id.is_database() && self.going.contains(&*id.namespace)
    }
}

/// Tells what would be deleted, had nobody a say in it; with it, whether that was announced.
pub fn departing(desired: &[Outline], observed: &Observed) -> Vec<(ResourceId, bool)> {
    let leaving = Leaving::of(desired, observed);
    leaving
        .entries
        .iter()
        .filter(|(id, entry)| leaving.policy(id, entry) == OnDelete::Delete)
        .filter(|(id, entry)| !leaving.keeps(id, entry))
        .filter(|(id, _)| observed.live.get(*id).is_some_and(|live| live.set_aside().is_none()))
        .map(|(id, entry)| ((*id).clone(), entry.leaving))
        .collect()
}

/// Decides about what the inventory lists and no document asks for.
fn unwanted(plan: &mut Plan, desired: &[Outline], observed: &Observed, deletions: &Deletions) {
    let leaving = Leaving::of(desired, observed);
    // A job that another one replaces is nobody's loss. Where nothing replaces it, it waits with the
    // rest: taken away before an approval, it would run a second time after a revert.
    let goes_on =
        |entry: &Entry| desired.iter().any(|outline| outline.subscription == entry.subscription);
    for &(id, entry) in &leaving.entries {
        let Some(live) = observed.live.get(id) else {
            if id.is_database()
                && let Some(why) = &observed.databases_away
            {
                plan.blocked.push((id.clone(), why.clone()));
            }
            continue;
        };
        let api_version = entry.api_version.clone();
        let due = *deletions == Deletions::Allowed;
        if live.deleting {
            plan.blocked.push((id.clone(), "it is being deleted".into()));
        } else if let Some(until) = live.set_aside() {
            // Its loss was judged when it was set aside; what nobody is sure of still waits.
            if due && (until <= observed.at || leaving.is_purged(entry)) {
                let change = Change::Delete { api_version, uid: live.uid.clone() };
                plan.steps.push(Step { id: id.clone(), change, due });
            } else {
                plan.aside.push((id.clone(), until));
            }
        } else if leaving.keeps(id, entry) {
            plan.kept.push(id.clone());
        } else if entry.on_delete == OnDelete::Orphan {
            let change = Change::Orphan { api_version };
            plan.steps.push(Step { id: id.clone(), change, due: true });
        } else if *deletions == Deletions::Parked && (limits::counts(id) || !goes_on(entry)) {
            plan.parked.push(id.clone());
        } else if !leaving.goes_along(id) {
            let due = due || !limits::counts(id);
            let (uid, now) = (live.uid.clone(), observed.at);
            let change = match live.aside {
                Some(Aside::For(time)) if !leaving.is_purged(entry) => {
                    Change::SetAside { uid, now, until: now.saturating_add(time).unwrap_or(now) }
                }
                _ => Change::Delete { api_version, uid },
            };
            plan.steps.push(Step { id: id.clone(), change, due });
        }
    }
}

#[cfg(test)]
mod tests;
