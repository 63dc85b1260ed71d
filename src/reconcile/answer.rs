//! Asks each cluster what it is: which Kubernetes runs there, and whether it serves what rendering
//! chose. Once for each connection, and again when rendering chooses something else.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::watch;

use crate::apply::Cluster;
use crate::apply::error::ApplyError;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Place;
use crate::model::Snapshot;
use crate::model::resource::OUR_GROUP;
use crate::validate::answer::Answer;
use crate::validate::answer::Chosen;
use crate::validate::answer::FIELD;
use crate::validate::answer::check;

use super::desired::Desired;
use super::note::Note;
use super::pace;
use super::targets::ClusterTarget;

/// What is desired, and where each cluster's document says its version.
#[derive(Clone)]
pub struct Documented {
    pub desired: Arc<Desired>,
    places: Arc<BTreeMap<Name, Place>>,
}

impl Documented {
    pub fn new(desired: Arc<Desired>, snapshot: &Snapshot) -> Self {
        let clusters = desired.configuration.clusters.iter();
        let places = clusters
            .map(|(name, document)| (name.clone(), document.origin.locate(snapshot, FIELD)))
            .collect();
        Self { desired, places: Arc::new(places) }
    }

    /// Every kind that the tenants of a cluster are rendered to, with its API version.
    fn chosen(&self, cluster: &Name) -> BTreeSet<Chosen> {
        let units = self.desired.units.values().filter(|unit| unit.cluster == *cluster);
        let outlines = units.flat_map(|unit| unit.outlines.iter());
        let chosen: BTreeSet<(&str, &str)> = outlines
            .filter(|outline| &*outline.id.group != OUR_GROUP)
            .map(|outline| (&*outline.api_version, &*outline.id.kind))
            .collect();
        chosen
            .into_iter()
            .map(|(api_version, kind)| Chosen {
                api_version: api_version.into(),
                kind: kind.into(),
            })
            .collect()
    }

    /// Compares what is documented with what the cluster answers.
    fn findings(&self, cluster: &Name, answer: &Answer) -> Vec<Finding> {
        let document = self.desired.configuration.clusters.get(cluster);
        let place = self.places.get(cluster);
        document
            .zip(place)
            .map(|(document, place)| check(document, place, answer))
            .unwrap_or_default()
    }

    /// Asks a cluster now, and compares.
    pub async fn ask(&self, cluster: &Cluster, name: &Name) -> Result<Vec<Finding>, ApplyError> {
        Ok(self.findings(name, &answer(cluster, &self.chosen(name)).await?))
    }
}

/// A few requests: one for the version, and one for each API version that was chosen.
async fn answer(cluster: &Cluster, chosen: &BTreeSet<Chosen>) -> Result<Answer, ApplyError> {
    let version = cluster.version().await?;
    let mut served: BTreeMap<&str, BTreeSet<Box<str>>> = BTreeMap::new();
    let mut not_served = BTreeSet::new();
    for one in chosen {
        let api_version = &*one.api_version;
        if !served.contains_key(api_version) {
            served.insert(api_version, cluster.kinds_of(api_version).await?);
        }
        if !served.get(api_version).is_some_and(|kinds| kinds.contains(&one.kind)) {
            not_served.insert(one.clone());
        }
    }
    Ok(Answer { version, not_served })
}

/// Asks a cluster as often as `connections` counts a new one, and tells what is found.
pub(super) async fn keep_asking(
    name: Name,
    target: Arc<ClusterTarget>,
    mut connections: watch::Receiver<u64>,
    mut documents: watch::Receiver<Option<Documented>>,
    notes: mpsc::UnboundedSender<Note>,
) {
    let mut asked: Option<(u64, BTreeSet<Chosen>)> = None;
    let mut answered: Option<Answer> = None;
    let mut told: Option<Vec<Finding>> = None;
    let mut failures = 0;
    loop {
        let connection = *connections.borrow_and_update();
        let documented = documents.borrow_and_update().clone();
        if connection > 0
            && let Some(documented) = documented
        {
            let asking = (connection, documented.chosen(&name));
            if asked.as_ref() != Some(&asking) {
                match answer(target.cluster(), &asking.1).await {
                    Ok(answer) => {
                        (asked, answered, failures) = (Some(asking), Some(answer), 0);
                    }
                    Err(error) => {
                        failures += 1;
                        tracing::debug!(cluster = %name, "what `{name}` is cannot be asked: {error}");
                        tokio::time::sleep(pace::wait(failures, 0)).await;
                        continue;
                    }
                }
            }
            let findings = answered.as_ref().map(|answer| documented.findings(&name, answer));
            if let Some(findings) = findings
                && told.as_ref() != Some(&findings)
            {
                let _ = notes
                    .send(Note::Answered { cluster: name.clone(), findings: findings.clone() });
                told = Some(findings);
            }
        }
        let changed = tokio::select! {
            changed = connections.changed() => changed,
            changed = documents.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}
