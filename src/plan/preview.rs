//! A preview: what would be done to many units, told before it is done. It says what would be
//! deleted, whether that is too much at once, and what no later revert could bring back.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Serialize;

use crate::model::Digest;
use crate::model::Name;
use crate::model::Resource;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::platform;
use crate::model::resource::Outline;
use crate::model::resource::Rendered;
use crate::model::resource::default_retention_days;

use super::Aside;
use super::Cause;
use super::Change;
use super::Deletions;
use super::Entry;
use super::Health;
use super::Inventory;
use super::Live;
use super::Observed;
use super::Plan;
use super::diff;
use super::diff::Difference;
use super::diff::FieldChange;
use super::limits;
use super::limits::Departure;
use super::limits::Verdict;

/// What would be done to many units.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Units for which anything would be done, by name.
    pub units: Vec<UnitPreview>,
    /// Units that keep their last good state, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// How many units there is nothing to do for.
    pub unchanged: usize,
    pub totals: Totals,
    pub losses: Losses,
    /// Why deletions would wait for an approval; none where they would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked_because: Option<String>,
    /// What a commit has to name to approve the parked deletions, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Digest>,
    /// Equal digests would do the same.
    pub digest: Digest,
}

/// A unit that keeps its last good state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    pub unit: UnitName,
    pub why: String,
}

/// What cannot be done yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    pub resource: ResourceId,
    pub why: String,
}

/// What would be done to one unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnitPreview {
    pub unit: UnitName,
    #[serde(rename = "changes")]
    pub items: Vec<Item>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Blocked>,
    #[serde(skip)]
    departure: Departure,
    /// Subscriptions that go with everything they have.
    #[serde(skip)]
    subscriptions_lost: Vec<Name>,
    /// What a revert brings back for as long as it is set aside.
    #[serde(skip)]
    set_aside: BTreeSet<ResourceId>,
}

/// What would be done with one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    pub action: Mark,
    pub resource: ResourceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Name>,
    /// Why, where it is not that a document asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// How many other things a namespace takes along.
    #[serde(skip_serializing_if = "is_zero")]
    pub takes_along: usize,
    /// What tells this state of it from any other.
    #[serde(skip)]
    state: (Option<Digest>, Option<Digest>),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What happens to a thing, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    Create,
    Update,
    Delete,
    /// It stays and is nobody's any more.
    Release,
    /// It stays, by the policy it was made with.
    Keep,
    /// Nobody reaches it any more, and it is deleted when its time has come.
    Aside,
    /// It would be deleted, and waits for an approval.
    Parked,
}

/// How much would be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub add: usize,
    pub change: usize,
    pub destroy: usize,
    pub keep: usize,
    pub release: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub aside: usize,
    pub parked: usize,
}

/// What would be gone, whether at once or after an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Tenants that lose everything.
    pub tenants: usize,
    pub subscriptions: usize,
    pub namespaces: usize,
    /// Volume claims and databases.
    pub data: usize,
    /// Objects of any kind, these among them.
    pub objects: usize,
    /// What customers wrote and no revert brings back.
    pub irrevocable: Vec<ResourceId>,
}

