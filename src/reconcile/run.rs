//! One run of one unit: it goes as far as it can without waiting, and gives its worker back.
//!
//! Its order is what survives a crash between any two lines: the inventory lists a thing before
//! the thing is made, says that a thing may go before it goes, and forgets it after it is gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;

use crate::model::Name;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::resource::Outline;
use crate::plan::Action;
use crate::plan::Cause;
use crate::plan::Change;
use crate::plan::Deletions;
use crate::plan::Done;
use crate::plan::Inventory;
use crate::plan::Observed;
use crate::plan::Outcome;
use crate::plan::Retry;
use crate::plan::departing;
use crate::plan::inventory;
use crate::plan::plan;

use super::desired::DesiredUnit;
use super::world::Target;

/// How many requests of one unit are under way at once.
const AT_ONCE: usize = 8;

/// A round per stage, and some for what somebody changes meanwhile.
const MOST_ROUNDS: usize = 12;

/// Everything a run needs to know. It decides nothing that is not in here.
pub struct Order {
    pub unit: UnitName,
    /// What the unit should be; none where nothing is asked for any more.
    pub desired: Option<Arc<DesiredUnit>>,
    /// What the inventory says, as far as the junction knows.
    pub known: Known,
    /// Whether what goes may be announced in the inventory: the step before deleting it.
    pub announce: bool,
    pub deletions: Deletions,
    /// When the run begins.
    pub now: Timestamp,
    /// What the permission to delete was given for.
    pub judged: Vec<ResourceId>,
    /// Whether others wait for a worker. Then whoever did something leaves the bookkeeping for its
    /// next turn: what is asked for comes first, everywhere.
    pub others_wait: bool,
    /// Set when a newer commit asks for something else: the run stops at the next action.
    pub superseded: Arc<AtomicBool>,
}

/// What the junction remembers of a unit between runs, beyond what the watches see.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The inventory with what this daemon learned since it was written.
    pub inventory: Inventory,
    /// The inventory as it stands in the cluster.
    pub written: Inventory,
    /// The inventory could not be written: somebody else may have written it meanwhile.
    pub doubtful: bool,
}

impl Known {
    /// What is there at a time, with the inventory as we know it, and what nobody keeps any longer.
    pub fn complete(
        &self,
        observed: Observed,
        desired: Option<&DesiredUnit>,
        at: Timestamp,
    ) -> Observed {
        let purged = desired.map(|desired| desired.purged().clone()).unwrap_or_default();
        Observed { inventory: self.inventory.clone(), at, purged, ..observed }
    }
}

/// One action and what became of it.
#[derive(Clone, Debug)]
pub struct Deed {
    pub verb: &'static str,
    pub cause: Option<Cause>,
    pub done: Done,
    pub took: Duration,
}

/// What a run leaves behind.
pub struct Report {
    pub unit: UnitName,
    pub known: Known,
    pub deeds: Vec<Deed>,
    /// Why the run stopped before its end, where it did.
    pub stopped: Option<Stopped>,
    pub took: Duration,
    pub lane: Lane,
}

/// On what footing a unit runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Healthy,
    /// It failed the last time.
    Failing,
    /// Nothing is left to do but to bring its inventory up to date.
    ToSettle,
}

/// Why a run stopped before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    Superseded,
    Failed { message: String, retry: Retry },
}

/// Carries out everything that is due, stage after stage, until something has to be waited for.
pub async fn run<T: Target>(order: Order, target: &T) -> Report {
    let started = Instant::now();
    let mut known = order.known.clone();
    let mut deeds = Vec::new();
    let stopped = advance(&order, target, &mut known, &mut deeds).await.err();
    Report { unit: order.unit, known, deeds, stopped, took: started.elapsed(), lane: Lane::Healthy }
}

async fn advance<T: Target>(
    order: &Order,
    target: &T,
    known: &mut Known,
    deeds: &mut Vec<Deed>,
) -> Result<(), Stopped> {
    let outlines: &[Outline] = order.desired.as_ref().map_or(&[], |desired| &desired.outlines);
    for _ in 0..MOST_ROUNDS {
        let Some(observed) = target.things(&order.unit) else {
            return Err(later("the cluster is not seen as a whole yet"));
        };
        let observed = known.complete(observed, order.desired.as_deref(), order.now);
        let deletions = permitted(order, outlines, &observed);
        let plan = plan(outlines, &observed, &deletions);
        announce(order, target, known, outlines, &observed).await?;
        if !plan.has_due() {
            // While later stages or other units wait, the inventory may lag: it lists everything, and what it does
            // not know of is applied once more, without effect, after a crash.
            if !plan.steps.is_empty() || (order.others_wait && !deeds.is_empty()) {
                return Ok(());
            }
            let observed = Observed { inventory: known.inventory.clone(), ..observed };
            return settle(order, target, known, outlines, &observed).await;
        }
        let actions = match &order.desired {
            Some(desired) => {
                let rendered = desired.bodies().map_err(|error| Stopped::Failed {
                    message: error.to_string(),
                    retry: Retry::NextCommit,
                })?;
                plan.due(rendered)
            }
            None => plan.due_without_bodies(),
        };
        let mut broken = Broken::default();
        for rank in ranks(actions) {
            let rank = rank.into_iter().filter(|action| !broken.stops(action)).collect();
            let done = carry_out(order, target, rank).await;
            let only: Vec<Done> = done.iter().map(|deed| deed.done.clone()).collect();
            inventory::note(&mut known.inventory, outlines, &only);
            broken.note(outlines, &only);
            deeds.extend(done);
            if order.superseded.load(Ordering::Relaxed) {
                return Err(Stopped::Superseded);
            }
        }
        if let Some(failure) = broken.first {
            return Err(failure);
        }
        // What was deleted goes in its own time; the watches tell when it is gone.
        if plan
            .steps
            .iter()
            .all(|step| matches!(step.change, Change::Delete { .. } | Change::SetAside { .. }))
        {
            return Ok(());
        }
    }
    Err(later("what was applied does not stay as it was applied"))
}

