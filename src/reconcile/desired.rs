//! From a commit to what every unit should be, touching only what the commit can have changed.
//!
//! A unit that is broken in this commit keeps the state it had in the last good one.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use jiff::Timestamp;

use crate::model::Commit;
use crate::model::Configuration;
use crate::model::Digest;
use crate::model::Document;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Phase;
use crate::model::Platform;
use crate::model::Snapshot;
use crate::model::UnitName;
use crate::model::on_all_cores;
use crate::model::resource::Outline;
use crate::model::resource::Rendered;
use crate::model::side_by_side;
use crate::render::Reads;
use crate::render::RenderError;
use crate::render::Rendering;
use crate::render::Templates;
use crate::render::render;
use crate::validate::Checked;
use crate::validate::Earlier;
use crate::validate::ValidTenant;
use crate::validate::check_after;

/// What every unit should be at one commit.
#[derive(Clone)]
pub struct Desired {
    pub commit: Commit,
    pub platform: Option<Arc<Document<Platform>>>,
    pub configuration: Arc<Configuration>,
    pub templates: Arc<Templates>,
    pub units: BTreeMap<UnitName, Arc<DesiredUnit>>,
    /// Units that are broken in this commit, and why. Where an earlier commit was good,
    /// `units` still has them.
    pub held: BTreeMap<UnitName, String>,
    /// Why the absence of a unit proves nothing, such as a file that cannot be read.
    pub unsure: Option<String>,
    pub findings: Vec<Finding>,
    /// How many units were rendered to get here: the others could not have changed.
    pub rendered: usize,
    /// What the check came to, so that the next one need not look at everybody again.
    checked: Arc<Checked>,
}