impl Preview {
    /// Puts units together and judges what would be deleted.
    ///
    /// `unsure` says why absence proves nothing at the moment, such as a file that cannot be read.
    pub fn new(
        units: impl IntoIterator<Item = UnitPreview>,
        held: Vec<Held>,
        deletions: &platform::Deletions,
        unsure: Option<&str>,
    ) -> Self {
        let all: Vec<UnitPreview> = units.into_iter().collect();
        let count = all.len();
        let mut units: Vec<UnitPreview> = all.into_iter().filter(|unit| !unit.is_empty()).collect();
        units.sort_by(|one, other| one.unit.cmp(&other.unit));
        let departures: Vec<Departure> = units
            .iter()
            .map(|unit| unit.departure.clone())
            .filter(|departure| !departure.ids.is_empty())
            .collect();
        let known = departures.iter().all(|departure| !departure.inventory.is_empty());
        let (parked_because, approval) =
            match limits::judge(&departures, &deletions.limit, &deletions.approved, unsure) {
                Verdict::Allowed => (None, None),
                Verdict::Parked { digest, reason } => (Some(reason), known.then_some(digest)),
            };
        if parked_because.is_some() {
            units.iter_mut().for_each(UnitPreview::park);
        }
        let digest = Digest::of_json(
            &units.iter().map(|unit| (&unit.unit, unit.fingerprint())).collect::<Vec<_>>(),
        );
        Self {
            unchanged: count - units.len(),
            totals: Totals::of(&units),
            losses: Losses::of(&units),
            units,
            held,
            parked_because,
            approval,
            digest,
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}

impl UnitPreview {
    /// Tells what a plan for a unit would do. `fields` tells what an update changes, or why that
    /// cannot be told.
    pub fn of(
        rendered: &Rendered,
        observed: &Observed,
        plan: &Plan,
        fields: impl Fn(&Resource) -> Result<Vec<Difference>, String>,
    ) -> Self {
        let unit = rendered.unit.clone();
        let outlines: Vec<Outline> = rendered.resources.iter().map(Resource::outline).collect();
        let departing = super::departing(&outlines, observed);
        let mut items: Vec<Item> = plan
            .steps
            .iter()
            .map(|step| item(step, rendered, observed, &departing, &fields))
            .collect();
        let stays =
            |action: Mark| move |id: &ResourceId| Item { action, ..Item::plain(id, observed) };
        items.extend(plan.kept.iter().map(stays(Mark::Keep)));
        items.extend(plan.aside.iter().map(|(id, until)| Item {
            why: Some(format!("set aside until {}", day(*until))),
            ..stays(Mark::Keep)(id)
        }));
        items.extend(plan.parked.iter().map(stays(Mark::Parked)));
        let asked: BTreeSet<&Option<Name>> =
            rendered.resources.iter().map(|resource| &resource.subscription).collect();
        let subscriptions_lost = observed
            .inventory
            .entries
            .values()
            .map(|entry| &entry.subscription)
            .filter(|subscription| !asked.contains(subscription))
            .flatten()
            .collect::<BTreeSet<_>>();
        let set_aside =
            plan.steps.iter().filter(|step| matches!(step.change, Change::SetAside { .. }));
        Self {
            set_aside: set_aside.map(|step| step.id.clone()).collect(),
            subscriptions_lost: subscriptions_lost.into_iter().cloned().collect(),
            departure: Departure {
                unit: unit.clone(),
                inventory: observed.inventory.uid.clone().unwrap_or_default(),
                whole_unit: false,
                ids: departing,
            },
            unit,
            items,
            blocked: plan
                .blocked
                .iter()
                .map(|(resource, why)| Blocked { resource: resource.clone(), why: why.clone() })
                .collect(),
        }
    }

    /// Notes that no document asks for the unit any more, or not on this cluster.
    #[must_use]
    pub fn gone(mut self) -> Self {
        self.departure.whole_unit = true;
        self
    }

    /// Whether there is nothing to do. What is kept is kept either way.
    fn is_empty(&self) -> bool {
        self.items.iter().all(|item| item.action == Mark::Keep) && self.blocked.is_empty()
    }

    fn park(&mut self) {
        for item in &mut self.items {
            if matches!(item.action, Mark::Delete | Mark::Aside) && limits::counts(&item.resource) {
                item.action = Mark::Parked;
            }
        }
    }

    fn fingerprint(&self) -> Digest {
        let states: Vec<_> =
            self.items.iter().map(|item| (item.action, &item.resource, item.state)).collect();
        Digest::of_json(&states)
    }

    /// Joins what happens on the cluster that a unit leaves with what happens on the one it comes to.
    fn and(mut self, other: Self) -> Self {
        self.subscriptions_lost.clear();
        self.items.extend(other.items);
        self.blocked.extend(other.blocked);
        self
    }
}

/// Tells what differs between two renderings of a unit, as if everything the first asks for were there.
///
/// At least one of them has to be there.
pub fn between(
    from: Option<&Rendered>,
    to: Option<&Rendered>,
    now: Timestamp,
) -> Option<UnitPreview> {
    let nothing =
        |other: &Rendered| Rendered::new(other.unit.clone(), other.cluster.clone(), Vec::new());
    Some(match (from, to) {
        (None, None) => return None,
        (Some(from), None) => step_between(from, &nothing(from), now).gone(),
        (None, Some(to)) => step_between(&nothing(to), to, now),
        (Some(from), Some(to)) if from.cluster != to.cluster => {
            let leaving = step_between(from, &nothing(from), now).gone();
            leaving.and(step_between(&nothing(to), to, now))
        }
        (Some(from), Some(to)) => step_between(from, to, now),
    })
}

fn step_between(from: &Rendered, to: &Rendered, now: Timestamp) -> UnitPreview {
    let observed = as_left_by(from, now);
    let outlines: Vec<Outline> = to.resources.iter().map(Resource::outline).collect();
    let plan = super::plan(&outlines, &observed, &Deletions::Allowed);
    UnitPreview::of(to, &observed, &plan, |resource| {
        let before = from.resources.iter().find(|before| before.id == resource.id);
        let told = before.map(|before| diff::differences(&before.body, &resource.body));
        Ok(told.unwrap_or_default())
    })
}

/// What would be there after everything a rendering asks for was applied.
fn as_left_by(rendered: &Rendered, now: Timestamp) -> Observed {
    let entry = |resource: &Resource| Entry {
        rendered: Some(resource.digest),
        owned: Some(resource.digest),
        ..Entry::announced(&resource.outline())
    };
    let live = |resource: &Resource| Live {
        uid: "".into(),
        owned: resource.digest,
        rendered: Some(resource.digest),
        foreign_labels: Vec::new(),
        changed_by: None,
        deleting: false,
        health: Health::Ready,
        aside: aside_of(resource),
    };
    let ids = || rendered.resources.iter().map(|resource| resource.id.clone());
    Observed {
        inventory: Inventory {
            uid: None,
            version: None,
            entries: ids().zip(rendered.resources.iter().map(entry)).collect(),
        },
        live: ids().zip(rendered.resources.iter().map(live)).collect(),
        databases_away: None,
        at: now,
        ..Observed::default()
    }
}

/// How long a database would be set aside; nothing else is.
fn aside_of(resource: &Resource) -> Option<Aside> {
    // It may stand alone, or as the `spec` of an object like any other.
    let spec = &resource.body["spec"];
    let spec = if spec.is_null() { &resource.body } else { spec };
    let days = spec["retentionDays"].as_i64().unwrap_or_else(|| default_retention_days().into());
    resource.id.is_database().then(|| Aside::For(SignedDuration::from_hours(24 * days)))
}

fn item(
    step: &super::Step,
    rendered: &Rendered,
    observed: &Observed,
    departing: &[(ResourceId, bool)],
    fields: &impl Fn(&Resource) -> Result<Vec<Difference>, String>,
) -> Item {
    let resource = |position: usize| rendered.resources.get(position);
    let plain = Item::plain(&step.id, observed);
    match &step.change {
        Change::Create { desired, cause } => {
            let back = observed.live.contains_key(&step.id);
            let back = back.then(|| "taken back from where it was set aside".to_owned());
            Item { why: told(cause).or(back), ..plain.of(resource(*desired)) }
        }
        Change::Update { desired, cause, .. } => {
            let fields = resource(*desired).map_or_else(|| Ok(Vec::new()), fields);
            let (differences, unknown) = match fields {
                Ok(differences) => (differences, None),
                Err(why) => (Vec::new(), Some(why)),
            };
            Item {
                action: Mark::Update,
                why: told(cause).or(unknown).or_else(|| left_behind(&step.id, &differences)),
                differences,
                ..plain.of(resource(*desired))
            }
        }
        Change::Delete { .. } => Item {
            action: Mark::Delete,
            takes_along: if step.id.is_namespace() {
                let along = |id: &ResourceId| id.namespace == step.id.name && !id.is_database();
                departing.iter().filter(|(id, _)| along(id)).count()
            } else {
                0
            },
            ..plain
        },
        Change::SetAside { until, .. } => {
            Item { action: Mark::Aside, why: Some(format!("until {}", day(*until))), ..plain }
        }
        Change::Orphan { .. } => Item { action: Mark::Release, ..plain },
    }
}

/// What no document asks for any more and still stays in a database: it may hold what somebody
/// needs, and no revert would bring it back.
fn left_behind(id: &ResourceId, differences: &[Difference]) -> Option<String> {
    let stays = |difference: &Difference| {
        let (_, list) = difference.path.rsplit_once('.').unwrap_or(("", &difference.path));
        let thing = match list {
            "schemas" => "schema",
            "extensions" => "extension",
            _ => return Vec::new(),
        };
        let words = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
        let (from, to) = match &difference.change {
            FieldChange::Removed { from } => (words(from), Vec::new()),
            FieldChange::Changed { from, to } => (words(from), words(to)),
            _ => return Vec::new(),
        };
        let gone = from.into_iter().filter(|word| !to.contains(word));
        gone.filter_map(|word| Some(format!("{thing} `{}`", word.as_str()?))).collect()
    };
    let left: Vec<String> = differences.iter().flat_map(stays).collect();
    let is_any = id.is_database() && !left.is_empty();
    is_any.then(|| format!("{} stays in it: remove it there by hand", left.join(", ")))
}

/// A day as people write it, in UTC.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn told(cause: &Cause) -> Option<String> {
    match cause {
        Cause::Asked => None,
        Cause::Unsure => Some("a run was cut short".into()),
        Cause::Drift { what, by: None } => Some(format!("drift: {what}")),
        Cause::Drift { what, by: Some(by) } => Some(format!("drift: {what} by {by}")),
    }
}

impl Item {
    /// What is known of a thing before anybody decides about it.
    fn plain(id: &ResourceId, observed: &Observed) -> Self {
        let entry = observed.inventory.entries.get(id);
        Self {
            action: Mark::Create,
            resource: id.clone(),
            subscription: entry.and_then(|entry| entry.subscription.clone()),
            why: None,
            differences: Vec::new(),
            takes_along: 0,
            state: (observed.live.get(id).map(|live| live.owned), None),
        }
    }