/// What failed in a round, and whom that stops: its own subscription, or everybody who shares it.
#[derive(Default)]
struct Broken {
    first: Option<Stopped>,
    subscriptions: BTreeSet<Option<Name>>,
}

impl Broken {
    fn note(&mut self, outlines: &[Outline], done: &[Done]) {
        for done in done {
            let Outcome::Failed { message, retry } = &done.outcome else { continue };
            let message = format!("{}: {message}", done.id);
            self.first.get_or_insert(Stopped::Failed { message, retry: *retry });
            if let Some(outline) = outlines.iter().find(|outline| outline.id == done.id) {
                self.subscriptions.insert(outline.subscription.clone());
            }
        }
    }

    fn stops(&self, action: &Action) -> bool {
        match action {
            Action::Create { resource, .. } | Action::Update { resource, .. } => {
                self.subscriptions.contains(&None)
                    || self.subscriptions.contains(&resource.subscription)
            }
            Action::Delete { .. } | Action::SetAside { .. } | Action::Orphan { .. } => false,
        }
    }
}

/// The permission to delete, as far as it was given for what would go now.
fn permitted(order: &Order, outlines: &[Outline], observed: &Observed) -> Deletions {
    let unjudged = departing(outlines, observed).iter().any(|(id, _)| !order.judged.contains(id));
    match order.deletions {
        Deletions::Allowed if unjudged => Deletions::Announced,
        ref deletions => deletions.clone(),
    }
}

/// Lists in the inventory what is about to be ours, and what is about to go.
async fn announce<T: Target>(
    order: &Order,
    target: &T,
    known: &mut Known,
    outlines: &[Outline],
    observed: &Observed,
) -> Result<(), Stopped> {
    let mut next = inventory::before(outlines, &known.inventory, order.now);
    let judged = departing(outlines, observed).iter().all(|(id, _)| order.judged.contains(id));
    if order.announce && judged {
        let observed = Observed {
            inventory: next.clone().unwrap_or_else(|| known.inventory.clone()),
            ..observed.clone()
        };
        next = inventory::announcing(outlines, &observed).or(next);
    }
    match next {
        Some(next) => write(order, target, known, next).await,
        None => Ok(()),
    }
}

/// Brings the inventory in the cluster to what is known, once nothing is left to do.
async fn settle<T: Target>(
    order: &Order,
    target: &T,
    known: &mut Known,
    outlines: &[Outline],
    observed: &Observed,
) -> Result<(), Stopped> {
    let settled = inventory::after(outlines, observed);
    if settled.entries == known.written.entries {
        known.inventory = settled;
        return Ok(());
    }
    write(order, target, known, settled).await
}

async fn write<T: Target>(
    order: &Order,
    target: &T,
    known: &mut Known,
    next: Inventory,
) -> Result<(), Stopped> {
    let next = Inventory { uid: known.inventory.uid.clone(), ..next };
    match target.write_inventory(&order.unit, &next).await {
        Ok(written) => {
            known.inventory = written.clone();
            known.written = written;
            Ok(())
        }
        Err(message) => {
            known.doubtful = true;
            Err(later(&format!("the inventory cannot be written: {message}")))
        }
    }
}

fn later(message: &str) -> Stopped {
    Stopped::Failed { message: message.to_owned(), retry: Retry::Later }
}

/// Actions that may go side by side, in the order of their groups: a namespace before what stands
/// in it, secrets before what reads them, what is asked for before what is not.
fn ranks(actions: Vec<Action>) -> Vec<Vec<Action>> {
    let rank = |action: &Action| match action {
        Action::Create { resource, .. } | Action::Update { resource, .. } => {
            let within = match &*resource.id.kind {
                "Namespace" => 0,
                "Secret" | "ConfigMap" | "ServiceAccount" => 1,
                _ => 2,
            };
            (resource.stage as u8, within)
        }
        Action::Orphan { .. } => (u8::MAX - 1, 0),
        Action::SetAside { .. } => (u8::MAX, 0),
        Action::Delete { id, .. } => (u8::MAX, u8::from(id.is_namespace())),
    };
    let mut ranked: std::collections::BTreeMap<(u8, u8), Vec<Action>> =
        std::collections::BTreeMap::new();
    for action in actions {
        ranked.entry(rank(&action)).or_default().push(action);
    }
    ranked.into_values().collect()
}

async fn carry_out<T: Target>(order: &Order, target: &T, actions: Vec<Action>) -> Vec<Deed> {
    stream::iter(actions)
        .map(|action| async move {
            let started = Instant::now();
            let done = target.apply(&order.unit, &action).await;
            let cause = match &action {
                Action::Create { cause, .. } | Action::Update { cause, .. } => Some(cause.clone()),
                Action::Delete { .. } | Action::SetAside { .. } | Action::Orphan { .. } => None,
            };
            Deed { verb: action.verb(), cause, done, took: started.elapsed() }
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}
