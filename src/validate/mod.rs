//! Is this allowed? Returns what is valid and the findings; it never fails as a whole.

mod assemble;
mod view;

pub mod valid;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

pub use valid::ValidComponent;
pub use valid::ValidNamespace;
pub use valid::ValidSubscription;
pub use valid::ValidTenant;

use crate::model::Configuration;
use crate::model::Document;
use crate::model::Finding;
use crate::model::Platform;
use crate::model::Snapshot;
use crate::model::UnitName;

/// What a configuration comes to: who may converge, who is held, and why.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The only platform there is, where nothing is wrong with it.
    pub platform: Option<Arc<Document<Platform>>>,
    /// Who may converge.
    pub valid: BTreeMap<UnitName, Arc<ValidTenant>>,
    /// Who keeps its last good state, and the first reason why, in words.
    pub held: BTreeMap<UnitName, String>,
    /// Whether the absence of a unit proves that nobody wants it: not while something that
    /// could be its document cannot be read.
    pub complete: bool,
    /// Everything there is to say, by file and line.
    pub findings: Vec<Finding>,
}

/// Checks a configuration. `templates` are the names of all templates, such as `component/web.yaml`.
pub fn check(
    configuration: &Configuration,
    _snapshot: &Snapshot,
    templates: &BTreeSet<String>,
) -> Checked {
    let offers = view::offers(configuration);
    let world = view::World::new(configuration, templates, &offers);
    let findings: Vec<Finding> =
        configuration.files.iter().flat_map(|file| file.findings.iter().cloned()).collect();
    let mut checked = Checked {
        platform: configuration.platform.clone(),
        complete: findings.is_empty(),
        findings,
        ..Checked::default()
    };
    for customer in &world.customers {
        let unit = UnitName::Tenant(customer.name.clone());
        let tenant = checked
            .platform
            .as_ref()
            .filter(|_| checked.complete)
            .and_then(|platform| assemble::tenant(customer, platform));
        match tenant {
            Some(tenant) => {
                checked.valid.insert(unit, Arc::new(tenant));
            }
            None => {
                checked.held.insert(unit, "something it refers to is not there".into());
            }
        }
    }
    checked
}