    /// A thing that a document asks for.
    fn of(self, resource: Option<&Resource>) -> Self {
        let Some(resource) = resource else { return self };
        Self {
            subscription: resource.subscription.clone(),
            state: (self.state.0, Some(resource.digest)),
            ..self
        }
    }
}

impl Totals {
    fn of(units: &[UnitPreview]) -> Self {
        let mut totals = Self::default();
        for item in units.iter().flat_map(|unit| &unit.items) {
            match item.action {
                Mark::Create => totals.add += 1,
                Mark::Update => totals.change += 1,
                Mark::Delete => totals.destroy += 1 + item.takes_along,
                Mark::Release => totals.release += 1,
                Mark::Keep => totals.keep += 1,
                Mark::Aside => totals.aside += 1,
                Mark::Parked => totals.parked += 1 + item.takes_along,
            }
        }
        totals
    }
}

impl Losses {
    fn of(units: &[UnitPreview]) -> Self {
        let mut losses = Self::default();
        for unit in units {
            let gone: Vec<&ResourceId> = unit
                .departure
                .ids
                .iter()
                .map(|(id, _)| id)
                .filter(|id| limits::counts(id))
                .collect();
            losses.tenants += usize::from(unit.departure.whole_unit && !gone.is_empty());
            losses.subscriptions += unit.subscriptions_lost.len();
            losses.namespaces += gone.iter().filter(|id| id.is_namespace()).count();
            losses.objects += gone.len();
            losses.data += gone.iter().filter(|id| id.holds_data()).count();
            let comes_back = |id: &ResourceId| unit.set_aside.contains(id);
            let gone = gone.into_iter().filter(|id| id.holds_data() && !comes_back(id));
            losses.irrevocable.extend(gone.cloned());
        }
        losses.irrevocable.sort();
        losses
    }
}