/// A unit as it was and as it is.
pub type Difference<'a> =
    (&'a UnitName, Option<&'a Arc<DesiredUnit>>, Option<&'a Arc<DesiredUnit>>);

impl Desired {
    /// The units that are not the very same as they were before.
    pub fn differences<'a>(&'a self, before: Option<&'a Self>) -> Vec<Difference<'a>> {
        static NOBODY: BTreeMap<UnitName, Arc<DesiredUnit>> = BTreeMap::new();
        side_by_side(before.map_or(&NOBODY, |before| &before.units), &self.units)
            .filter(|(_, old, new)| !old.zip(*new).is_some_and(|(old, new)| Arc::ptr_eq(old, new)))
            .collect()
    }
}

/// What one unit should be, without the bodies: they are rendered again when they are needed.
#[derive(Clone)]
pub struct DesiredUnit {
    pub unit: UnitName,
    pub cluster: Name,
    /// The commit that made it what it is.
    pub commit: Commit,
    pub outlines: Arc<[Outline]>,
    pub digest: Digest,
    pub phases: BTreeMap<Name, Phase>,
    /// When the clock alone will change it.
    pub next_change: Option<Timestamp>,
    /// The time it was rendered for.
    at: Timestamp,
    valid: Arc<ValidTenant>,
    templates: Arc<Templates>,
    reads: Reads,
    /// The bodies, where they are about to be needed: see [`AT_HAND`].
    at_hand: Arc<Mutex<Option<Rendered>>>,
}

/// Up to how many units that one commit changes keep their bodies until their first run. Those of
/// all tenants together would not fit in memory; those of a few need not be rendered twice.
const AT_HAND: usize = 256;

impl DesiredUnit {
    fn of(
        valid: &Arc<ValidTenant>,
        templates: &Arc<Templates>,
        commit: &Commit,
        at: Timestamp,
        rendering: Rendering,
        at_hand: bool,
    ) -> Self {
        let rendered = rendering.rendered;
        Self {
            unit: rendered.unit.clone(),
            cluster: rendered.cluster.clone(),
            commit: commit.clone(),
            outlines: rendered.resources.iter().map(crate::model::Resource::outline).collect(),
            digest: with_purges(rendered.digest, &valid.tenant.spec.purged),
            phases: rendering.phases,
            next_change: rendering.next_change,
            at,
            valid: Arc::clone(valid),
            templates: Arc::clone(templates),
            reads: rendering.reads,
            at_hand: Arc::new(Mutex::new(at_hand.then_some(rendered))),
        }
    }

    /// The subscriptions of which nothing is kept any longer.
    pub fn purged(&self) -> &BTreeSet<Name> {
        &self.valid.tenant.spec.purged
    }

    /// The bodies that are at hand, which they are no longer.
    pub(super) fn let_go(&self) -> Option<Rendered> {
        self.at_hand.lock().expect("nobody panics holding this lock").take()
    }

    /// The same unit for the same tenant in a later commit, where rendering it again would read
    /// what it read before.
    fn kept(
        self: &Arc<Self>,
        valid: &Arc<ValidTenant>,
        templates: &Arc<Templates>,
    ) -> Option<Arc<Self>> {
        if Arc::ptr_eq(&self.valid, valid) && Arc::ptr_eq(&self.templates, templates) {
            return Some(Arc::clone(self));
        }
        self.reads.still_true(valid, templates).then(|| {
            let (valid, templates) = (Arc::clone(valid), Arc::clone(templates));
            Arc::new(Self { valid, templates, ..Self::clone(self) })
        })
    }

    /// The bodies, just as they were when the outlines were made.
    pub fn bodies(&self) -> Result<Rendered, RenderError> {
        match self.let_go() {
            Some(bodies) => Ok(bodies),
            None => Ok(render(&self.valid, &self.templates, self.at)?.rendered),
        }
    }

    /// The same unit at a later time.
    pub fn at(&self, now: Timestamp) -> Result<Self, RenderError> {
        let rendering = render(&self.valid, &self.templates, now)?;
        Ok(Self::of(&self.valid, &self.templates, &self.commit, now, rendering, false))
    }
}

/// Goes from what was desired to what the snapshot asks for.
pub fn advance(previous: Option<&Desired>, snapshot: &Snapshot, now: Timestamp) -> Desired {
    let configuration =
        Arc::new(Configuration::read(previous.map(|desired| &*desired.configuration), snapshot));
    let templates = match previous {
        Some(previous) if previous.templates.are_of(snapshot) => Arc::clone(&previous.templates),
        _ => Arc::new(Templates::of(snapshot).0),
    };
    let earlier = previous.map(|previous| Earlier {
        configuration: &previous.configuration,
        checked: &previous.checked,
    });
    let checked = check_after(earlier, &configuration, snapshot, &templates.names());
    let mut findings: Vec<Finding> = templates.findings().cloned().collect();
    findings.extend(checked.findings.iter().cloned());

    let mut held = checked.held.clone();
    let mut news: Vec<Arc<ValidTenant>> = Vec::new();
    let nobody = BTreeMap::new();
    let olds = previous.map_or(&nobody, |previous| &previous.units);
    let mut units = olds.clone();
    for (unit, old, valid) in side_by_side(olds, &checked.valid) {
        let kept = old.zip(valid).filter(|(old, _)| !due(old, now));
        match kept.and_then(|(old, valid)| Some((old, old.kept(valid, &templates)?))) {
            Some((old, kept)) if Arc::ptr_eq(old, &kept) => {}
            Some((_, kept)) => {
                units.insert(unit.clone(), kept);
            }
            None => {
                units.remove(unit);
                news.extend(valid.map(Arc::clone));
            }
        }
    }
    let rendered = news.len();
    let made = on_all_cores(&news, |valid| {
        let (commit, at_hand) = (&snapshot.commit, rendered <= AT_HAND);
        render(valid, &templates, now)
            .map(|rendering| DesiredUnit::of(valid, &templates, commit, now, rendering, at_hand))
    });
    for (valid, unit) in news.iter().zip(made) {
        match unit {
            Ok(unit) => {
                units.insert(unit.unit.clone(), Arc::new(unit));
            }
            Err(error) => {
                held.insert(valid.unit.clone(), error.to_string());
                // What is wrong with the template itself was found when it was read.
                let known =
                    |known: &Finding| known.place == error.place && known.message == error.message;
                if !templates.findings().any(known) {
                    findings.push(error.finding());
                }
            }
        }
    }
    for unit in held.keys() {
        if let Some(old) = olds.get(unit) {
            units.insert(unit.clone(), Arc::clone(old));
        }
    }
    findings.sort();
    findings.dedup();
    let unsure = (!checked.complete).then(|| {
        let first =
            findings.iter().find(|finding| finding.severity == crate::model::Severity::Error);
        first.map_or_else(
            || "some documents cannot be read".to_owned(),
            |finding| format!("`{}` cannot be read", finding.place.file),
        )
    });
    Desired {
        commit: snapshot.commit.clone(),
        platform: checked.platform.clone(),
        configuration,
        templates,
        units,
        held,
        unsure,
        findings,
        rendered,
        checked: Arc::new(checked),
    }
}

/// What is given up is asked for, too: no resource says it.
fn with_purges(digest: Digest, purged: &BTreeSet<Name>) -> Digest {
    if purged.is_empty() { digest } else { Digest::of_json(&(digest, purged)) }
}

/// Whether the clock has passed the time at which the unit changes by itself.
fn due(unit: &DesiredUnit, now: Timestamp) -> bool {
    unit.next_change.is_some_and(|change| change <= now)
}
