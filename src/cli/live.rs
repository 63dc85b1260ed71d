//! What would be done to the clusters as they are now. It reads, and asks the API servers what
//! they would make of each change; nothing is written.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::Value;

use crate::apply::cluster::watch::Event;
use crate::apply::cluster::watch::Watches;
use crate::model::Cluster;
use crate::model::Document;
use crate::model::Resource;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::marks;
use crate::model::resource::Outline;
use crate::model::resource::Rendered;
use crate::plan::Change;
use crate::plan::Deletions;
use crate::plan::Plan;
use crate::plan::Preview;
use crate::plan::UnitPreview;
use crate::plan::diff::Difference;
use crate::plan::diff::differences;
use crate::plan::plan;
use crate::plan::preview::Held;
use crate::reconcile::answer::Documented;
use crate::reconcile::desired::Desired;
use crate::reconcile::targets::ClusterTarget;
use crate::reconcile::targets::Kubeconfigs;
use crate::reconcile::world::Target as _;

use super::Failure;
use super::Output;

/// How long a cluster may take to show everything there is.
const PATIENCE: Duration = Duration::from_mins(2);
/// How many changes an API server is asked about at once.
const QUESTIONS: usize = 16;

/// Compares what is desired with what is there.
pub(super) async fn preview(
    documented: &Documented,
    kubeconfigs: &Kubeconfigs,
    output: &Output,
    now: Timestamp,
) -> Result<Preview, Failure> {
    let desired = &*documented.desired;
    let mut units = Vec::new();
    let mut unchanged = 0;
    for cluster in desired.configuration.clusters.values() {
        let seen = Seen::of(cluster, documented, kubeconfigs, output).await?;
        let names = seen.units(desired);
        let progress = output.progress("comparing", Some(names.len()));
        for name in &names {
            progress.step();
            match seen.unit(desired, name, now).await? {
                Some(unit) => units.push(unit),
                None => unchanged += 1,
            }
        }
    }
    let held = desired.held.iter();
    let held = held.map(|(unit, why)| Held { unit: unit.clone(), why: why.clone() }).collect();
    let platform = desired.platform.as_ref();
    let deletions = platform.map(|platform| platform.spec.deletions.clone()).unwrap_or_default();
    let mut preview = Preview::new(units, held, &deletions, desired.unsure.as_deref());
    preview.unchanged += unchanged;
    Ok(preview)
}

/// A cluster and its database server as they were a moment ago.
struct Seen<'a> {
    document: &'a Document<Cluster>,
    target: ClusterTarget,
    _watches: Watches,
}

impl<'a> Seen<'a> {
    async fn of(
        document: &'a Document<Cluster>,
        documented: &Documented,
        kubeconfigs: &Kubeconfigs,
        output: &Output,
    ) -> Result<Self, Failure> {
        let name = &document.name;
        let _progress = output.progress(&format!("reading the cluster `{name}`"), None);
        let away =
            |why: String| Failure::new(format!("the cluster `{name}` cannot be read: {why}"));
        let target = ClusterTarget::connect(document, kubeconfigs).await.map_err(away)?;
        let (watches, mut events) = Watches::start(target.cluster());
        let complete = async {
            loop {
                match events.recv().await {
                    Some(Event::Synced) => return Ok(()),
                    Some(Event::Disconnected { reason }) => return Err(reason),
                    Some(_) => {}
                    None => return Err("it stopped answering".to_owned()),
                }
            }
        };
        let slow = || format!("it did not show everything within {} s", PATIENCE.as_secs());
        let synced = tokio::time::timeout(PATIENCE, complete).await;
        synced.unwrap_or_else(|_| Err(slow())).map_err(away)?;
        for finding in documented.ask(target.cluster(), name).await? {
            let (place, rule, message) = (&finding.place, finding.rule, &finding.message);
            output.note(format!("{place}: {message} [{rule}]"));
            if let Some(help) = &finding.help {
                output.note(format!("  {help}"));
            }
        }
        if let Err(why) = target.look_at_databases().await {
            output.note(format!("the databases of `{name}` cannot be looked at: {why}"));
        }
        Ok(Self { document, target, _watches: watches })
    }

    /// Who is asked for here, and who owns something here. The held ones stay as they are.
    fn units(&self, desired: &Desired) -> Vec<UnitName> {
        let mut names: Vec<UnitName> = self.target.units();
        let here = desired.units.iter().filter(|(_, unit)| unit.cluster == self.document.name);
        names.extend(here.map(|(name, _)| name.clone()));
        names.retain(|name| !desired.held.contains_key(name));
        names.sort();
        names.dedup();
        names
    }

    async fn unit(
        &self,
        desired: &Desired,
        name: &UnitName,
        now: Timestamp,
    ) -> Result<Option<UnitPreview>, Failure> {
        let wanted = desired.units.get(name).filter(|unit| unit.cluster == self.document.name);
        let outlines: &[Outline] = wanted.map_or(&[], |unit| &unit.outlines);
        let mut observed = self.target.observed(name).ok_or_else(|| {
            Failure::new(format!("the inventory of `{name}` cannot be read"))
                .help("look at it with `kubectl`, and at the daemon's log")
        })?;
        observed.at = now;
        observed.purged = wanted.map(|unit| unit.purged().clone()).unwrap_or_default();
        let plan = plan(outlines, &observed, &Deletions::Allowed);
        if plan.is_settled() && plan.kept.is_empty() {
            return Ok(None);
        }
        let rendered = match wanted {
            Some(unit) => unit.bodies()?,
            None => Rendered::new(name.clone(), self.document.name.clone(), Vec::new()),
        };
        let fields = self.fields(name, &rendered, &plan).await;
        let told = UnitPreview::of(&rendered, &observed, &plan, |resource| {
            let told = fields.get(&resource.id).cloned();
            told.unwrap_or_else(|| Err("what differs cannot be told beforehand".into()))
        });
        Ok(Some(if wanted.is_none() { told.gone() } else { told }))
    }

    /// Asks what each update would change.
    async fn fields(
        &self,
        unit: &UnitName,
        rendered: &Rendered,
        plan: &Plan,
    ) -> BTreeMap<ResourceId, Result<Vec<Difference>, String>> {
        let updated = plan.steps.iter().filter_map(|step| match step.change {
            Change::Update { desired, .. } => rendered.resources.get(desired),
            _ => None,
        });
        stream::iter(updated.filter(|resource| !resource.id.is_database()))
            .map(|resource| async { (resource.id.clone(), self.asked(unit, resource).await) })
            .buffer_unordered(QUESTIONS)
            .collect()
            .await
    }

    async fn asked(&self, unit: &UnitName, resource: &Resource) -> Result<Vec<Difference>, String> {
        match self.target.cluster().dry_run(unit, resource).await {
            Ok(mut told) => {
                let mut before = told.before.unwrap_or_default();
                leave_out_digest(&mut before);
                leave_out_digest(&mut told.after);
                Ok(differences(&before, &told.after))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Leaves out the digest of what was applied: whatever changes, changes it, and it tells a person nothing.
fn leave_out_digest(object: &mut Value) {
    if let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") {
        annotations.shift_remove(marks::RENDERED);
    }
}
