//! The ground that edits stand on: what the branch holds, read and checked. Of the next one only
//! what differs is read and checked again.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::model::Commit;
use crate::model::Configuration;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Severity;
use crate::model::Snapshot;
use crate::render::Templates;
use crate::validate;
use crate::validate::Checked;
use crate::validate::Earlier;
use crate::validate::capacity::Loads;

use super::Changes;
use super::Delivery;
use super::Draft;

/// A snapshot with all that follows from it.
pub(super) struct Ground {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) configuration: Configuration,
    templates: Arc<Templates>,
    names: Arc<BTreeSet<String>>,
    checked: Checked,
    /// What clusters have promised; reckoned when somebody is to be placed.
    loads: Arc<OnceLock<Loads>>,
}

impl std::fmt::Debug for Ground {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Ground({})", self.snapshot.commit)
    }
}

impl Ground {
    /// Reads and checks a snapshot, with what is known of another.
    pub(super) fn of(snapshot: Arc<Snapshot>, known: Option<&Self>) -> Self {
        let configuration = Configuration::read(known.map(|known| &known.configuration), &snapshot);
        let same = known.filter(|known| known.templates.are_of(&snapshot));
        let (templates, names) = if let Some(known) = same {
            (Arc::clone(&known.templates), Arc::clone(&known.names))
        } else {
            let (templates, _) = Templates::of(&snapshot);
            let names = Arc::new(templates.names());
            (Arc::new(templates), names)
        };
        let earlier = same
            .map(|known| Earlier { configuration: &known.configuration, checked: &known.checked });
        let checked = validate::check_after(earlier, &configuration, &snapshot, &names);
        Self { snapshot, configuration, templates, names, checked, loads: Arc::default() }
    }

    /// A draft on this ground after changes that are not in it; see [`Draft::new`].
    pub(super) fn draft(&self, before: Changes, tenant: Option<&Name>) -> Draft<'_> {
        Draft::new(&self.snapshot, &self.configuration, tenant)
            .after(before, Arc::clone(&self.loads))
    }

    /// Whether people look at an edit before it is done. Where nobody can read what the platform wants,
    /// they do.
    pub(super) fn wants_review(&self, delivery: Delivery) -> bool {
        match delivery {
            Delivery::Commit => false,
            Delivery::PullRequest => true,
            Delivery::AsPlatformSays(kind) => self
                .configuration
                .platform
                .as_ref()
                .is_none_or(|platform| platform.spec.pull_requests.kinds.contains(&kind)),
        }
    }

    /// The same after changes.
    pub(super) fn with(&self, changes: &Changes) -> Self {
        let mut snapshot = Snapshot::clone(&self.snapshot);
        changes.apply(&mut snapshot);
        Self::of(Arc::new(snapshot), Some(self))
    }

    /// The same under the name of the commit that holds it.
    pub(super) fn named(mut self, commit: &Commit) -> Self {
        Arc::make_mut(&mut self.snapshot).commit = commit.clone();
        self
    }

    /// The errors that are here and were not there. Lines move; what is said of a file stays.
    pub(super) fn errors_beyond(&self, before: &Self) -> Vec<Finding> {
        let mut there: HashMap<_, usize> = HashMap::new();
        for finding in errors(&before.checked) {
            *there.entry(key(finding)).or_default() += 1;
        }
        let mut new = Vec::new();
        for finding in errors(&self.checked) {
            match there.get_mut(&key(finding)) {
                Some(count) if *count > 0 => *count -= 1,
                _ => new.push(finding.clone()),
            }
        }
        new
    }
}

fn errors(checked: &Checked) -> impl Iterator<Item = &Finding> {
    checked.findings.iter().filter(|finding| finding.severity == Severity::Error)
}

fn key(finding: &Finding) -> (&str, &str, &str) {
    (&finding.place.file, finding.rule, &finding.message)
}
